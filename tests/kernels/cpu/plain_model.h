// RWKV-7 in plain doubles, one token after the other, straight from the equations of the paper
// (arXiv 2503.14456). Shares nothing with the library but the order of a state's numbers.
#pragma once

#include <map>
#include <string>

#include "checks.h"

namespace check {

using Tensors = std::map<std::string, Floats>;

// att_shift [L, D], wkv [L, H, N, N] key-major, ffn_shift [L, D].
template <class Number>
struct State {
    explicit State(const skn_shape& s)
        : att_shift(size_t(s.layers) * size_t(s.width)),
          wkv(size_t(s.layers) * size_t(s.width) * 64),
          ffn_shift(size_t(s.layers) * size_t(s.width)) {}
    std::vector<Number> att_shift, wkv, ffn_shift;
};

class PlainModel {
   public:
    PlainModel(const skn_shape& shape, const Tensors& tensors) : s_(shape), t_(tensors) {}

    Doubles step(int token, State<double>& state) const {
        const float* row = t_.at("emb.weight").data() + size_t(token) * size_t(s_.width);
        const Doubles x0 = norm(Doubles(row, row + s_.width), "blocks.0.ln0");
        Doubles x = x0, v_first;
        for (int i = 0; i < s_.layers; i++) {
            add(x, time_mix(i, norm(x, block(i) + "ln1"), state, v_first));
            const Doubles h = norm(x, block(i) + "ln2");
            add(x, channel_mix(i, h, gate(i, token, x0, h), state));
        }
        return times("head.weight", norm(x, "ln_out"), s_.vocab);
    }

   private:
    static std::string block(int i) { return "blocks." + std::to_string(i) + "."; }
    static void add(Doubles& x, const Doubles& y) {
        for (size_t i = 0; i < x.size(); i++) x[i] += y[i];
    }
    double at(const std::string& name, size_t i) const { return double(t_.at(name)[i]); }

    // W [rows, x] times x.
    Doubles times(const std::string& name, const Doubles& x, int rows) const {
        const Floats& w = t_.at(name);
        Doubles y(static_cast<size_t>(rows));
        for (size_t i = 0; i < y.size(); i++)
            for (size_t j = 0; j < x.size(); j++) y[i] += double(w[i * x.size() + j]) * x[j];
        return y;
    }
    // x times W [x, columns], as loras are stored.
    Doubles through(const std::string& name, const Doubles& x) const {
        const Floats& w = t_.at(name);
        Doubles y(w.size() / x.size());
        for (size_t j = 0; j < x.size(); j++)
            for (size_t i = 0; i < y.size(); i++) y[i] += x[j] * double(w[j * y.size() + i]);
        return y;
    }
    Doubles norm(const Doubles& x, const std::string& name) const {
        double mean = 0, spread = 0;
        for (double one : x) mean += one / double(x.size());
        for (double one : x) spread += (one - mean) * (one - mean) / double(x.size());
        Doubles y(x.size());
        for (size_t i = 0; i < x.size(); i++)
            y[i] = (x[i] - mean) / std::sqrt(spread + 1e-5) * at(name + ".weight", i) +
                   at(name + ".bias", i);
        return y;
    }
    // h moved towards what stood before it.
    Doubles mixed(const Doubles& h, const double* before, const std::string& name) const {
        Doubles x(h.size());
        for (size_t i = 0; i < h.size(); i++) x[i] = h[i] + (before[i] - h[i]) * at(name, i);
        return x;
    }
    static Doubles curved(Doubles x, double (*curve)(double)) {
        for (double& one : x) one = curve(one);
        return x;
    }
    // The second product of a lora on its vector.
    Doubles lora(const std::string& att, char letter, const Doubles& hidden) const {
        Doubles y = through(att + letter + "2", hidden);
        for (size_t i = 0; i < y.size(); i++) y[i] += at(att + letter + "0", i);
        return y;
    }

    Doubles time_mix(int layer, const Doubles& h, State<double>& state, Doubles& v_first) const {
        const std::string att = block(layer) + "att.";
        double* before = state.att_shift.data() + size_t(layer) * h.size();
        const auto x = [&](char letter) { return mixed(h, before, att + "x_" + letter); };
        const Doubles x_v = x('v'), r = times(att + "receptance.weight", x('r'), s_.width);
        Doubles k = times(att + "key.weight", x('k'), s_.width);
        Doubles v = times(att + "value.weight", x_v, s_.width);
        const Doubles w = lora(att, 'w', curved(through(att + "w1", x('w')), std::tanh));
        const Doubles a = curved(lora(att, 'a', through(att + "a1", x('a'))), sigmoid);
        const Doubles g = through(att + "g2", curved(through(att + "g1", x('g')), sigmoid));
        std::copy(h.begin(), h.end(), before);
        if (layer == 0) {
            v_first = v;
        } else {
            const Doubles gate = curved(lora(att, 'v', through(att + "v1", x_v)), sigmoid);
            for (size_t i = 0; i < v.size(); i++) v[i] += (v_first[i] - v[i]) * gate[i];
        }
        Doubles kk(k.size()), y(k.size());
        for (size_t i = 0; i < k.size(); i++) {
            kk[i] = k[i] * at(att + "k_k", i);
            k[i] *= 1 + (a[i] - 1) * at(att + "k_a", i);
        }
        for (int head = 0; head < s_.heads; head++) {
            double* s = state.wkv.data() + (size_t(layer) * size_t(s_.heads) + size_t(head)) * 4096;
            one_head(att, size_t(head) * 64, s, r, w, k, v, kk, a, y);
        }
        for (size_t i = 0; i < y.size(); i++) y[i] *= g[i];
        return times(att + "output.weight", y, s_.width);
    }

    // Channels from, from + 1, .. of all vectors; s [key][value].
    void one_head(const std::string& att, size_t from, double* s, const Doubles& r,
                  const Doubles& w, const Doubles& k, const Doubles& v, const Doubles& kk,
                  const Doubles& a, Doubles& y) const {
        constexpr size_t N = 64;
        double norm = 0, bonus = 0, mean = 0, spread = 0, removed[N] = {}, out[N] = {};
        for (size_t j = from; j < from + N; j++) {
            norm += kk[j] * kk[j];
            bonus += r[j] * k[j] * at(att + "r_k", j);
        }
        norm = std::fmax(std::sqrt(norm), 1e-12);
        for (size_t j = 0; j < N; j++)
            for (size_t i = 0; i < N; i++) removed[i] += s[j * N + i] * kk[from + j] / norm;
        for (size_t j = 0; j < N; j++) {
            const size_t c = from + j;
            const double decay = std::exp(-std::exp(-0.5) * sigmoid(w[c]));
            for (size_t i = 0; i < N; i++) {
                double& one = s[j * N + i];
                one = one * decay - removed[i] * kk[c] / norm * a[c] + v[from + i] * k[c];
                out[i] += one * r[c];
            }
        }
        for (double one : out) mean += one / N;
        for (double one : out) spread += (one - mean) * (one - mean) / N;
        for (size_t i = 0; i < N; i++)
            y[from + i] = (out[i] - mean) / std::sqrt(spread + 64e-5) *
                              at(att + "ln_x.weight", from + i) +
                          at(att + "ln_x.bias", from + i) + bonus * v[from + i];
    }

    // What DeepEmbed scales k with: ones without it.
    Doubles gate(int layer, int token, const Doubles& x0, const Doubles& h) const {
        if (!s_.deep) return Doubles(size_t(s_.ffn), 1);
        const std::string ffn = block(layer) + "ffn.";
        const size_t n = size_t(s_.deep);
        Doubles row = times(ffn + "s_emb_x.weight", x0, s_.deep * s_.deep);
        for (size_t i = 0; i < n * n; i++)
            row[i] += at(ffn + "s_emb.weight", size_t(token) * n * n + i);
        const Doubles in = through(ffn + "s1", h);
        Doubles out(n);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++) out[j] += in[i] * row[i * n + j];
        Doubles gates = through(ffn + "s2", out);
        for (size_t i = 0; i < gates.size(); i++) gates[i] += at(ffn + "s0", i);
        return gates;
    }

    Doubles channel_mix(int layer, const Doubles& h, const Doubles& gates,
                        State<double>& state) const {
        const std::string ffn = block(layer) + "ffn.";
        double* before = state.ffn_shift.data() + size_t(layer) * h.size();
        Doubles k = times(ffn + "key.weight", mixed(h, before, ffn + "x_k"), s_.ffn);
        std::copy(h.begin(), h.end(), before);
        for (size_t i = 0; i < k.size(); i++) k[i] = k[i] > 0 ? k[i] * k[i] * gates[i] : 0;
        return times(ffn + "value.weight", k, s_.width);
    }

    const skn_shape s_;
    const Tensors& t_;
};

}  // namespace check
