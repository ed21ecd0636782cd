// From logits to tokens on the device, in the order of engine/sampling.py: ban and bias, penalties,
// softmax, top-p, min-p and top-k as cuts of the same distribution, p ** (1 / temperature), one
// draw. Three launches for all rows; without a sort, and the same at every run: sums are of whole
// numbers (2^-44 of the largest weight), which no order of adding changes.
//
// scan: penalties, and the highest logit of every segment of 512. weigh: weights relative to the
// highest, and their histogram by their upper bits. pick: sampler_pick.cu.
//
// Weights have the bits of kernels/cpu/sampler.cpp: nothing is contracted to a fused multiply-add.
// Compile-time: VOCAB, the number of logits. Follows on device.cuh.

constexpr int SEGMENT = 512;
constexpr int SEGMENTS = (VOCAB + SEGMENT - 1) / SEGMENT;
constexpr int PADDED = SEGMENTS * SEGMENT;  // floats from one row's beginning to the next one's
constexpr int SCAN_THREADS = SEGMENT / 4;
constexpr int PICK_THREADS = 1024;
constexpr int BINS = 1024;     // by the bits 20..29 of a weight: bits 30 and 31 are 0 up to 1
constexpr int MEMBERS = 128;   // weights that are compared each with each
constexpr int RING = 16;       // random numbers and results that lie ready, by step
constexpr float UNIT = 4194304.0f;  // 2^22: a weight is two numbers of so many units
constexpr float COLDEST = 1e-6f;
constexpr u32 SEEN = 1, BIASED = 2, MASKED = 4;
constexpr int NOT_FINITE = -1, NONE_LEFT = -2;  // in the place of a token

static_assert(SEGMENTS <= PICK_THREADS, "a vocabulary of at most 524,288");

// ------------------------------------------------------------------ parameters of a slot

// double [8] of every slot: temperature, top_p, min_p, top_k, presence, frequency, decay, unused.
struct Choice {
  double top_p, min_p;
  float temperature;
  int top_k;  // 0: off

  explicit __device__ Choice(const double* p)
      : top_p(p[1]), min_p(p[2]), temperature(static_cast<float>(p[0])),
        top_k(p[3] < VOCAB ? static_cast<int>(p[3]) : 0) {}
  __device__ __forceinline__ bool is_greedy() const { return temperature == 0 || top_p == 0; }
  __device__ __forceinline__ bool has_top_p() const { return top_p < 1; }
  __device__ __forceinline__ float divisor() const { return fmaxf(temperature, COLDEST); }
};

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

// The chance of a logit that stays.
DEVICE float chance_of(float logit, float weight, float highest, float divisor) {
  return divisor == 1.0f ? weight : exp_below_zero(__fdiv_rn(plus(logit, -highest), divisor));
}

// ------------------------------------------------------------------ over threads

DEVICE u64 warp_sum_of_units(u64 x) {
#pragma unroll
  for (int step = 16; step; step >>= 1) x += __shfl_xor_sync(ALL_LANES, x, step);
  return x;
}
// The sum over this lane and those below.
DEVICE u64 warp_scan(u64 x) {
#pragma unroll
  for (int step = 1; step < 32; step <<= 1) {
    const u64 lower = __shfl_up_sync(ALL_LANES, x, step);
    if (lane_index() >= step) x += lower;
  }
  return x;
}
// The sum over this thread and those below, of all PICK_THREADS. scratch: [32], free afterwards.
DEVICE u64 block_scan(u64 x, u64* scratch) {
  const u64 mine = warp_scan(x);
  if (lane_index() == 31) scratch[warp_index()] = mine;
  __syncthreads();
  if (warp_index() == 0) scratch[lane_index()] = warp_scan(scratch[lane_index()]);
  __syncthreads();
  const u64 before = warp_index() ? scratch[warp_index() - 1] : 0;
  __syncthreads();
  return mine + before;
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
#pragma unroll
  for (int step = 16; step; step >>= 1)
    x = higher(x, {__shfl_xor_sync(ALL_LANES, x.logit, step),
                   __shfl_xor_sync(ALL_LANES, x.place, step)});
  return x;
}
// scratch: [threads / 32], free afterwards.
DEVICE Top block_top(Top x, Top* scratch, int threads) {
  x = warp_top(x);
  if (lane_index() == 0) scratch[warp_index()] = x;
  __syncthreads();
  x = warp_top(lane_index() < threads / 32 ? scratch[lane_index()] : Top{minus_infinity(), VOCAB});
  __syncthreads();
  return x;
}
// The highest of a row, by all threads of a block. tops, places: [SEGMENTS].
DEVICE Top highest_of(const float* tops, const int* places, Top* scratch, int threads) {
  Top best{minus_infinity(), VOCAB};
  for (int i = threadIdx.x; i < SEGMENTS; i += threads) best = higher(best, {tops[i], places[i]});
  return block_top(best, scratch, threads);
}

// ------------------------------------------------------------------ scan

// One logit with ban, bias and penalties; lets the token drawn last count first, as
// Sampler.accept. Changes its flags and count.
struct Penalties {
  float presence, frequency, decay;
  int last;  // the token drawn last, < 0: none

  __device__ __forceinline__ float adjusted(float logit, int token, bool is_counted, float bias,
                                            u32& flags, float& count) const {
    if (last >= 0) {
      if (flags & SEEN) count = times(count, decay);
      if (token == last) {
        if (!(flags & SEEN)) count = 0;
        flags |= SEEN;
        if (is_counted) count = plus(count, 1.0f);
      }
    }
    if (flags & BIASED) logit = plus(logit, bias);
    if (flags & SEEN) logit = plus(logit, -plus(presence, times(count, frequency)));
    return flags & MASKED ? minus_infinity() : logit;
  }
};

// grid (SEGMENTS, rows). logits [rows, VOCAB]; rows_slots [rows], < 0: no such row; parameters
// [slots, 8]; drawn [slots]: the token drawn last, < 0: none; flags u8, counts, bias [slots,
// PADDED]; uncounted: one bit a token [PADDED / 32]. Writes adjusted [rows, PADDED], tops and
// places [rows, SEGMENTS], zeros to bins [rows, BINS].
KERNEL(SCAN_THREADS) sample_scan(const float* logits, const int* row_slots,
                                 const double* parameters, const int* drawn, u8* flags,
                                 float* counts, const float* bias, const u32* uncounted,
                                 float* adjusted, float* tops, int* places, u64* bin_sums,
                                 u32* bin_counts) {
  __shared__ Top scratch[SCAN_THREADS / 32];
  const int row = blockIdx.y, first = blockIdx.x * SEGMENT + 4 * threadIdx.x;
  start_next_and_wait();
  const int slot = row_slots[row];
  if (slot < 0) return;
  for (int i = blockIdx.x * SCAN_THREADS + threadIdx.x; i < BINS; i += SEGMENTS * SCAN_THREADS) {
    bin_sums[row * BINS + i] = 0;
    bin_counts[row * BINS + i] = 0;
  }
  const float* from = logits + static_cast<u64>(row) * VOCAB + first;
  float x[4];
  if (VOCAB % 4 == 0 && first < VOCAB) {
    const float4 four = load_written4(from);
    x[0] = four.x, x[1] = four.y, x[2] = four.z, x[3] = four.w;
  } else {
#pragma unroll
    for (int i = 0; i < 4; i++)
      x[i] = first + i < VOCAB ? load_written(from + i) : minus_infinity();
  }

  const u64 at = static_cast<u64>(slot) * PADDED + first;
  const int last = drawn[slot];
  u32 all_flags = *reinterpret_cast<const u32*>(flags + at);
  if (all_flags || static_cast<u32>(last - first) < 4u) {
    const double* p = parameters + 8 * slot;
    const Penalties penalties{static_cast<float>(p[4]), static_cast<float>(p[5]),
                              static_cast<float>(p[6]), last};
    const u32 not_counted = uncounted[first / 32] >> (first % 32);
    u32 after = 0;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      u32 flag = all_flags >> (8 * i) & 255u;
      float count = counts[at + i];
      x[i] = penalties.adjusted(x[i], first + i, !(not_counted >> i & 1u), bias[at + i], flag,
                                count);
      if (flag & SEEN) counts[at + i] = count;
      after |= flag << (8 * i);
    }
    if (after != all_flags) *reinterpret_cast<u32*>(flags + at) = after;
  }
  *reinterpret_cast<float4*>(adjusted + static_cast<u64>(row) * PADDED + first) =
      make_float4(x[0], x[1], x[2], x[3]);

  Top top{minus_infinity(), VOCAB};
#pragma unroll
  for (int i = 0; i < 4; i++)  // what is no number shows as infinity
    if (first + i < VOCAB) top = higher(top, {x[i] == x[i] ? x[i] : infinity(), first + i});
  top = block_top(top, scratch, SCAN_THREADS);
  if (threadIdx.x == 0) {
    tops[row * SEGMENTS + blockIdx.x] = top.logit;
    places[row * SEGMENTS + blockIdx.x] = top.place;
  }
}

// ------------------------------------------------------------------ weigh

// Adds 512 weights to the row's histogram, through one in shared memory.
struct SharedBins {
  u32 upper[BINS], lower[BINS], counts[BINS];

  __device__ __forceinline__ void clear() {
    for (int i = threadIdx.x; i < BINS; i += SCAN_THREADS) upper[i] = lower[i] = counts[i] = 0;
  }
  __device__ __forceinline__ void add(float weight) {
    const u32 bin = __float_as_uint(weight) >> 20;
    const uint2 units = units_of(weight);
    atomicAdd(&upper[bin], units.x);  // 512 times at most 2^22
    atomicAdd(&lower[bin], units.y);
    atomicAdd(&counts[bin], 1u);
  }
  __device__ __forceinline__ void give(u64* sums, u32* all_counts) const {
    for (int i = threadIdx.x; i < BINS; i += SCAN_THREADS)
      if (counts[i]) {
        atomicAdd(&sums[i], (static_cast<u64>(upper[i]) << 22) + lower[i]);
        atomicAdd(&all_counts[i], counts[i]);
      }
  }
};

// grid (SEGMENTS, rows). Writes weights [rows, PADDED], relative to the highest; their histogram
// [rows, BINS], or where neither top-p nor top-k cuts, the sum of every segment's chances
// [rows, SEGMENTS]. Sums are in units of 2^-44.
KERNEL(SCAN_THREADS) sample_weigh(const int* row_slots, const double* parameters,
                                  const float* adjusted, const float* tops, const int* places,
                                  float* weights, u64* bin_sums, u32* bin_counts,
                                  u64* chance_sums) {
  __shared__ Top scratch[SCAN_THREADS / 32];
  __shared__ u64 sums[SCAN_THREADS / 32];
  __shared__ SharedBins bins;
  start_next_and_wait();
  const int row = blockIdx.y, slot = row_slots[row];
  if (slot < 0) return;
  const Choice choice(parameters + 8 * slot);
  if (choice.is_greedy()) return;
  const float highest =
      highest_of(tops + row * SEGMENTS, places + row * SEGMENTS, scratch, SCAN_THREADS).logit;
  if (!(highest > minus_infinity() && highest < infinity())) return;

  const u64 at = static_cast<u64>(row) * PADDED + blockIdx.x * SEGMENT + 4 * threadIdx.x;
  const float4 four = load_written4(adjusted + at);
  const float x[4] = {four.x, four.y, four.z, four.w};
  float w[4];
#pragma unroll
  for (int i = 0; i < 4; i++) w[i] = exp_below_zero(plus(x[i], -highest));
  *reinterpret_cast<float4*>(weights + at) = make_float4(w[0], w[1], w[2], w[3]);

  if (choice.has_top_p() || choice.top_k) {
    bins.clear();
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 4; i++) bins.add(w[i]);
    __syncthreads();
    bins.give(bin_sums + row * BINS, bin_counts + row * BINS);
    return;
  }
  const float least = static_cast<float>(choice.min_p);
  u64 sum = 0;
#pragma unroll
  for (int i = 0; i < 4; i++)
    if (w[i] >= least) sum += whole_units(chance_of(x[i], w[i], highest, choice.divisor()));
  sum = warp_sum_of_units(sum);
  if (lane_index() == 0) sums[warp_index()] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int i = 1; i < SCAN_THREADS / 32; i++) sum += sums[i];
    chance_sums[row * SEGMENTS + blockIdx.x] = sum;
  }
}
