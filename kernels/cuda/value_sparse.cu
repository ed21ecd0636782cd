// The channel mix's value matrix with the rows that meet a zero left out: matrix [F][D], transposed
// (Matrix.by_input). Follows on decode.cu.
//
// A block has VALUE_COLUMNS outputs and all inputs, so that no sum crosses blocks: the order of
// every sum is fixed by what is not zero. Neighbouring blocks read the rest of each line at about
// the same time. A warp has every 16th group of 64 inputs: it lists those that are not zero, and
// LANES lanes read a row's part, SLOTS rows at a time.

constexpr int VALUE_WARPS = 16;

template <int KIND_> struct ValueRow {
  static constexpr int COLUMNS = KIND_ == FP16 || KIND_ == BF16 || VALUE_COLUMNS < 16 ? 8 : 16;
  static constexpr int LANES = VALUE_COLUMNS / COLUMNS, SLOTS = 32 / LANES;
  static constexpr int BYTES = KIND_ == INT8 ? COLUMNS : KIND_ == Q4 ? COLUMNS / 2 : 2 * COLUMNS;
  static constexpr int ROW_BYTES = KIND_ == INT8 ? D : KIND_ == Q4 ? D / 2 : 2 * D;
  static_assert(VALUE_COLUMNS % COLUMNS == 0 && LANES <= 32 && D % VALUE_COLUMNS == 0, "columns");

  u32 words[BYTES / 4];

  METHOD void fetch(const u8* matrix, int row, int byte) {
    const u8* p = matrix + static_cast<u64>(row) * ROW_BYTES + byte;
    if constexpr (BYTES == 16) {
      const uint4 v = load_streamed(p);
      words[0] = v.x, words[1] = v.y, words[2] = v.z, words[3] = v.w;
    } else if constexpr (BYTES == 8) {
      const uint2 v = load_streamed8(p);
      words[0] = v.x, words[1] = v.y;
    } else {
      words[0] = load_streamed4(p);
    }
  }

  // sum += by * the row's part. scales: two bf16 a word.
  METHOD void add(float (&sum)[COLUMNS], float by, const u32* scales) const {
    if constexpr (!scaled(KIND_)) {
#pragma unroll
      for (int i = 0; i < COLUMNS / 2; i++) {
        sum[2 * i] = fmaf(low_number<KIND_>(words[i]), by, sum[2 * i]);
        sum[2 * i + 1] = fmaf(high_number<KIND_>(words[i]), by, sum[2 * i + 1]);
      }
    } else {
#pragma unroll
      for (int i = 0; i < COLUMNS / 4; i++) {
        u32 levels;
        if constexpr (KIND_ == Q4) {
          u32 four[2];
          nibbles_to_levels(words[i / 2], four[0], four[1]);
          levels = four[i % 2];
        } else {
          levels = words[i];
        }
        const u32 flipped = levels ^ 0x80808080u;
#pragma unroll
        for (int n = 0; n < 4; n++) {
          const u32 pair = scales[2 * i + n / 2];
          const float scale = n % 2 ? high_bf16(pair) : low_bf16(pair);
          sum[4 * i + n] = fmaf(byte_to_float(flipped, n), scale * by, sum[4 * i + n]);
        }
      }
    }
  }
};

// scales [F / 64][D]; activation [F] fp16; weight, bias: of ln2. skip 0: zeros are read too.
extern "C" __global__ void __launch_bounds__(VALUE_WARPS * 32, 2)
    value_sparse(const u8* matrix, const bf16* scales, const half* activation, float* residual,
                 const float* normed, const float* weight, const float* bias, float* shift,
                 long long skip) {
  typedef ValueRow<KIND> Row;
  constexpr int C = VALUE_COLUMNS, COLUMNS = Row::COLUMNS, SLOTS = Row::SLOTS;
  constexpr int GROUPS = F / GROUP, TURNS = quotient_up(GROUPS, VALUE_WARPS);
  // Groups in a list: eight, or as many as static shared memory (48 KiB) has room for.
  constexpr int ROOM = 49152 - (scaled(KIND) ? GROUPS * C * 2 : 0) - VALUE_WARPS * C * 4;
  constexpr int FIT = ROOM / (VALUE_WARPS * GROUP * 4), MOST = FIT < 8 ? FIT : 8;
  constexpr int LISTED = TURNS < MOST ? TURNS : MOST;
  constexpr int DEEP = KIND == INT8 ? 6 : 8;      // rows that a lane has asked for
  __shared__ u32 list[VALUE_WARPS][LISTED * GROUP];
  __shared__ uint4 scale_memory[scaled(KIND) ? GROUPS * C / 8 : 1];
  __shared__ float parts[VALUE_WARPS][C];
  const int lane = lane_index(), warp = warp_index(), first = blockIdx.x * C;
  const int slot = lane / Row::LANES, part = lane % Row::LANES;
  u32* const mine = list[warp];
  dependents_may_start();
  if constexpr (scaled(KIND))
    for (int i = threadIdx.x; i < GROUPS * C / 8; i += VALUE_WARPS * 32)
      scale_memory[i] = load_streamed(scales + static_cast<u64>(i / (C / 8)) * D + first +
                                      i % (C / 8) * 8);
  wait_for_previous();
  u32 pairs[TURNS];
#pragma unroll
  for (int i = 0; i < TURNS; i++) {
    const int group = i * VALUE_WARPS + warp;
    pairs[i] = group < GROUPS
                   ? load_written(reinterpret_cast<const u32*>(activation) + group * 32 + lane)
                   : 0;
  }
  if constexpr (scaled(KIND)) __syncthreads();

  const int byte = (first + part * COLUMNS) * Row::ROW_BYTES / D;
  float sum[COLUMNS] = {};
#pragma unroll
  for (int begin = 0; begin < TURNS; begin += LISTED) {
    int n = 0;
#pragma unroll
    for (int i = begin; i < TURNS && i < begin + LISTED; i++) {
      const int group = i * VALUE_WARPS + warp;
      const u32 pair = pairs[i], at = group * GROUP + 2 * lane;
      const bool there = !skip && group < GROUPS;
      const bool on = there || (pair & 0xffffu), on_too = there || pair >> 16;
      const u32 below = (1u << lane) - 1;
      const u32 some = __ballot_sync(ALL_LANES, on), others = __ballot_sync(ALL_LANES, on_too);
      if (on) mine[n + __popc(some & below)] = at << 16 | (pair & 0xffffu);
      n += __popc(some);
      if (on_too) mine[n + __popc(others & below)] = (at + 1) << 16 | pair >> 16;
      n += __popc(others);
    }
    __syncwarp();
    Row rows[DEEP];
    u32 what[DEEP];
#pragma unroll
    for (int u = 0; u < DEEP; u++)
      if (u * SLOTS + slot < n) {
        what[u] = mine[u * SLOTS + slot];
        rows[u].fetch(matrix, what[u] >> 16, byte);
      }
    for (int at = slot; at < n; at += DEEP * SLOTS) {
#pragma unroll
      for (int u = 0; u < DEEP; u++) {
        if (at + u * SLOTS >= n) break;
        const u32 entry = what[u];
        const float by = to_float(half{static_cast<u16>(entry)});
        u32 of[COLUMNS / 2] = {};
        if constexpr (scaled(KIND)) {
          const int group = static_cast<int>(entry >> 16) / GROUP;
#pragma unroll
          for (int i = 0; i < COLUMNS / 8; i++) {
            const uint4 eight = scale_memory[group * (C / 8) + part * (COLUMNS / 8) + i];
            of[4 * i] = eight.x, of[4 * i + 1] = eight.y;
            of[4 * i + 2] = eight.z, of[4 * i + 3] = eight.w;
          }
        }
        rows[u].add(sum, by, of);
        const int next = at + (u + DEEP) * SLOTS;
        if (next < n) {
          what[u] = mine[next];
          rows[u].fetch(matrix, what[u] >> 16, byte);
        }
      }
    }
    __syncwarp();
  }

  // Over the slots of a warp: lanes of the same part; then over the warps.
  int step = 16, kept = COLUMNS, column = 0;
#pragma unroll
  for (int n = COLUMNS / 2; n && step >= Row::LANES; n >>= 1, step >>= 1) {
    const bool upper = lane & step;
#pragma unroll
    for (int i = 0; i < n; i++) {
      const float keep = upper ? sum[i + n] : sum[i], give = upper ? sum[i] : sum[i + n];
      sum[i] = keep + __shfl_xor_sync(ALL_LANES, give, step);
    }
    kept = n;
    if (upper) column += n;
  }
  bool writes = true;
#pragma unroll
  for (; step >= Row::LANES; step >>= 1) {  // a column each by now
    sum[0] += __shfl_xor_sync(ALL_LANES, sum[0], step);
    writes = writes && !(lane & step);
  }
  if (writes)
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
      if (i < kept) parts[warp][part * COLUMNS + column + i] = sum[i];
  __syncthreads();
  const int c = threadIdx.x;
  if (c < C) {
    float total = load_written(residual + first + c);
#pragma unroll
    for (int i = 0; i < VALUE_WARPS; i++) total += parts[i][c];
    residual[first + c] = total;
  }
  renew_shift(normed, weight, bias, shift, first, C);
}
