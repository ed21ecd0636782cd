// The inner loops of gemm.h, as templates over the lanes of one instruction set: packing tokens,
// and one panel of rows times one tile of tokens in fp32, bf16 or int8.
#pragma once

#include "gemm.h"
#include "lanes.h"

namespace skein {

// ---- Packing tokens -----------------------------------------------------------------------------

inline std::uint32_t bf16_bits(float x) {
    std::uint32_t u;
    std::memcpy(&u, &x, 4);
    return (u + 0x7fff + ((u >> 16) & 1)) >> 16;
}

template <class L>
void pack_group_fp32(const Tokens& x, int tile, int group, int token, const float* values) {
    float* out = reinterpret_cast<float*>(x.items + tile * x.tile_bytes());
    out += static_cast<std::size_t>(group) * kGroup * kTile + token;
    for (int i = 0; i < kGroup; i++) out[i * kTile] = values[i];
}

template <class L>
void pack_group_bf16(const Tokens& x, int tile, int group, int token, const float* values) {
    std::uint32_t* out = reinterpret_cast<std::uint32_t*>(x.items + tile * x.tile_bytes());
    out += static_cast<std::size_t>(group) * (kGroup / 2) * kTile + token;
    std::uint32_t words[kGroup / 2];
    for (int i = 0; i < kGroup / 2; i++)
        words[i] = bf16_bits(values[2 * i]) | bf16_bits(values[2 * i + 1]) << 16;
    for (int i = 0; i < kGroup / 2; i++) out[i * kTile] = words[i];
}

template <class L>
void pack_group_int8(const Tokens& x, int tile, int group, int token, const float* values) {
    auto most = L::abs(L::load(values));
    for (int i = L::width; i < kGroup; i += L::width)
        most = L::max(most, L::abs(L::load(values + i)));
    const float top = L::top(most);
    // A group of zeros gets scale 0; a denormal one would overflow the inverse.
    const float inverse = top > 1e-30f ? 127.0f / top : 0.0f;
    float scaled[kGroup];
    for (int i = 0; i < kGroup; i += L::width)
        L::store(scaled + i, L::round(L::mul(L::load(values + i), L::set1(inverse))));
    std::int32_t sum = 0;
    std::int8_t q[kGroup];
    for (int i = 0; i < kGroup; i++) {
        const std::int32_t whole = static_cast<std::int32_t>(scaled[i]);
        q[i] = static_cast<std::int8_t>(whole);
        sum += whole;
    }
    std::uint32_t words[kGroup / 4];
    std::memcpy(words, q, sizeof words);
    std::uint32_t* out = reinterpret_cast<std::uint32_t*>(x.items + tile * x.tile_bytes());
    out += static_cast<std::size_t>(group) * (kGroup / 4) * kTile + token;
    for (int i = 0; i < kGroup / 4; i++) out[i * kTile] = words[i];
    const std::size_t at = x.scale_at(tile, group) + token;
    x.scales[at] = top > 1e-30f ? top / 127.0f : 0.0f;
    x.sums[at] = sum;
}

// Pack kGroup inputs of one token, as its group `group`.
template <class L>
void pack_group(const Tokens& x, int token, int group, const float* values) {
    const int tile = token / kTile, inside = token % kTile;
    if (x.form == Form::fp32)
        pack_group_fp32<L>(x, tile, group, inside, values);
    else if (x.form == Form::bf16)
        pack_group_bf16<L>(x, tile, group, inside, values);
    else
        pack_group_int8<L>(x, tile, group, inside, values);
}

// Pack a row of `inputs` floats that may end inside a group.
template <class L>
void pack_row(const Tokens& x, int token, const float* values, int inputs) {
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

// ---- fp32: a panel of expanded weights [block][depth][kBlock] -----------------------------------

// Vectors `first` .. first + Vectors of the panel's rows, times Count tokens of a tile.
template <class L, int Vectors, int Count>
void tile_fp32(const float* panel, int depth, const float* x, float* y, std::size_t stride,
               bool add) {
    using V = typename L::F;
    constexpr int per = kBlock / L::width;  // vectors in a block of rows
    const std::size_t block = static_cast<std::size_t>(depth) * kBlock;
    V sum[Count][Vectors];
    for (int t = 0; t < Count; t++)
        for (int i = 0; i < Vectors; i++)
            sum[t][i] = add ? L::load(y + t * stride + i * L::width) : L::zero();
    for (int k = 0; k < depth; k++) {
        V w[Vectors];
        for (int i = 0; i < Vectors; i++)
            w[i] = L::load(panel + (i / per) * block + (i % per) * L::width + k * kBlock);
        for (int t = 0; t < Count; t++) {
            const V item = L::set1(x[k * kTile + t]);
            for (int i = 0; i < Vectors; i++) sum[t][i] = L::fma(w[i], item, sum[t][i]);
        }
    }
    for (int t = 0; t < Count; t++)
        for (int i = 0; i < Vectors; i++) L::store(y + t * stride + i * L::width, sum[t][i]);
}

// How an instruction set cuts a tile: vectors of rows and tokens that its registers hold.
template <class L>
struct Cut {
    static constexpr int vectors = L::registers >= 32 ? (L::width == 16 ? 2 : 4) : 2;
    static constexpr int tokens = L::registers >= 32 ? (L::width == 16 ? 12 : 6) : 4;
    static constexpr int rows = vectors * L::width;
};

template <class L, int Vectors, int Most>
void some_fp32(int count, const float* panel, int depth, const float* x, float* y,
               std::size_t stride, bool add) {
    if constexpr (Most == 1) {
        tile_fp32<L, Vectors, 1>(panel, depth, x, y, stride, add);
    } else {
        if (count >= Most)
            tile_fp32<L, Vectors, Most>(panel, depth, x, y, stride, add);
        else
            some_fp32<L, Vectors, Most - 1>(count, panel, depth, x, y, stride, add);
    }
}

// One block of rows or two (`rows` = 16 or 32, more for no one) times `count` tokens of a tile.
template <class L>
void rows_fp32(const float* panel, int rows, int depth, const float* x, int count, float* y,
               std::size_t stride, bool add) {
    using C = Cut<L>;
    for (int t = 0; t < count; t += C::tokens) {
        const int now = count - t < C::tokens ? count - t : C::tokens;
        int row = 0;
        for (; row + C::rows <= rows; row += C::rows) {
            const std::size_t at = static_cast<std::size_t>(row / kBlock) * depth * kBlock;
            some_fp32<L, C::vectors, C::tokens>(now, panel + at + row % kBlock, depth, x + t,
                                                y + t * stride + row, stride, add);
        }
        for (; row < rows; row += L::width) {
            const std::size_t at = static_cast<std::size_t>(row / kBlock) * depth * kBlock;
            some_fp32<L, 1, C::tokens>(now, panel + at + row % kBlock, depth, x + t,
                                       y + t * stride + row, stride, add);
        }
    }
}

#if defined(__AVX512BF16__)
// ---- bf16: blocks [pairs][kBlock][2], one after the other `block` words apart --------------------

template <int Blocks, int Count>
void tile_bf16(const std::uint32_t* panel, std::size_t block, int pairs, const std::uint32_t* x,
               float* y, std::size_t stride, bool add) {
    __m512 sum[Count][Blocks];
    for (int t = 0; t < Count; t++)
        for (int i = 0; i < Blocks; i++)
            sum[t][i] = add ? _mm512_loadu_ps(y + t * stride + i * kBlock) : _mm512_setzero_ps();
    for (int k = 0; k < pairs; k++) {
        __m512i w[Blocks];
        for (int i = 0; i < Blocks; i++)
            w[i] = _mm512_loadu_si512(panel + i * block + static_cast<std::size_t>(k) * kBlock);
        for (int t = 0; t < Count; t++) {
            const __m512i item = _mm512_set1_epi32(static_cast<int>(x[k * kTile + t]));
            for (int i = 0; i < Blocks; i++)
                sum[t][i] = _mm512_dpbf16_ps(sum[t][i], (__m512bh)w[i], (__m512bh)item);
        }
    }
    for (int t = 0; t < Count; t++)
        for (int i = 0; i < Blocks; i++) _mm512_storeu_ps(y + t * stride + i * kBlock, sum[t][i]);
}

template <int Blocks, int Most>
void some_bf16(int count, const std::uint32_t* panel, std::size_t block, int pairs,
               const std::uint32_t* x, float* y, std::size_t stride, bool add) {
    if constexpr (Most == 1) {
        tile_bf16<Blocks, 1>(panel, block, pairs, x, y, stride, add);
    } else {
        if (count >= Most)
            tile_bf16<Blocks, Most>(panel, block, pairs, x, y, stride, add);
        else
            some_bf16<Blocks, Most - 1>(count, panel, block, pairs, x, y, stride, add);
    }
}
#endif

#if defined(__AVX512VNNI__)
// ---- int8: blocks of groups, `group_bytes` apart: bytes [kGroup / 4][kBlock][4] of q + 128 -------

// One block of 16 rows. weights: the bytes of group 0; scales: fp16 [kBlock] of group 0, both
// group_bytes apart.
template <int Count>
void tile_int8(const unsigned char* weights, const unsigned char* scales, std::size_t group_bytes,
               int groups, const std::uint32_t* x, const float* x_scales,
               const std::int32_t* x_sums, float* y, std::size_t stride, bool add) {
    __m512 sum[Count];
    for (int t = 0; t < Count; t++)
        sum[t] = add ? _mm512_loadu_ps(y + t * stride) : _mm512_setzero_ps();
    for (int g = 0; g < groups; g++) {
        __m512i dot[Count];
        for (int t = 0; t < Count; t++) dot[t] = _mm512_setzero_si512();
        for (int k = 0; k < kGroup / 4; k++) {
            const __m512i w = _mm512_loadu_si512(weights + k * 64);
            for (int t = 0; t < Count; t++)
                dot[t] = _mm512_dpbusd_epi32(
                    dot[t], w, _mm512_set1_epi32(static_cast<int>(x[k * kTile + t])));
        }
        const __m512 scale =
            _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(scales)));
        for (int t = 0; t < Count; t++) {
            // The stored bytes are q + 128: take 128 times the sum of the inputs off again.
            const __m512i less = _mm512_set1_epi32(x_sums[t] * 128);
            const __m512 exact = _mm512_cvtepi32_ps(_mm512_sub_epi32(dot[t], less));
            sum[t] = _mm512_fmadd_ps(exact, _mm512_mul_ps(scale, _mm512_set1_ps(x_scales[t])),
                                     sum[t]);
        }
        weights += group_bytes;
        scales += group_bytes;
        x += kGroup / 4 * kTile;
        x_scales += kTile;
        x_sums += kTile;
    }
    for (int t = 0; t < Count; t++) _mm512_storeu_ps(y + t * stride, sum[t]);
}

template <int Most>
void some_int8(int count, const unsigned char* weights, const unsigned char* scales,
               std::size_t group_bytes, int groups, const std::uint32_t* x, const float* x_scales,
               const std::int32_t* x_sums, float* y, std::size_t stride, bool add) {
    if constexpr (Most == 1) {
        tile_int8<1>(weights, scales, group_bytes, groups, x, x_scales, x_sums, y, stride, add);
    } else {
        if (count >= Most)
            tile_int8<Most>(weights, scales, group_bytes, groups, x, x_scales, x_sums, y, stride,
                            add);
        else
            some_int8<Most - 1>(count, weights, scales, group_bytes, groups, x, x_scales, x_sums,
                                y, stride, add);
    }
}
#endif

}  // namespace skein
