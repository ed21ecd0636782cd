// From logits to tokens on the device, in the order of engine/sampling.py: ban and bias, penalties,
// softmax, top-p, min-p and top-k as cuts of the same distribution, p ** (1 / temperature), one
// draw. Four launches for all rows (two where all are greedy), without a sort; the same at every
// run, since sums are of whole numbers (2^-44 of the largest weight): their order changes nothing.
//
// scan: penalties, and the highest logit of every segment. weigh: weights relative to the highest,
// and their histogram by their upper bits. narrow, pick: sampler_narrow.cu, sampler_pick.cu.
//
// Each of these waits for the one before it, and does little: what counts is how often a thread
// waits for memory or for others, and how much code is fetched, from far away after all the weights
// of a step, to be run once. So they may rehearse before the wait (`rehearsals` times): they do all
// that they will do, with numbers made up, and touch no global memory; then the code is there.
//
// Weights have the bits of kernels/cpu/sampler.cpp: nothing is contracted to a fused multiply-add.
// Compile-time: VOCAB, the number of logits; SEGMENT, logits of a block; PICK_THREADS of pick's
// only block. Follows on device.cuh.

constexpr int SEGMENTS = (VOCAB + SEGMENT - 1) / SEGMENT;
constexpr int PADDED = SEGMENTS * SEGMENT;  // floats from one row's beginning to the next one's
constexpr int SCAN_THREADS = SEGMENT / 4;
constexpr int SCAN_WARPS = SCAN_THREADS / 32;
constexpr int STRETCH = 128;                // logits of a warp
constexpr int STRETCHES = PADDED / STRETCH;
constexpr int BINS = 1024;     // by the bits 20..29 of a weight: bits 30 and 31 are 0 up to 1
constexpr int RING = 16;       // random numbers and results that lie ready, by step
constexpr float UNIT = 4194304.0f;  // 2^22: a weight is two numbers of so many units
constexpr float COLDEST = 1e-6f;
constexpr u32 SEEN = 1, BIASED = 2, MASKED = 4;
constexpr int NOT_FINITE = -1, NONE_LEFT = -2;  // in the place of a token

static_assert(PADDED <= 1 << 19, "a vocabulary of at most 524,288");
static_assert(BINS % (2 * SCAN_THREADS) == 0 && BINS % PICK_THREADS == 0, "whole rounds of bins");

// ------------------------------------------------------------------ parameters of a slot

// double [8] of every slot: temperature, top_p, min_p, top_k, presence, frequency, decay, unused.
// These and row_slots are read before the wait for the kernel before: no kernel of a draw writes
// there, and whoever does has ended when the draw's first kernel begins.
struct Choice {
  double top_p, min_p;
  float temperature;
  int top_k;  // 0: off

  explicit __device__ Choice(const double* p)
      : top_p(p[1]), min_p(p[2]), temperature(static_cast<float>(p[0])),
        top_k(p[3] < VOCAB ? static_cast<int>(p[3]) : 0) {}
  __device__ __forceinline__ bool is_greedy() const { return temperature == 0 || top_p == 0; }
  __device__ __forceinline__ bool has_top_p() const { return top_p < 1; }
  __device__ __forceinline__ bool cuts() const { return has_top_p() || top_k; }
  __device__ __forceinline__ float divisor() const { return fmaxf(temperature, COLDEST); }
  // The bin, an even number, below which top-p does not cut: all weights there together are less
  // than half of what it leaves out. What top-k cuts there, top-p has cut.
  __device__ __forceinline__ int lowest_bin() const {
    const double left_out = 1 - top_p;
    if (!(left_out > 1e-9)) return 0;
    const float weight = static_cast<float>(left_out * (0.5 / PADDED));
    return static_cast<int>(__float_as_uint(weight) >> 21 << 1);
  }
};
DEVICE Choice choice_of(const double* parameters, int slot) {
  return Choice(parameters + 8 * (slot < 0 ? 0 : slot));
}

// ------------------------------------------------------------------ numbers

DEVICE float minus_infinity() { return __uint_as_float(0xff800000u); }
DEVICE float infinity() { return __uint_as_float(0x7f800000u); }

DEVICE float times(float x, float y) { return __fmul_rn(x, y); }
DEVICE float plus(float x, float y) { return __fadd_rn(x, y); }
DEVICE float times_plus(float x, float y, float z) { return plus(times(x, y), z); }

// e^x for x <= 0, 0 below -104: kernels/cpu/sampler.cpp's, bit for bit.
DEVICE float exp_below_zero(float x) {
  const float held = x < -104.0f ? -104.0f : x;
  const float shifter = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  const float whole = plus(times_plus(held, 1.44269504f, shifter), -shifter);
  const float rest =
      plus(plus(held, -times(whole, 0.693359375f)), -times(whole, -2.12194440e-4f));
  const float square = times(rest, rest);
  const float a = times_plus(1.9875691500e-4f, rest, 1.3981999507e-3f);
  const float b = times_plus(8.3334519073e-3f, rest, 4.1665795894e-2f);
  const float c = times_plus(1.6666665459e-1f, rest, 5.0000001201e-1f);
  const float p = times_plus(times_plus(times_plus(a, square, b), square, c), square,
                             plus(rest, 1.0f));
  const int n = static_cast<int>(whole), half_of_n = n >> 1;
  const float up = __int_as_float((half_of_n + 127) << 23);
  const float down = __int_as_float((n - half_of_n + 127) << 23);
  return x < -104.0f ? 0.0f : times(times(p, up), down);
}

// A weight in [0, 1] in units of 2^-44, as its upper part in units of 2^-22 and the rest.
DEVICE uint2 units_of(float weight) {
  const float scaled = times(weight, UNIT);
  const u32 upper = static_cast<u32>(scaled);
  return make_uint2(upper, static_cast<u32>(times(plus(scaled, -static_cast<float>(upper)), UNIT)));
}
DEVICE u64 whole_units(float weight) {
  const uint2 units = units_of(weight);
  return (static_cast<u64>(units.x) << 22) + units.y;
}

// The chance of a logit at a temperature. Not inlined: a division is long.
__device__ __noinline__ float tempered(float logit, float highest, float divisor) {
  return exp_below_zero(__fdiv_rn(plus(logit, -highest), divisor));
}

// ------------------------------------------------------------------ over threads

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define BY_SHUFFLES 1  // in place of one instruction
#endif
DEVICE u32 warp_sum_of(u32 x) {
#ifdef BY_SHUFFLES
#pragma unroll
  for (int step = 16; step; step >>= 1) x += __shfl_xor_sync(ALL_LANES, x, step);
  return x;
#else
  return __reduce_add_sync(ALL_LANES, x);
#endif
}
DEVICE int warp_max_of(int x) {
#ifdef BY_SHUFFLES
#pragma unroll
  for (int step = 16; step; step >>= 1) x = max(x, __shfl_xor_sync(ALL_LANES, x, step));
  return x;
#else
  return __reduce_max_sync(ALL_LANES, x);
#endif
}
// Whole numbers in the order of floats that are no NaN; both zeros are one.
DEVICE int ordered(float x) {
  const int bits = __float_as_int(x + 0.0f);
  return bits ^ (bits >> 31 & 0x7fffffff);
}
DEVICE float unordered(int x) { return __int_as_float(x ^ (x >> 31 & 0x7fffffff)); }
// The sum of 128 weights, four of each lane.
DEVICE u64 warp_sum_of_units(const float (&weights)[4]) {
  u32 upper = 0, lower = 0;
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const uint2 units = units_of(weights[i]);
    upper += units.x, lower += units.y;
  }
  return (static_cast<u64>(warp_sum_of(upper)) << 22) + warp_sum_of(lower);
}
// The sum over this lane and those below.
template <typename T> DEVICE T warp_scan(T x) {
#pragma unroll
  for (int step = 1; step < 32; step <<= 1) {
    const T lower = __shfl_up_sync(ALL_LANES, x, step);
    if (lane_index() >= step) x += lower;
  }
  return x;
}

// The higher of two logits, of equals the first.
struct Top {
  float logit;
  int place;
};
DEVICE Top higher(Top x, Top y) {
  return y.logit > x.logit || (y.logit == x.logit && y.place < x.place) ? y : x;
}
DEVICE Top warp_top(Top x) {
  const int mine = ordered(x.logit), best = warp_max_of(mine);
  return {unordered(best), -warp_max_of(mine == best ? -x.place : -VOCAB)};
}
// The highest logit of a row, by every warp for itself. tops: [SEGMENTS].
DEVICE float highest_of(const float* tops) {
  float best = minus_infinity();
#pragma unroll 4
  for (int i = lane_index(); i < SEGMENTS; i += 32) best = fmaxf(best, load_written(tops + i));
  return unordered(warp_max_of(ordered(best)));
}
DEVICE bool is_finite(float highest) { return highest > minus_infinity() && highest < infinity(); }

// ------------------------------------------------------------------ scan

// One logit with ban, bias and penalties; lets the token drawn last count first, as
// Sampler.accept. Changes its flags and count.
struct Penalties {
  float presence, frequency, decay;
  int last;  // the token drawn last, < 0: none

  __device__ __forceinline__ float adjusted(float logit, int token, bool is_counted,
                                            const float* bias, u32& flags, float& count) const {
    if (last >= 0) {
      if (flags & SEEN) count = times(count, decay);
      if (token == last) {
        if (!(flags & SEEN)) count = 0;
        flags |= SEEN;
        if (is_counted) count = plus(count, 1.0f);
      }
    }
    if (flags & BIASED) logit = plus(logit, *bias);
    if (flags & SEEN) logit = plus(logit, -plus(presence, times(count, frequency)));
    return flags & MASKED ? minus_infinity() : logit;
  }
};

// grid (SEGMENTS, rows). logits [rows, VOCAB]; row_slots [rows], < 0: no such row; parameters
// [slots, 8]; progress [slots, 4]: the next step, the token drawn last (< 0: none), two unused;
// flags u8, counts, bias [slots, PADDED]; uncounted: one bit a token [PADDED / 32]. Writes adjusted
// [rows, PADDED], tops and places [rows, SEGMENTS], zeros to bins [rows, BINS], totals and
// member_counts [rows].
KERNEL(SCAN_THREADS) sample_scan(const float* logits, const int* row_slots,
                                 const double* parameters, u32* progress, u8* flags,
                                 float* counts, const float* bias, const u32* uncounted,
                                 float* adjusted, float* tops, int* places, u64* bin_sums,
                                 u32* bin_counts, u64* totals, u32* member_counts,
                                 int rehearsals) {
  __shared__ Top scratch[SCAN_WARPS];
  const int row = blockIdx.y, first = blockIdx.x * SEGMENT + 4 * threadIdx.x;
  dependents_may_start();
  const int slot = row_slots[row];
  if (slot < 0) return wait_for_previous();
  const u64 at = static_cast<u64>(slot) * PADDED + first;
  const double* p = parameters + 8 * slot;
  Penalties penalties{static_cast<float>(p[4]), static_cast<float>(p[5]),
                      static_cast<float>(p[6]), -1};
  if (threadIdx.x == 0) {  // weights have pushed these out of L2 since the last draw
    prefetch_l2(flags + at, SEGMENT);
    prefetch_l2(counts + at, SEGMENT * 4);
    prefetch_l2(progress + 4 * slot, 16);
  }
  const float* from = logits + static_cast<u64>(row) * VOCAB + first;
  const u32 not_counted = uncounted[first / 32] >> (first % 32);

#pragma unroll 1
  for (; rehearsals >= 0; rehearsals--) {
    const bool is_real = !rehearsals;
    float x[4] = {0, 0, 0, 0};
    u32 all_flags = SEEN;
    if (is_real) {
      wait_for_previous();
      if (VOCAB % 4 == 0 && first < VOCAB) {
        const float4 four = load_written4(from);
        x[0] = four.x, x[1] = four.y, x[2] = four.z, x[3] = four.w;
      } else {
#pragma unroll
        for (int i = 0; i < 4; i++)
          x[i] = first + i < VOCAB ? load_written(from + i) : minus_infinity();
      }
      penalties.last = static_cast<int>(load_written(progress + 4 * slot + 1));
      all_flags = load_written(reinterpret_cast<const u32*>(flags + at));
      for (int i = blockIdx.x * SCAN_THREADS + threadIdx.x; i < BINS; i += PADDED / 4) {
        bin_sums[row * BINS + i] = 0;
        bin_counts[row * BINS + i] = 0;
      }
      if (blockIdx.x == 0 && threadIdx.x == 0) totals[row] = 0, member_counts[row] = 0;
    }

    if (all_flags || static_cast<u32>(penalties.last - first) < 4u) {
      float4 four = make_float4(0, 0, 0, 0);
      u32 after = 0;
      if (is_real) four = load_written4(counts + at);
      float count[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
      for (int i = 0; i < 4; i++) {
        u32 flag = all_flags >> (8 * i) & 255u;
        x[i] = penalties.adjusted(x[i], first + i, !(not_counted >> i & 1u), bias + at + i, flag,
                                  count[i]);
        after |= flag << (8 * i);
      }
      if (is_real) {
        *reinterpret_cast<float4*>(counts + at) =
            make_float4(count[0], count[1], count[2], count[3]);
        if (after != all_flags) *reinterpret_cast<u32*>(flags + at) = after;
      }
    }
    if (is_real)
      *reinterpret_cast<float4*>(adjusted + static_cast<u64>(row) * PADDED + first) =
          make_float4(x[0], x[1], x[2], x[3]);

    Top top{minus_infinity(), VOCAB};
#pragma unroll
    for (int i = 0; i < 4; i++)  // what is no number shows as infinity
      if (first + i < VOCAB) top = higher(top, {x[i] == x[i] ? x[i] : infinity(), first + i});
    top = warp_top(top);
    if (lane_index() == 0) scratch[warp_index()] = top;
    __syncthreads();
    if (threadIdx.x == 0) {
      for (int i = 1; i < SCAN_WARPS; i++) top = higher(top, scratch[i]);
      if (is_real) {
        tops[row * SEGMENTS + blockIdx.x] = top.logit;
        places[row * SEGMENTS + blockIdx.x] = top.place;
      }
    }
    __syncthreads();
  }
}

// ------------------------------------------------------------------ weigh

// A segment's weights by bin, before they go to the row's.
struct SharedBins {
  u32 upper[BINS], lower[BINS], counts[BINS];

  __device__ __forceinline__ void clear() {
#pragma unroll 1
    for (int i = threadIdx.x; i < BINS; i += SCAN_THREADS) upper[i] = lower[i] = counts[i] = 0;
  }
  __device__ __forceinline__ void add(float weight, bool counted) {
    const u32 bin = __float_as_uint(weight) >> 20;
    const uint2 units = units_of(weight);
    atomicAdd(&upper[bin], units.x);  // SEGMENT times at most 2^22
    atomicAdd(&lower[bin], units.y);
    if (counted) atomicAdd(&counts[bin], 1u);
  }
  __device__ __forceinline__ void give(int from, bool is_real, u64* sums, u32* all_counts) const {
#pragma unroll 2
    for (int i = from + threadIdx.x; i < BINS; i += SCAN_THREADS) {
      const u64 sum = (static_cast<u64>(upper[i]) << 22) + lower[i];
      if (!is_real) continue;
      if (sum) atomicAdd(&sums[i], sum);
      if (counts[i]) atomicAdd(&all_counts[i], counts[i]);
    }
  }
};

static_assert(SEGMENT < 1 << 10, "sums of upper parts have 32 bits");

// grid (SEGMENTS, rows). Writes weights [rows, PADDED], relative to the highest; their histogram
// [rows, BINS] from the lowest bin on and their sum totals [rows], or where neither top-p nor top-k
// cuts, the sum of every stretch's chances [rows, STRETCHES]. Sums are in units of 2^-44.
KERNEL(SCAN_THREADS) sample_weigh(const int* row_slots, const double* parameters,
                                  const float* adjusted, const float* tops, float* weights,
                                  u64* bin_sums, u32* bin_counts, u64* totals, u64* chance_sums,
                                  int rehearsals) {
  __shared__ SharedBins bins;
  __shared__ u64 sums[SCAN_WARPS];
  dependents_may_start();
  const int row = blockIdx.y, slot = row_slots[row];
  const Choice choice = choice_of(parameters, slot);
  if (slot < 0 || choice.is_greedy()) return wait_for_previous();
  const u64 at = static_cast<u64>(row) * PADDED + blockIdx.x * SEGMENT + 4 * threadIdx.x;
  const float divisor = choice.divisor();

#pragma unroll 1
  for (; rehearsals >= 0; rehearsals--) {
    const bool is_real = !rehearsals;
    bins.clear();
    __syncthreads();
    float highest = 0;
    float4 four = make_float4(0, 0, 0, 0);
    if (is_real) {
      wait_for_previous();
      four = load_written4(adjusted + at);
      highest = highest_of(tops + row * SEGMENTS);
      if (!is_finite(highest)) return;
    }
    const float x[4] = {four.x, four.y, four.z, four.w};
    float w[4];
#pragma unroll
    for (int i = 0; i < 4; i++) w[i] = exp_below_zero(plus(x[i], -highest));
    if (is_real) *reinterpret_cast<float4*>(weights + at) = make_float4(w[0], w[1], w[2], w[3]);

    if (choice.cuts()) {
      const int from = choice.lowest_bin();
#pragma unroll
      for (int i = 0; i < 4; i++)
        if (static_cast<int>(__float_as_uint(w[i]) >> 20) >= from) bins.add(w[i], choice.top_k);
    } else {
      const float least = static_cast<float>(choice.min_p);
#pragma unroll
      for (int i = 0; i < 4; i++) {
        if (w[i] < least) w[i] = 0;
        else if (divisor != 1.0f) w[i] = tempered(x[i], highest, divisor);
      }
    }
    u64 sum = warp_sum_of_units(w);
    if (lane_index() == 0) {
      sums[warp_index()] = sum;
      if (is_real && !choice.cuts())
        chance_sums[row * STRETCHES + blockIdx.x * SCAN_WARPS + warp_index()] = sum;
    }
    if (!choice.cuts()) continue;
    __syncthreads();
    bins.give(choice.lowest_bin(), is_real, bin_sums + row * BINS, bin_counts + row * BINS);
    if (threadIdx.x == 0) {
      for (int i = 1; i < SCAN_WARPS; i++) sum += sums[i];
      if (is_real) atomicAdd(&totals[row], sum);
    }
    __syncthreads();
  }
}
