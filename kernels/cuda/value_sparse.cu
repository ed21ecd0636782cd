// The channel mix's value matrix with the rows that meet a zero left out: matrix [F][D], transposed
// (Matrix.by_input). Follows on decode.cu.
//
// A block has VALUE_TILE columns and a part of the inputs, VALUE_GROUPS groups of 64: it lists
// those that are not zero, and each of its warps reads an eighth of the list, a row's columns at
// once. The last block of a tile adds the parts up, in their order. So the order of every sum is
// fixed by what is not zero, whichever block comes last.

constexpr int VALUE_WARPS = 8;
constexpr int VALUE_TILE = 256;  // columns: eight of each lane
constexpr int VALUE_DEEP = 8;    // rows that a lane has asked for
constexpr int VALUE_PARTS = quotient_up(F / GROUP, VALUE_GROUPS);

// A lane's eight weights of a row.
template <int OF> struct ValueRow {
  static constexpr int BYTES = OF == INT8 ? 8 : OF == Q4 ? 4 : 16;
  u32 words[BYTES / 4];

  METHOD void fetch(const u8* p) {
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

  // sum += by * the weights, without their scale.
  METHOD void add(float (&sum)[8], float by) const {
    if constexpr (!scaled(OF)) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        sum[2 * i] = fmaf(low_number<OF>(words[i]), by, sum[2 * i]);
        sum[2 * i + 1] = fmaf(high_number<OF>(words[i]), by, sum[2 * i + 1]);
      }
    } else {
      u32 levels[2];
      if constexpr (OF == Q4)
        nibbles_to_levels(words[0], levels[0], levels[1]);
      else
        levels[0] = words[0], levels[1] = words[1];
#pragma unroll
      for (int i = 0; i < 8; i++)
        sum[i] = fmaf(byte_to_float(levels[i / 4] ^ 0x80808080u, i % 4), by, sum[i]);
    }
  }
};

// Which lanes' first inputs of a group, and second ones, are to be read. `all`: zeros too.
DEVICE void which(u32 pair, bool all, u32& some, u32& others) {
  some = __ballot_sync(ALL_LANES, all || (pair & 0xffffu));
  others = __ballot_sync(ALL_LANES, all || pair >> 16);
}

// This warp's eighth of the inputs of a part that are not zero (`all`: of the first `groups`
// groups), in order: list[i] = input << 16 | fp16 bits, the input counted from the part's first.
// pairs: this lane's inputs of each group. Returns how many they are.
DEVICE int list_inputs(const u32 (&pairs)[VALUE_GROUPS], int groups, bool all, u32* list) {
  u32 some, others;
  int count = 0;
#pragma unroll
  for (int i = 0; i < VALUE_GROUPS; i++) {
    which(pairs[i], all && i < groups, some, others);
    count += __popc(some) + __popc(others);
  }
  const int begin = count * warp_index() / VALUE_WARPS;
  const int mine = count * (warp_index() + 1) / VALUE_WARPS - begin;
  const u32 lane = 1u << lane_index(), below = lane - 1;
  int before = -begin;
#pragma unroll
  for (int i = 0; i < VALUE_GROUPS; i++) {
    const u32 input = i * GROUP + 2 * lane_index();
    which(pairs[i], all && i < groups, some, others);
    const int at = before + __popc(some & below);
    if (some & lane && at >= 0 && at < mine) list[at] = input << 16 | (pairs[i] & 0xffffu);
    before += __popc(some);
    const int then = before + __popc(others & below);
    if (others & lane && then >= 0 && then < mine) list[then] = (input + 1) << 16 | pairs[i] >> 16;
    before += __popc(others);
  }
  __syncwarp();
  return mine;
}

// sum += the rows of a list, `count` of them: matrix points to this lane's columns of the part's
// first row; scales [VALUE_GROUPS][32], of eight columns each.
DEVICE void add_listed(float (&sum)[8], const u8* matrix, const u32* list, int count,
                       const uint4* scales) {
  typedef ValueRow<KIND> Row;
  constexpr u32 ROW_BYTES = Row::BYTES * (D / 8);
  Row rows[VALUE_DEEP];
  u32 what[VALUE_DEEP];
#pragma unroll
  for (int u = 0; u < VALUE_DEEP; u += 4) {
    const uint4 four = *reinterpret_cast<const uint4*>(list + u);
    what[u] = four.x, what[u + 1] = four.y, what[u + 2] = four.z, what[u + 3] = four.w;
  }
#pragma unroll
  for (int u = 0; u < VALUE_DEEP; u++)
    if (u < count) rows[u].fetch(matrix + (what[u] >> 16) * ROW_BYTES);
  float of_group[8] = {};  // of the scaled kinds: a group's sum before its scale
  u32 group = 0;
  const auto scale_group = [&] {
    const uint4 of = scales[group * 32 + lane_index()];
    const u32 pairs[4] = {of.x, of.y, of.z, of.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
      sum[2 * i] = fmaf(of_group[2 * i], low_bf16(pairs[i]), sum[2 * i]);
      sum[2 * i + 1] = fmaf(of_group[2 * i + 1], high_bf16(pairs[i]), sum[2 * i + 1]);
      of_group[2 * i] = of_group[2 * i + 1] = 0;
    }
  };
  for (int at = 0; at < count; at += VALUE_DEEP) {
#pragma unroll
    for (int u = 0; u < VALUE_DEEP; u++) {
      if (at + u >= count) break;
      const float by = to_float(half{static_cast<u16>(what[u])});
      if constexpr (scaled(KIND)) {
        const u32 next_group = what[u] >> 16 >> 6;
        if (next_group != group) scale_group(), group = next_group;
        rows[u].add(of_group, by);
      } else {
        rows[u].add(sum, by);
      }
      if (at + u + VALUE_DEEP < count) {
        what[u] = list[at + u + VALUE_DEEP];
        rows[u].fetch(matrix + (what[u] >> 16) * ROW_BYTES);
      }
    }
  }
  if constexpr (scaled(KIND)) scale_group();
}

// residual + the parts' sums of one column, all asked for before the first is added.
DEVICE float add_parts(const float* residual, const float* parts) {
  constexpr int AT_ONCE = VALUE_PARTS < 32 ? VALUE_PARTS : 32;
  float sum = load_written(residual);
  for (int begin = 0; begin < VALUE_PARTS; begin += AT_ONCE) {
    float part[AT_ONCE];
#pragma unroll
    for (int i = 0; i < AT_ONCE; i++)
      if (begin + i < VALUE_PARTS) part[i] = load_written(parts + (begin + i) * D);
#pragma unroll
    for (int i = 0; i < AT_ONCE; i++)
      if (begin + i < VALUE_PARTS) sum += part[i];
  }
  return sum;
}

// Blocks (tiles, VALUE_PARTS). scales [F / 64][D]; activation [F] fp16; weight, bias: of ln2.
// skip 0: zeros are read too. parts [VALUE_PARTS][D]; arrived [tiles], zeros before and after.
extern "C" __global__ void __launch_bounds__(VALUE_WARPS * 32, 4)
value_sparse(const u8* matrix, const bf16* scales, const half* activation, float* residual,
             const float* normed, const float* weight, const float* bias, float* shift,
             long long skip, float* parts, u32* arrived, AHEAD_PARAMETERS) {
  __shared__ uint4 lists[VALUE_WARPS][VALUE_GROUPS * GROUP / VALUE_WARPS / 4];
  __shared__ uint4 scale_memory[scaled(KIND) ? VALUE_GROUPS * 32 : 1];
  __shared__ float4 sums[VALUE_WARPS][VALUE_TILE / 4];
  __shared__ bool is_last;
  const int tile = blockIdx.x * VALUE_TILE, group = blockIdx.y * VALUE_GROUPS;
  const int groups = min(VALUE_GROUPS, F / GROUP - group);
  const int first = min(tile + lane_index() * 8, D - 8);  // lanes beyond the last column: its own
  const int column = tile + static_cast<int>(threadIdx.x);
  dependents_may_start();
  if constexpr (scaled(KIND)) {
    for (int i = warp_index(); i < groups; i += VALUE_WARPS)
      cp_async(scale_memory + i * 32 + lane_index(),
               scales + static_cast<u64>(group + i) * D + first);
    cp_async_commit();
  }
  wait_for_previous();
  u32 pairs[VALUE_GROUPS];
#pragma unroll
  for (int i = 0; i < VALUE_GROUPS; i++)
    pairs[i] = i < groups ? load_written(reinterpret_cast<const u32*>(activation) +
                                         (group + i) * 32 + lane_index())
                          : 0;
  if (blockIdx.y == 0) renew_shift(normed, weight, bias, shift, tile, VALUE_TILE);
  u32* const list = reinterpret_cast<u32*>(lists[warp_index()]);
  const int count = list_inputs(pairs, groups, !skip, list);
  if constexpr (scaled(KIND)) {
    cp_async_wait<0>();
    __syncthreads();
  }
  float sum[8] = {};
  const u64 weights = static_cast<u64>(group) * GROUP * D + first;
  add_listed(sum, matrix + weights * ValueRow<KIND>::BYTES / 8, list, count, scale_memory);
  if (lane_index() == 0)
    FETCH_AHEAD((blockIdx.y * gridDim.x + blockIdx.x) * VALUE_WARPS + warp_index(),
                gridDim.x * gridDim.y * VALUE_WARPS);
  sums[warp_index()][2 * lane_index()] = make_float4(sum[0], sum[1], sum[2], sum[3]);
  sums[warp_index()][2 * lane_index() + 1] = make_float4(sum[4], sum[5], sum[6], sum[7]);
  __syncthreads();
  float total = 0;
#pragma unroll
  for (int i = 0; i < VALUE_WARPS; i++)
    total += reinterpret_cast<const float*>(sums[i])[threadIdx.x];
  if (column < D) parts[blockIdx.y * D + column] = total;

  __syncthreads();
  if (threadIdx.x == 0)
    is_last = atomic_increment(arrived + blockIdx.x, VALUE_PARTS - 1) == VALUE_PARTS - 1;
  __syncthreads();
  if (is_last && column < D) residual[column] = add_parts(residual + column, parts + column);
}
