// The draw of sampler.cu, which this follows on: one block a row looks up top-p's and top-k's cuts
// in the histogram and, of the weights themselves, only at those that share a cut's bits; then it
// finds the token on which the random number falls.

// ------------------------------------------------------------------ the cuts

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

// ------------------------------------------------------------------ the draw

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
    const Row all{weights + first, adjusted + first, bin_sums + row * BINS,
                  bin_counts + row * BINS};
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
