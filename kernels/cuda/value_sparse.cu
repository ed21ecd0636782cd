// The channel mix's value matrix with the rows that meet a zero left out: matrix [F][D], transposed
// (Matrix.by_input). Follows on decode.cu.
//
// A block has VALUE_TILE columns and a part of the inputs, VALUE_GROUPS groups of 64, each of its
// VALUE_WARPS warps a part of those: it lists the ones that are not zero and reads their rows, several at
// once. The parts' sums are added up by the kernel after it, in their order: so the order of every
// sum is fixed by what is not zero.

constexpr int VALUE_THREADS = VALUE_WARPS * 32;
constexpr int VALUE_LANES = VALUE_TILE / 8;         // to a row, with eight columns each
constexpr int VALUE_ROWS = 32 / VALUE_LANES;        // that a warp reads at once
constexpr int VALUE_INPUTS = VALUE_GROUPS * GROUP / VALUE_WARPS;  // of a warp
static_assert(VALUE_INPUTS % 8 == 0, "inputs are looked at by eights");
static_assert(VALUE_LANES <= 32 && 32 % VALUE_LANES == 0, "whole rows to a warp");

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

  // sum += by * the weights. scale: of each of the columns, bf16, of the scaled kinds.
  METHOD void add(float (&sum)[8], float by, const uint4* scale) const {
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
      const uint4 of = *scale;
      const u32 pairs[4] = {of.x, of.y, of.z, of.w};
#pragma unroll
      for (int i = 0; i < 8; i++) {
        const float column = i % 2 ? high_bf16(pairs[i / 2]) : low_bf16(pairs[i / 2]);
        sum[i] = fmaf(byte_to_float(levels[i / 4] ^ 0x80808080u, i % 4), by * column, sum[i]);
      }
    }
  }
};

// The inputs of a warp, `count` of them, that are not zero (`all`: all), in order: list[i] = which,
// counted from the warp's first, and the bits of its value. Returns how many they are.
DEVICE int list_inputs(const float* activation, int count, bool all, uint2* list) {
  int before = 0;
#pragma unroll
  for (int at = 0; at < quotient_up(VALUE_INPUTS, 256); at++) {
    const int first = at * 256 + lane_index() * 8;
    uint4 low = make_uint4(0, 0, 0, 0), high = low;
    if (first < count)
      low = load_written16(activation + first), high = load_written16(activation + first + 4);
    const u32 bits[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
    int mine = 0;
#pragma unroll
    for (int i = 0; i < 8; i++) mine += bits[i] != 0;
    if (all) mine = first < count ? 8 : 0;
    int to = mine;
#pragma unroll
    for (int step = 1; step < 32; step <<= 1) {
      const int lower = __shfl_up_sync(ALL_LANES, to, step);
      if (lane_index() >= step) to += lower;
    }
    const int total = __shfl_sync(ALL_LANES, to, 31);
    to += before - mine, before += total;
#pragma unroll
    for (int i = 0; i < 8; i++)
      if (bits[i] || (all && mine)) list[to++] = make_uint2(first + i, bits[i]);
  }
  __syncwarp();
  return before;
}

// Blocks (tiles, parts). scales [F / 64][D]; activation [F] fp32; weight, bias: of ln2. skip 0:
// zeros are read too. parts [parts][D]: the sums. Dynamic shared memory: 8 bytes an input of a block.
extern "C" __global__ void __launch_bounds__(VALUE_THREADS, 24 / VALUE_WARPS)
value_sparse(const u8* matrix, const bf16* scales, const float* activation, const float* normed,
             const float* weight, const float* bias, float* shift, long long skip, float* parts,
             AHEAD_PARAMETERS) {
  typedef ValueRow<KIND> Row;
  constexpr u64 ROW_BYTES = Row::BYTES * (D / 8);
  constexpr int SCALED_GROUPS = scaled(KIND) ? quotient_up(VALUE_INPUTS, GROUP) + 1 : 1;
  __shared__ uint4 scale_memory[VALUE_WARPS][SCALED_GROUPS][VALUE_LANES];
  __shared__ float4 sums[VALUE_WARPS][VALUE_TILE / 4];
  const int t = threadIdx.x, lane = lane_index() % VALUE_LANES, row = lane_index() / VALUE_LANES;
  const int tile = blockIdx.x * VALUE_TILE;
  const int column = min(tile + lane * 8, D - 8);  // lanes beyond the last column: its own
  const int input = (blockIdx.y * VALUE_WARPS + warp_index()) * VALUE_INPUTS;
  const int inputs = max(0, min(VALUE_INPUTS, F - input)), group = input / GROUP;
  dependents_may_start();
  if constexpr (scaled(KIND)) {
#pragma unroll
    for (int i = 0; i < SCALED_GROUPS; i += VALUE_ROWS)
      if (i + row < SCALED_GROUPS && group + i + row < F / GROUP)
        cp_async(&scale_memory[warp_index()][i + row][lane],
                 scales + static_cast<u64>(group + i + row) * D + column);
    cp_async_commit();
  }
  const bool renews = blockIdx.y == 0 && t < VALUE_TILE && tile + t < D;
  const float times = renews ? weight[tile + t] : 0.0f, plus = renews ? bias[tile + t] : 0.0f;
  wait_for_previous();
  const float h = renews ? load_written(normed + tile + t) : 0.0f;
  uint2* const list = dynamic_shared<uint2>() + warp_index() * VALUE_INPUTS;
  const int count = list_inputs(activation + input, inputs, !skip, list);
  if constexpr (scaled(KIND)) cp_async_wait<0>(), __syncwarp();

  const u8* from = matrix + static_cast<u64>(input) * ROW_BYTES + column / 8 * Row::BYTES;
  Row rows[VALUE_DEEP];
  uint2 what[VALUE_DEEP];
  const auto fetch = [&](int u, int at) {
    if (at >= count) return;
    what[u] = list[at];
    rows[u].fetch(from + what[u].x * ROW_BYTES);
  };
#pragma unroll
  for (int u = 0; u < VALUE_DEEP; u++) fetch(u, row + u * VALUE_ROWS);
  float sum[8] = {};
  for (int at = row; at < count; at += VALUE_DEEP * VALUE_ROWS) {
#pragma unroll
    for (int u = 0; u < VALUE_DEEP; u++) {
      if (at + u * VALUE_ROWS >= count) break;
      const int of = input % GROUP + static_cast<int>(what[u].x);
      const uint4* scale = &scale_memory[warp_index()][scaled(KIND) ? of / GROUP : 0][lane];
      rows[u].add(sum, __uint_as_float(what[u].y), scale);
      fetch(u, at + (u + VALUE_DEEP) * VALUE_ROWS);
    }
  }
  __syncwarp();
#pragma unroll
  for (int step = VALUE_LANES; step < 32; step <<= 1)
#pragma unroll
    for (int i = 0; i < 8; i++) sum[i] += __shfl_xor_sync(ALL_LANES, sum[i], step);
  if (lane_index() == 0)
    FETCH_AHEAD((blockIdx.y * gridDim.x + blockIdx.x) * VALUE_WARPS + warp_index(),
                gridDim.x * gridDim.y * VALUE_WARPS);
  if (row == 0) {
    float4* to = sums[warp_index()] + 2 * lane;
    to[0] = make_float4(sum[0], sum[1], sum[2], sum[3]);
    to[1] = make_float4(sum[4], sum[5], sum[6], sum[7]);
  }
  __syncthreads();
  if (renews) shift[tile + t] = fmaf(h, times, plus);
  if (t >= VALUE_TILE || tile + t >= D) return;
  float total = 0;
#pragma unroll
  for (int i = 0; i < VALUE_WARPS; i++) total += reinterpret_cast<const float*>(sums[i])[t];
  parts[blockIdx.y * D + tile + t] = total;
}
