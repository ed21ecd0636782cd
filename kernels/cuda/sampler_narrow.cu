// Where the cuts of a draw are: follows on sampler.cu. Of the weights themselves only those matter
// that share their upper bits with the cut (its members, mostly a few, kept in a list for
// sampler_pick.cu); the chances of all that are larger are added up, a sum for each stretch.

// A weight that shares its bin with the cut.
struct Member {
  u32 weight;  // its bits
  int place;
  float chance;
};

// What narrow tells pick. Of top-p and of top-k: the bin of the weight at which the sum (the
// number) from the largest on is reached, 0 without such a cut, and what is above that bin.
struct Told {
  u64 total;  // of all weights
  u64 sum_above, count_above;
  u32 sum_bin, count_bin;

  // The bin of the cut, which is the highest of them.
  __device__ __forceinline__ u32 bin(const Choice& choice) const {
    const u32 least = __float_as_uint(static_cast<float>(choice.min_p)) >> 20;
    return sum_bin > least ? (sum_bin > count_bin ? sum_bin : count_bin)
                           : (least > count_bin ? least : count_bin);
  }
};
constexpr int TOLD_WORDS = sizeof(Told) / 8;

DEVICE u64 load_fresh(const u64* p) { return *const_cast<const volatile u64*>(p); }
DEVICE u64 word_of(u32 low, u32 high) { return static_cast<u64>(high) << 32 | low; }

// Whether a sum that grows from `before` by `by` reaches a target.
DEVICE bool reaches(u64 before, u64 by, double target) {
  return static_cast<double>(before) < target && static_cast<double>(before + by) >= target;
}

// ------------------------------------------------------------------ narrow

struct NarrowShared {
  Told told;
  u64 sums[SCAN_WARPS];
  u32 counts[SCAN_WARPS];
};

// Looks the bins of both cuts up, two bins a thread at a time from the largest down.
DEVICE void look_up(NarrowShared& shared, const Choice& choice, const u64* bin_sums,
                    const u32* bin_counts, u64 total, bool is_real) {
  const double wanted = choice.top_p * static_cast<double>(total);
  const int lowest = choice.lowest_bin(), warp = warp_index();
  u64 above = 0;
  u32 count_above = 0;
#pragma unroll 1
  for (int end = BINS; end > lowest; end -= 2 * SCAN_THREADS) {
    const int bin = end - 2 - 2 * threadIdx.x;
    uint4 pair = make_uint4(1, 1, 1, 1);
    if (is_real) pair = load_written16(bin_sums + bin);
    const u64 lower = word_of(pair.x, pair.y), upper = word_of(pair.z, pair.w);
    u64 before = warp_scan(upper + lower);
    if (lane_index() == 31) shared.sums[warp] = before;
    before += above - upper - lower;
    u32 counts[2], count_before = 0;
    if (choice.top_k) {
      u64 both = 1;
      if (is_real) both = load_fresh(reinterpret_cast<const u64*>(bin_counts + bin));
      counts[0] = static_cast<u32>(both), counts[1] = static_cast<u32>(both >> 32);
      count_before = warp_scan(counts[0] + counts[1]);
      if (lane_index() == 31) shared.counts[warp] = count_before;
      count_before += count_above - counts[0] - counts[1];
    }
    __syncthreads();
    for (int i = 0; i < SCAN_WARPS; i++) {
      const u64 sum = shared.sums[i];
      if (i < warp) before += sum;
      above += sum;
    }
    if (choice.has_top_p()) {
      const bool is_upper = reaches(before, upper, wanted);
      if (is_upper || reaches(before + upper, lower, wanted)) {
        shared.told.sum_bin = bin + is_upper;
        shared.told.sum_above = is_upper ? before : before + upper;
      }
    }
    if (choice.top_k) {
      for (int i = 0; i < SCAN_WARPS; i++) {
        const u32 count = shared.counts[i];
        if (i < warp) count_before += count;
        count_above += count;
      }
      const bool is_upper = reaches(count_before, counts[1], choice.top_k);
      if (is_upper || reaches(count_before + counts[1], counts[0], choice.top_k)) {
        shared.told.count_bin = bin + is_upper;
        shared.told.count_above = is_upper ? count_before : count_before + counts[1];
      }
    }
    __syncthreads();
    if ((shared.told.sum_bin || !choice.has_top_p()) &&
        (shared.told.count_bin || !choice.top_k))
      break;
  }
}

// grid (SEGMENTS, rows). Where top-p or top-k cuts: writes chance_sums [rows, STRETCHES] of what is
// above the cut's bin, that bin's members [rows, PADDED] in any order and how many they are, and
// told [rows].
KERNEL(SCAN_THREADS) sample_narrow(const int* row_slots, const double* parameters,
                                   const float* adjusted, const float* tops, const float* weights,
                                   const u64* bin_sums, const u32* bin_counts, const u64* totals,
                                   u64* chance_sums, uint4* members, u32* member_counts,
                                   u64* told, int rehearsals) {
  __shared__ NarrowShared shared;
  dependents_may_start();
  const int row = blockIdx.y, slot = row_slots[row];
  const Choice choice = choice_of(parameters, slot);
  if (slot < 0 || choice.is_greedy() || !choice.cuts()) return wait_for_previous();
  const u64 first = static_cast<u64>(row) * PADDED;
  const int place = blockIdx.x * SEGMENT + 4 * threadIdx.x;
  const float divisor = choice.divisor();

#pragma unroll 1
  for (; rehearsals >= 0; rehearsals--) {
    const bool is_real = !rehearsals;
    if (threadIdx.x == 0) shared.told = Told{0, 0, 0, 0, 0};
    u64 total = 1;
    float highest = 0;
    float4 four = make_float4(1, 1, 1, 1), logits = make_float4(0, 0, 0, 0);
    if (is_real) {
      wait_for_previous();
      total = load_fresh(totals + row);
      four = load_written4(weights + first + place);
      if (divisor != 1.0f) {
        logits = load_written4(adjusted + first + place);
        highest = highest_of(tops + row * SEGMENTS);
      }
      if (!total) return;  // the highest logit is not finite: there are no weights
    }
    look_up(shared, choice, bin_sums + row * BINS, bin_counts + row * BINS, total, is_real);
    const u32 cut = is_real ? shared.told.bin(choice) : BINS - 8;  // that of the largest weight
    if (is_real && blockIdx.x == 0 && threadIdx.x == 0) {
      u64* to = told + row * TOLD_WORDS;
      to[0] = total, to[1] = shared.told.sum_above, to[2] = shared.told.count_above;
      to[3] = word_of(shared.told.sum_bin, shared.told.count_bin);
    }

    const float x[4] = {logits.x, logits.y, logits.z, logits.w};
    const float w[4] = {four.x, four.y, four.z, four.w};
    float chances[4];
    u32 masks[4], count = 0;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const u32 bin = __float_as_uint(w[i]) >> 20;
      chances[i] = bin < cut ? 0.0f : divisor == 1.0f ? w[i] : tempered(x[i], highest, divisor);
      masks[i] = __ballot_sync(ALL_LANES, bin == cut);
      count += __popc(masks[i]);
    }
    if (count) {
      u32 to = 0;
      if (is_real && lane_index() == 0) to = atomicAdd(&member_counts[row], count);
      to = __shfl_sync(ALL_LANES, to, 0);
      const u32 lane = 1u << lane_index();
#pragma unroll
      for (int i = 0; i < 4; i++) {
        if (masks[i] & lane) {
          if (is_real)
            members[first + to + __popc(masks[i] & (lane - 1))] =
                make_uint4(__float_as_uint(w[i]), place + i, __float_as_uint(chances[i]), 0);
          chances[i] = 0;
        }
        to += __popc(masks[i]);
      }
    }
    const u64 sum = warp_sum_of_units(chances);
    if (is_real && lane_index() == 0) chance_sums[row * STRETCHES + place / STRETCH] = sum;
    __syncthreads();
  }
}
