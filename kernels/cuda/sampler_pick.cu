// The draw of sampler.cu, follows on sampler_narrow.cu: one block a row finds the cut among the
// members, adds the chances of those that stay, and finds the token on which the random number
// falls: its stretch by the sums, then the token within that.

// ------------------------------------------------------------------ the cut, among the members

constexpr u32 FEW = 128;  // members that are compared each with each
constexpr u32 KEYS = 1 << 20, DIGIT = 10;
static_assert(BINS == 1 << DIGIT && PICK_THREADS >= FEW, "a digit for each bin, a thread for each");

// What is looked for among the members: the weight at which the sum of weights reaches a target,
// the one at which their number does, or of those of one weight, the place at which that does.
enum Sought { SUM, COUNT, PLACE };

// The largest key at which the amounts from the largest key on reach a target, what the larger ones
// amount to, and what those of this key do.
struct Crossing {
  u32 key;
  u64 above, equal;
};

struct Search {
  Sought sought;
  u32 tied;      // PLACE: the weight's bits
  u64 above;     // what has been reached before any member
  double target;

  // In [0, KEYS): all members have the same bits above.
  METHOD u32 key_of(const Member& x) const {
    return sought == PLACE ? KEYS - 1 - x.place : x.weight & (KEYS - 1);
  }
  METHOD u64 amount_of(const Member& x) const {
    if (sought == SUM) return whole_units(__uint_as_float(x.weight));
    return sought == COUNT || x.weight == tied;
  }
};

constexpr int SPREAD = 16;  // sums that lie together: a lane's, elsewhere than another lane's
DEVICE int spread(int i) { return i + i / SPREAD; }

// Which weights stay: those above `least`, and those equal to it up to the place `last`.
struct Cut {
  float least;
  int last;
  __device__ __forceinline__ bool keeps(int place, float weight) const {
    return weight > least || (weight == least && place <= last);
  }
};

struct Shared {
  u64 stretches[STRETCHES + STRETCHES / SPREAD];
  u64 bins[BINS];
  u64 scan[PICK_THREADS / 32];
  u64 amounts[FEW];
  u32 keys[FEW];
  u32 few;
  Crossing crossing;
  Top best;
};

// The list of a row, as its block's threads share it: each has the first of its own at hand.
struct Members {
  const uint4* all;
  u32 count;
  Member first;

  static __device__ __forceinline__ Member at(const uint4* p) {
    const uint4 x = load_written16(p);
    return {x.x, static_cast<int>(x.y), __uint_as_float(x.z)};
  }
  template <typename Visit> __device__ __forceinline__ void visit(Visit visit) const {
    Member x = first;
#pragma unroll 1
    for (u32 i = threadIdx.x; i < count;) {
      visit(x);
      i += PICK_THREADS;
      if (i < count) x = at(all + i);
    }
  }
};

// The sum over this thread and those below, of all PICK_THREADS.
DEVICE u64 block_scan(u64 x, u64* scratch) {
  u64 sum = warp_scan(x);
  if (lane_index() == 31) scratch[warp_index()] = sum;
  __syncthreads();
  const u64 of_warp = lane_index() < PICK_THREADS / 32 ? scratch[lane_index()] : 0;
  const u64 upto = warp_scan(of_warp) - of_warp;
  __syncthreads();
  return sum + __shfl_sync(ALL_LANES, upto, warp_index());
}

// By all threads: the next digit of the key, `shift` bits from its end.
DEVICE Crossing next_digit(Shared& shared, const Members& members, const Search& search,
                           const Crossing& found, int shift) {
  constexpr int OWN = BINS / PICK_THREADS;
  for (int i = threadIdx.x; i < BINS; i += PICK_THREADS) shared.bins[i] = 0;
  __syncthreads();
  members.visit([&](const Member& x) {
    const u32 key = search.key_of(x);
    const u64 amount = search.amount_of(x);
    if (amount && (key ^ found.key) >> (shift + DIGIT) == 0)
      atomicAdd(&shared.bins[key >> shift & (BINS - 1)], amount);
  });
  __syncthreads();
  u64 own[OWN], sum = 0;
#pragma unroll
  for (int i = 0; i < OWN; i++) sum += own[i] = shared.bins[BINS - 1 - OWN * threadIdx.x - i];
  u64 before = found.above + block_scan(sum, shared.scan) - sum;
#pragma unroll
  for (int i = 0; i < OWN; i++) {
    const u32 bin = BINS - 1 - OWN * threadIdx.x - i;
    if (reaches(before, own[i], search.target))
      shared.crossing = {found.key | bin << shift, before, own[i]};
    before += own[i];
  }
  __syncthreads();
  return shared.crossing;
}

// By all threads: digit by digit until few members are left, then each of those with all.
__device__ __noinline__ Crossing find_crossing(Shared& shared, Members members, Search search) {
  Crossing found{0, search.above, 0};
  u32 left = members.count;
  const auto keep = [&](u32 at, const Member& x) {
    if (at >= FEW) return;
    shared.keys[at] = search.key_of(x);
    shared.amounts[at] = search.amount_of(x);
  };
  if (left <= FEW && threadIdx.x < left) keep(threadIdx.x, members.first);
#pragma unroll 1
  for (int shift = DIGIT; left > FEW; shift -= DIGIT) {
    if (shift && threadIdx.x == 0) shared.few = 0;  // else some may not have read it yet
    found = next_digit(shared, members, search, found, shift);
    if (shift == 0) return found;
    members.visit([&](const Member& x) {
      if ((search.key_of(x) ^ found.key) >> shift == 0) keep(atomicAdd(&shared.few, 1u), x);
    });
    __syncthreads();
    left = shared.few;
  }
  __syncthreads();
  if (threadIdx.x < left) {
    const u32 mine = shared.keys[threadIdx.x];
    u64 above = found.above, equal = 0;
#pragma unroll 4
    for (u32 i = 0; i < left; i++) {
      const u32 other = shared.keys[i];
      const u64 by = shared.amounts[i];
      if (other > mine) above += by;
      if (other == mine) equal += by;
    }
    if (reaches(above, equal, search.target)) shared.crossing = {mine, above, equal};
  }
  __syncthreads();
  return shared.crossing;
}

DEVICE Cut cut_of(Shared& shared, const Members& members, const Choice& choice,
                  const Told& told) {
  const u32 bin = told.bin(choice);
  double least = choice.min_p;
  if (choice.has_top_p() && told.sum_bin == bin) {
    const double target = choice.top_p * static_cast<double>(told.total);
    const Crossing found =
        find_crossing(shared, members, {SUM, 0, told.sum_above, target});
    least = fmax(least, static_cast<double>(__uint_as_float(bin << 20 | found.key)));
  }
  const Cut all{static_cast<float>(least), PADDED};
  if (!choice.top_k || told.count_bin != bin) return all;
  const double target = choice.top_k;
  const Crossing found = find_crossing(shared, members, {COUNT, 0, told.count_above, target});
  const float kth = __uint_as_float(bin << 20 | found.key);
  if (kth < least) return all;
  if (static_cast<double>(found.above + found.equal) == target) return {kth, PADDED};
  const double kept = target - static_cast<double>(found.above);  // of those equal, the first
  const u32 last =
      find_crossing(shared, members, {PLACE, __float_as_uint(kth), 0, kept}).key;
  return {kth, static_cast<int>(KEYS - 1 - last)};
}

// ------------------------------------------------------------------ the draw

// Of `count` sums, which lane i < 32 of the warp knows for i, i + 32 and so on, the first up to
// which `before` and all sums are more than `wanted`; `before` becomes what is before it.
template <typename Sum> DEVICE int first_above(int count, Sum sum_of, u64 wanted, u64& before) {
  for (int begin = 0;; begin += 32) {
    const int i = begin + lane_index();
    const u64 sum = i < count ? sum_of(i) : 0;
    const u64 upto = before + warp_scan(sum);
    const u32 above = __ballot_sync(ALL_LANES, upto > wanted);
    if (above || begin + 32 >= count) {
      const int lane = above ? __ffs(above) - 1 : 31;
      before = __shfl_sync(ALL_LANES, upto - sum, lane);
      return begin + lane;
    }
    before = __shfl_sync(ALL_LANES, upto, 31);
  }
}

// By one warp; the token that the random number in [0, 1) falls on, in one lane, elsewhere -1.
// chance_of(i): of this lane's i-th of four logits from a place on, of which load(place) is told.
template <typename Load, typename Chance>
DEVICE int token_at(const Shared& shared, double random, Load load, Chance chance_of) {
  constexpr int OWN = (STRETCHES + 31) / 32;
  u64 sum = 0;
#pragma unroll 16
  for (int i = 0; i < OWN; i++) {
    const int stretch = OWN * lane_index() + i;
    if (STRETCHES % 32 == 0 || stretch < STRETCHES) sum += shared.stretches[spread(stretch)];
  }
  const u64 upto = warp_scan(sum), total = __shfl_sync(ALL_LANES, upto, 31);
  u64 wanted = static_cast<u64>(random * static_cast<double>(total));
  wanted = wanted < total ? wanted : total - 1;
  const int lane = __ffs(__ballot_sync(ALL_LANES, upto > wanted)) - 1;
  u64 before = __shfl_sync(ALL_LANES, upto - sum, lane);
  const int begin = OWN * lane, most = STRETCHES - begin;
  const int stretch = begin + first_above(
      most < OWN ? most : OWN, [&](int i) { return shared.stretches[spread(begin + i)]; }, wanted,
      before);

  const int place = stretch * STRETCH + 4 * lane_index();
  load(place);
  u64 own[4];
#pragma unroll
  for (int i = 0; i < 4; i++) own[i] = whole_units(chance_of(i));
  const u64 four = own[0] + own[1] + own[2] + own[3];
  u64 end = before + warp_scan(four);
  if (end <= wanted || end - four > wanted) return -1;
  end -= four;
#pragma unroll
  for (int i = 0; i < 3; i++) {
    end += own[i];
    if (end > wanted) return place + i;
  }
  return place + 3;
}

// What pick reads of a row, and what it would read if its first tokens were the likely ones, and
// many at the first of more rehearsals than one: both ways of finding the cut are gone.
struct Seen {
  u32 step;
  Told told;
  Members members;
  Top best;  // of the first warp

  METHOD void make_up(const Choice& choice, int rehearsals) {
    step = 0;
    told = {1ull << 44, 0, 0, BINS - 8, choice.top_k ? BINS - 8u : 0};
    members.count = rehearsals > 1 ? FEW + 1 : 1;
    members.first = {__float_as_uint(1.0f), 0, 1.0f};
    best = {0, 0};
  }
};

// grid (rows). random [slots, RING], results [slots, RING]: in the host's memory, at the place
// step % RING; a result is (step + 1) << 32 | token, NOT_FINITE or NONE_LEFT. tokens [rows]: what
// the next step reads.
KERNEL(PICK_THREADS) sample_pick(const int* row_slots, const double* parameters,
                                 const float* adjusted, const float* tops, const int* places,
                                 const float* weights, const u64* chance_sums,
                                 const uint4* members, const u32* member_counts, const u64* told,
                                 const double* random, u32* progress, int* tokens, u64* results,
                                 int rehearsals) {
  __shared__ Shared shared;
  dependents_may_start();
  const int row = blockIdx.x, slot = row_slots[row];
  const Choice choice = choice_of(parameters, slot);
  const bool is_greedy = choice.is_greedy(), cuts = !is_greedy && choice.cuts();
  if (slot < 0 || (is_greedy && warp_index())) return wait_for_previous();
  double number = 0;  // in lane i that of the steps i + RING k: from far away, asked for early
  if (threadIdx.x < RING)
    number = *const_cast<const volatile double*>(random + slot * RING + threadIdx.x);
  const u64 first = static_cast<u64>(row) * PADDED;
  const float divisor = choice.divisor();
  Seen seen{0, {0, 0, 0, 0, 0}, {members + first, 0, {0, 0, 0}}, {0, 0}};

  const auto finish = [&](int token) {
    progress[4 * slot] = seen.step + 1;
    progress[4 * slot + 1] = token < 0 ? ~0u : static_cast<u32>(token);
    tokens[row] = token < 0 ? 0 : token;
    *const_cast<volatile u64*>(results + slot * RING + seen.step % RING) =
        static_cast<u64>(seen.step + 1) << 32 | static_cast<u32>(token);
  };
  const auto look = [&] {
    seen.step = load_written(progress + 4 * slot);
    if (cuts) {
      const uint4 a = load_written16(told + row * TOLD_WORDS);
      const uint4 b = load_written16(told + row * TOLD_WORDS + 2);
      seen.told = {word_of(a.x, a.y), word_of(a.z, a.w), word_of(b.x, b.y), b.z, b.w};
      seen.members.count = load_written(member_counts + row);
      if (threadIdx.x < PADDED) seen.members.first = Members::at(members + first + threadIdx.x);
    }
    if (!is_greedy)
      for (int i = threadIdx.x; i < STRETCHES; i += PICK_THREADS)
        shared.stretches[spread(i)] = load_fresh(chance_sums + row * STRETCHES + i);
    if (warp_index()) return;
    seen.best = {minus_infinity(), VOCAB};
#pragma unroll 4
    for (int i = lane_index(); i < SEGMENTS; i += 32)
      seen.best = higher(
          seen.best, {load_written(tops + row * SEGMENTS + i),
                      static_cast<int>(load_written(
                          reinterpret_cast<const u32*>(places) + row * SEGMENTS + i))});
  };

#pragma unroll 1
  for (; rehearsals >= 0; rehearsals--) {
    const bool is_real = !rehearsals;
    if (is_real) {
      wait_for_previous();
      look();
    } else {
      seen.make_up(choice, rehearsals);
      for (int i = threadIdx.x; i < STRETCHES; i += PICK_THREADS) shared.stretches[spread(i)] = 1;
    }
    if (warp_index() == 0) {
      const Top best = warp_top(seen.best);
      if (is_greedy || !is_finite(best.logit)) {
        const int token = best.logit == infinity()         ? NOT_FINITE
                          : best.logit == minus_infinity() ? NONE_LEFT
                                                           : best.place;
        if (is_real && lane_index() == 0) finish(token);
      }
      if (lane_index() == 0) shared.best = best;
      if (is_greedy) continue;
    }
    __syncthreads();
    const float highest = shared.best.logit;
    if (!is_finite(highest)) return;
    Cut cut{static_cast<float>(choice.min_p), PADDED};
    if (cuts) {
      cut = cut_of(shared, seen.members, choice, seen.told);
      seen.members.visit([&](const Member& x) {
        if (cut.keeps(x.place, __uint_as_float(x.weight)))
          atomicAdd(&shared.stretches[spread(x.place / STRETCH)], whole_units(x.chance));
      });
      __syncthreads();
    }
    if (warp_index() == 0) {
      float4 w = make_float4(1, 1, 1, 1), x = make_float4(0, 0, 0, 0);
      int place = 0;
      const int token = token_at(
          shared, __shfl_sync(ALL_LANES, number, seen.step % RING),
          [&](int at) {
            place = at;
            if (!is_real) return;
            w = load_written4(weights + first + at);
            if (divisor != 1.0f) x = load_written4(adjusted + first + at);
          },
          [&](int i) {
            const float weight = i == 0 ? w.x : i == 1 ? w.y : i == 2 ? w.z : w.w;
            const float logit = i == 0 ? x.x : i == 1 ? x.y : i == 2 ? x.z : x.w;
            if (!cut.keeps(place + i, weight)) return 0.0f;
            return divisor == 1.0f ? weight : tempered(logit, highest, divisor);
          });
      if (is_real && token >= 0) finish(token);
    }
    if (!is_real) __syncthreads();
  }
}
