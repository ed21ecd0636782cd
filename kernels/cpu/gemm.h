// Products of a block of tokens with a packed matrix: y[t][row] = sum_k W[row][k] x[t][k].
//
// Tokens are packed in tiles of kTile: for every input (or pair of bf16, or four int8) the tile's
// kTile items lie side by side, one sequential stream. Weights come 16 rows interleaved, either as
// they lie in memory (int8, bf16 pairs) or expanded into a small panel first, which all tiles of
// the block then share. Every sum runs over k in one fixed order: nothing depends on the threads.
#pragma once

#include <cstddef>
#include <cstdint>

namespace skein {

constexpr int kTile = 12;     // tokens a tile
constexpr int kGroup = 64;    // inputs that share a scale
constexpr int kBlock = 16;    // rows that are interleaved
constexpr int kPanel = 64;    // rows of one piece of work
constexpr int kDepth = 512;   // inputs expanded at a time

enum class Form : int { fp32 = 0, bf16 = 1, int8 = 2 };

constexpr std::size_t bytes_of(Form form) {
    return form == Form::fp32 ? 4 : form == Form::bf16 ? 2 : 1;
}

// A block of tokens as the products want it; `inputs` is padded to whole groups with zeros.
struct Tokens {
    Form form = Form::fp32;
    int count = 0;
    int inputs = 0;
    unsigned char* items = nullptr;  // [tiles][inputs / items a word][kTile] words of 4 bytes
    float* scales = nullptr;         // int8: [tiles][groups][kTile]
    std::int32_t* sums = nullptr;    // int8: [tiles][groups][kTile], of the quantised inputs

    int tiles() const { return (count + kTile - 1) / kTile; }
    int groups() const { return inputs / kGroup; }
    int in_tile(int tile) const {
        const int left = count - tile * kTile;
        return left < kTile ? left : kTile;
    }
    std::size_t tile_bytes() const {
        return static_cast<std::size_t>(inputs) * kTile * bytes_of(form);
    }
    const unsigned char* tile(int t) const { return items + t * tile_bytes(); }
    std::size_t scale_at(int tile, int group) const {
        return (static_cast<std::size_t>(tile) * groups() + group) * kTile;
    }
    // Bytes that a block of `count` tokens needs, scales and sums included.
    static std::size_t bytes(Form form, int count, int inputs) {
        const std::size_t tiles = (count + kTile - 1) / kTile;
        const std::size_t items = tiles * kTile * static_cast<std::size_t>(inputs) * bytes_of(form);
        return items + (form == Form::int8 ? tiles * kTile * (inputs / kGroup) * 8 : 0);
    }
    // Lays the arrays into `memory` of bytes(...), aligned to 64.
    static Tokens over(void* memory, Form form, int count, int inputs) {
        Tokens x;
        x.form = form;
        x.count = count;
        x.inputs = inputs;
        x.items = static_cast<unsigned char*>(memory);
        if (form == Form::int8) {
            const std::size_t n = static_cast<std::size_t>(x.tiles()) * x.groups() * kTile;
            x.scales = reinterpret_cast<float*>(x.items + x.tiles() * x.tile_bytes());
            x.sums = reinterpret_cast<std::int32_t*>(x.scales + n);
        }
        return x;
    }
};

}  // namespace skein
