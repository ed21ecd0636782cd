// What happens between the products of a block of tokens, and the table of it all for one
// instruction set: an isa_*.cpp points its Kernels::blocks at kBlockTable<Set<its lanes, ..>>.
#pragma once

#include "gemm.h"
#include "gemm_tiles.h"
#include "lanes.h"
#include "wkv.h"

namespace skn {

template <class L>
void finish_rows(Then then, float* rows, int count, const Tokens& x, int token, int group) {
    for (int t = 0; t < count; t++, rows += kGroup) {
        for (int i = 0; i < kGroup && then != Then::nothing; i += L::width) {
            auto value = L::load(rows + i);
            if (then == Then::tanh) {
                value = hyperbolic_tangent<L>(value);
            } else if (then == Then::sigmoid) {
                value = logistic<L>(value);
            } else {
                value = L::max(value, L::zero());
                value = L::mul(value, value);
            }
            L::store(rows + i, value);
        }
        pack_group<L>(x, token + t, group, rows);
    }
}

template <class L>
void mix_token(const float* h, const float* before, const float* const* mixes,
               const Tokens* const* out, int outs, int token, int n, float* row) {
    for (int m = 0; m < outs; m++) {
        for (int i = 0; i < n; i += L::width) {
            const auto now = L::load(h + i);
            const auto d = L::sub(L::load(before + i), now);
            L::store(row + i, L::fma(d, L::load(mixes[m] + i), now));
        }
        pack_token<L>(*out[m], token, row, n);
    }
}

// What the recurrence reads of one token, from the products: value, key, decay, -kk and kk * a.
template <class L>
void head_inputs(const HeadRun& run, int t, float* w, float* k, float* v, float* minus_kk,
                 float* kka) {
    const size_t at = size_t(t) * run.stride, own = size_t(t) * kHead;
    auto length = L::zero();
    for (int i = 0; i < kHead; i += L::width) {
        auto value = L::load(run.v + at + i);
        if (run.v_) {
            const auto gate = logistic<L>(L::add(L::load(run.v0 + i), L::load(run.v_ + own + i)));
            value = L::fma(L::sub(L::load(run.v_first + at + i), value), gate, value);
        } else {
            L::store(run.v_first + at + i, value);
        }
        L::store(v + i, value);
        const auto key = L::load(run.k + at + i);
        const auto kk = L::mul(key, L::load(run.k_k + i));
        length = L::fma(kk, kk, length);
        const auto a = logistic<L>(L::add(L::load(run.a0 + i), L::load(run.a_ + own + i)));
        const auto decay = logistic<L>(L::add(L::load(run.w0 + i), L::load(run.w_ + own + i)));
        // exp(-0.5) = 0.6065306597
        L::store(w + i, exponential<L>(L::mul(L::set1(-0.6065306597f), decay)));
        L::store(minus_kk + i, kk);
        L::store(kka + i, a);
        const auto grown = L::fma(L::sub(a, L::set1(1)), L::load(run.k_a + i), L::set1(1));
        L::store(k + i, L::mul(key, grown));
    }
    const float norm = std::sqrt(L::sum(length));
    const auto inverse = L::set1(1.0f / (norm > 1e-12f ? norm : 1e-12f));
    for (int i = 0; i < kHead; i += L::width) {
        const auto kk = L::mul(L::load(minus_kk + i), inverse);
        L::store(kka + i, L::mul(kk, L::load(kka + i)));
        L::store(minus_kk + i, L::sub(L::zero(), kk));
    }
}

// Group norm, bonus and gate of one token's y, in place.
template <class L>
void head_output(const HeadRun& run, const float* r, const float* k, const float* v,
                 const float* gate, float* y) {
    auto sum = L::zero(), bonus = L::zero();
    for (int i = 0; i < kHead; i += L::width) {
        sum = L::add(sum, L::load(y + i));
        bonus = L::fma(L::mul(L::load(r + i), L::load(k + i)), L::load(run.r_k + i), bonus);
    }
    const auto mean = L::set1(L::sum(sum) / kHead), by = L::set1(L::sum(bonus));
    auto squares = L::zero();
    for (int i = 0; i < kHead; i += L::width) {
        const auto d = L::sub(L::load(y + i), mean);
        squares = L::fma(d, d, squares);
    }
    const auto scale = L::set1(1.0f / std::sqrt(L::sum(squares) / kHead + 64e-5f));
    for (int i = 0; i < kHead; i += L::width) {
        const auto d = L::mul(L::sub(L::load(y + i), mean), scale);
        const auto normed = L::fma(d, L::load(run.ln_w + i), L::load(run.ln_b + i));
        L::store(y + i, L::mul(L::fma(by, L::load(v + i), normed), L::load(gate + i)));
    }
}

template <class L>
void head_run(const HeadRun& run) {
    const size_t part = size_t(run.tokens) * kHead;
    float *r = run.scratch, *w = r + part, *k = w + part, *v = k + part, *minus_kk = v + part,
          *kka = minus_kk + part, *y = kka + part;
    for (int t = 0; t < run.tokens; t++) {
        const size_t at = size_t(t) * kHead;
        std::memcpy(r + at, run.r + size_t(t) * run.stride, kHead * sizeof(float));
        head_inputs<L>(run, t, w + at, k + at, v + at, minus_kk + at, kka + at);
    }
    wkv_head<L>(run.state, {r, w, k, v, minus_kk, kka, y, kHead, run.tokens});
    for (int t = 0; t < run.tokens; t++) {
        const size_t at = size_t(t) * kHead;
        head_output<L>(run, r + at, k + at, v + at, run.g_ + at, y + at);
        pack_group<L>(*run.out, run.token + t, run.group, y + at);
    }
}

template <class L>
void add_row(const float* x, float* y, int n) {
    for (int i = 0; i < n; i += L::width) L::store(y + i, L::add(L::load(x + i), L::load(y + i)));
}

template <class L>
inline constexpr BlockKernels kBlockTable = {
    form_of<L>,     value_form_of<L>, pack_token<L>, finish_rows<L>, mix_token<L>,
    product_any<L>, value_any<L>,     head_run<L>,   add_row<L>,
};

}  // namespace skn
