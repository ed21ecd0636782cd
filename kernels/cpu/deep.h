// DeepEmbed (v7a): what a token has in a table of each layer scales the channel mix's k.
//
//   row  = s_emb[token] + s_emb_x ln0(emb[token])        [n, n]
//   gate = s2^T (row^T (s1^T h)) + s0                    [F], h = LN2(x) as it is
//   k    = relu(Wk ..)^2 * gate
//
// Rows come from whoever has the tables. A gate may be below zero, and products of most types want
// no such numbers: k becomes what is above zero less what is below, each in the form
// relu(k * sqrt(+-gate))^2 that the activation makes anyway. A number is in one of them alone, so
// no weight is read twice for it.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "skein_cpu.h"

namespace skn {

constexpr int kDeepMost = 64;  // side of a row

// Where rows come from.
struct DeepRows {
    skn_rows read = nullptr;
    void* user = nullptr;
    int dtype = SKN_FP32;

    size_t item_bytes() const { return dtype == SKN_FP32 ? 4 : 2; }
};

// out [n] = in [n] times (row + turned) [n, n]
inline void through_row(const float* in, const float* row, const float* turned, int n,
                        float* out) {
    for (int j = 0; j < n; j++) out[j] = 0;
    for (int i = 0; i < n; i++, row += n, turned += n)
        for (int j = 0; j < n; j++) out[j] += in[i] * (row[j] + turned[j]);
}

// k and gate become what the activation makes the two halves of. gate comes without its bias.
inline void halve_gated(float* k, float* gate, const float* bias, int n) {
    for (int i = 0; i < n; i++) {
        const float g = gate[i] + bias[i];
        gate[i] = k[i] * std::sqrt(g < 0 ? -g : 0.0f);
        k[i] *= std::sqrt(g > 0 ? g : 0.0f);
    }
}

// k becomes relu(k)^2 * gate.
inline void apply_gate(float* k, const float* gate, const float* bias, int n) {
    for (int i = 0; i < n; i++) {
        const float above = k[i] > 0 ? k[i] : 0.0f;
        k[i] = above * above * (gate[i] + bias[i]);
    }
}

inline void subtract(const float* x, float* y, int n) {
    for (int i = 0; i < n; i++) y[i] -= x[i];
}

}  // namespace skn
