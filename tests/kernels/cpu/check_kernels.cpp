// Single kernels against plain sums of doubles, over shapes that are no multiple of anything.
#include <algorithm>

#include "checks.h"

namespace check {
namespace {

struct Shape {
    int m, k;
};

Floats rounded(Result& result, const char* isa, int type, bool value, const Floats& w, Shape s) {
    Pool pool(1);
    Floats out(w.size(), NAN);
    result.call(skn_test_round(isa, pool, type, value, w.data(), size_t(s.m), size_t(s.k),
                               out.data()),
                "skn_test_round");
    return out;
}

Floats product(Result& result, const char* isa, int type, bool value, const Floats& w, Shape s,
               const Floats& x, int threads = 1) {
    Pool pool(threads);
    Floats y(size_t(s.m), NAN);
    result.call(skn_test_product(isa, pool, type, value, w.data(), size_t(s.m), size_t(s.k),
                                 x.data(), y.data()),
                "skn_test_product");
    return y;
}

// The largest error of y = W x, measured by the sizes of what was summed up.
double error_of(const Floats& w, const Doubles& x, const float* y, int m, int k) {
    double size = 1e-60, most = 0;
    for (double value : x) size += value * value;
    for (int i = 0; i < m; i++) {
        const float* row = w.data() + size_t(i) * size_t(k);
        double sum = 0;
        for (int j = 0; j < k; j++) sum += double(row[j]) * x[size_t(j)];
        if (!std::isfinite(y[i])) return HUGE_VAL;
        const double scale = length(row, size_t(k)) * std::sqrt(size) + 1e-30;
        most = std::fmax(most, std::fabs(sum - double(y[i])) / scale);
    }
    return most;
}

Doubles wide(const float* x, int n) { return Doubles(x, x + n); }

// Groups of 64 as whole multiples of a 1 / levels of their largest: how some sets read inputs.
Doubles in_levels(const float* x, int n, float levels) {
    Doubles out(static_cast<size_t>(n));
    for (int first = 0; first < n; first += 64) {
        const int last = std::min(first + 64, n);
        float top = 0;
        for (int i = first; i < last; i++) top = std::max(top, std::fabs(x[i]));
        for (int i = first; i < last && top > 0; i++)
            out[size_t(i)] = std::nearbyint(x[i] * (levels / top)) * double(top / levels);
    }
    return out;
}

float to_bf16(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
    std::memcpy(&x, &bits, 4);
    return x;
}

// About `share` of them above zero, and no zeros.
Floats active(int n, double share, uint64_t seed) {
    Random random(seed);
    Floats out(static_cast<size_t>(n));
    for (float& x : out) {
        x = std::fabs(random.normal()) + 1e-3f;
        if (random.uniform() >= share) x = -x;
    }
    return out;
}

void check_dense(Result& result, const char* isa, int type, Shape s) {
    const double tolerance[] = {3e-6, 5e-5, 3e-6, 5e-5, 1e-2};
    Random random(uint64_t(s.m * 131 + s.k));
    const Floats w = random.normals(size_t(s.m) * size_t(s.k)), x = random.normals(size_t(s.k));
    const Floats kept = rounded(result, isa, type, false, w, s);
    const Floats y = product(result, isa, type, false, w, s, x);
    const double error = error_of(kept, wide(x.data(), s.k), y.data(), s.m, s.k);
    result.expect(error <= tolerance[type], "%s %s product %d x %d: error %g", isa, kTypes[type],
                  s.m, s.k, error);
    for (int threads = 2; threads <= 3; threads++)
        result.expect(same_bits(y, product(result, isa, type, false, w, s, x, threads)),
                      "%s %s product %d x %d: %d threads change it", isa, kTypes[type], s.m, s.k,
                      threads);
}

void check_sparse(Result& result, const char* isa, int type, Shape s, double share) {
    Random random(uint64_t(s.m * 137 + s.k));
    const Floats w = random.normals(size_t(s.m) * size_t(s.k));
    const Floats k = active(s.k, share, uint64_t(s.k));
    Floats squared(k.size());
    for (size_t i = 0; i < k.size(); i++) squared[i] = k[i] > 0 ? k[i] * k[i] : 0;
    const Doubles x = quantised(type) ? in_levels(squared.data(), s.k, 255)
                                      : wide(squared.data(), s.k);
    const Floats kept = rounded(result, isa, type, true, w, s);
    const Floats y = product(result, isa, type, true, w, s, k);
    const double error = error_of(kept, x, y.data(), s.m, s.k);
    result.expect(error <= 3e-6, "%s %s value %d x %d, %g active: error %g", isa, kTypes[type],
                  s.m, s.k, share, error);
    result.expect(same_bits(y, product(result, isa, type, true, w, s, k, 3)),
                  "%s %s value %d x %d: threads change it", isa, kTypes[type], s.m, s.k);
}

Floats block_product(Result& result, const char* isa, int type, bool value, const Floats& w,
                     Shape s, const float* x, int tokens) {
    Floats y(size_t(tokens) * size_t(s.m), NAN);
    result.call(skn_test_block_product(isa, type, value, w.data(), size_t(s.m), size_t(s.k), x,
                                       size_t(tokens), y.data()),
                "skn_test_block_product");
    return y;
}

// Sets multiply tokens as they are, or as rounded as suits their instructions: one of both it is.
double block_error(int type, bool value, const Floats& kept, Shape s, const float* x,
                   const float* y) {
    const double plain = error_of(kept, wide(x, s.k), y, s.m, s.k);
    if (type == SKN_FP32) return plain;
    if (quantised(type))
        return std::min(plain, error_of(kept, in_levels(x, s.k, value ? 255 : 127), y, s.m, s.k));
    Floats narrow = kept, token(x, x + s.k);
    for (float& one : narrow) one = to_bf16(one);
    for (float& one : token) one = to_bf16(one);
    return std::min(plain, error_of(narrow, wide(token.data(), s.k), y, s.m, s.k));
}

void check_block(Result& result, const char* isa, int type, bool value, Shape s, int tokens) {
    Random random(uint64_t(s.m * 139 + s.k * 7 + tokens));
    const Floats w = random.normals(size_t(s.m) * size_t(s.k));
    Floats x = random.normals(size_t(tokens) * size_t(s.k));
    for (float& one : x)
        if (value) one = one > 0 ? one * one : 0;
    const Floats kept = rounded(result, isa, type, value, w, s);
    const Floats y = block_product(result, isa, type, value, w, s, x.data(), tokens);
    double error = 0;
    for (int t = 0; t < tokens; t++)
        error = std::fmax(error, block_error(type, value, kept, s, x.data() + size_t(t) * size_t(s.k),
                                             y.data() + size_t(t) * size_t(s.m)));
    result.expect(error <= 2e-6, "%s %s block %d x %d x %d%s: error %g", isa, kTypes[type], s.m,
                  s.k, tokens, value ? " (value)" : "", error);
    const int last = tokens - 1;
    const Floats alone = block_product(result, isa, type, value, w, s,
                                       x.data() + size_t(last) * size_t(s.k), 1);
    result.expect(std::memcmp(alone.data(), y.data() + size_t(last) * size_t(s.m),
                              alone.size() * 4) == 0,
                  "%s %s block %d x %d x %d: a token depends on its neighbours", isa, kTypes[type],
                  s.m, s.k, tokens);
}

// Numbers at the ends of what floats hold: zeros give zeros, and all stays finite.
void check_extremes(Result& result, const char* isa, int type) {
    const Shape s{16, 128};
    const Floats w = Random(7).normals(size_t(s.m) * size_t(s.k));
    Floats x(4 * 128, 0);
    x[128 + 5] = 1e-38f;
    std::fill(x.begin() + 256, x.begin() + 384, 3e4f);
    std::fill(x.begin() + 384, x.end(), -3e4f);
    const Floats y = block_product(result, isa, type, false, w, s, x.data(), 4);
    bool zeros = true, finite = true, opposite = true;
    for (int i = 0; i < s.m; i++) {
        zeros &= y[size_t(i)] == 0;
        opposite &= y[size_t(32 + i)] == -y[size_t(48 + i)];
    }
    for (float one : y) finite &= std::isfinite(one);
    result.expect(zeros && finite && opposite, "%s %s: extremes", isa, kTypes[type]);
}

// One head, step by step, straight from the equations; state [key][value].
void plain_head(const Floats& planes, const Floats& vectors, const float* v_first, int tokens,
                Doubles& state, Doubles& y) {
    constexpr int N = 64;
    const auto plane = [&](int i, int t, int j) {
        return double(planes[(size_t(i) * size_t(tokens) + size_t(t)) * N + size_t(j)]);
    };
    const auto vector = [&](int i, int j) { return double(vectors[size_t(i) * N + size_t(j)]); };
    y.assign(size_t(tokens) * N, 0);
    for (int t = 0; t < tokens; t++) {
        double kk[N], a[N], k[N], v[N], decay[N], removed[N] = {}, out[N] = {}, norm = 0, bonus = 0;
        for (int j = 0; j < N; j++) {
            a[j] = sigmoid(vector(1, j) + plane(4, t, j));
            decay[j] = std::exp(-std::exp(-0.5) * sigmoid(vector(0, j) + plane(3, t, j)));
            v[j] = plane(2, t, j);
            if (v_first)
                v[j] += (double(v_first[t * N + j]) - v[j]) *
                        sigmoid(vector(2, j) + plane(5, t, j));
            kk[j] = plane(1, t, j) * vector(3, j);
            norm += kk[j] * kk[j];
            k[j] = plane(1, t, j) * (1 + (a[j] - 1) * vector(4, j));
            bonus += plane(0, t, j) * k[j] * vector(5, j);
        }
        norm = std::fmax(std::sqrt(norm), 1e-12);
        for (int j = 0; j < N; j++)
            for (int i = 0; i < N; i++) removed[i] += state[size_t(j * N + i)] * kk[j] / norm;
        for (int j = 0; j < N; j++)
            for (int i = 0; i < N; i++) {
                double& s = state[size_t(j * N + i)];
                s = s * decay[j] - removed[i] * kk[j] / norm * a[j] + v[i] * k[j];
                out[i] += s * plane(0, t, j);
            }
        double mean = 0, spread = 0;
        for (double one : out) mean += one / N;
        for (double one : out) spread += (one - mean) * (one - mean) / N;
        for (int i = 0; i < N; i++) {
            const double normed = (out[i] - mean) / std::sqrt(spread + 64e-5);
            y[size_t(t * N + i)] =
                (normed * vector(6, i) + vector(7, i) + bonus * v[i]) * plane(6, t, i);
        }
    }
}

void check_head_run(Result& result, const char* isa, int tokens, bool first_layer) {
    Random random{uint64_t(tokens)};
    const size_t run = size_t(tokens) * 64;
    const Floats planes = random.normals(7 * run), vectors = random.normals(8 * 64, 0.3f, 0.5f);
    Floats v_first = random.normals(run), state = random.normals(64 * 64), y(run, NAN);
    const Floats before = first_layer ? Floats(planes.begin() + std::ptrdiff_t(2 * run),
                                               planes.begin() + std::ptrdiff_t(3 * run))
                                      : v_first;
    Doubles end(state.begin(), state.end()), truth;
    plain_head(planes, vectors, first_layer ? nullptr : v_first.data(), tokens, end, truth);
    result.call(skn_test_head(isa, planes.data(), vectors.data(), size_t(tokens), first_layer,
                              v_first.data(), state.data(), y.data()),
                "skn_test_head");
    result.expect(deviation(truth, y) < 2e-5, "%s head of %d: y is off by %g", isa, tokens,
                  deviation(truth, y));
    result.expect(deviation(end, state) < 2e-5, "%s head of %d: state is off by %g", isa, tokens,
                  deviation(end, state));
    result.expect(same_bits(v_first, before), "%s head of %d: first values", isa, tokens);
}

}  // namespace

void check_curves(Result& result, const char* isa) {
    constexpr size_t n = 1024;
    Floats x(n), y(n);
    for (size_t i = 0; i < n; i++) x[i] = -30 + 60 * float(i) / n;
    for (int f = 0; f < 3; f++) {
        result.call(skn_test_function(isa, f, x.data(), n, y.data()), "skn_test_function");
        double most = 0;
        for (size_t i = 0; i < n; i++) {
            const double at = x[i];
            const double truth = f == 0 ? std::exp(at) : f == 1 ? sigmoid(at) : std::tanh(at);
            const double error = std::fabs(truth - double(y[i]));
            most = std::fmax(most, f == 2 ? error / 2e-7 : error / (truth * 5e-7));
        }
        result.expect(most <= 1, "%s curve %d: %g times what it may be off", isa, f, most);
    }
}

void check_packing(Result& result, const char* isa) {
    // Of a group's length; floats of each number's own.
    const double lost[] = {0, 1.0 / 256, 1.0 / 2048, 0.012, 0.1};
    const Shape shapes[] = {{1, 1}, {5, 3}, {17, 65}, {40, 200}};
    for (int type = SKN_FP32; type <= SKN_Q4; type++)
        for (const Shape& s : shapes) {
            const Floats w = Random(uint64_t(s.k)).normals(size_t(s.m) * size_t(s.k));
            const Floats got = rounded(result, isa, type, false, w, s);
            Floats difference(w.size());
            for (size_t i = 0; i < w.size(); i++) difference[i] = got[i] - w[i];
            const double error =
                length(difference.data(), w.size()) / length(w.data(), w.size());
            result.expect(error <= lost[type], "%s %s packing %d x %d: %g lost", isa, kTypes[type],
                          s.m, s.k, error);
            // A fit's sums may run in another order; all else is the same everywhere.
            if (type == SKN_Q4) continue;
            result.expect(same_bits(got, rounded(result, "portable", type, false, w, s)),
                          "%s %s packing %d x %d: not as portable has it", isa, kTypes[type], s.m,
                          s.k);
        }
}

void check_products(Result& result, const char* isa) {
    const Shape shapes[] = {{1, 1}, {3, 5}, {17, 63}, {33, 64}, {50, 129}, {80, 320}};
    for (int type = SKN_FP32; type <= SKN_Q4; type++) {
        for (const Shape& s : shapes) check_dense(result, isa, type, s);
        for (const Shape& s : {Shape{64, 64}, Shape{192, 256}, Shape{320, 448}})
            for (double share : {0.0, 0.02, 0.14, 0.5, 1.0})
                check_sparse(result, isa, type, s, share);
    }
}

void check_blocks(Result& result, const char* isa) {
    struct Block {
        Shape shape;
        int tokens;
    };
    const Block dense[] = {{{1, 1}, 1},     {{16, 24}, 3},   {{70, 129}, 13}, {{64, 64}, 12},
                           {{40, 320}, 6},  {{33, 1090}, 10}, {{70, 1090}, 50}};
    const Block value[] = {{{64, 64}, 1}, {{192, 128}, 13}, {{64, 1152}, 6}, {{128, 1088}, 50}};
    for (int type = SKN_FP32; type <= SKN_Q4; type++) {
        for (const Block& b : dense) check_block(result, isa, type, false, b.shape, b.tokens);
        for (const Block& b : value) check_block(result, isa, type, true, b.shape, b.tokens);
        check_extremes(result, isa, type);
    }
}

void check_head(Result& result, const char* isa) {
    for (int tokens : {1, 2, 37})
        for (bool first_layer : {true, false}) check_head_run(result, isa, tokens, first_layer);
}

}  // namespace check
