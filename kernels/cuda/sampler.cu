// From logits to tokens on the device, in the order of engine/sampling.py: ban and bias, penalties,
// softmax, top-p, min-p and top-k as cuts of the same distribution, p ** (1 / temperature), one
// draw. Three launches for all rows; without a sort, and the same at every run: sums are of whole
// numbers (2^-44 of the largest weight), which no order of adding changes.
//
// scan: penalties, and the highest logit of every segment of 512. weigh: weights relative to the
// highest, and their histogram by their upper bits. pick: one block a row looks up the cuts in the
// histogram and, of the weights themselves, only at those that share a cut's bits; then it draws.
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
  float x[4];
#pragma unroll
  for (int i = 0; i < 4; i++)
    x[i] = first + i < VOCAB ? logits[static_cast<u64>(row) * VOCAB + first + i] : minus_infinity();

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
  const float4 four = *reinterpret_cast<const float4*>(adjusted + at);
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

// ------------------------------------------------------------------ pick: the cuts

// A row, as one block of PICK_THREADS looks at it.
struct Row {
  const float* weights;  // [PADDED]
  const float* logits;   // [PADDED], adjusted
  const u64* bin_sums;   // [BINS]
  const u32* bin_counts;
};

struct Shared {
  u64 sums[BINS];      // a finer histogram
  u32 counts[BINS];
  u64 segments[SEGMENTS];
  float tops[SEGMENTS];  // at least the largest weight of every segment
  u64 amounts[MEMBERS];
  u32 members[MEMBERS];
  u64 scan[32];
  Top best[32];
  u64 above, total;
  double random;
  u32 found, members_count, taken;
  int place;
};

// The smallest weight at which the sum from the largest on reaches a target, and the sum of what is
// larger than it.
struct Crossing {
  float weight;
  u64 above;
};

// Calls visit(weight) for all weights of the segments that hold one of at least `least`.
template <typename Visit>
DEVICE void visit_weights(const Shared& shared, const Row& row, float least, Visit visit) {
  for (int segment = warp_index(); segment < SEGMENTS; segment += PICK_THREADS / 32) {
    if (shared.tops[segment] < least) continue;
    const float4* four = reinterpret_cast<const float4*>(row.weights + segment * SEGMENT);
    float4 w[4];
#pragma unroll
    for (int j = 0; j < 4; j++) w[j] = four[32 * j + lane_index()];
#pragma unroll
    for (int j = 0; j < 4; j++) visit(w[j].x), visit(w[j].y), visit(w[j].z), visit(w[j].w);
  }
}

// What a weight adds: itself to the sum that reaches top_p, one to the count that reaches top_k.
template <bool COUNTS> DEVICE u64 amount_of(float weight) {
  return COUNTS ? 1 : whole_units(weight);
}

// Of the few weights whose bits from `shift` on are `found`'s: each is compared with all.
template <bool COUNTS>
DEVICE void cross_members(Shared& shared, const Row& row, double target, int shift) {
  const u32 found = shared.found;
  const u64 above = shared.above;
  if (threadIdx.x == 0) shared.taken = 0;
  __syncthreads();
  visit_weights(shared, row, __uint_as_float(found), [&](float weight) {
    const u32 bits = __float_as_uint(weight);
    if (bits >> shift != found >> shift) return;
    const u32 at = atomicAdd(&shared.taken, 1u);
    if (at >= MEMBERS) return;
    shared.members[at] = bits;
    shared.amounts[at] = amount_of<COUNTS>(weight);
  });
  __syncthreads();
  const u32 n = shared.taken;
  if (threadIdx.x < n) {
    const u32 mine = shared.members[threadIdx.x];
    u64 larger = 0, equal = 0;
    bool is_first = true;
    for (u32 i = 0; i < n; i++) {
      const u32 other = shared.members[i];
      if (other > mine) larger += shared.amounts[i];
      if (other != mine) continue;
      equal += shared.amounts[i];
      is_first = is_first && i >= threadIdx.x;
    }
    const u64 before = above + larger;
    if (is_first && static_cast<double>(before) < target &&
        static_cast<double>(before + equal) >= target) {
      shared.found = mine;
      shared.above = before;
    }
  }
  __syncthreads();
}

// The histogram of those weights whose bits from `shift` on are `found`'s, by the next ten bits.
template <bool COUNTS> DEVICE void look_closer(Shared& shared, const Row& row, int shift) {
  const u32 found = shared.found;
  shared.sums[threadIdx.x] = 0;
  shared.counts[threadIdx.x] = 0;
  __syncthreads();
  visit_weights(shared, row, __uint_as_float(found), [&](float weight) {
    const u32 bits = __float_as_uint(weight);
    if (bits >> shift != found >> shift) return;
    const u32 bin = bits >> (shift - 10) & (BINS - 1);
    if (!COUNTS) atomicAdd(&shared.sums[bin], whole_units(weight));
    atomicAdd(&shared.counts[bin], 1u);
  });
  __syncthreads();
}

template <bool COUNTS>
DEVICE Crossing find_crossing(Shared& shared, const Row& row, double target) {
  if (threadIdx.x == 0) shared.found = 0, shared.above = 0;
  const int bin = BINS - 1 - static_cast<int>(threadIdx.x);  // from the largest down
  for (int shift = 20;; shift -= 10) {
    const bool is_first = shift == 20;
    const u32 count = is_first ? row.bin_counts[bin] : shared.counts[bin];
    const u64 mine = COUNTS ? count : is_first ? row.bin_sums[bin] : shared.sums[bin];
    const u64 before_all = block_scan(mine, shared.scan) - mine;  // ends in a barrier
    const u64 before = shared.above + before_all;
    const u32 found = shared.found;
    __syncthreads();
    if (static_cast<double>(before) < target && static_cast<double>(before + mine) >= target) {
      shared.found = found | static_cast<u32>(bin) << shift;
      shared.above = before;
      shared.members_count = count;
    }
    __syncthreads();
    if (shift == 0) break;
    if (shared.members_count <= MEMBERS) {
      cross_members<COUNTS>(shared, row, target, shift);
      break;
    }
    look_closer<COUNTS>(shared, row, shift);
  }
  const Crossing crossing{__uint_as_float(shared.found), shared.above};
  __syncthreads();
  return crossing;
}

// ------------------------------------------------------------------ pick: the draw

// Sums value(place, weight) over every segment that holds a weight of at least `least`.
template <typename Value>
DEVICE void sum_segments(Shared& shared, const Row& row, float least, Value value) {
  for (int segment = warp_index(); segment < SEGMENTS; segment += PICK_THREADS / 32) {
    u64 sum = 0;
    if (shared.tops[segment] >= least)
      for (int j = 0; j < 4; j++) {
        const int at = segment * SEGMENT + 128 * j + 4 * lane_index();
        const float4 w = *reinterpret_cast<const float4*>(row.weights + at);
        sum += value(at, w.x) + value(at + 1, w.y) + value(at + 2, w.z) + value(at + 3, w.w);
      }
    sum = warp_sum_of_units(sum);
    if (lane_index() == 0) shared.segments[segment] = sum;
  }
  __syncthreads();
}

// The first place up to which value(place, weight) sums to more than wanted(sum of all), by the
// sums of the segments. By all threads.
template <typename Value, typename Wanted>
DEVICE int place_above(Shared& shared, const Row& row, Value value, Wanted wanted_of) {
  const int segment = threadIdx.x;
  const u64 mine = segment < SEGMENTS ? shared.segments[segment] : 0;
  const u64 upto = block_scan(mine, shared.scan);
  if (threadIdx.x == PICK_THREADS - 1) shared.total = upto;
  __syncthreads();
  const u64 wanted = wanted_of(shared.total);
  if (upto > wanted && upto - mine <= wanted) shared.found = segment, shared.above = upto - mine;
  __syncthreads();
  if (warp_index() == 0) {
    u64 before = shared.above;
    for (int j = 0; j < 4; j++) {
      const int at = static_cast<int>(shared.found) * SEGMENT + 128 * j + 4 * lane_index();
      const float4 w = *reinterpret_cast<const float4*>(row.weights + at);
      const u64 v[4] = {value(at, w.x), value(at + 1, w.y), value(at + 2, w.z), value(at + 3, w.w)};
      const u64 four = v[0] + v[1] + v[2] + v[3];
      const u64 end = before + warp_scan(four);
      if (end > wanted && end - four <= wanted) {
        u64 sum = end - four;
        int i = 0;
        while ((sum += v[i]) <= wanted) i++;
        shared.place = at + i;
      }
      before = __shfl_sync(ALL_LANES, end, 31);
    }
  }
  __syncthreads();
  const int place = shared.place;
  __syncthreads();
  return place;
}

// Which weights stay: those above `least`, and those equal to it up to the place `last`.
struct Cut {
  float least;
  int last;
  __device__ __forceinline__ bool keeps(int place, float weight) const {
    return weight > least || (weight == least && place <= last);
  }
};

DEVICE Cut find_cut(Shared& shared, const Row& row, const Choice& choice) {
  double least = choice.min_p;
  if (choice.has_top_p()) {
    const u64 total = block_scan(row.bin_sums[threadIdx.x], shared.scan);
    if (threadIdx.x == PICK_THREADS - 1) shared.total = total;
    __syncthreads();
    const double target = choice.top_p * static_cast<double>(shared.total);
    least = fmax(least, static_cast<double>(find_crossing<false>(shared, row, target).weight));
  }
  if (!choice.top_k) return {static_cast<float>(least), PADDED};
  const Crossing kth = find_crossing<true>(shared, row, choice.top_k);
  if (kth.weight < least) return {static_cast<float>(least), PADDED};
  const u64 kept = choice.top_k - kth.above;  // of those that equal the k-th, the first
  const auto is_equal = [&](int, float weight) { return u64(weight == kth.weight); };
  sum_segments(shared, row, kth.weight, is_equal);
  return {kth.weight, place_above(shared, row, is_equal, [&](u64) { return kept - 1; })};
}

// random: in [0, 1), of thread 0.
DEVICE int drawn_token(Shared& shared, const Row& row, const Choice& choice, float highest,
                       const float* tops, const u64* chance_sums, double random) {
  for (int i = threadIdx.x; i < SEGMENTS; i += PICK_THREADS)  // rounding may turn neighbours around
    shared.tops[i] = exp_below_zero(plus(tops[i], -highest)) * 1.001f;
  __syncthreads();
  const float divisor = choice.divisor();
  Cut cut{static_cast<float>(choice.min_p), PADDED};
  const auto chance = [&](int place, float weight) {
    if (!cut.keeps(place, weight)) return u64(0);
    return whole_units(chance_of(row.logits[place], weight, highest, divisor));
  };
  if (choice.has_top_p() || choice.top_k) {
    cut = find_cut(shared, row, choice);
    if (threadIdx.x == 0) shared.random = random;  // from far away: not waited for before
    sum_segments(shared, row, cut.least, chance);
  } else {
    for (int i = threadIdx.x; i < SEGMENTS; i += PICK_THREADS) shared.segments[i] = chance_sums[i];
    if (threadIdx.x == 0) shared.random = random;
    __syncthreads();
  }
  return place_above(shared, row, chance, [&](u64 total) {
    const u64 wanted = static_cast<u64>(shared.random * static_cast<double>(total));
    return wanted < total ? wanted : total - 1;
  });
}

// grid (rows). random [slots, RING], results [slots, RING]: in the host's memory, at the place
// step % RING; a result is (step + 1) << 32 | token, NOT_FINITE or NONE_LEFT. steps, drawn [slots];
// tokens [rows]: what the next step reads.
KERNEL(PICK_THREADS) sample_pick(const int* row_slots, const double* parameters,
                                 const float* adjusted, const float* tops, const int* places,
                                 const float* weights, const u64* bin_sums, const u32* bin_counts,
                                 const u64* chance_sums, const double* random, u32* steps,
                                 int* drawn, int* tokens, u64* results) {
  __shared__ Shared shared;
  start_next_and_wait();
  const int row = blockIdx.x, slot = row_slots[row];
  if (slot < 0) return;
  const Choice choice(parameters + 8 * slot);
  const u32 step = steps[slot];
  double at_random = 0;
  if (threadIdx.x == 0)
    at_random = *const_cast<const volatile double*>(random + slot * RING + step % RING);
  tops += row * SEGMENTS;
  const Top best = highest_of(tops, places + row * SEGMENTS, shared.best, PICK_THREADS);
  int token = best.place;
  if (best.logit == infinity()) token = NOT_FINITE;
  else if (best.logit == minus_infinity()) token = NONE_LEFT;
  else if (!choice.is_greedy()) {
    const u64 first = static_cast<u64>(row) * PADDED;
    const Row all{weights + first, adjusted + first, bin_sums + row * BINS, bin_counts + row * BINS};
    token = drawn_token(shared, all, choice, best.logit, tops, chance_sums + row * SEGMENTS,
                        at_random);
  }
  if (threadIdx.x) return;
  steps[slot] = step + 1;
  drawn[slot] = token < 0 ? -1 : token;
  tokens[row] = token < 0 ? 0 : token;
  *const_cast<volatile u64*>(results + slot * RING + step % RING) =
      static_cast<u64>(step + 1) << 32 | static_cast<u32>(token);
}
