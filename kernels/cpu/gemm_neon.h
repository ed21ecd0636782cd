// Blocks of tokens times panels of int8 and q4 weights where NEON has products of bytes. All other
// types go through gemm_tiles.h. A Tile is how one set multiplies a group of 64 inputs:
//   group<Value, Quads>(w, x, dot)  dot[t][i] = 4 rows times token t, for 8 rows and 4 Quads tokens;
//   w: 16 chunks of 64 bytes, x: 16 rows of kTile words. Value: w is signed and x is not; else x is
//   signed and w stored 128 above what it is.
// What tokens beyond the last hold is multiplied too, and left there.
#pragma once

#include "block_kernels.h"
#include "lanes_neon.h"

namespace skn {
namespace {

constexpr size_t kPair = 64 + 2 * 1024;  // bytes of two groups of a block of int8

inline int8x16_t word_bytes(const uint32_t* p) { return vreinterpretq_s8_u32(vld1q_u32(p)); }
template <bool Value>
int8x16_t weight_bytes(const uint8_t* p) {
    return Value ? vreinterpretq_s8_u8(vld1q_u8(p)) : NeonLanes::lowered(p);
}

// 8 rows (the lower or upper half of a block) times `count` tokens of a tile, at most 4 Quads.
template <class Tile, bool Value, int Quads>
void half_block(const uint8_t* block, int half, int groups, const uint32_t* x, const float* scales,
                int count, float* y, size_t stride, bool add) {
    float32x4_t sum[4 * Quads][2];
    for (int t = 0; t < 4 * Quads; t++)
        for (int i = 0; i < 2; i++)
            sum[t][i] = add && t < count ? vld1q_f32(y + size_t(t) * stride + 4 * i)
                                         : vdupq_n_f32(0);
    for (int g = 0; g < groups; g++, x += kGroup / 4 * kTile, scales += kTile) {
        const uint8_t* pair = block + size_t(g / 2) * kPair;
        int32x4_t dot[4 * Quads][2];
        Tile::template group<Value, Quads>(pair + 64 + (g & 1) * 1024 + half * 32, x, dot);
        const uint16_t* bits = reinterpret_cast<const uint16_t*>(pair + 32 * (g & 1)) + 8 * half;
        const float32x4_t scale[2] = {NeonLanes::bf16(bits), NeonLanes::bf16(bits + 4)};
        for (int t = 0; t < 4 * Quads; t++)
            for (int i = 0; i < 2; i++)
                sum[t][i] = vfmaq_f32(sum[t][i], vcvtq_f32_s32(dot[t][i]),
                                      vmulq_n_f32(scale[i], scales[t]));
    }
    for (int t = 0; t < count; t++)
        for (int i = 0; i < 2; i++) vst1q_f32(y + size_t(t) * stride + 4 * i, sum[t][i]);
}

template <class Tile, bool Value>
void block_of_int8(const uint8_t* block, int groups, const uint32_t* x, const float* scales,
                   int count, float* y, size_t stride, bool add) {
    static_assert(kTile == 12, "three quads of tokens");
    for (int half = 0; half < 2; half++, y += 8) {
        if (count <= 4)
            half_block<Tile, Value, 1>(block, half, groups, x, scales, count, y, stride, add);
        else if (count <= 8)
            half_block<Tile, Value, 2>(block, half, groups, x, scales, count, y, stride, add);
        else
            half_block<Tile, Value, 3>(block, half, groups, x, scales, count, y, stride, add);
    }
}

// All blocks of a panel, `block` bytes apart, times all tiles, inputs k .. k + depth.
template <class Tile, bool Value>
void panel_of_int8(const uint8_t* panel, size_t block, int blocks, int k, int depth,
                   const Tokens& x, int tile, int last_tile, float* y, size_t stride) {
    for (int t = tile; t < last_tile; t++, y += kTile * stride) {
        const uint32_t* items = reinterpret_cast<const uint32_t*>(x.at(t, k));
        const float* scales = x.scales + x.scale_at(t, k / kGroup);
        for (int b = 0; b < blocks; b++)
            block_of_int8<Tile, Value>(panel + size_t(b) * block, depth / kGroup, items, scales,
                                       x.in_tile(t), y + b * kBlockRows, stride, k > 0);
    }
}

// Inputs of a q4 block as if it were of int8.
inline void widen_q4(const uint8_t* block, int first, int depth, uint8_t* out) {
    const uint8x16_t levels =
        veorq_u8(vreinterpretq_u8_s8(NeonLanes::levels()), vdupq_n_u8(0x80));
    for (int k = 0; k < depth; k += kGroup) {
        const int g = (first + k) / kGroup;
        const uint8_t* from = block + chunks_at(g, kGroup * 8);
        uint8_t* to = out + size_t(k / kGroup / 2) * kPair;
        std::memcpy(to + 32 * (g & 1), block + scales_at(g, kGroup * 8), 32);
        to += 64 + (g & 1) * 1024;
        for (int c = 0; c < 8; c++)
            for (int i = 0; i < 64; i += 16) {
                const uint8x16_t both = vld1q_u8(from + c * 64 + i);
                vst1q_u8(to + c * 128 + i, vqtbl1q_u8(levels, NeonLanes::first(both)));
                vst1q_u8(to + c * 128 + 64 + i, vqtbl1q_u8(levels, NeonLanes::second(both)));
            }
    }
}

template <class Tile>
void product_of_int8(const Matrix& w, int first, int last, const Tokens& x, int tile,
                     int last_tile, float* y, size_t stride, uint8_t* scratch) {
    const uint8_t* data = w.data + size_t(first) * w.block_bytes;
    const int step =
        depth_of(last_tile - tile, w.padded, w.type == SKN_INT8 ? w.padded : 4 * kDepth);
    for (int k = 0; k < w.padded; k += step) {
        const int depth = w.padded - k < step ? w.padded - k : step;
        const uint8_t* panel = data + size_t(k / kGroup / 2) * kPair;
        size_t block = w.block_bytes;
        if (w.type == SKN_Q4) {
            panel = scratch;
            block = kPair * size_t((step / kGroup + 1) / 2);
            for (int b = 0; b < last - first; b++)
                widen_q4(data + size_t(b) * w.block_bytes, k, depth, scratch + size_t(b) * block);
        }
        panel_of_int8<Tile, false>(panel, block, last - first, k, depth, x, tile, last_tile, y,
                                   stride);
    }
}

// 16 bytes of a row of a value tile; half: which outputs of q4.
inline int8x16_t value_bytes_of(int type, const uint8_t* p, int half) {
    const uint8x16_t bytes = vld1q_u8(p);
    if (type == SKN_INT8) return vreinterpretq_s8_u8(bytes);
    return vqtbl1q_s8(NeonLanes::levels(),
                      half ? NeonLanes::second(bytes) : NeonLanes::first(bytes));
}

// A group of 64 inputs of a value tile into group `g` of 4 blocks, `block` bytes apart.
inline void spread_group(const ValueMatrix& w, const uint8_t* group, int half, int g, uint8_t* out,
                         size_t block) {
    out += size_t(g / 2) * kPair;
    for (int b = 0; b < 4; b++)
        std::memcpy(out + size_t(b) * block + 32 * (g & 1), group + 128 * half + 32 * b, 32);
    out += 64 + (g & 1) * 1024;
    const uint8_t* row = group + size_t(w.tile_columns) * 2;
    for (int c = 0; c < kGroup / 4; c++, row += 256, out += 64)
        for (int l = 0; l < 4; l++) {
            int8x16_t rows[4], blocks[4];
            for (int r = 0; r < 4; r++)
                rows[r] = value_bytes_of(w.type, row + 64 * r + 16 * l, half);
            interleave(rows, blocks);
            for (int b = 0; b < 4; b++)
                vst1q_u8(out + size_t(b) * block + 16 * l, vreinterpretq_u8_s8(blocks[b]));
        }
}

template <class Tile>
void value_of_int8(const ValueMatrix& w, int part, const Tokens& x, int tile, int last_tile,
                   float* y, size_t stride, uint8_t* scratch) {
    const ValuePart from(w, part);
    constexpr size_t block = kPair * (kDepth / kGroup / 2);
    for (int k = 0; k < w.columns; k += kDepth) {
        const int depth = w.columns - k < kDepth ? w.columns - k : kDepth;
        for (int g = 0; g < depth / kGroup; g++)
            spread_group(w, from.group(w, k / kGroup + g), from.half, g, scratch, block);
        panel_of_int8<Tile, true>(scratch, block, 4, k, depth, x, tile, last_tile, y, stride);
    }
}

// ---- What stands in the table -------------------------------------------------------------------

template <class L, class Tile>
void product_neon(const Matrix& w, int first, int last, const Tokens& x, int tile, int last_tile,
                  float* y, size_t stride, uint8_t* scratch) {
    if (x.form == Form::int8)
        product_of_int8<Tile>(w, first, last, x, tile, last_tile, y, stride, scratch);
    else
        product_fp32<L>(w, first, last, x, tile, last_tile, y, stride, scratch);
}

template <class L, class Tile>
void value_neon(const ValueMatrix& w, int part, const Tokens& x, int tile, int last_tile, float* y,
                size_t stride, uint8_t* scratch) {
    if (x.form == Form::uint8)
        value_of_int8<Tile>(w, part, x, tile, last_tile, y, stride, scratch);
    else
        value_fp32<L>(w, part, x, tile, last_tile, y, stride, scratch);
}

template <class L, class Tile>
constexpr BlockKernels kInt8Blocks = {
    form_of<L>,           value_form_of<L>,    pack_token<L>, finish_rows<L>, mix_token<L>,
    product_neon<L, Tile>, value_neon<L, Tile>, head_run<L>,   add_row<L>,
};

}  // namespace
}  // namespace skn
