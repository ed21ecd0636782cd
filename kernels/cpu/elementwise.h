// What happens between the products of a token: norms, mixes, gates and one head's recurrence.
// Templates over the lanes of one instruction set; formulas as in RWKV-7, arXiv 2503.14456.
#pragma once

#include "kernels.h"
#include "lanes.h"

namespace skn {

template <class L>
void norm(const float* x, const float* w, const float* b, float* out, int n, float eps) {
    auto sum = L::zero();
    for (int i = 0; i < n; i += L::width) sum = L::add(sum, L::load(x + i));
    const auto mean = L::set1(L::sum(sum) / float(n));
    auto squares = L::zero();
    for (int i = 0; i < n; i += L::width) {
        const auto d = L::sub(L::load(x + i), mean);
        squares = L::fma(d, d, squares);
    }
    const auto scale = L::set1(1.0f / std::sqrt(L::sum(squares) / float(n) + eps));
    for (int i = 0; i < n; i += L::width) {
        const auto d = L::mul(L::sub(L::load(x + i), mean), scale);
        L::store(out + i, L::fma(d, L::load(w + i), L::load(b + i)));
    }
}

template <class L>
void mix(const float* h, float* shift, const float* const* mixes, float* const* out, int count,
         int n) {
    for (int i = 0; i < n; i += L::width) {
        const auto now = L::load(h + i);
        const auto d = L::sub(L::load(shift + i), now);
        for (int m = 0; m < count; m++)
            L::store(out[m] + i, L::fma(d, L::load(mixes[m] + i), now));
        L::store(shift + i, now);
    }
}

template <class L>
void head(const HeadInput& in, float* state, float* y) {
    constexpr int N = kHead, W = L::width;
    alignas(64) float w[N], k[N], v[N], minus_kk[N], kka[N];
    auto length = L::zero();
    for (int i = 0; i < N; i += W) {
        auto value = L::load(in.v + i);
        if (in.v2) {
            const auto gate =
                skein::logistic<L>(L::add(L::load(in.v0 + i), L::load(in.v2 + i)));
            value = L::fma(L::sub(L::load(in.v_first + i), value), gate, value);
        } else {
            L::store(in.v_first + i, value);
        }
        L::store(v + i, value);
        const auto key = L::load(in.k + i);
        const auto kk = L::mul(key, L::load(in.k_k + i));
        length = L::fma(kk, kk, length);
        const auto a = skein::logistic<L>(L::add(L::load(in.a0 + i), L::load(in.a2 + i)));
        const auto decay = skein::logistic<L>(L::add(L::load(in.w0 + i), L::load(in.w2 + i)));
        // exp(-0.5) = 0.6065306597
        L::store(w + i, skein::exponential<L>(L::mul(L::set1(-0.6065306597f), decay)));
        L::store(minus_kk + i, kk);
        L::store(kka + i, a);
        const auto grown = L::fma(L::sub(a, L::set1(1)), L::load(in.k_a + i), L::set1(1));
        L::store(k + i, L::mul(key, grown));
    }
    const float norm_kk = std::sqrt(L::sum(length));
    const auto inverse = L::set1(1.0f / (norm_kk > 1e-12f ? norm_kk : 1e-12f));
    auto bonus = L::zero();
    for (int i = 0; i < N; i += W) {
        const auto kk = L::mul(L::load(minus_kk + i), inverse);
        L::store(kka + i, L::mul(kk, L::load(kka + i)));
        L::store(minus_kk + i, L::sub(L::zero(), kk));
        bonus = L::fma(L::mul(L::load(in.r + i), L::load(k + i)), L::load(in.r_k + i), bonus);
    }
    // S[key][value]: a strip of values at a time, so that the sums stay in registers.
    constexpr int strip = L::registers >= 32 ? 4 : 2;
    for (int first = 0; first < N; first += strip * W) {
        typename L::F removed[strip], out[strip];
        for (int q = 0; q < strip; q++) removed[q] = out[q] = L::zero();
        for (int j = 0; j < N; j++) {
            const auto a = L::set1(minus_kk[j]);
            for (int q = 0; q < strip; q++)
                removed[q] = L::fma(L::load(state + j * N + first + q * W), a, removed[q]);
        }
        for (int j = 0; j < N; j++) {
            const auto kj = L::set1(k[j]), wj = L::set1(w[j]), bj = L::set1(kka[j]);
            const auto rj = L::set1(in.r[j]);
            float* s = state + j * N + first;
            for (int q = 0; q < strip; q++) {
                const auto written = L::mul(L::load(v + first + q * W), kj);
                const auto next =
                    L::fma(L::load(s + q * W), wj, L::fma(removed[q], bj, written));
                L::store(s + q * W, next);
                out[q] = L::fma(next, rj, out[q]);
            }
        }
        for (int q = 0; q < strip; q++) L::store(y + first + q * W, out[q]);
    }
    norm<L>(y, in.ln_w, in.ln_b, y, N, 64e-5f);
    const auto by = L::set1(L::sum(bonus));
    for (int i = 0; i < N; i += W) {
        const auto with_bonus = L::fma(by, L::load(v + i), L::load(y + i));
        L::store(y + i, L::mul(with_bonus, L::load(in.g2 + i)));
    }
}

template <class L>
void tanh_all(const float* x, float* y, int n) {
    for (int i = 0; i < n; i += L::width)
        L::store(y + i, skein::hyperbolic_tangent<L>(L::load(x + i)));
}

template <class L>
void sigmoid_all(const float* x, float* y, int n) {
    for (int i = 0; i < n; i += L::width) L::store(y + i, skein::logistic<L>(L::load(x + i)));
}

template <class L>
void exp_all(const float* x, float* y, int n) {
    for (int i = 0; i < n; i += L::width) L::store(y + i, skein::exponential<L>(L::load(x + i)));
}

template <class L>
void add_to(const float* x, float* y, int n) {
    for (int i = 0; i < n; i += L::width) L::store(y + i, L::add(L::load(x + i), L::load(y + i)));
}

}  // namespace skn
