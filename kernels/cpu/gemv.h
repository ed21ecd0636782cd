// Products of one vector with packed weights, as templates over the lanes of one instruction set.
//
// Every sum runs in one fixed order, whoever computes it. Layouts: kernels.h. Besides what lanes.h
// describes, L offers here (16 = the rows of a block):
//   half, store_half     fp16 in memory
//   pairs                2 * width bf16 in memory: the even ones and the odd ones
//   Sums                 16 int32;  start(n): all n;  floats(s, i): the i-th vector of them
//   kBias                what dot_both and dot4 see its weights as more than they are: 128, or 0
//   dot_both(a, b, w, x, y)  a += 16 x 4 int8, stored + 128, times the 4 int8 in x; b, y alike
//   dot4(a, b, w, x, y)      a += the lower halves of q4 times x; b += the upper times y
//   unpack_dot(s[4], rows, x)   s += four rows of 64 int8 times the 4 uint8 in x
//   unpack_dot4(s[8], rows, x)  the same for rows of q4: 128 outputs
//   store_bytes(p, f)    whole numbers in -128 .. 127 as bytes
//   prefetch(p)
#pragma once

#include "kernels.h"
#include "lanes.h"

namespace skn {

constexpr float kBase = 254;  // of the two digits of a quantised activation

// 16 floats, as many vectors as that takes.
template <class L>
struct Sixteen {
    static constexpr int count = 16 / L::width;
    typename L::F part[count];

    static Sixteen zero() { return set1(0); }
    static Sixteen set1(float x) {
        Sixteen o;
        for (int i = 0; i < count; i++) o.part[i] = L::set1(x);
        return o;
    }
    static Sixteen load(const float* p) {
        Sixteen o;
        for (int i = 0; i < count; i++) o.part[i] = L::load(p + i * L::width);
        return o;
    }
    static Sixteen half(const uint16_t* p) {
        Sixteen o;
        for (int i = 0; i < count; i++) o.part[i] = L::half(p + i * L::width);
        return o;
    }
    static Sixteen bf16(const uint16_t* p) {
        Sixteen o;
        for (int i = 0; i < count; i++) o.part[i] = L::bf16(p + i * L::width);
        return o;
    }
    void store(float* p) const {
        for (int i = 0; i < count; i++) L::store(p + i * L::width, part[i]);
    }
    void add(const Sixteen& x) {
        for (int i = 0; i < count; i++) part[i] = L::add(part[i], x.part[i]);
    }
    void fma(const Sixteen& x, typename L::F y) {
        for (int i = 0; i < count; i++) part[i] = L::fma(x.part[i], y, part[i]);
    }
    // += (254 high + low) * scale[i] * by
    void scaled(const typename L::Sums& high, const typename L::Sums& low, const uint16_t* scale,
                float by) {
        const auto y = L::set1(by), base = L::set1(kBase);
        for (int i = 0; i < count; i++) {
            const auto whole = L::fma(L::floats(high, i), base, L::floats(low, i));
            part[i] = L::fma(whole, L::mul(L::bf16(scale + i * L::width), y), part[i]);
        }
    }
    // += sums * scale[i] * by
    void scaled(const typename L::Sums& sums, const uint16_t* scale, float by) {
        const auto y = L::set1(by);
        for (int i = 0; i < count; i++)
            part[i] = L::fma(L::floats(sums, i), L::mul(L::bf16(scale + i * L::width), y), part[i]);
    }
};

// ---- Dense ----------------------------------------------------------------------------------

template <class L>
void block_fp32(const uint8_t* block, const float* x, int n, float* y) {
    const float* w = reinterpret_cast<const float*>(block);
    Sixteen<L> sum[4];
    for (auto& s : sum) s = Sixteen<L>::zero();
    for (int k = 0; k < n; k += 4)
        for (int j = 0; j < 4; j++)
            sum[j].fma(Sixteen<L>::load(w + (k + j) * 16), L::set1(x[k + j]));
    sum[0].add(sum[1]);
    sum[2].add(sum[3]);
    sum[0].add(sum[2]);
    sum[0].store(y);
}

template <class L>
void block_fp16(const uint8_t* block, const float* x, int n, float* y) {
    const uint16_t* w = reinterpret_cast<const uint16_t*>(block);
    Sixteen<L> sum[4];
    for (auto& s : sum) s = Sixteen<L>::zero();
    for (int k = 0; k < n; k += 4)
        for (int j = 0; j < 4; j++)
            sum[j].fma(Sixteen<L>::half(w + (k + j) * 16), L::set1(x[k + j]));
    sum[0].add(sum[1]);
    sum[2].add(sum[3]);
    sum[0].add(sum[2]);
    sum[0].store(y);
}

template <class L>
void block_bf16(const uint8_t* block, const Activation& x, int n, float* y) {
    const uint16_t* w = reinterpret_cast<const uint16_t*>(block);
    Sixteen<L> sum[4];
    for (auto& s : sum) s = Sixteen<L>::zero();
    if constexpr (L::kBf16Dot) {
        for (int k = 0; k < n; k += 4)
            for (int j = 0; j < 2; j++) {
                const int at = k + 2 * j;
                L::dot_bf16(sum[j].part[0], sum[2 + j].part[0], w + at * 16, x.high + at,
                            x.low + at);
            }
    } else {
        for (int k = 0; k < n; k += 4)
            for (int j = 0; j < 2; j++) {
                const int at = k + 2 * j;
                const auto even_x = L::set1(x.f[at]), odd_x = L::set1(x.f[at + 1]);
                for (int i = 0; i < Sixteen<L>::count; i++) {
                    typename L::F even, odd;
                    L::pairs(w + at * 16 + i * 2 * L::width, even, odd);
                    sum[2 * j].part[i] = L::fma(even, even_x, sum[2 * j].part[i]);
                    sum[2 * j + 1].part[i] = L::fma(odd, odd_x, sum[2 * j + 1].part[i]);
                }
            }
    }
    sum[0].add(sum[1]);
    sum[2].add(sum[3]);
    sum[0].add(sum[2]);
    sum[0].store(y);
}

static inline int32_t four_bytes(const void* p) {
    int32_t x;
    std::memcpy(&x, p, 4);
    return x;
}

template <class L>
void block_int8(const uint8_t* block, const Activation& x, int groups, float* y) {
    constexpr size_t bytes = kGroup * 16;
    Sixteen<L> sum[2] = {Sixteen<L>::zero(), Sixteen<L>::zero()};
    for (int g = 0; g < groups; g++) {
        const uint8_t* w = block + chunks_at(g, bytes);
        const int8_t *q = x.q + g * kGroup, *low = x.q_low + g * kGroup;
        auto a = L::start(-L::kBias * x.sum[g]), b = L::start(0);
        auto c = L::start(-L::kBias * x.sum_low[g]), d = L::start(0);
        for (int i = 0; i < kGroup; i += 8, w += 128) {
            L::dot_both(a, c, w, four_bytes(q + i), four_bytes(low + i));
            L::dot_both(b, d, w + 64, four_bytes(q + i + 4), four_bytes(low + i + 4));
        }
        L::merge(a, b);
        L::merge(c, d);
        sum[g & 1].scaled(a, c, reinterpret_cast<const uint16_t*>(block + scales_at(g, bytes)),
                          x.scale[g]);
    }
    sum[0].add(sum[1]);
    sum[0].store(y);
}

template <class L>
void block_q4(const uint8_t* block, const Activation& x, int groups, float* y) {
    constexpr size_t bytes = kGroup * 8;
    Sixteen<L> sum[2] = {Sixteen<L>::zero(), Sixteen<L>::zero()};
    for (int g = 0; g < groups; g++) {
        const uint8_t* w = block + chunks_at(g, bytes);
        const int8_t* q = x.q + g * kGroup;
        auto a = L::start(-L::kBias * x.sum[g]), b = L::start(0);
        for (int c = 0; c < 8; c++)
            L::dot4(a, b, w + c * 64, four_bytes(q + c * 8), four_bytes(q + c * 8 + 4));
        L::merge(a, b);
        sum[g & 1].scaled(a, reinterpret_cast<const uint16_t*>(block + scales_at(g, bytes)),
                          x.scale[g] * kBase);
    }
    sum[0].add(sum[1]);
    sum[0].store(y);
}

template <class L>
void product(const Matrix& w, const Activation& x, float* y, int first, int last) {
    for (int b = first; b < last; b++) {
        const uint8_t* block = w.data + size_t(b) * w.block_bytes;
        float* out = y + b * kBlockRows;
        switch (w.type) {
            case SKN_FP32: block_fp32<L>(block, x.f, w.padded, out); break;
            case SKN_BF16: block_bf16<L>(block, x, w.padded, out); break;
            case SKN_FP16: block_fp16<L>(block, x.f, w.padded, out); break;
            case SKN_INT8: block_int8<L>(block, x, w.groups(), out); break;
            default: block_q4<L>(block, x, w.groups(), out);
        }
    }
}

// ---- What products read ---------------------------------------------------------------------

template <class L>
float largest(const float* x) {  // of 64 numbers, in magnitude
    auto most = L::abs(L::load(x));
    for (int i = L::width; i < kGroup; i += L::width) most = L::max(most, L::abs(L::load(x + i)));
    return L::top(most);
}

// Below, a group counts as zeros: the inverse of its scale would overflow.
constexpr float kNothing = 1e-30f;

template <class L>
void quantise_group(const Activation& x, int g) {
    const float* f = x.f + g * kGroup;
    constexpr float most = 127 * kBase + 127;
    const float top = largest<L>(f);
    const auto inverse = L::set1(top > kNothing ? most / top : 0.0f);
    x.scale[g] = top > kNothing ? top / most : 0.0f;
    const auto base = L::set1(kBase), over = L::set1(1 / kBase);
    // Whole numbers below 2^24: their sums are exact in any order.
    auto sum = L::zero(), sum_low = L::zero();
    for (int i = 0; i < kGroup; i += L::width) {
        const auto whole = L::round(L::mul(L::load(f + i), inverse));
        const auto q = L::min(L::max(L::round(L::mul(whole, over)), L::set1(-127)), L::set1(127));
        const auto low = L::sub(whole, L::mul(q, base));
        L::store_bytes(x.q + g * kGroup + i, q);
        L::store_bytes(x.q_low + g * kGroup + i, low);
        sum = L::add(sum, q);
        sum_low = L::add(sum_low, low);
    }
    x.sum[g] = int32_t(L::sum(sum));
    x.sum_low[g] = int32_t(L::sum(sum_low));
}

template <class L>
void prepare(int type, Activation& x, int n) {
    if (quantised(type)) {
        for (int g = 0; g < n / kGroup; g++) quantise_group<L>(x, g);
    } else if (type == SKN_BF16) {
        if constexpr (L::kBf16Dot)
            for (int i = 0; i < n; i += 16) L::split_bf16(x.f + i, x.high + i, x.low + i);
    }
}

// ---- The sparse value matrix ----------------------------------------------------------------

// With so many active rows of 64 all are listed: memory gives lines in a row four times as fast as
// lines picked here and there (measured: 40 and 8 GB/s on one core). Zeros change no sum.
constexpr int kMany = 22;

// How many rows of a group with `count` active ones are listed.
static inline int listed(int count) { return count >= kMany ? kGroup : count; }

template <class L>
void activate(int type, float* k, const Active& active, int g) {
    float* x = k + g * kGroup;
    auto most = L::zero();
    for (int i = 0; i < kGroup; i += L::width) {
        const auto positive = L::max(L::load(x + i), L::zero());
        const auto square = L::mul(positive, positive);
        L::store(x + i, square);
        most = L::max(most, square);
    }
    uint8_t* index = active.index + g * kGroup;
    int count = 0;
    if (!quantised(type)) {
        float* value = active.value + g * kGroup;
        for (int i = 0; i < kGroup; i++) {
            index[count] = uint8_t(i);
            value[count] = x[i];
            count += x[i] > 0;
        }
        active.count[g] = uint8_t(count);
        if (count >= kMany)
            for (int i = 0; i < kGroup; i++) {
                index[i] = uint8_t(i);
                value[i] = x[i];
            }
        return;
    }
    const float top = L::top(most);
    const float inverse = top > kNothing ? 255.0f / top : 0.0f;
    active.scale[g] = top > kNothing ? top / 255.0f : 0.0f;
    alignas(64) int8_t all[kGroup];
    for (int i = 0; i < kGroup; i += L::width)  // 0 .. 255, moved to where signed bytes are
        L::store_bytes(all + i, L::sub(L::round(L::mul(L::load(x + i), L::set1(inverse))),
                                       L::set1(128)));
    uint8_t* q = active.q + g * kGroup;
    for (int i = 0; i < kGroup; i++) {
        const uint8_t value = uint8_t(all[i] + 128);
        index[count] = uint8_t(i);
        q[count] = value;
        count += value > 0;
    }
    active.count[g] = uint8_t(count);
    if (count >= kMany) {
        for (int i = 0; i < kGroup; i++) {
            index[i] = uint8_t(i);
            q[i] = uint8_t(all[i] + 128);
        }
        return;
    }
    for (; count % 4; count++) {  // a row that is read anyway, times nothing
        index[count] = index[count - 1];
        q[count] = 0;
    }
}

// How far ahead rows are asked for: a few groups hide the way to memory and back.
constexpr int kAhead = 4;

template <class L>
void ask_ahead(const ValueMatrix& w, const Active& active, const uint8_t* tile, int g, size_t head,
               size_t row) {
    if (g >= w.groups()) return;
    const uint8_t* group = tile + size_t(g) * w.group_bytes;
    const uint8_t* index = active.index + g * kGroup;
    const int count = active.count[g];
    if (count == 0 || count >= kMany) return;  // what lies in a row needs no asking
    for (size_t i = 0; i < head; i += 64) L::prefetch(group + i);
    for (int i = 0; i < count; i++)
        for (size_t j = 0; j < row; j += 64) L::prefetch(group + head + index[i] * row + j);
}

// Outputs of a tile: 4 times 16, of each row 64 numbers.
template <class L, class Row>
void value_floats(const ValueMatrix& w, const Active& active, int tile, float* y, size_t row_bytes,
                  const Row& add_row) {
    const uint8_t* begin = w.data + size_t(tile) * w.tile_bytes();
    Sixteen<L> sum[4];
    for (auto& s : sum) s = Sixteen<L>::zero();
    for (int g = 0; g < kAhead; g++) ask_ahead<L>(w, active, begin, g, 0, row_bytes);
    for (int g = 0; g < w.groups(); g++) {
        ask_ahead<L>(w, active, begin, g + kAhead, 0, row_bytes);
        const uint8_t* group = begin + size_t(g) * w.group_bytes;
        const uint8_t* index = active.index + g * kGroup;
        const float* value = active.value + g * kGroup;
        const int rows = listed(active.count[g]);
        for (int i = 0; i < rows; i++)
            add_row(sum, group + index[i] * row_bytes, L::set1(value[i]));
    }
    for (int i = 0; i < 4; i++) sum[i].store(y + 16 * i);
}

// Outputs of a tile: Parts times 16; int8 has 4 parts, q4 has 8.
template <class L, int Parts>
void value_bytes(const ValueMatrix& w, const Active& active, int tile, float* y) {
    constexpr size_t head = Parts * 32;
    const uint8_t* begin = w.data + size_t(tile) * w.tile_bytes();
    Sixteen<L> sum[Parts];
    for (auto& s : sum) s = Sixteen<L>::zero();
    for (int g = 0; g < kAhead; g++) ask_ahead<L>(w, active, begin, g, head, 64);
    for (int g = 0; g < w.groups(); g++) {
        ask_ahead<L>(w, active, begin, g + kAhead, head, 64);
        const int count = listed(active.count[g]);
        if (count == 0) continue;
        const uint8_t* group = begin + size_t(g) * w.group_bytes;
        const uint8_t* index = active.index + g * kGroup;
        const uint8_t* q = active.q + g * kGroup;
        typename L::Sums part[Parts];
        for (auto& s : part) s = L::start(0);
        for (int i = 0; i < count; i += 4) {
            const uint8_t* rows[4];
            for (int j = 0; j < 4; j++) rows[j] = group + head + index[i + j] * 64;
            if constexpr (Parts == 4)
                L::unpack_dot(part, rows, four_bytes(q + i));
            else
                L::unpack_dot4(part, rows, four_bytes(q + i));
        }
        const uint16_t* scale = reinterpret_cast<const uint16_t*>(group);
        for (int j = 0; j < Parts; j++)
            sum[j].scaled(part[j], scale + 16 * j, active.scale[g]);
    }
    for (int j = 0; j < Parts; j++) sum[j].store(y + 16 * j);
}

template <class L>
void value(const ValueMatrix& w, const Active& active, int tile, float* y) {
    using S = Sixteen<L>;
    using F = typename L::F;
    switch (w.type) {
        case SKN_FP32:
            value_floats<L>(w, active, tile, y, 256, [](S* sum, const uint8_t* row, F x) {
                for (int i = 0; i < 4; i++)
                    sum[i].fma(S::load(reinterpret_cast<const float*>(row) + 16 * i), x);
            });
            break;
        case SKN_FP16:
            value_floats<L>(w, active, tile, y, 128, [](S* sum, const uint8_t* row, F x) {
                for (int i = 0; i < 4; i++)
                    sum[i].fma(S::half(reinterpret_cast<const uint16_t*>(row) + 16 * i), x);
            });
            break;
        case SKN_BF16:
            value_floats<L>(w, active, tile, y, 128, [](S* sum, const uint8_t* row, F x) {
                for (int i = 0; i < 2; i++)
                    for (int j = 0; j < S::count; j++) {
                        F first, second;
                        L::pairs(reinterpret_cast<const uint16_t*>(row) + 32 * i + 2 * L::width * j,
                                 first, second);
                        F& a = sum[2 * i].part[j];
                        F& b = sum[2 * i + 1].part[j];
                        a = L::fma(first, x, a);
                        b = L::fma(second, x, b);
                    }
            });
            break;
        case SKN_INT8: value_bytes<L, 4>(w, active, tile, y); break;
        default: value_bytes<L, 8>(w, active, tile, y);
    }
}

}  // namespace skn
