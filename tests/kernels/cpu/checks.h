// What the native checks share: numbers that look random, plain comparisons, and a count of what
// was wrong. They need no Python, so that they run where there is none: other processors,
// emulators, sanitizers.
#pragma once

#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "skein_cpu.h"

namespace check {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

inline const char* const kTypes[] = {"fp32", "bf16", "fp16", "int8", "q4"};
inline bool quantised(int type) { return type >= SKN_INT8; }

// What was compared, and how much of it was wrong.
struct Result {
    int wrong = 0, compared = 0;

    void expect(bool right, const char* format, ...) {
        compared++;
        if (right) return;
        wrong++;
        va_list values;
        va_start(values, format);
        std::fputs("WRONG: ", stdout);
        std::vprintf(format, values);
        std::putchar('\n');
        va_end(values);
    }
    // A call into the library that has to succeed.
    void call(int code, const char* what) {
        char words[512] = "";
        if (code != SKN_OK) skn_error(words, sizeof words);
        expect(code == SKN_OK, "%s: %d, %s", what, code, words);
    }
};

// The same numbers on every machine.
class Random {
   public:
    explicit Random(uint64_t seed) : state_(seed * 2654435761u + 1) {}
    uint64_t bits() {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return state_ >> 33;  // the lower ones repeat soon
    }
    int below(int n) { return int(bits() % uint64_t(n)); }
    double uniform() { return double(bits()) / 2147483648.0; }
    // About normal: the sum of twelve uniform numbers.
    float normal() {
        double sum = -6;
        for (int i = 0; i < 12; i++) sum += uniform();
        return float(sum);
    }
    Floats normals(size_t n, float scale = 1, float about = 0) {
        Floats out(n);
        for (float& x : out) x = about + scale * normal();
        return out;
    }

   private:
    uint64_t state_;
};

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

inline double length(const float* x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += double(x[i]) * x[i];
    return std::sqrt(sum);
}

// The largest difference in units of the true numbers' own spread; infinite if one is no number.
template <class True>
double deviation(const std::vector<True>& truth, const Floats& got) {
    double mean = 0, spread = 0, most = 0;
    for (True x : truth) mean += double(x) / double(truth.size());
    for (True x : truth) spread += (double(x) - mean) * (double(x) - mean) / double(truth.size());
    for (size_t i = 0; i < truth.size(); i++) {
        if (!std::isfinite(got[i])) return HUGE_VAL;
        most = std::fmax(most, std::fabs(double(truth[i]) - double(got[i])));
    }
    return most / std::sqrt(spread);
}

inline bool same_bits(const Floats& a, const Floats& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * 4) == 0;
}

// Threads for as long as they are needed.
class Pool {
   public:
    explicit Pool(int threads) { skn_pool_create(threads, &pool_); }
    ~Pool() { skn_pool_destroy(pool_); }
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;
    operator skn_pool*() const { return pool_; }

   private:
    skn_pool* pool_ = nullptr;
};

void check_curves(Result& result, const char* isa);
void check_packing(Result& result, const char* isa);
void check_products(Result& result, const char* isa);
void check_blocks(Result& result, const char* isa);
void check_head(Result& result, const char* isa);
void check_model(Result& result, const char* isa);
void check_refusals(Result& result);
void check_deep_model(Result& result, const char* isa);
void check_deep_refusals(Result& result);
void check_tokenizer(Result& result);
void check_sampler(Result& result);
void check_tempo(Result& result);

}  // namespace check
