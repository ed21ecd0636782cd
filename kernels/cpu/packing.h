// From plain rows of fp32 to the layouts of kernels.h, and back. Templates, so that every
// instruction set compiles its own; all of them give the same bytes.
#pragma once

#include <type_traits>

#include "kernels.h"
#include "lanes.h"

namespace skn {

template <class L>
uint16_t to_bf16(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

template <class L>
float from_bf16(uint16_t x) {
    const uint32_t bits = uint32_t(x) << 16;
    float y;
    std::memcpy(&y, &bits, 4);
    return y;
}

// The scale that is not below x >= 0, so that nothing is cut off.
template <class L>
uint16_t bf16_above(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return uint16_t((bits + 0xffff) >> 16);
}

template <class L>
uint16_t to_half(float x) {
    alignas(64) float in[16] = {x};
    uint16_t out[16];
    L::store_half(out, L::load(in));
    return out[0];
}

template <class L>
float from_half(uint16_t x) {
    const uint16_t in[16] = {x};
    alignas(64) float out[16];
    L::store(out, L::half(in));
    return out[0];
}

// ---- Groups of 64 ---------------------------------------------------------------------------

// q in -127 .. 127; returns the bf16 scale.
template <class L>
uint16_t quantise_int8(const float* x, int8_t* q) {
    auto most = L::abs(L::load(x));
    for (int i = L::width; i < kGroup; i += L::width) most = L::max(most, L::abs(L::load(x + i)));
    const float top = L::top(most);
    if (!(top > 1e-30f)) {
        std::memset(q, 0, kGroup);
        return 0;
    }
    const uint16_t scale = bf16_above<L>(top / 127.0f);
    const auto inverse = L::set1(1.0f / from_bf16<L>(scale));
    for (int i = 0; i < kGroup; i += L::width)
        L::store_bytes(q + i, L::round(L::mul(L::load(x + i), inverse)));
    return scale;
}

// The levels of q4 by the place of a number: bin i of 32 holds [8 i - 128, 8 i - 120), at most one
// border between levels lies in it, and what is not above that is at `level`, else at level + step.
struct LevelBins {
    alignas(64) float border[32] = {}, level[32] = {}, step[32] = {};
};

constexpr LevelBins make_level_bins() {
    LevelBins bins;
    for (int i = 0; i < 32; i++) {
        const float begin = 8.0f * float(i) - 128.0f;
        int j = 0;  // the first border not below the bin
        while (j < 15 && 0.5f * float(kQ4[j] + kQ4[j + 1]) < begin) j++;
        bins.level[i] = float(kQ4[j]);
        bins.border[i] = 1e30f;
        if (j == 15) continue;
        bins.border[i] = 0.5f * float(kQ4[j] + kQ4[j + 1]);
        bins.step[i] = float(kQ4[j + 1] - kQ4[j]);
    }
    return bins;
}

constexpr LevelBins kLevelBins = make_level_bins();

// Whether these lanes look levels up there: L::nearest_level(x).
template <class L, class = void>
struct LooksUp : std::false_type {};
template <class L>
struct LooksUp<L, std::enable_if_t<(sizeof(L::nearest_level(L::zero(), kLevelBins)) > 0)>>
    : std::true_type {};

// The nearest level of every x / scale, as a float. Branchless: counts the borders below.
template <class L>
void nearest_levels(const float* x, float inverse, float* level) {
    const auto by = L::set1(inverse);
    if constexpr (LooksUp<L>::value) {
        for (int i = 0; i < kGroup; i += L::width)
            L::store(level + i, L::nearest_level(L::mul(L::load(x + i), by), kLevelBins));
        return;
    }
    for (int i = 0; i < kGroup; i += 2 * L::width) {
        const auto a = L::mul(L::load(x + i), by), b = L::mul(L::load(x + i + L::width), by);
        auto p = L::set1(kQ4[0]), q = p;
        for (int j = 0; j < 15; j++) {
            const auto border = L::set1(0.5f * float(kQ4[j] + kQ4[j + 1]));
            const auto step = L::set1(float(kQ4[j + 1] - kQ4[j]));
            p = L::add_above(p, a, border, step);
            q = L::add_above(q, b, border, step);
        }
        L::store(level + i, p);
        L::store(level + i + L::width, q);
    }
}

// A scale fitted by least squares to the levels that another one led to. explained: that much of
// |x|^2, more is better; below 0: no levels, or the sign has changed.
struct Fit {
    float scale = 0, explained = -1;
};

template <class L>
Fit fit_levels(const float* x, float scale, float sign) {
    alignas(64) float level[kGroup];
    nearest_levels<L>(x, 1.0f / scale, level);
    auto xl = L::zero(), ll = L::zero();
    for (int i = 0; i < kGroup; i += L::width) {
        const auto l = L::load(level + i);
        xl = L::fma(L::load(x + i), l, xl);
        ll = L::fma(l, l, ll);
    }
    const float up = L::sum(xl), down = L::sum(ll);
    if (!(down > 0) || !(up * sign > 0)) return {};
    return {up / down, up * (up / down)};
}

// Which of kQ4 a level is.
struct LevelIndex {
    uint8_t of[256] = {};
};

constexpr LevelIndex make_level_index() {
    LevelIndex index;
    for (int j = 0; j < 16; j++) index.of[kQ4[j] + 128] = uint8_t(j);
    return index;
}

constexpr LevelIndex kLevelIndex = make_level_index();

// Index of kQ4 in `index`; returns the bf16 scale, which may be negative. For each sign and a few
// lengths the scale is fitted by least squares to the levels that it leads to; the best stays.
template <class L>
uint16_t quantise_q4(const float* x, uint8_t* index) {
    auto highest = L::load(x), lowest = highest;
    for (int i = L::width; i < kGroup; i += L::width) {
        highest = L::max(highest, L::load(x + i));
        lowest = L::min(lowest, L::load(x + i));
    }
    const float top = L::top(highest), bottom = -L::top(L::sub(L::zero(), lowest));
    uint16_t scale = 0;
    const float most = top > -bottom ? top : -bottom;
    if (most > 1e-30f) {
        // Both signs side by side: they do not wait for each other.
        Fit fits[2][3][2];
        for (int start = 0; start < 3; start++) {
            float s[2];
            for (int plus = 0; plus < 2; plus++) {
                // The longest scale at which both ends are inside the table.
                const float a = (plus ? top : -bottom) / float(kQ4[15]);
                const float b = (plus ? -bottom : top) / float(-kQ4[0]);
                const float longest = a > b ? a : b;
                s[plus] = (plus ? longest : -longest) *
                          (start == 0 ? 0.98f : start == 1 ? 0.88f : 0.78f);
            }
            for (int round = 0; round < 2; round++)
                for (int plus = 0; plus < 2; plus++) {
                    const Fit fit = fit_levels<L>(x, s[plus], plus ? 1.0f : -1.0f);
                    // A scale that lost its sign leads nowhere: the first round's stays.
                    if (fit.explained > 0) s[plus] = fit.scale;
                    fits[plus][start][round] = fit;
                }
        }
        float best = -1, found = 0;
        for (const auto& sign : fits)
            for (const auto& start : sign)
                for (const Fit& fit : start)
                    if (fit.explained > best) {
                        best = fit.explained;
                        found = fit.scale;
                    }
        scale = to_bf16<L>(found);
    }
    alignas(64) float level[kGroup];
    const float s = from_bf16<L>(scale);
    if (s == 0) {
        std::memset(index, 8, kGroup);
        return 0;
    }
    nearest_levels<L>(x, 1.0f / s, level);
    for (int i = 0; i < kGroup; i++) index[i] = kLevelIndex.of[int(level[i]) + 128];
    return scale;
}

// ---- Dense ----------------------------------------------------------------------------------

template <class L>
void pack_block(const Matrix& w, const float* x, size_t stride, int rows, uint8_t* out) {
    std::memset(out, w.type == SKN_INT8 ? 0x80 : 0, w.block_bytes);
    if (!quantised(w.type)) {
        for (int r = 0; r < rows; r++) {
            const float* row = x + size_t(r) * stride;
            if (w.type == SKN_FP32) {
                float* to = reinterpret_cast<float*>(out);
                for (int k = 0; k < w.columns; k++) to[k * 16 + r] = row[k];
            } else if (w.type == SKN_BF16) {
                uint16_t* to = reinterpret_cast<uint16_t*>(out);
                for (int k = 0; k < w.columns; k++)
                    to[(k / 2) * 32 + r * 2 + k % 2] = to_bf16<L>(row[k]);
            } else {
                uint16_t* to = reinterpret_cast<uint16_t*>(out);
                alignas(64) float in[16];
                uint16_t half[16];
                for (int k = 0; k < w.columns; k += 16) {
                    const int n = w.columns - k < 16 ? w.columns - k : 16;
                    std::memcpy(in, row + k, size_t(n) * 4);
                    for (int i = 0; i < 16; i += L::width) L::store_half(half + i, L::load(in + i));
                    for (int i = 0; i < n; i++) to[(k + i) * 16 + r] = half[i];
                }
            }
        }
        return;
    }
    const size_t bytes = w.type == SKN_INT8 ? kGroup * 16 : kGroup * 8;
    alignas(64) float group[kGroup];
    for (int g = 0; g < w.groups(); g++) {
        uint16_t* scales = reinterpret_cast<uint16_t*>(out + scales_at(g, bytes));
        uint8_t* chunks = out + chunks_at(g, bytes);
        if (g % 2 == 0) std::memset(scales, 0, 64);
        const int n = w.columns - g * kGroup < kGroup ? w.columns - g * kGroup : kGroup;
        for (int r = 0; r < rows; r++) {
            std::memset(group, 0, sizeof group);
            std::memcpy(group, x + size_t(r) * stride + g * kGroup, size_t(n) * 4);
            if (w.type == SKN_INT8) {
                alignas(64) int8_t q[kGroup];
                scales[r] = quantise_int8<L>(group, q);
                for (int c = 0; c < 16; c++)
                    for (int j = 0; j < 4; j++)
                        chunks[c * 64 + r * 4 + j] = uint8_t(q[c * 4 + j]) ^ 0x80;
            } else {
                alignas(64) uint8_t q[kGroup];
                scales[r] = quantise_q4<L>(group, q);
                for (int c = 0; c < 8; c++)
                    for (int j = 0; j < 4; j++)
                        chunks[c * 64 + r * 4 + j] =
                            uint8_t(q[c * 8 + j] | q[c * 8 + 4 + j] << 4);
            }
        }
    }
}

template <class L>
void unpack_block(const Matrix& w, const uint8_t* block, float* out) {
    const size_t bytes = w.type == SKN_INT8 ? kGroup * 16 : kGroup * 8;
    for (int r = 0; r < 16; r++)
        for (int k = 0; k < w.padded; k++) {
            float& to = out[size_t(r) * w.padded + k];
            const uint16_t* words = reinterpret_cast<const uint16_t*>(block);
            const int g = k / kGroup, i = k % kGroup;
            if (w.type == SKN_FP32) {
                to = reinterpret_cast<const float*>(block)[k * 16 + r];
            } else if (w.type == SKN_FP16) {
                to = from_half<L>(words[k * 16 + r]);
            } else if (w.type == SKN_BF16) {
                to = from_bf16<L>(words[(k / 2) * 32 + r * 2 + k % 2]);
            } else {
                const float scale = from_bf16<L>(
                    reinterpret_cast<const uint16_t*>(block + scales_at(g, bytes))[r]);
                const uint8_t* chunks = block + chunks_at(g, bytes);
                if (w.type == SKN_INT8) {
                    to = scale * float(int(chunks[i / 4 * 64 + r * 4 + i % 4]) - 128);
                } else {
                    const uint8_t both = chunks[i / 8 * 64 + r * 4 + i % 4];
                    to = scale * float(kQ4[i % 8 < 4 ? both & 15 : both >> 4]);
                }
            }
        }
}

// ---- The value matrix -----------------------------------------------------------------------

// Where output j of 64 is kept in a row of bytes.
static inline int byte_of_output(int j) { return 16 * (j % 16 / 4) + 4 * (j / 16) + j % 4; }

template <class L>
void pack_value_group(const ValueMatrix& w, const float* x, size_t stride, int outputs,
                      uint8_t* out) {
    std::memset(out, 0, w.group_bytes);
    const size_t head = size_t(w.tile_columns) * 2;
    uint16_t* words = reinterpret_cast<uint16_t*>(out);
    if (w.type == SKN_Q4) std::memset(out + head, 0x88, w.group_bytes - head);
    for (int j = 0; j < outputs; j++) {
        const float* row = x + size_t(j) * stride;
        if (w.type == SKN_FP32) {
            for (int i = 0; i < kGroup; i++) reinterpret_cast<float*>(out)[i * 64 + j] = row[i];
        } else if (w.type == SKN_FP16) {
            alignas(64) uint16_t half[kGroup];
            for (int i = 0; i < kGroup; i += L::width) L::store_half(half + i, L::load(row + i));
            for (int i = 0; i < kGroup; i++) words[i * 64 + j] = half[i];
        } else if (w.type == SKN_BF16) {
            const int at = j / 32 * 32 + j % 16 * 2 + j % 32 / 16;
            for (int i = 0; i < kGroup; i++) words[i * 64 + at] = to_bf16<L>(row[i]);
        } else if (w.type == SKN_INT8) {
            alignas(64) int8_t q[kGroup];
            words[j] = quantise_int8<L>(row, q);
            const int at = byte_of_output(j);
            for (int i = 0; i < kGroup; i++) out[head + size_t(i) * 64 + at] = uint8_t(q[i]);
        } else {
            alignas(64) uint8_t q[kGroup];
            words[j] = quantise_q4<L>(row, q);
            const int at = byte_of_output(j % 64), shift = j / 64 * 4;
            for (int i = 0; i < kGroup; i++) {
                uint8_t& both = out[head + size_t(i) * 64 + at];
                both = uint8_t((both & ~(15 << shift)) | q[i] << shift);
            }
        }
    }
}

// out [tile_columns, 64]
template <class L>
void unpack_value_group(const ValueMatrix& w, const uint8_t* group, float* out) {
    const size_t head = size_t(w.tile_columns) * 2;
    const uint16_t* words = reinterpret_cast<const uint16_t*>(group);
    for (int j = 0; j < w.tile_columns; j++)
        for (int i = 0; i < kGroup; i++) {
            float& to = out[j * kGroup + i];
            if (w.type == SKN_FP32) {
                to = reinterpret_cast<const float*>(group)[i * 64 + j];
            } else if (w.type == SKN_FP16) {
                to = from_half<L>(words[i * 64 + j]);
            } else if (w.type == SKN_BF16) {
                to = from_bf16<L>(words[i * 64 + j / 32 * 32 + j % 16 * 2 + j % 32 / 16]);
            } else {
                const uint8_t byte = group[head + size_t(i) * 64 + byte_of_output(j % 64)];
                const float scale = from_bf16<L>(words[j]);
                to = scale * float(w.type == SKN_INT8 ? int8_t(byte)
                                                      : kQ4[j < 64 ? byte & 15 : byte >> 4]);
            }
        }
}

// ---- The embedding, and numbers as files have them --------------------------------------------

template <class L>
void pack_row(int type, const float* x, int n, uint8_t* out) {
    uint16_t* words = reinterpret_cast<uint16_t*>(out);
    if (type == SKN_FP32) {
        std::memcpy(out, x, size_t(n) * 4);
    } else if (type == SKN_BF16) {
        for (int i = 0; i < n; i++) words[i] = to_bf16<L>(x[i]);
    } else if (type == SKN_FP16) {
        for (int i = 0; i < n; i += L::width) L::store_half(words + i, L::load(x + i));
    } else {
        int8_t* q = reinterpret_cast<int8_t*>(out + round_up(n / kGroup * 2, 64));
        for (int g = 0; g < n / kGroup; g++)
            words[g] = quantise_int8<L>(x + g * kGroup, q + g * kGroup);
    }
}

template <class L>
void unpack_row(int type, const uint8_t* row, float* x, int n) {
    const uint16_t* words = reinterpret_cast<const uint16_t*>(row);
    if (type == SKN_FP32) {
        std::memcpy(x, row, size_t(n) * 4);
    } else if (type == SKN_BF16) {
        for (int i = 0; i < n; i++) x[i] = from_bf16<L>(words[i]);
    } else if (type == SKN_FP16) {
        for (int i = 0; i < n; i += L::width) L::store(x + i, L::half(words + i));
    } else {
        const int8_t* q = reinterpret_cast<const int8_t*>(row + round_up(n / kGroup * 2, 64));
        for (int i = 0; i < n; i++) x[i] = from_bf16<L>(words[i / kGroup]) * float(q[i]);
    }
}

template <class L>
bool widen(int dtype, const void* x, float* y, size_t n) {
    const uint16_t* words = static_cast<const uint16_t*>(x);
    if (dtype == SKN_FP32) {
        std::memcpy(y, x, n * 4);
    } else if (dtype == SKN_BF16) {
        for (size_t i = 0; i < n; i++) y[i] = from_bf16<L>(words[i]);
    } else {
        size_t i = 0;
        for (; i + 16 <= n; i += L::width) L::store(y + i, L::half(words + i));
        for (; i < n; i++) y[i] = from_half<L>(words[i]);
    }
    // An exponent of all ones is not finite.
    uint32_t worst = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        std::memcpy(&bits, y + i, 4);
        bits &= 0x7f800000;
        worst = bits > worst ? bits : worst;
    }
    return worst != 0x7f800000;
}

}  // namespace skn
