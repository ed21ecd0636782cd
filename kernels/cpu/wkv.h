// The recurrence of RWKV-7 over a run of tokens, one head at a time. Knows nothing of layers.
//
//   S_t = S_{t-1} diag(w_t) + (S_{t-1} a_t) b_t^T + v_t k_t^T,   y_t = S_t r_t
//
// The state is held transposed, S[key][value], so that no sum runs across lanes. The sum of the
// next token, S_t a_{t+1}, rides along with the pass that makes S_t: the state is walked once a
// token. A strip of values stays in registers' reach: four vectors of values at a time.
//
// Included by every isa_*.cpp after its `Lanes`; see lanes.h for what L has to offer.
#pragma once

#include <cstddef>

#include "kernels.h"

namespace skn {

// What one head reads and writes: rows of kHead floats, `stride` floats from token to token.
struct WkvRun {
    const float* r;
    const float* w;  // the decay itself, in (0.545, 1)
    const float* k;
    const float* v;
    const float* a;  // -kk
    const float* b;  // kk * a
    float* y;
    std::size_t stride;
    int tokens;
};

// Advance the strip of `Strip` vectors of values at `first` over all tokens of the run.
template <class L, int Strip>
void wkv_strip(float* state, const WkvRun& run, int first) {
    using V = typename L::F;
    constexpr int width = L::width;
    V sum[Strip], y[Strip], next[Strip], v[Strip];
    for (int q = 0; q < Strip; q++) sum[q] = L::zero();
    for (int j = 0; j < kHead; j++) {
        const V a = L::set1(run.a[j]);
        for (int q = 0; q < Strip; q++)
            sum[q] = L::fma(L::load(state + j * kHead + first + q * width), a, sum[q]);
    }
    for (int t = 0; t < run.tokens; t++) {
        const std::size_t at = t * run.stride;
        // After the last token the sum is not used: its own `a` stands in for the missing one.
        const float* after = run.a + (t + 1 < run.tokens ? at + run.stride : at);
        for (int q = 0; q < Strip; q++) {
            v[q] = L::load(run.v + at + first + q * width);
            y[q] = next[q] = L::zero();
        }
        for (int j = 0; j < kHead; j++) {
            const V w = L::set1(run.w[at + j]), b = L::set1(run.b[at + j]);
            const V k = L::set1(run.k[at + j]), r = L::set1(run.r[at + j]), a = L::set1(after[j]);
            float* s = state + j * kHead + first;
            for (int q = 0; q < Strip; q++) {
                V x = L::fma(sum[q], b, L::mul(v[q], k));
                x = L::fma(L::load(s + q * width), w, x);
                L::store(s + q * width, x);
                y[q] = L::fma(x, r, y[q]);
                next[q] = L::fma(x, a, next[q]);
            }
        }
        for (int q = 0; q < Strip; q++) {
            L::store(run.y + at + first + q * width, y[q]);
            sum[q] = next[q];
        }
    }
}

// Advance one head's state [key][value] in place; write y.
template <class L>
void wkv_head(float* state, const WkvRun& run) {
    constexpr int strip = L::registers >= 32 ? 4 : 2;
    for (int first = 0; first < kHead; first += strip * L::width)
        wkv_strip<L, strip>(state, run, first);
}

}  // namespace skn
