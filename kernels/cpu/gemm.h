// Blocks of tokens and their products with packed weights: y[t][row] = sum_k W[row][k] x[t][k].
//
// Tokens are packed in tiles of kTile: for every input (or pair of bf16, or four int8) the tile's
// kTile items lie side by side, one sequential stream. Weights are read as they lie in memory where
// the inner loop can (fp32, bf16, int8), else a panel of them is expanded first, which all tiles
// then share. Every sum runs over k in one fixed order: nothing depends on threads or tiles.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels.h"

namespace skn {

constexpr int kTile = 12;        // tokens of a tile
constexpr int kPanelBlocks = 4;  // blocks of 16 rows of one piece of work
constexpr int kPanelRows = kPanelBlocks * kBlockRows;
constexpr int kDepth = 512;  // inputs that go through all tiles before the next do

// How the items of a block of tokens are held.
//   bf16_twice: x = high + low, pairs of one after the same pair of the other, for bf16 weights;
//   int8: signed, groups of 64, the sums beside; uint8: the same where nothing is negative.
enum class Form : int { fp32, bf16, bf16_twice, int8, uint8 };

constexpr size_t bytes_of(Form form) {
    return form == Form::fp32 || form == Form::bf16_twice ? 4 : form == Form::bf16 ? 2 : 1;
}
constexpr bool has_scales(Form form) { return form == Form::int8 || form == Form::uint8; }

// A block of tokens; `inputs` is padded to whole groups.
struct Tokens {
    Form form = Form::fp32;
    int count = 0;
    int inputs = 0;
    uint8_t* items = nullptr;     // [tiles][inputs / items a word][kTile] words of 4 bytes
    float* scales = nullptr;      // [tiles][groups][kTile]
    int32_t* offsets = nullptr;   // the same, 128 times the sum of the quantised inputs

    static int tiles_of(int count) { return (count + kTile - 1) / kTile; }
    int tiles() const { return tiles_of(count); }
    int groups() const { return inputs / kGroup; }
    int in_tile(int tile) const {
        const int left = count - tile * kTile;
        return left < kTile ? left : kTile;
    }
    size_t tile_bytes() const { return size_t(inputs) * kTile * bytes_of(form); }
    uint8_t* at(int tile, int input) const {
        return items + size_t(tile) * tile_bytes() + size_t(input) * kTile * bytes_of(form);
    }
    size_t scale_at(int tile, int group) const {
        return (size_t(tile) * size_t(groups()) + size_t(group)) * kTile;
    }

    // Bytes for `count` tokens, a multiple of 64.
    static size_t bytes(Form form, int count, int inputs) {
        const size_t room = size_t(tiles_of(count)) * kTile * size_t(round_up(inputs, kGroup));
        return round_up(room * bytes_of(form), size_t(64)) +
               (has_scales(form) ? round_up(room / kGroup * 8, size_t(64)) : 0);
    }
    // Lays the arrays into memory of that size, aligned to 64.
    static Tokens over(uint8_t* memory, Form form, int count, int inputs) {
        Tokens x;
        x.form = form;
        x.count = count;
        x.inputs = round_up(inputs, kGroup);
        x.items = memory;
        const size_t room = size_t(x.tiles()) * kTile * size_t(x.inputs);
        if (has_scales(form)) {
            memory += round_up(room * bytes_of(form), size_t(64));
            x.scales = reinterpret_cast<float*>(memory);
            x.offsets = reinterpret_cast<int32_t*>(x.scales + room / kGroup);
        }
        return x;
    }
};

// What becomes of a product before it is packed for the next one.
enum class Then : int { nothing, tanh, sigmoid, relu_squared };

// One head of the time mix over a run of tokens of one sequence. All [D] arrays begin at the head.
struct HeadRun {
    int tokens;
    const float *r, *k, *v;  // products, `stride` floats from token to token
    float* v_first;          // the same; written in layer 0, else read
    size_t stride;
    const float *w_, *a_, *v_, *g_;  // [tokens][kHead] second loras' products, v_ null in layer 0
    const float *w0, *a0, *v0, *k_k, *k_a, *r_k, *ln_w, *ln_b;
    float* state;          // [key][value], advanced
    const Tokens* out;     // gets y as group `group`, from token `token` on
    int token, group;
    float* scratch;        // kHeadArrays * tokens * kHead floats
};
constexpr int kHeadArrays = 7;

// What every instruction set offers for blocks of tokens.
struct BlockKernels {
    // The forms of tokens that products with these types want.
    Form (*form)(int type);
    Form (*value_form)(int type);

    // Packs `inputs` floats as one token; the rest of the last group becomes zeros.
    void (*pack)(const Tokens& x, int token, const float* values, int inputs);
    // Rows of kGroup floats, for `count` tokens from `token` on: changed, then packed as `group`.
    void (*finish)(Then then, float* rows, int count, const Tokens& x, int token, int group);
    // out[i] gets h + (before - h) * mix[i], packed as `token`. row: scratch [n].
    void (*mix)(const float* h, const float* before, const float* const* mix,
                const Tokens* const* out, int outs, int token, int n, float* row);

    // y[t * stride + row] for the rows of blocks first .. last (at most kPanelBlocks), the tokens
    // of tiles tile .. last_tile; y begins at the first row and token. scratch: kScratchBytes.
    void (*product)(const Matrix& w, int first, int last, const Tokens& x, int tile, int last_tile,
                    float* y, size_t stride, uint8_t* scratch);
    // The same for 64 outputs of a value matrix: outputs 64 * part and so on.
    void (*value)(const ValueMatrix& w, int part, const Tokens& x, int tile, int last_tile,
                  float* y, size_t stride, uint8_t* scratch);

    void (*head)(const HeadRun& run);
    void (*add)(const float* x, float* y, int n);  // y += x
};

// A panel of kPanelRows x kDepth weights, expanded.
constexpr size_t kScratchBytes = size_t(kPanelRows) * kDepth * 4 + 4096;

}  // namespace skn
