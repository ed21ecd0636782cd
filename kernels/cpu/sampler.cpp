// The cuts and the draw of engine/sampling.py without sorting: one pass finds the highest logit, one
// makes weights and their sums, and only blocks that hold something large are looked at again. What
// must be found in order (the sum that reaches top_p, the k-th largest) lies among few weights: the
// largest, or those near where a sample says. It is found there by their bits, ten at a time.
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

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>
#endif

#include "model.h"
#include "skein_cpu.h"

namespace {

constexpr size_t kBlock = 512;          // weights whose sum and largest are known
constexpr size_t kLanes = 16;           // sums side by side, always as many
constexpr float kNear = 1.0f / 1024;    // weights from here on are looked at first
constexpr double kMany = 256;            // times the largest weight: a flat distribution
constexpr size_t kFew = 12288;          // weights that are looked at one by one
constexpr size_t kSample = 32;          // of every block, to guess where a cut is
constexpr float kAround[] = {1.25f, 2.0f, 8.0f};  // how far the guess may be wrong, either way
constexpr float kMargin = 1e-3f;        // in logits: far more than rounding can turn around
constexpr float kLowest = -87.0f;       // e^x is a normal number from here on
constexpr double kColdest = 1e-6;       // below, a temperature would be no number in fp32
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kMinusInfinity = -kInfinity;

#if defined(__GNUC__) && defined(__x86_64__) && defined(__linux__) && !defined(SKN_NO_CLONES)
// The same source for wider registers, chosen by the loader. No FMA: the bits stay the same.
#define SKN_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define SKN_CLONES
#endif

// e^x for |x| <= log(2) / 2. In pairs: a chain of as many steps would be waited for.
inline float exp_of_rest(float x) {
    const float square = x * x;
    const float a = 1.9875691500e-4f * x + 1.3981999507e-3f;
    const float b = 8.3334519073e-3f * x + 4.1665795894e-2f;
    const float c = 1.6666665459e-1f * x + 5.0000001201e-1f;
    return ((a * square + b) * square + c) * square + (x + 1.0f);
}

// e^x for x <= 0, within 1.5 units of the last place; 0 from -104 on. Straight-line code that
// compilers turn into vectors: the exponent in two halves, for results below 2^-126.
inline float exp_below_zero(float x) {
    const float held = x < -104.0f ? -104.0f : x;
    const float shifter = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
    const float whole = (held * 1.44269504f + shifter) - shifter;
    const float rest = (held - whole * 0.693359375f) - whole * -2.12194440e-4f;
    float p = exp_of_rest(rest);
    const int32_t n = static_cast<int32_t>(whole), half = n >> 1;
    const int32_t bits_a = (half + 127) << 23, bits_b = (n - half + 127) << 23;
    float a, b;
    std::memcpy(&a, &bits_a, 4);
    std::memcpy(&b, &bits_b, 4);
    const float y = p * a * b;
    return x < -104.0f ? 0.0f : y;
}

// The same bits for kLowest <= x <= 0, some bits below that, with fewer steps: the power of 2 goes
// into the exponent.
inline float exp_above_lowest(float x) {
    const float shifter = 12582912.0f;
    const float shifted = x * 1.44269504f + shifter;
    const float whole = shifted - shifter;
    const float rest = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
    float p = exp_of_rest(rest);
    uint32_t bits, power;
    std::memcpy(&bits, &p, 4);
    std::memcpy(&power, &shifted, 4);
    bits += power << 23;
    std::memcpy(&p, &bits, 4);
    return p;
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

inline float larger(float a, float b) { return b > a ? b : a; }

// The largest of values; of NaN none is seen.
inline float largest_of(const float *values, size_t n) {
    float lanes[kLanes];
    std::fill(lanes, lanes + kLanes, kMinusInfinity);
    size_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (size_t j = 0; j < kLanes; j++) lanes[j] = larger(lanes[j], values[i + j]);
    for (size_t j = 0; i + j < n; j++) lanes[j] = larger(lanes[j], values[i + j]);
    return fold<kLanes / 2>(lanes, larger);
}

// Floats as whole numbers in the same order: compilers make vectors of those. A NaN lies beyond the
// infinities, on the side of its sign.
inline int32_t ordered(float x) {
    int32_t bits;
    std::memcpy(&bits, &x, 4);
    return bits ^ ((bits >> 31) & 0x7fffffff);
}

// The largest of every block; true: there is a NaN somewhere.
SKN_CLONES bool scan(const float *logits, size_t n, float *tops) {
    int32_t lowest = std::numeric_limits<int32_t>::max(), all = -lowest - 1;
    for (size_t begin = 0; begin < n; begin += kBlock) {
        const size_t size = std::min(kBlock, n - begin);
        const float *x = logits + begin;
        int32_t highest = -std::numeric_limits<int32_t>::max() - 1;
        for (size_t i = 0; i < size; i++) {
            const int32_t y = ordered(x[i]);
            highest = y > highest ? y : highest;
            lowest = y < lowest ? y : lowest;
        }
        all = highest > all ? highest : all;
        const int32_t bits = highest ^ ((highest >> 31) & 0x7fffffff);
        std::memcpy(&tops[begin / kBlock], &bits, 4);
    }
    return all > ordered(kInfinity) ||
           lowest < ordered(kMinusInfinity);
}

// What one pass finds out of every block of weights.
struct Block {
    double sum;
    float largest;
};

// weights[i] = e^((logit - highest) / temperature); returns their sum.
SKN_CLONES double weigh(const float *__restrict logits, size_t n, float highest,
                        float temperature, float *__restrict weights) {
    int32_t below = temperature != 1.0f;
    if (!below)
        for (size_t i = 0; i < n; i++) {
            const float x = logits[i] - highest;
            below |= x < kLowest;
            weights[i] = exp_above_lowest(x);
        }
    if (below)
        for (size_t i = 0; i < n; i++)
            weights[i] = exp_below_zero((logits[i] - highest) / temperature);
    return sum_of(weights, n);
}

// The sum of those of a block's weights that are at least `least`.
SKN_CLONES double sum_from(const float *weights, size_t n, float least) {
    float values[kBlock];
    for (size_t i = 0; i < n; i++) values[i] = weights[i] >= least ? weights[i] : 0.0f;
    return sum_of(values, n);
}

// ---- Picking out ----------------------------------------------------------------------------

// Copies those of `from` to `out`, in their order, whose weight is in [least, most]; returns how
// many. out has room for all of them and 16 more.
size_t pick_out_plainly(const float *weights, const float *from, size_t n, float least, float most,
                        float *out) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        out[count] = from[i];
        count += size_t(weights[i] >= least) & size_t(weights[i] <= most);
    }
    return count;
}

#if defined(__GNUC__) && defined(__x86_64__) && !defined(SKN_NO_CLONES)

template <bool Bounded>
__attribute__((target("avx512f,popcnt"))) size_t pick_out_by_16(const float *weights,
                                                                const float *from, size_t n,
                                                                float least, float most,
                                                                float *out) {
    const __m512 low = _mm512_set1_ps(least), high = _mm512_set1_ps(most);
    float *to = out;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m512 w = _mm512_loadu_ps(weights + i);
        __mmask16 in = _mm512_cmp_ps_mask(w, low, _CMP_GE_OQ);
        if (Bounded) in &= _mm512_cmp_ps_mask(w, high, _CMP_LE_OQ);
        // To a register first: a compressed store is slow on some processors.
        _mm512_storeu_ps(to, _mm512_maskz_compress_ps(in, _mm512_loadu_ps(from + i)));
        to += __builtin_popcount(in);
    }
    return size_t(to - out) + pick_out_plainly(weights + i, from + i, n - i, least, most, to);
}

size_t pick_out(const float *weights, const float *from, size_t n, float least, float most,
                float *out) {
    if (!__builtin_cpu_supports("avx512f"))
        return pick_out_plainly(weights, from, n, least, most, out);
    return (most < kInfinity ? pick_out_by_16<true> : pick_out_by_16<false>)(weights, from, n,
                                                                             least, most, out);
}

#else

size_t pick_out(const float *weights, const float *from, size_t n, float least, float most,
                float *out) {
    return pick_out_plainly(weights, from, n, least, most, out);
}

#endif

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
// those weights are looked at again that share the bits found so far; a handful is sorted.
struct Crossing {
    float weight;  // 0 where rounding keeps the whole sum below
    double above;  // the sum of what is larger
};

constexpr int kShifts[] = {20, 10, 0};
constexpr size_t kBins = 1024;  // weights are at most 1: the sign and bit 30 are 0
constexpr size_t kHandful = 48;

template <class One>
Crossing crossing_of_handful(const float *weights, size_t n, double target, double above, One one) {
    float sorted[kHandful];
    std::copy(weights, weights + n, sorted);
    std::sort(sorted, sorted + n, [](float a, float b) { return a > b; });
    double before = above;
    float weight = 0;
    for (size_t i = 0; i < n && above < target; i++) {
        if (i == 0 || sorted[i] != weight) before = above;
        weight = sorted[i];
        above += one(weight);
    }
    return {weight, before};
}

// The bin in which the sum from the highest bin down reaches the target, else the lowest that holds
// anything; kBins where none does. above: the sum of higher bins, from what it was on.
template <class One>
size_t crossing_bin(const float *weights, size_t n, int shift, double target, One one,
                    double &above) {
    double bins[4][kBins];
    const size_t beside = n > 4 * kBins ? 4 : 1;  // else equal weights wait for each other
    std::memset(bins, 0, beside * sizeof bins[0]);
    for (size_t i = 0; i < n; i++)
        bins[i & (beside - 1)][(bits_of(weights[i]) >> shift) & (kBins - 1)] += one(weights[i]);
    size_t lowest = kBins;
    double before = above;
    for (size_t bin = kBins; bin-- > 0;) {
        double sum = bins[0][bin];
        if (beside > 1) sum = (sum + bins[1][bin]) + (bins[2][bin] + bins[3][bin]);
        if (sum == 0) continue;
        lowest = bin;
        before = above;
        above += sum;
        if (above >= target) break;
    }
    const bool reached = above >= target;
    above = before;
    return lowest < kBins && (reached || shift < kShifts[0]) ? lowest : kBins;
}

template <class One>
Crossing crossing(const float *weights, size_t n, double target, One one) {
    double above = 0;
    uint32_t found = 0;
    std::vector<float> same, next;
    for (int shift : kShifts) {
        if (shift < kShifts[0] && n <= kHandful)
            return crossing_of_handful(weights, n, target, above, one);
        const size_t bin = crossing_bin(weights, n, shift, target, one, above);
        if (bin == kBins) return {0.0f, above};
        found |= static_cast<uint32_t>(bin) << shift;
        if (shift == 0) break;
        const uint32_t last = found | ((uint32_t(1) << shift) - 1);
        next.resize(n + kLanes);
        n = pick_out(weights, weights, n, float_of(found), float_of(last), next.data());
        same.swap(next);
        weights = same.data();
    }
    return {float_of(found), above};
}

// The weights of one draw, and what is known of their blocks. A block that holds nothing which
// could stay has `largest` below 0 and no weights.
struct Weights {
    float *values;
    size_t n;
    std::vector<Block> blocks;
    std::vector<float> few;  // some of them, picked out

    size_t begin(size_t block) const { return block * kBlock; }
    size_t size(size_t block) const { return std::min(kBlock, n - block * kBlock); }

    // Puts those in [least, most] into `few`; false: there are too many.
    bool pick_few(float least, float most) {
        few.resize(kFew + kBlock + kLanes);
        size_t count = 0;
        for (size_t b = 0; b < blocks.size(); b++) {
            if (blocks[b].largest < least) continue;
            if (count > kFew) return false;
            const float *w = values + begin(b);
            count += pick_out(w, w, size(b), least, most, few.data() + count);
        }
        few.resize(count);
        return true;
    }
};

struct Whole {  // what a weight adds to the sum that reaches top_p
    double operator()(float weight) const { return weight; }
    static double all(const float *values, size_t n) { return sum_of(values, n); }
    static double from(const float *values, size_t n, float least) {
        return sum_from(values, n, least);
    }
};

struct Once {  // and to the count that reaches top_k
    double operator()(float) const { return 1.0; }
    static double all(const float *, size_t n) { return double(n); }
    static double from(const float *values, size_t n, float least) {
        size_t count = 0;
        for (size_t i = 0; i < n; i++) count += values[i] >= least;
        return double(count);
    }
};

// Where the cut is likely to be, among weights up to `most` of which `target` is wanted.
template <class Add>
float guess(const Weights &weights, float most, double target) {
    std::vector<float> sample(weights.blocks.size() * kSample + kLanes);
    size_t count = 0;
    for (size_t b = 0; b < weights.blocks.size(); b++) {
        if (weights.blocks[b].largest < 0) continue;
        const float *w = weights.values + weights.begin(b);
        // Not the same places of every block: neighbours in a vocabulary are alike.
        const size_t size = weights.size(b), steps = size / kSample;
        const size_t at = steps ? (b * 7 % steps) * kSample : 0;
        count += pick_out(w + at, w + at, std::min(size - at, kSample), 0.0f, most,
                          sample.data() + count);
    }
    double above = 0;
    const size_t bin = crossing_bin(sample.data(), count, kShifts[0], target * kSample / kBlock,
                                    Add(), above);
    if (bin == kBins) return 0.0f;
    return float_of((uint32_t(bin) << kShifts[0]) + (uint32_t(1) << (kShifts[0] - 1)));
}

// The crossing, if it lies between these weights and they are not too many.
template <class Add>
bool crossing_between(Weights &weights, float least, float most, double target, Crossing &found) {
    if (!weights.pick_few(least, most)) return false;
    const std::vector<float> &few = weights.few;
    const float higher = std::nextafter(most, kInfinity);
    double above = 0;
    for (size_t b = 0; b < weights.blocks.size(); b++)
        if (weights.blocks[b].largest >= higher)
            above += Add::from(weights.values + weights.begin(b), weights.size(b), higher);
    if (above >= target || above + Add::all(few.data(), few.size()) < target) return false;
    found = crossing(few.data(), few.size(), target - above, Add());
    found.above += above;
    return true;
}

// `crossing` of all weights, looking at few of them: those from `near` on, else those around a guess.
template <class Add>
Crossing find_crossing(Weights &weights, float near, double target) {
    float most = kInfinity;
    double rest = target;
    if (near > 0 && weights.pick_few(near, kInfinity)) {
        const std::vector<float> &few = weights.few;
        const double sum = Add::all(few.data(), few.size());
        if (sum >= target) return crossing(few.data(), few.size(), target, Add());
        most = std::nextafter(near, 0.0f);
        rest -= sum;
    }
    const float around = guess<Add>(weights, most, rest);
    for (float wide : kAround) {
        Crossing found;
        if (around > 0 && crossing_between<Add>(weights, around / wide,
                                                std::min(around * wide, most), target, found))
            return found;
    }
    for (size_t b = 0; b < weights.blocks.size(); b++)  // far below what is looked for
        if (weights.blocks[b].largest < 0)
            std::fill_n(weights.values + weights.begin(b), weights.size(b), 0.0f);
    return crossing(weights.values, weights.n, target, Add());
}

float top_p_cutoff(Weights &weights, double top_p) {
    double sum = 0;
    for (const Block &block : weights.blocks) sum += block.sum;
    // Where the best is one of very many, it is not found among the largest.
    return find_crossing<Whole>(weights, sum < kMany ? kNear : 0.0f, sum * top_p).weight;
}

// Takes all but the first `kept` of the weights that equal `weight` out of the draw.
void drop_surplus(Weights &weights, float weight, size_t kept) {
    for (size_t b = 0; b < weights.blocks.size(); b++) {
        if (weights.blocks[b].largest < weight) continue;
        float *values = weights.values + weights.begin(b);
        for (size_t i = 0; i < weights.size(b); i++)
            if (values[i] == weight) {
                if (kept == 0)
                    values[i] = -1.0f;
                else
                    kept--;
            }
    }
}

// Marks what top_k leaves out among equals; returns the smallest weight that stays in the draw.
// near: from where on the k-th largest is looked for.
float cut(Weights &weights, double top_p, double min_p, size_t top_k, float near) {
    double least = min_p;
    if (top_p < 1) least = std::max(least, double(top_p_cutoff(weights, top_p)));
    if (!top_k) return static_cast<float>(least);
    const Crossing kth = find_crossing<Once>(weights, near, double(top_k));
    if (kth.weight < least) return static_cast<float>(least);
    drop_surplus(weights, kth.weight, top_k - static_cast<size_t>(kth.above));
    return kth.weight;
}

// No logit below this can stay in the draw: so much the largest of each block tell.
float floor_of(const std::vector<float> &tops, float highest, double top_p, double min_p,
               size_t top_k) {
    float floor = kMinusInfinity;
    if (top_p < 1) return floor;  // all count in the sum
    if (min_p > 0) floor = highest + static_cast<float>(std::log(min_p)) - kMargin;
    if (top_k && top_k <= tops.size()) {
        std::vector<float> sorted = tops;
        std::nth_element(sorted.begin(), sorted.begin() + ptrdiff_t(top_k - 1), sorted.end(),
                         [](float a, float b) { return a > b; });
        floor = larger(floor, sorted[top_k - 1] - kMargin);
    }
    // Further below, weights of different logits may be equal.
    return floor - highest > kLowest ? floor : kMinusInfinity;
}

// The chances of those of a block that stay, one after the other in `out` [kBlock + kLanes], and
// zeros up to a multiple of kLanes; returns their sum.
SKN_CLONES double chances_of(const float *weights, const float *logits, size_t n, float highest,
                             float least, float temperature, float *out) {
    const bool is_plain = temperature == 1.0f;
    const size_t count = pick_out(weights, is_plain ? weights : logits, n, least, kInfinity, out);
    const size_t whole = (count + kLanes - 1) / kLanes * kLanes;
    std::fill(out + count, out + whole, is_plain ? 0.0f : kMinusInfinity);
    if (!is_plain)
        for (size_t i = 0; i < whole; i++)
            out[i] = exp_below_zero((out[i] - highest) / temperature);
    return sum_of(out, whole);
}

// The first place above `wanted` in a rising row; where rounding leaves none, the last step up.
size_t first_above(const double *rising, size_t n, double wanted) {
    const size_t place = static_cast<size_t>(std::upper_bound(rising, rising + n, wanted) - rising);
    const double *step = std::lower_bound(rising, rising + n, rising[n - 1]);
    return std::min(place, static_cast<size_t>(step - rising));
}

// The place that a random number in [0, 1) falls on; a chance of 0 is never taken.
size_t pick(const Weights &weights, const float *logits, float highest, float least,
            float temperature, double random) {
    std::vector<double> rising(weights.blocks.size());
    float chances[kBlock + kLanes];
    const auto chances_in = [&](size_t b) {
        const size_t at = weights.begin(b);
        return chances_of(weights.values + at, logits + at, weights.size(b), highest, least,
                          temperature, chances);
    };
    double sum = 0;
    for (size_t b = 0; b < rising.size(); b++) {
        if (weights.blocks[b].largest >= least) sum += chances_in(b);
        rising[b] = sum;
    }
    const double wanted = random * sum;
    const size_t block = first_above(rising.data(), rising.size(), wanted);
    const double before = block ? rising[block - 1] : 0.0;
    const size_t begin = weights.begin(block), size = weights.size(block);
    chances_in(block);
    double inside[kBlock];
    double inner = 0;
    size_t next = 0;
    for (size_t i = 0; i < size; i++) {
        if (weights.values[begin + i] >= least) inner += chances[next++];
        inside[i] = inner;
    }
    return begin + first_above(inside, size, wanted - before);
}

// The draw when nothing is cut: weights are chances, and their sums are known.
size_t pick_of_all(const float *logits, size_t n, float highest, float temperature, double random,
                   float *weights) {
    std::vector<double> rising((n + kBlock - 1) / kBlock);
    double sum = 0;
    for (size_t b = 0; b < rising.size(); b++) {
        const size_t begin = b * kBlock;
        rising[b] = sum += weigh(logits + begin, std::min(kBlock, n - begin), highest,
                                 temperature, weights + begin);
    }
    const double wanted = random * sum;
    const size_t block = first_above(rising.data(), rising.size(), wanted);
    const double before = block ? rising[block - 1] : 0.0;
    const size_t begin = block * kBlock, size = std::min(kBlock, n - begin);
    double inside[kBlock];
    double inner = 0;
    for (size_t i = 0; i < size; i++) inside[i] = inner += weights[begin + i];
    return begin + first_above(inside, size, wanted - before);
}

}  // namespace

extern "C" int skn_sample(const float *logits, size_t vocab, double temperature, double top_p,
                          double min_p, int32_t top_k, double random, float *scratch,
                          int32_t *token) {
    if (!logits || !vocab || !scratch || !token)
        return skn::fail(SKN_BAD_ARGUMENT, "a null pointer, or no vocabulary");
    try {
        std::vector<float> tops((vocab + kBlock - 1) / kBlock);
        const bool has_nan = scan(logits, vocab, tops.data());
        const float highest = largest_of(tops.data(), tops.size());
        if (has_nan || highest == kInfinity)
            return skn::fail(SKN_NOT_FINITE, "the logits are not finite");
        if (highest == kMinusInfinity)
            return skn::fail(SKN_BAD_ARGUMENT, "no token is left to choose from");
        if (temperature == 0 || top_p == 0) {
            const size_t block = size_t(std::find(tops.begin(), tops.end(), highest) - tops.begin());
            const float *end = logits + vocab;
            *token = int32_t(std::find(logits + block * kBlock, end, highest) - logits);
            return SKN_OK;
        }
        const float cold = static_cast<float>(std::max(temperature, kColdest));
        const size_t k = top_k > 0 && size_t(top_k) < vocab ? size_t(top_k) : 0;
        if (top_p >= 1 && !(min_p > 0) && !k) {
            *token = int32_t(pick_of_all(logits, vocab, highest, cold, random, scratch));
            return SKN_OK;
        }
        Weights weights{scratch, vocab, std::vector<Block>(tops.size()), {}};
        const float floor = floor_of(tops, highest, top_p, min_p, k);
        for (size_t b = 0; b < tops.size(); b++) {
            const size_t at = weights.begin(b);
            Block &block = weights.blocks[b];
            if (tops[b] < floor) {
                block = {0.0, -1.0f};
                continue;
            }
            block.sum = weigh(logits + at, weights.size(b), highest, 1.0f, scratch + at);
            // A little more: rounding may turn two neighbours around.
            block.largest = exp_below_zero(tops[b] - highest) * (1 + kMargin);
        }
        const float near = larger(kNear, exp_below_zero(floor - highest));
        const float least = cut(weights, top_p, min_p, k, near);
        *token = int32_t(pick(weights, logits, highest, least, cold, random));
        return SKN_OK;
    } catch (const std::bad_alloc &) {
        return skn::fail(SKN_NO_MEMORY, "no memory for the draw");
    } catch (...) {
        return skn::fail(SKN_INTERNAL, "the draw failed");
    }
}
