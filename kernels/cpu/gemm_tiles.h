// The inner loops of gemm.h, as templates over the lanes of one instruction set: packing tokens,
// and panels of rows times tiles of tokens in fp32, bf16 or int8. Included by the blocks_*.cpp.
#pragma once

#include "gemm.h"
#include "lanes.h"

namespace skn {

// What an instruction set has besides floats.
template <class Lanes, bool Bf16 = false, bool Int8 = false>
struct Set : Lanes {
    static constexpr bool bf16_dot = Bf16;
    static constexpr bool int8_dot = Int8;
};

template <class L>
Form form_of(int type) {
    if (L::bf16_dot && (type == SKN_BF16 || type == SKN_FP16)) return Form::bf16;
    if (L::int8_dot && quantised(type)) return Form::int8;
    return Form::fp32;
}

template <class L>
Form value_form_of(int type) {
    const Form form = form_of<L>(type);
    return form == Form::int8 ? Form::uint8 : form;
}

// Inputs that go through all tiles before the next do. Few tiles wait for memory, not for sums: the
// weights then come as one stream a block, as long as the expanded ones fit the scratch. The sums
// are the same, bit for bit.
inline int depth_of(int tiles, int inputs, int most) {
    const int depth = tiles > 3 ? kDepth : most;
    return inputs < depth ? inputs : depth;
}

// ---- Packing tokens -----------------------------------------------------------------------------

template <class L>
uint32_t bf16_bits(float x) {
    uint32_t u;
    std::memcpy(&u, &x, 4);
    return (u + 0x7fff + ((u >> 16) & 1)) >> 16;
}

template <class L>
void pack_fp32(const Tokens& x, int tile, int group, int inside, const float* values) {
    float* out = reinterpret_cast<float*>(x.at(tile, group * kGroup)) + inside;
    for (int i = 0; i < kGroup; i++) out[i * kTile] = values[i];
}

template <class L>
void pack_bf16(const Tokens& x, int tile, int group, int inside, const float* values) {
    uint32_t words[kGroup / 2];
    for (int i = 0; i < kGroup / 2; i++)
        words[i] = bf16_bits<L>(values[2 * i]) | bf16_bits<L>(values[2 * i + 1]) << 16;
    uint32_t* out = reinterpret_cast<uint32_t*>(x.at(tile, group * kGroup)) + inside;
    for (int i = 0; i < kGroup / 2; i++) out[i * kTile] = words[i];
}

template <class L>
void pack_bf16_twice(const Tokens& x, int tile, int group, int inside, const float* values) {
    uint32_t* out = reinterpret_cast<uint32_t*>(x.at(tile, group * kGroup)) + inside;
    for (int i = 0; i < kGroup; i += 2, out += 2 * kTile) {
        uint32_t high[2], low[2];
        for (int j = 0; j < 2; j++) {
            high[j] = bf16_bits<L>(values[i + j]);
            const uint32_t bits = high[j] << 16;
            float whole;
            std::memcpy(&whole, &bits, 4);
            low[j] = bf16_bits<L>(values[i + j] - whole);
        }
        out[0] = high[0] | high[1] << 16;
        out[kTile] = low[0] | low[1] << 16;
    }
}

template <class L>
void pack_int8(const Tokens& x, int tile, int group, int inside, const float* values) {
    auto most = L::abs(L::load(values));
    for (int i = L::width; i < kGroup; i += L::width)
        most = L::max(most, L::abs(L::load(values + i)));
    const float levels = x.form == Form::int8 ? 127.0f : 255.0f;
    // A group this small counts as zeros: its inverse would be infinite.
    const float top = L::top(most) > 1e-30f ? L::top(most) : 0.0f;
    const float inverse = top > 0 ? levels / top : 0.0f;
    float scaled[kGroup];
    for (int i = 0; i < kGroup; i += L::width)
        L::store(scaled + i, L::round(L::mul(L::load(values + i), L::set1(inverse))));
    int32_t sum = 0;
    uint8_t q[kGroup];
    for (int i = 0; i < kGroup; i++) {
        const int32_t whole = int32_t(scaled[i]);
        q[i] = uint8_t(whole);
        sum += whole;
    }
    uint32_t words[kGroup / 4];
    std::memcpy(words, q, sizeof words);
    uint32_t* out = reinterpret_cast<uint32_t*>(x.at(tile, group * kGroup)) + inside;
    for (int i = 0; i < kGroup / 4; i++) out[i * kTile] = words[i];
    const size_t at = x.scale_at(tile, group) + size_t(inside);
    x.scales[at] = top / levels;
    x.offsets[at] = 128 * sum;
}

template <class L>
void pack_group(const Tokens& x, int token, int group, const float* values) {
    const int tile = token / kTile, inside = token % kTile;
    if (x.form == Form::fp32)
        pack_fp32<L>(x, tile, group, inside, values);
    else if (x.form == Form::bf16)
        pack_bf16<L>(x, tile, group, inside, values);
    else if (x.form == Form::bf16_twice)
        pack_bf16_twice<L>(x, tile, group, inside, values);
    else
        pack_int8<L>(x, tile, group, inside, values);
}

template <class L>
void pack_token(const Tokens& x, int token, const float* values, int inputs) {
    for (int g = 0; g < x.groups(); g++) {
        const int left = inputs - g * kGroup;
        if (left >= kGroup) {
            pack_group<L>(x, token, g, values + g * kGroup);
        } else {
            float rest[kGroup] = {};
            for (int i = 0; i < left; i++) rest[i] = values[g * kGroup + i];
            pack_group<L>(x, token, g, rest);
        }
    }
}

// ---- fp32 ---------------------------------------------------------------------------------------

// Weights in blocks of 16 rows `block` floats apart, from input to input `step` floats apart.
struct Panel {
    const float* weights;
    size_t block, step;
};

// Vectors of rows, the first at `row`, times Count tokens of a tile.
template <class L, int Vectors, int Count>
void tile_fp32(const Panel& panel, int row, int depth, const float* x, float* y, size_t stride,
               bool add) {
    using V = typename L::F;
    const float* w[Vectors];
    for (int i = 0; i < Vectors; i++) {
        const int at = row + i * L::width;
        w[i] = panel.weights + size_t(at / kBlockRows) * panel.block + at % kBlockRows;
    }
    V sum[Count][Vectors];
    for (int t = 0; t < Count; t++)
        for (int i = 0; i < Vectors; i++)
            sum[t][i] = add ? L::load(y + size_t(t) * stride + row + i * L::width) : L::zero();
    for (int k = 0; k < depth; k++) {
        V now[Vectors];
        for (int i = 0; i < Vectors; i++) now[i] = L::load(w[i] + size_t(k) * panel.step);
        for (int t = 0; t < Count; t++) {
            const V item = L::set1(x[k * kTile + t]);
            for (int i = 0; i < Vectors; i++) sum[t][i] = L::fma(now[i], item, sum[t][i]);
        }
    }
    for (int t = 0; t < Count; t++)
        for (int i = 0; i < Vectors; i++)
            L::store(y + size_t(t) * stride + row + i * L::width, sum[t][i]);
}

template <class L, int Vectors, int Most>
void some_fp32(int count, const Panel& panel, int row, int depth, const float* x, float* y,
               size_t stride, bool add) {
    if constexpr (Most > 1) {
        if (count < Most) {
            some_fp32<L, Vectors, Most - 1>(count, panel, row, depth, x, y, stride, add);
            return;
        }
    }
    tile_fp32<L, Vectors, Most>(panel, row, depth, x, y, stride, add);
}

// `rows` rows (a multiple of 16) times `count` tokens of a tile.
template <class L>
void rows_fp32(const Panel& panel, int rows, int depth, const float* x, int count, float* y,
               size_t stride, bool add) {
    constexpr bool many = L::registers >= 32;
    constexpr int vectors = many && L::width < 16 ? 4 : 2;  // that registers hold, times ..
    constexpr int tokens = !many ? 4 : L::width < 16 ? 6 : 12;
    for (int t = 0; t < count; t += tokens) {
        const int now = count - t < tokens ? count - t : tokens;
        float* out = y + size_t(t) * stride;
        int row = 0;
        for (; row + vectors * L::width <= rows; row += vectors * L::width)
            some_fp32<L, vectors, tokens>(now, panel, row, depth, x + t, out, stride, add);
        for (; row < rows; row += L::width)
            some_fp32<L, 1, tokens>(now, panel, row, depth, x + t, out, stride, add);
    }
}

// 64 inputs (or what is left) of a block, quantised, as fp32 [64][16].
template <class L>
void expand_group(int type, const uint8_t* block, int group, float* out) {
    const size_t half = type == SKN_INT8 ? 1024 : 512;
    const uint8_t* pair = block + size_t(group / 2) * (64 + 2 * half);
    const uint8_t* bytes = pair + 64 + size_t(group % 2) * half;
    uint16_t bits[kBlockRows];
    float scale[kBlockRows];
    std::memcpy(bits, pair + 32 * (group % 2), sizeof bits);
    for (int i = 0; i < kBlockRows; i += L::width) L::store(scale + i, L::bf16(bits + i));
    for (int c = 0; c < int(half / 64); c++) {
        uint32_t words[kBlockRows];
        std::memcpy(words, bytes + c * 64, sizeof words);
        for (int j = 0; j < 4; j++) {
            if (type == SKN_INT8) {
                float* row = out + (c * 4 + j) * kBlockRows;
                for (int r = 0; r < kBlockRows; r++)
                    row[r] = float(int32_t(words[r] >> (8 * j) & 255) - 128) * scale[r];
            } else {
                float* low = out + (c * 8 + j) * kBlockRows;
                float* high = low + 4 * kBlockRows;
                for (int r = 0; r < kBlockRows; r++) {
                    low[r] = float(kQ4[words[r] >> (8 * j) & 15]) * scale[r];
                    high[r] = float(kQ4[words[r] >> (8 * j + 4) & 15]) * scale[r];
                }
            }
        }
    }
}

// Inputs first .. first + depth of a block as fp32 [depth][16].
template <class L>
void expand_block(int type, const uint8_t* block, int first, int depth, float* out) {
    if (quantised(type)) {
        for (int k = 0; k < depth; k += kGroup)
            expand_group<L>(type, block, (first + k) / kGroup, out + k * kBlockRows);
        return;
    }
    for (int k = 0; k < depth; k += type == SKN_BF16 ? 2 : 1) {
        float* row = out + k * kBlockRows;
        const uint8_t* from = block + size_t(first + k) * kBlockRows * 2;
        if (type == SKN_BF16) {
            uint32_t words[kBlockRows], even[kBlockRows], odd[kBlockRows];
            std::memcpy(words, from, sizeof words);
            for (int r = 0; r < kBlockRows; r++) {
                even[r] = words[r] << 16;
                odd[r] = words[r] & 0xffff0000u;
            }
            std::memcpy(row, even, sizeof even);
            std::memcpy(row + kBlockRows, odd, sizeof odd);
        } else {
            uint16_t bits[kBlockRows];
            std::memcpy(bits, from, sizeof bits);
            for (int i = 0; i < kBlockRows; i += L::width) L::store(row + i, L::half(bits + i));
        }
    }
}

template <class L>
void product_fp32(const Matrix& w, int first, int last, const Tokens& x, int tile, int last_tile,
                  float* y, size_t stride, uint8_t* scratch) {
    const int rows = (last - first) * kBlockRows;
    const uint8_t* data = w.data + size_t(first) * w.block_bytes;
    const int step = depth_of(last_tile - tile, w.padded, w.type == SKN_FP32 ? w.padded : kDepth);
    for (int k = 0; k < w.padded; k += step) {
        const int depth = w.padded - k < step ? w.padded - k : step;
        Panel panel{reinterpret_cast<const float*>(data) + size_t(k) * kBlockRows,
                    w.block_bytes / 4, kBlockRows};
        if (w.type != SKN_FP32) {
            float* out = reinterpret_cast<float*>(scratch);
            panel = {out, size_t(depth) * kBlockRows, kBlockRows};
            for (int b = 0; b < last - first; b++)
                expand_block<L>(w.type, data + size_t(b) * w.block_bytes, k, depth,
                                out + size_t(b) * panel.block);
        }
        for (int t = tile; t < last_tile; t++)
            rows_fp32<L>(panel, rows, depth, reinterpret_cast<const float*>(x.at(t, k)),
                         x.in_tile(t), y + size_t(t - tile) * kTile * stride, stride, k > 0);
    }
}

// ---- The value matrix as fp32 -------------------------------------------------------------------

// Where the 64 outputs of `part` begin: the tile's group, its scales and the half of its bytes.
struct ValuePart {
    const uint8_t* tile;
    int half;

    ValuePart(const ValueMatrix& w, int part) {
        const int per = w.tile_columns / 64;
        tile = w.data + size_t(part / per) * w.tile_bytes();
        half = part % per;
    }
    const uint8_t* group(const ValueMatrix& w, int g) const {
        return tile + size_t(g) * w.group_bytes;
    }
};

// Place in a row's 64 bytes of output o.
constexpr int value_place(int o) { return 16 * (o % 16 / 4) + 4 * (o / 16) + o % 4; }

// A group of 64 inputs as fp32 [64][64].
template <class L>
void expand_value(const ValueMatrix& w, const uint8_t* group, int half, float* out) {
    if (!quantised(w.type)) {
        for (int f = 0; f < kGroup; f++, out += 64) {
            const uint8_t* row = group + f * 128;
            if (w.type == SKN_FP16) {
                uint16_t bits[64];
                std::memcpy(bits, row, sizeof bits);
                for (int i = 0; i < 64; i += L::width) L::store(out + i, L::half(bits + i));
            } else {
                uint32_t words[32], wide[64];
                std::memcpy(words, row, sizeof words);
                for (int i = 0; i < 16; i++) {
                    wide[i] = words[i] << 16;
                    wide[16 + i] = words[i] & 0xffff0000u;
                    wide[32 + i] = words[16 + i] << 16;
                    wide[48 + i] = words[16 + i] & 0xffff0000u;
                }
                std::memcpy(out, wide, sizeof wide);
            }
        }
        return;
    }
    uint16_t bits[64];
    float scale[64];
    std::memcpy(bits, group + 128 * half, sizeof bits);
    for (int i = 0; i < 64; i += L::width) L::store(scale + i, L::bf16(bits + i));
    const uint8_t* row = group + size_t(w.tile_columns) * 2;
    for (int f = 0; f < kGroup; f++, row += 64, out += 64) {
        float plain[64];
        for (int i = 0; i < 64; i++)
            plain[i] = w.type == SKN_INT8 ? float(int8_t(row[i]))
                                          : float(kQ4[row[i] >> (4 * half) & 15]);
        for (int u = 0; u < 4; u++)
            for (int l = 0; l < 4; l++)
                for (int i = 0; i < 4; i++) {
                    const int o = 16 * u + 4 * l + i;
                    out[o] = plain[16 * l + 4 * u + i] * scale[o];
                }
    }
}

template <class L>
void value_fp32(const ValueMatrix& w, int part, const Tokens& x, int tile, int last_tile, float* y,
                size_t stride, uint8_t* scratch) {
    const ValuePart from(w, part);
    for (int k = 0; k < w.columns; k += kDepth) {
        const int depth = w.columns - k < kDepth ? w.columns - k : kDepth;
        Panel panel{reinterpret_cast<const float*>(from.group(w, k / kGroup)), kBlockRows, 64};
        if (w.type != SKN_FP32) {
            float* out = reinterpret_cast<float*>(scratch);
            panel.weights = out;
            for (int g = 0; g < depth; g += kGroup)
                expand_value<L>(w, from.group(w, (k + g) / kGroup), from.half, out + g * 64);
        }
        for (int t = tile; t < last_tile; t++)
            rows_fp32<L>(panel, 64, depth, reinterpret_cast<const float*>(x.at(t, k)),
                         x.in_tile(t), y + size_t(t - tile) * kTile * stride, stride, k > 0);
    }
}

#if defined(__AVX512BF16__)
// ---- bf16: blocks [pairs][16][2], `block` words apart -------------------------------------------

// Twice: the tokens as high and low parts, both times the same weights.
template <bool Twice, int Blocks, int Count>
void tile_bf16(const uint32_t* panel, size_t block, int pairs, const uint32_t* x, float* y,
               size_t stride, bool add) {
    __m512 sum[Count][Blocks];
    for (int t = 0; t < Count; t++)
        for (int i = 0; i < Blocks; i++)
            sum[t][i] =
                add ? _mm512_loadu_ps(y + size_t(t) * stride + i * 16) : _mm512_setzero_ps();
    for (int k = 0; k < pairs; k++) {
        __m512i w[Blocks];
        for (int i = 0; i < Blocks; i++)
            w[i] = _mm512_loadu_si512(panel + size_t(i) * block + size_t(k) * 16);
        for (int t = 0; t < Count; t++) {
            const __m512i item = _mm512_set1_epi32(int(x[t]));
            for (int i = 0; i < Blocks; i++)
                sum[t][i] = _mm512_dpbf16_ps(sum[t][i], (__m512bh)w[i], (__m512bh)item);
        }
        x += kTile;
        if (!Twice) continue;
        for (int t = 0; t < Count; t++) {
            const __m512i item = _mm512_set1_epi32(int(x[t]));
            for (int i = 0; i < Blocks; i++)
                sum[t][i] = _mm512_dpbf16_ps(sum[t][i], (__m512bh)w[i], (__m512bh)item);
        }
        x += kTile;
    }
    for (int t = 0; t < Count; t++)
        for (int i = 0; i < Blocks; i++)
            _mm512_storeu_ps(y + size_t(t) * stride + i * 16, sum[t][i]);
}

template <bool Twice, int Blocks, int Most>
void some_bf16(int count, const uint32_t* panel, size_t block, int pairs, const uint32_t* x,
               float* y, size_t stride, bool add) {
    if constexpr (Most > 1) {
        if (count < Most) {
            some_bf16<Twice, Blocks, Most - 1>(count, panel, block, pairs, x, y, stride, add);
            return;
        }
    }
    tile_bf16<Twice, Blocks, Most>(panel, block, pairs, x, y, stride, add);
}

// All blocks of a panel times all tiles, inputs k .. k + depth.
template <bool Twice>
void panel_of_bf16(const uint32_t* panel, size_t block, int blocks, int k, int depth,
                   const Tokens& x, int tile, int last_tile, float* y, size_t stride) {
    for (int t = tile; t < last_tile; t++, y += kTile * stride) {
        const uint32_t* items = reinterpret_cast<const uint32_t*>(x.at(t, k));
        int b = 0;
        for (; b + 2 <= blocks; b += 2)
            some_bf16<Twice, 2, kTile>(x.in_tile(t), panel + size_t(b) * block, block, depth / 2,
                                       items, y + b * 16, stride, k > 0);
        if (b < blocks)
            some_bf16<Twice, 1, kTile>(x.in_tile(t), panel + size_t(b) * block, block, depth / 2,
                                       items, y + b * 16, stride, k > 0);
    }
}

inline void panel_bf16(const uint32_t* panel, size_t block, int blocks, int k, int depth,
                       const Tokens& x, int tile, int last_tile, float* y, size_t stride) {
    if (x.form == Form::bf16)
        panel_of_bf16<false>(panel, block, blocks, k, depth, x, tile, last_tile, y, stride);
    else
        panel_of_bf16<true>(panel, block, blocks, k, depth, x, tile, last_tile, y, stride);
}

// fp16 [2][16] as 16 pairs of bf16.
inline void pair_halves(const uint8_t* from, uint32_t* out) {
    const __m512i both = _mm512_loadu_si512(from);
    const __m256bh even = _mm512_cvtneps_pbh(_mm512_cvtph_ps(_mm512_castsi512_si256(both)));
    const __m256bh odd = _mm512_cvtneps_pbh(_mm512_cvtph_ps(_mm512_extracti64x4_epi64(both, 1)));
    const __m512i low = _mm512_cvtepu16_epi32((__m256i)even);
    const __m512i high = _mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)odd), 16);
    _mm512_storeu_si512(out, _mm512_or_si512(low, high));
}

inline void product_bf16(const Matrix& w, int first, int last, const Tokens& x, int tile,
                         int last_tile, float* y, size_t stride, uint8_t* scratch) {
    const uint8_t* data = w.data + size_t(first) * w.block_bytes;
    // Two blocks at a time: two streams.
    const int step =
        depth_of(last_tile - tile, w.padded, w.type == SKN_BF16 ? w.padded : 2 * kDepth);
    for (int k = 0; k < w.padded; k += step) {
        const int depth = w.padded - k < step ? w.padded - k : step;
        const uint32_t* panel = reinterpret_cast<const uint32_t*>(data) + size_t(k) * 8;
        size_t block = w.block_bytes / 4;
        if (w.type == SKN_FP16) {
            uint32_t* out = reinterpret_cast<uint32_t*>(scratch);
            panel = out;
            block = size_t(depth) * 8;
            for (int b = 0; b < last - first; b++)
                for (int i = 0; i < depth; i += 2, out += 16)
                    pair_halves(data + size_t(b) * w.block_bytes + size_t(k + i) * 32, out);
        }
        panel_bf16(panel, block, last - first, k, depth, x, tile, last_tile, y, stride);
    }
}

// Two inputs of a value tile as 4 blocks of 16 pairs, `block` words apart.
inline void pair_inputs(int type, const uint8_t* row, uint32_t* out, size_t block) {
    if (type == SKN_FP16) {
        for (int b = 0; b < 4; b++) {
            alignas(64) uint8_t both[64];
            std::memcpy(both, row + b * 32, 32);
            std::memcpy(both + 32, row + 128 + b * 32, 32);
            pair_halves(both, out + size_t(b) * block);
        }
        return;
    }
    const __m512i high = _mm512_set1_epi32(int(0xffff0000u));
    for (int h = 0; h < 2; h++) {
        const __m512i one = _mm512_loadu_si512(row + h * 64);
        const __m512i two = _mm512_loadu_si512(row + 128 + h * 64);
        _mm512_storeu_si512(out + size_t(2 * h) * block,
                            _mm512_or_si512(_mm512_andnot_si512(high, one),
                                            _mm512_slli_epi32(two, 16)));
        _mm512_storeu_si512(out + size_t(2 * h + 1) * block,
                            _mm512_or_si512(_mm512_srli_epi32(one, 16),
                                            _mm512_and_si512(high, two)));
    }
}

inline void value_bf16(const ValueMatrix& w, int part, const Tokens& x, int tile, int last_tile,
                       float* y, size_t stride, uint8_t* scratch) {
    const ValuePart from(w, part);
    for (int k = 0; k < w.columns; k += kDepth) {
        const int depth = w.columns - k < kDepth ? w.columns - k : kDepth;
        const size_t block = size_t(depth) * 8;
        uint32_t* out = reinterpret_cast<uint32_t*>(scratch);
        const uint8_t* rows = from.group(w, k / kGroup);  // rows of 128 bytes, without a gap
        for (int i = 0; i < depth; i += 2)
            pair_inputs(w.type, rows + size_t(i) * 128, out + size_t(i) * 8, block);
        panel_bf16(out, block, 4, k, depth, x, tile, last_tile, y, stride);
    }
}
#endif

#if defined(__AVX512VNNI__)
// ---- int8: blocks in pairs of groups, as a Matrix of int8 has them ------------------------------

constexpr size_t kPairBytes = 64 + 2 * 1024;

// 16 rows times Count tokens. Signed: the weights are signed and the tokens not, as in a value
// matrix; else the weights are stored as q + 128, which the tokens' offsets take off again.
template <bool Signed, int Count>
void tile_int8(const uint8_t* block, int groups, const uint32_t* x, const float* scales,
               const int32_t* offsets, float* y, size_t stride, bool add) {
    __m512 sum[Count];
    for (int t = 0; t < Count; t++)
        sum[t] = add ? _mm512_loadu_ps(y + size_t(t) * stride) : _mm512_setzero_ps();
    for (int g = 0; g < groups; g++) {
        const uint8_t* pair = block + size_t(g / 2) * kPairBytes;
        const uint8_t* bytes = pair + 64 + (g & 1) * 1024;
        __m512i dot[Count];
        for (int t = 0; t < Count; t++) dot[t] = _mm512_setzero_si512();
        for (int k = 0; k < kGroup / 4; k++) {
            const __m512i w = _mm512_loadu_si512(bytes + k * 64);
            for (int t = 0; t < Count; t++) {
                const __m512i item = _mm512_set1_epi32(int(x[k * kTile + t]));
                dot[t] = Signed ? _mm512_dpbusd_epi32(dot[t], item, w)
                                : _mm512_dpbusd_epi32(dot[t], w, item);
            }
        }
        const __m256i bits =
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(pair + 32 * (g & 1)));
        const __m512 scale =
            _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
        for (int t = 0; t < Count; t++) {
            const __m512i exact =
                Signed ? dot[t] : _mm512_sub_epi32(dot[t], _mm512_set1_epi32(offsets[t]));
            sum[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(exact),
                                     _mm512_mul_ps(scale, _mm512_set1_ps(scales[t])), sum[t]);
        }
        x += kGroup / 4 * kTile;
        scales += kTile;
        offsets += kTile;
    }
    for (int t = 0; t < Count; t++) _mm512_storeu_ps(y + size_t(t) * stride, sum[t]);
}

template <bool Signed, int Most>
void some_int8(int count, const uint8_t* block, int groups, const uint32_t* x, const float* scales,
               const int32_t* offsets, float* y, size_t stride, bool add) {
    if constexpr (Most > 1) {
        if (count < Most) {
            some_int8<Signed, Most - 1>(count, block, groups, x, scales, offsets, y, stride, add);
            return;
        }
    }
    tile_int8<Signed, Most>(block, groups, x, scales, offsets, y, stride, add);
}

template <bool Signed>
void panel_int8(const uint8_t* panel, size_t block, int blocks, int k, int depth, const Tokens& x,
                int tile, int last_tile, float* y, size_t stride) {
    for (int t = tile; t < last_tile; t++, y += kTile * stride) {
        const size_t at = x.scale_at(t, k / kGroup);
        for (int b = 0; b < blocks; b++)
            some_int8<Signed, kTile>(x.in_tile(t), panel + size_t(b) * block, depth / kGroup,
                                     reinterpret_cast<const uint32_t*>(x.at(t, k)), x.scales + at,
                                     x.offsets + at, y + b * 16, stride, k > 0);
    }
}

// The levels of q4, more by `offset`, for a byte shuffle.
inline __m512i levels_q4(int offset) {
    alignas(16) uint8_t table[16];
    for (int i = 0; i < 16; i++) table[i] = uint8_t(kQ4[i] + offset);
    return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(table)));
}

// Inputs of a q4 block as if it were of int8.
inline void expand_q4(const uint8_t* block, int first, int depth, uint8_t* out) {
    const __m512i levels = levels_q4(128), low = _mm512_set1_epi8(15);
    for (int k = 0; k < depth; k += kGroup) {
        const int g = (first + k) / kGroup;
        const uint8_t* pair = block + size_t(g / 2) * (64 + 2 * 512);
        const uint8_t* bytes = pair + 64 + (g & 1) * 512;
        uint8_t* to = out + size_t(k / kGroup / 2) * kPairBytes;
        std::memcpy(to + 32 * (g & 1), pair + 32 * (g & 1), 32);
        to += 64 + (g & 1) * 1024;
        for (int c = 0; c < 8; c++) {
            const __m512i both = _mm512_loadu_si512(bytes + c * 64);
            const __m512i lower = _mm512_and_si512(both, low);
            const __m512i upper = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
            _mm512_storeu_si512(to + c * 128, _mm512_shuffle_epi8(levels, lower));
            _mm512_storeu_si512(to + c * 128 + 64, _mm512_shuffle_epi8(levels, upper));
        }
    }
}

inline void product_int8(const Matrix& w, int first, int last, const Tokens& x, int tile,
                         int last_tile, float* y, size_t stride, uint8_t* scratch) {
    const uint8_t* data = w.data + size_t(first) * w.block_bytes;
    const int step =
        depth_of(last_tile - tile, w.padded, w.type == SKN_INT8 ? w.padded : 4 * kDepth);
    for (int k = 0; k < w.padded; k += step) {
        const int depth = w.padded - k < step ? w.padded - k : step;
        const uint8_t* panel = data + size_t(k / kGroup / 2) * kPairBytes;
        size_t block = w.block_bytes;
        if (w.type == SKN_Q4) {
            panel = scratch;
            block = kPairBytes * size_t((step / kGroup + 1) / 2);
            for (int b = 0; b < last - first; b++)
                expand_q4(data + size_t(b) * w.block_bytes, k, depth, scratch + size_t(b) * block);
        }
        panel_int8<false>(panel, block, last - first, k, depth, x, tile, last_tile, y, stride);
    }
}

// A group of 64 inputs of a value tile into group `g` of 4 blocks, `block` bytes apart.
inline void spread_value(const ValueMatrix& w, const uint8_t* group, int half, int g, uint8_t* out,
                         size_t block) {
    out += size_t(g / 2) * kPairBytes;
    for (int b = 0; b < 4; b++)
        std::memcpy(out + size_t(b) * block + 32 * (g & 1), group + 128 * half + 32 * b, 32);
    out += 64 + (g & 1) * 1024;
    const uint8_t* row = group + size_t(w.tile_columns) * 2;
    const __m512i levels = levels_q4(0), low = _mm512_set1_epi8(15);
    for (int c = 0; c < kGroup / 4; c++, row += 256, out += 64) {
        __m512i x[4];
        for (int i = 0; i < 4; i++) {
            x[i] = _mm512_loadu_si512(row + i * 64);
            if (w.type != SKN_Q4) continue;
            if (half) x[i] = _mm512_srli_epi16(x[i], 4);
            x[i] = _mm512_shuffle_epi8(levels, _mm512_and_si512(x[i], low));
        }
        const __m512i a = _mm512_unpacklo_epi8(x[0], x[1]), b = _mm512_unpackhi_epi8(x[0], x[1]);
        const __m512i d = _mm512_unpacklo_epi8(x[2], x[3]), e = _mm512_unpackhi_epi8(x[2], x[3]);
        _mm512_storeu_si512(out, _mm512_unpacklo_epi16(a, d));
        _mm512_storeu_si512(out + block, _mm512_unpackhi_epi16(a, d));
        _mm512_storeu_si512(out + 2 * block, _mm512_unpacklo_epi16(b, e));
        _mm512_storeu_si512(out + 3 * block, _mm512_unpackhi_epi16(b, e));
    }
}

inline void value_int8(const ValueMatrix& w, int part, const Tokens& x, int tile, int last_tile,
                       float* y, size_t stride, uint8_t* scratch) {
    const ValuePart from(w, part);
    constexpr size_t block = kPairBytes * (kDepth / kGroup / 2);
    for (int k = 0; k < w.columns; k += kDepth) {
        const int depth = w.columns - k < kDepth ? w.columns - k : kDepth;
        for (int g = 0; g < depth / kGroup; g++)
            spread_value(w, from.group(w, k / kGroup + g), from.half, g, scratch, block);
        panel_int8<true>(scratch, block, 4, k, depth, x, tile, last_tile, y, stride);
    }
}
#endif

// ---- Whichever suits ----------------------------------------------------------------------------

template <class L>
void product_any(const Matrix& w, int first, int last, const Tokens& x, int tile, int last_tile,
                 float* y, size_t stride, uint8_t* scratch) {
#if defined(__AVX512BF16__)
    if (L::bf16_dot && (x.form == Form::bf16 || x.form == Form::bf16_twice))
        return product_bf16(w, first, last, x, tile, last_tile, y, stride, scratch);
#endif
#if defined(__AVX512VNNI__)
    if (L::int8_dot && x.form == Form::int8)
        return product_int8(w, first, last, x, tile, last_tile, y, stride, scratch);
#endif
    product_fp32<L>(w, first, last, x, tile, last_tile, y, stride, scratch);
}

template <class L>
void value_any(const ValueMatrix& w, int part, const Tokens& x, int tile, int last_tile, float* y,
               size_t stride, uint8_t* scratch) {
#if defined(__AVX512BF16__)
    if (L::bf16_dot && x.form == Form::bf16)
        return value_bf16(w, part, x, tile, last_tile, y, stride, scratch);
#endif
#if defined(__AVX512VNNI__)
    if (L::int8_dot && x.form == Form::uint8)
        return value_int8(w, part, x, tile, last_tile, y, stride, scratch);
#endif
    value_fp32<L>(w, part, x, tile, last_tile, y, stride, scratch);
}

}  // namespace skn
