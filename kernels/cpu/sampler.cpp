// The cuts and the draw of engine/sampling.py without sorting: two straight passes over the
// vocabulary, then only blocks that hold something large. What must be found in order (the sum that
// reaches top_p, the k-th largest) is found by the bits of the weights, ten at a time.
//
// Weights are fp32 exp(logit - highest), sums are fp64 in a fixed order: the same on every machine
// (no fused multiply-add: this file is compiled without contraction).

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

#include "model.h"
#include "skein_cpu.h"

namespace {

constexpr size_t kBlock = 256;          // weights whose sum and largest are known
constexpr size_t kLanes = 16;           // sums side by side, always as many
constexpr float kNear = 1.0f / 1024;    // weights from here on are looked at first
constexpr size_t kFew = 2048;            // of them
constexpr double kColdest = 1e-6;       // below, a temperature would be no number in fp32
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

#if defined(__GNUC__) && defined(__x86_64__) && defined(__linux__) && !defined(SKN_NO_CLONES)
// The same source for wider registers, chosen by the loader. No FMA: the bits stay the same.
#define SKN_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define SKN_CLONES
#endif

// e^x for x <= 0, within 1.5 units of the last place; 0 from -104 on. Straight-line code that
// compilers turn into vectors: the exponent in two halves, for results below 2^-126.
inline float exp_below_zero(float x) {
    const float held = x < -104.0f ? -104.0f : x;
    const float shifter = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
    const float whole = (held * 1.44269504f + shifter) - shifter;
    const float rest = (held - whole * 0.693359375f) - whole * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * rest + 1.3981999507e-3f;
    p = p * rest + 8.3334519073e-3f;
    p = p * rest + 4.1665795894e-2f;
    p = p * rest + 1.6666665459e-1f;
    p = p * rest + 5.0000001201e-1f;
    p = p * (rest * rest) + rest + 1.0f;
    const int32_t n = static_cast<int32_t>(whole), half = n >> 1;
    const int32_t bits_a = (half + 127) << 23, bits_b = (n - half + 127) << 23;
    float a, b;
    std::memcpy(&a, &bits_a, 4);
    std::memcpy(&b, &bits_b, 4);
    const float y = p * a * b;
    return x < -104.0f ? 0.0f : y;
}

// Adds or compares lanes pair by pair, without a loop that a compiler would keep.
template <size_t Width, class T, class Join>
inline T fold(T *lanes, Join join) {
    if constexpr (Width == 0) {
        return lanes[0];
    } else {
        for (size_t j = 0; j < Width; j++) lanes[j] = join(lanes[j], lanes[j + Width]);
        return fold<Width / 2>(lanes, join);
    }
}

inline double sum_of(const float *values, size_t n) {
    double lanes[kLanes] = {};
    size_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (size_t j = 0; j < kLanes; j++) lanes[j] += values[i + j];
    for (size_t j = 0; i + j < n; j++) lanes[j] += values[i + j];
    return fold<kLanes / 2>(lanes, [](double a, double b) { return a + b; });
}

// The largest of values; of NaN none is seen.
inline float largest_of(const float *values, size_t n) {
    const auto larger = [](float a, float b) { return b > a ? b : a; };
    float lanes[kLanes];
    std::fill(lanes, lanes + kLanes, kMinusInfinity);
    size_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (size_t j = 0; j < kLanes; j++) lanes[j] = larger(lanes[j], values[i + j]);
    for (size_t j = 0; i + j < n; j++) lanes[j] = larger(lanes[j], values[i + j]);
    return fold<kLanes / 2>(lanes, larger);
}

SKN_CLONES float highest_of(const float *logits, size_t n) { return largest_of(logits, n); }

SKN_CLONES bool has_nan(const float *values, size_t n) {
    int32_t found = 0;
    for (size_t i = 0; i < n; i++) found |= values[i] != values[i];
    return found != 0;
}

// What one pass finds out of every block of weights.
struct Block {
    double sum;
    float largest;
};

SKN_CLONES void weigh(const float *logits, size_t n, float highest, float *weights,
                      Block *blocks) {
    for (size_t begin = 0; begin < n; begin += kBlock) {
        const size_t end = std::min(n, begin + kBlock);
        for (size_t i = begin; i < end; i++) weights[i] = exp_below_zero(logits[i] - highest);
        blocks[begin / kBlock] = {sum_of(weights + begin, end - begin),
                                  largest_of(weights + begin, end - begin)};
    }
}

uint32_t bits_of(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return bits;
}

float float_of(uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, 4);
    return x;
}

// Where the sum, from the largest weight down, reaches a target; one(weight) is what each adds.
// The bits of floats of at least 0 are ordered as the floats are: ten of them at a time, only
// those weights are looked at again that share the bits found so far.
struct Crossing {
    float weight;  // 0 where rounding keeps the whole sum below
    double above;  // the sum of what is larger
};

template <class One>
Crossing crossing(const float *weights, size_t n, double target, One one) {
    constexpr int kShifts[] = {20, 10, 0};
    constexpr size_t kSideBySide = 4;
    constexpr size_t kBins = 1024;  // weights are at most 1: the sign and bit 30 are 0
    double bins[kBins], beside[kSideBySide][kBins];
    double above = 0;
    uint32_t found = 0;
    std::vector<float> same;
    for (int shift : kShifts) {
        std::memset(beside, 0, sizeof beside);  // else equal weights wait for each other
        for (size_t i = 0; i < n; i++)
            beside[i % kSideBySide][(bits_of(weights[i]) >> shift) & (kBins - 1)] +=
                one(weights[i]);
        for (size_t i = 0; i < kBins; i++)
            bins[i] = (beside[0][i] + beside[1][i]) + (beside[2][i] + beside[3][i]);
        size_t lowest = kBins, bin = kBins;  // of bins with anything in them
        double before = above;
        while (bin-- > 0) {
            if (bins[bin] == 0) continue;
            lowest = bin;
            before = above;
            above += bins[bin];
            if (above >= target) break;
        }
        if (lowest == kBins || (above < target && !found)) return {0.0f, above};
        above = before;
        found |= static_cast<uint32_t>(lowest) << shift;
        if (shift == 0) break;
        std::vector<float> next;
        for (size_t i = 0; i < n; i++)
            if (bits_of(weights[i]) >> shift == found >> shift) next.push_back(weights[i]);
        same.swap(next);
        weights = same.data();
        n = same.size();
    }
    return {float_of(found), above};
}

// The weights of one draw, and what is known of their blocks.
struct Weights {
    float *values;
    size_t n;
    std::vector<Block> blocks;

    size_t begin(size_t block) const { return block * kBlock; }
    size_t end(size_t block) const { return std::min(n, (block + 1) * kBlock); }

    // Those from `least` on, unless there are many.
    std::vector<float> near(float least) const {
        std::vector<float> found;
        for (size_t b = 0; b < blocks.size(); b++) {
            if (blocks[b].largest < least) continue;
            if (found.size() > kFew) return {};
            for (size_t i = begin(b); i < end(b); i++)
                if (values[i] >= least) found.push_back(values[i]);
        }
        return found;
    }
};

double whole(float weight) { return weight; }
double once(float) { return 1.0; }

float top_p_cutoff(const Weights &weights, const std::vector<float> &near, double top_p) {
    double target = 0;
    for (const Block &block : weights.blocks) target += block.sum;
    target *= top_p;
    if (sum_of(near.data(), near.size()) >= target)
        return crossing(near.data(), near.size(), target, whole).weight;
    return crossing(weights.values, weights.n, target, whole).weight;
}

// Takes all but the first `kept` of the weights that equal `weight` out of the draw.
void drop_surplus(Weights &weights, float weight, size_t kept) {
    for (size_t b = 0; b < weights.blocks.size(); b++) {
        if (weights.blocks[b].largest < weight) continue;
        for (size_t i = weights.begin(b); i < weights.end(b); i++)
            if (weights.values[i] == weight) {
                if (kept == 0)
                    weights.values[i] = -1.0f;
                else
                    kept--;
            }
    }
}

// Marks what top_k leaves out among equals; returns the smallest weight that stays in the draw.
float cut(Weights &weights, double top_p, double min_p, int32_t top_k) {
    const bool few = top_k > 0 && static_cast<size_t>(top_k) < weights.n;
    std::vector<float> near;
    if (top_p < 1 || few) near = weights.near(kNear);
    double least = min_p;
    if (top_p < 1) least = std::max(least, double(top_p_cutoff(weights, near, top_p)));
    if (!few) return static_cast<float>(least);
    const size_t k = static_cast<size_t>(top_k);
    const Crossing kth = k <= near.size() ? crossing(near.data(), near.size(), top_k, once)
                                          : crossing(weights.values, weights.n, top_k, once);
    if (kth.weight < least) return static_cast<float>(least);
    drop_surplus(weights, kth.weight, k - static_cast<size_t>(kth.above));
    return kth.weight;
}

// Turns the weights of one block into chances: 0 below `least`, else weight ^ (1 / temperature).
SKN_CLONES double chances_of(float *weights, const float *logits, size_t n, float highest,
                             float least, float temperature) {
    if (temperature == 1.0f) {
        for (size_t i = 0; i < n; i++) weights[i] = weights[i] < least ? 0.0f : weights[i];
    } else {
        for (size_t i = 0; i < n; i++) {
            const float y = exp_below_zero((logits[i] - highest) / temperature);
            weights[i] = weights[i] < least ? 0.0f : y;
        }
    }
    return sum_of(weights, n);
}

// The first place above `wanted` in a rising row; where rounding leaves none, the last step up.
size_t first_above(const double *rising, size_t n, double wanted) {
    const size_t place = static_cast<size_t>(std::upper_bound(rising, rising + n, wanted) - rising);
    const double *step = std::lower_bound(rising, rising + n, rising[n - 1]);
    return std::min(place, static_cast<size_t>(step - rising));
}

// The place that a random number in [0, 1) falls on; a chance of 0 is never taken.
size_t pick(Weights &weights, const float *logits, float highest, float least, float temperature,
            double random) {
    std::vector<double> rising(weights.blocks.size());
    double sum = 0;
    for (size_t b = 0; b < rising.size(); b++) {
        const size_t begin = weights.begin(b), size = weights.end(b) - begin;
        if (weights.blocks[b].largest >= least)
            sum += chances_of(weights.values + begin, logits + begin, size, highest, least,
                              temperature);
        rising[b] = sum;
    }
    const double wanted = random * sum;
    const size_t block = first_above(rising.data(), rising.size(), wanted);
    const double before = block ? rising[block - 1] : 0.0;
    const size_t begin = weights.begin(block), size = weights.end(block) - begin;
    double inside[kBlock];
    double inner = 0;
    for (size_t i = 0; i < size; i++) inside[i] = inner += weights.values[begin + i];
    return begin + first_above(inside, size, wanted - before);
}

}  // namespace

extern "C" int skn_sample(const float *logits, size_t vocab, double temperature, double top_p,
                          double min_p, int32_t top_k, double random, float *scratch,
                          int32_t *token) {
    if (!logits || !vocab || !scratch || !token)
        return skn::fail(SKN_BAD_ARGUMENT, "a null pointer, or no vocabulary");
    const float highest = highest_of(logits, vocab);
    if (has_nan(logits, vocab) || highest == std::numeric_limits<float>::infinity())
        return skn::fail(SKN_NOT_FINITE, "the logits are not finite");
    if (highest == kMinusInfinity)
        return skn::fail(SKN_BAD_ARGUMENT, "no token is left to choose from");
    if (temperature == 0 || top_p == 0) {
        *token = static_cast<int32_t>(std::find(logits, logits + vocab, highest) - logits);
        return SKN_OK;
    }
    try {
        Weights weights{scratch, vocab, std::vector<Block>((vocab + kBlock - 1) / kBlock)};
        weigh(logits, vocab, highest, scratch, weights.blocks.data());
        const float least = cut(weights, top_p, min_p, top_k);
        const float cold = static_cast<float>(std::max(temperature, kColdest));
        *token = static_cast<int32_t>(pick(weights, logits, highest, least, cold, random));
        return SKN_OK;
    } catch (const std::bad_alloc &) {
        return skn::fail(SKN_NO_MEMORY, "no memory for the draw");
    } catch (...) {
        return skn::fail(SKN_INTERNAL, "the draw failed");
    }
}
