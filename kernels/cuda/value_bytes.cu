// The product of value_sparse.cu for int8 and q4, in whole numbers: matrix [F][D], transposed, with the
// rows left out that meet a zero. Follows on decode.cu, instead of value_sparse.cu.
//
// A block has VALUE_TILE columns and VALUE_GROUPS groups of 64 inputs. VALUE_LANES neighbours of a warp (a
// team) have eight columns each and take one group after the other: they list its inputs that are not
// zero as two digits of 8 bits, read their rows by fours and turn these over, so that four weights of
// a column meet four digits at once. Teams of a warp take as many fours of a group, some of them
// empty: a warp never parts. A lane has asked for VALUE_DEEP fours ahead. The parts' sums are added up by the kernel after it, in their order: so
// the order of every sum is fixed by what is not zero.

constexpr int VALUE_THREADS = VALUE_WARPS * 32;
constexpr int VALUE_LANES = VALUE_TILE / 8, VALUE_TEAMS = 32 / VALUE_LANES * VALUE_WARPS;
constexpr int VALUE_ROUNDS = quotient_up(VALUE_GROUPS, VALUE_TEAMS);  // groups of a team
constexpr int VALUE_EACH = GROUP / VALUE_LANES;                       // inputs that a lane looks at
constexpr int VALUE_WORDS = KIND == INT8 ? 2 : 1;                     // of a lane's weights of a row
static_assert(scaled(KIND), "of bytes or nibbles");
static_assert(VALUE_LANES <= 32 && 32 % VALUE_LANES == 0, "whole teams to a warp");
static_assert(VALUE_THREADS >= VALUE_TILE, "a thread for each column");

// A team's inputs, by fours: which (counted from the team's first group), and their digits.
constexpr u16 NO_INPUT = 0xffff;
struct alignas(16) TeamList {
  u16 input[VALUE_ROUNDS * GROUP];
  u8 high[VALUE_ROUNDS * GROUP], low[VALUE_ROUNDS * GROUP];
  float scale[VALUE_ROUNDS];
};

// The fours of a warp's rounds: which is the first of the next one.
struct Rounds {
  int end[VALUE_ROUNDS];
  METHOD int end_of(int round) const {
    int found = end[0];
#pragma unroll
    for (int i = 1; i < VALUE_ROUNDS; i++) found = i == round ? end[i] : found;
    return found;
  }
};

// Numbers of a team's lanes, made one.
template <typename T, typename With> DEVICE T team_reduced(T x, With with) {
#pragma unroll
  for (int step = VALUE_LANES / 2; step; step >>= 1) x = with(x, __shfl_xor_sync(ALL_LANES, x, step));
  return x;
}

// Lists a round's group from the place `begin` on, and returns how many fours it has. v: this lane's
// VALUE_EACH activations; first: the first one's number among the team's inputs.
DEVICE int list_group(const float (&v)[VALUE_EACH], int first, bool all, int begin, int round,
                      TeamList& list) {
  const int lane = lane_index() % VALUE_LANES;
  float top = 0;
  int mine = 0;
#pragma unroll
  for (int i = 0; i < VALUE_EACH; i++) {
    top = fmaxf(top, v[i]);
    mine += all || v[i] != 0.0f;
  }
  top = team_reduced(top, [](float a, float b) { return fmaxf(a, b); });
  int to = mine;
#pragma unroll
  for (int step = 1; step < VALUE_LANES; step <<= 1) {
    const int lower = __shfl_up_sync(ALL_LANES, to, step);
    if (lane >= step) to += lower;
  }
  const int count = __shfl_sync(ALL_LANES, to, lane_index() | (VALUE_LANES - 1));
  int fours = quotient_up(count, 4);  // the most of the warp's teams
#pragma unroll
  for (int step = VALUE_LANES; step < 32; step <<= 1)
    fours = max(fours, __shfl_xor_sync(ALL_LANES, fours, step));
  const float by = top > 1e-30f ? DIGITS_MOST / top : 0.0f;
  int at = 4 * begin + to - mine;
#pragma unroll
  for (int i = 0; i < VALUE_EACH; i++) {
    if (!all && v[i] == 0.0f) continue;
    const int q = __float2int_rn(v[i] * by), upper = (q + 64) >> 7;
    list.input[at] = static_cast<u16>(first + i);
    list.high[at] = static_cast<u8>(upper), list.low[at] = static_cast<u8>(q - 128 * upper);
    at++;
  }
  for (int i = count + lane; i < 4 * fours; i += VALUE_LANES) {
    list.input[4 * begin + i] = NO_INPUT;
    list.high[4 * begin + i] = list.low[4 * begin + i] = 0;
  }
  if (lane == 0) list.scale[round] = top * (1.0f / DIGITS_MOST);
  return fours;
}

// A lane's eight weights of each of four rows.
struct FourRows {
  u32 words[4][VALUE_WORDS];

  METHOD void fetch(int row, const u8* p) {
    if constexpr (VALUE_WORDS == 2) {
      const uint2 v = load_streamed8(p);
      words[row][0] = v.x, words[row][1] = v.y;
    } else {
      words[row][0] = load_streamed4(p);
    }
  }
  // sums[0], sums[1] += the weights times the higher and the lower digits of the four inputs.
  METHOD void add(int (&sums)[2][8], u32 high, u32 low) const {
    u32 bytes[4][2];
#pragma unroll
    for (int row = 0; row < 4; row++)
      if constexpr (KIND == Q4)
        nibbles_to_levels(words[row][0], bytes[row][0], bytes[row][1]);
      else
        bytes[row][0] = words[row][0], bytes[row][1] = words[row][VALUE_WORDS - 1];
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const u32 a = bytes[0][half], b = bytes[1][half], c = bytes[2][half], d = bytes[3][half];
      const u32 ab = byte_perm(a, b, 0x5140), cd = byte_perm(c, d, 0x5140);
      const u32 ab2 = byte_perm(a, b, 0x7362), cd2 = byte_perm(c, d, 0x7362);
      const u32 columns[4] = {byte_perm(ab, cd, 0x5410), byte_perm(ab, cd, 0x7632),
                              byte_perm(ab2, cd2, 0x5410), byte_perm(ab2, cd2, 0x7632)};
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int of = static_cast<int>(columns[i]);
        sums[0][4 * half + i] = dp4a(of, static_cast<int>(high), sums[0][4 * half + i]);
        sums[1][4 * half + i] = dp4a(of, static_cast<int>(low), sums[1][4 * half + i]);
      }
    }
  }
};

// total += a group's sums in whole numbers, which begin anew; scale: bf16, of each column.
DEVICE void add_group(float (&total)[8], int (&sums)[2][8], uint4 scale, float of_inputs) {
  const u32 pairs[4] = {scale.x, scale.y, scale.z, scale.w};
#pragma unroll
  for (int i = 0; i < 8; i++) {
    const float column = i % 2 ? high_bf16(pairs[i / 2]) : low_bf16(pairs[i / 2]);
    total[i] = fmaf(static_cast<float>(128 * sums[0][i] + sums[1][i]), column * of_inputs, total[i]);
    sums[0][i] = sums[1][i] = 0;
  }
}

// Blocks (tiles, parts). scales [F / 64][D]; activation [F] fp32, none below 0; weight, bias: of ln2.
// skip 0: zeros are read too. parts [parts][D]: the sums.
extern "C" __global__ void __launch_bounds__(VALUE_THREADS, VALUE_WARPS <= 24 ? 24 / VALUE_WARPS : 1)
value_sparse(const u8* matrix, const bf16* scales, const float* activation, const float* normed,
             const float* weight, const float* bias, float* shift, long long skip, float* parts,
             AHEAD_PARAMETERS) {
  constexpr int BYTES = 4 * VALUE_WORDS;
  constexpr u64 ROW_BYTES = BYTES * (D / 8);
  __shared__ TeamList lists[VALUE_TEAMS];
  __shared__ float4 sums[VALUE_WARPS][VALUE_TILE / 4];
  const int t = threadIdx.x, lane = t % VALUE_LANES, team = t / VALUE_LANES;
  const int tile = blockIdx.x * VALUE_TILE, first = blockIdx.y * VALUE_GROUPS + team;
  const int column = min(tile + lane * 8, D - 8);  // lanes beyond the last column: its own
  dependents_may_start();
  bool there[VALUE_ROUNDS];
  uint4 scale[VALUE_ROUNDS];
#pragma unroll
  for (int r = 0; r < VALUE_ROUNDS; r++) {
    there[r] = r * VALUE_TEAMS + team < VALUE_GROUPS && first + r * VALUE_TEAMS < F / GROUP;
    scale[r] = make_uint4(0, 0, 0, 0);
    if (there[r])
      scale[r] = load_ahead(scales + static_cast<u64>(first + r * VALUE_TEAMS) * D + column);
  }
  const bool renews = blockIdx.y == 0 && t < VALUE_TILE && tile + t < D;
  const float times = renews ? weight[tile + t] : 0.0f, plus = renews ? bias[tile + t] : 0.0f;
  wait_for_previous();
  const float h = renews ? load_written(normed + tile + t) : 0.0f;

  float v[VALUE_ROUNDS][VALUE_EACH];
#pragma unroll
  for (int r = 0; r < VALUE_ROUNDS; r++)
#pragma unroll
    for (int i = 0; i < VALUE_EACH; i++) {
      const int input = (first + r * VALUE_TEAMS) * GROUP + lane * VALUE_EACH + i;
      v[r][i] = there[r] ? load_written(activation + input) : 0.0f;
    }
  TeamList& list = lists[team];
  Rounds rounds;
  int count = 0;
#pragma unroll
  for (int r = 0; r < VALUE_ROUNDS; r++) {
    const int number = r * VALUE_TEAMS * GROUP + lane * VALUE_EACH;
    count += list_group(v[r], number, !skip && there[r], count, r, list);
    rounds.end[r] = count;
  }
  __syncwarp();

  const u8* from = matrix + static_cast<u64>(first) * GROUP * ROW_BYTES + column / 8 * BYTES;
  FourRows rows[VALUE_DEEP];
  const auto fetch = [&](FourRows& to, int at) {
    if (at >= count) return;
    const uint2 which = *reinterpret_cast<const uint2*>(list.input + 4 * at);
    const u32 inputs[4] = {which.x & 0xffff, which.x >> 16, which.y & 0xffff, which.y >> 16};
#pragma unroll
    for (int row = 0; row < 4; row++)
      if (inputs[row] != NO_INPUT) to.fetch(row, from + inputs[row] * ROW_BYTES);
  };
#pragma unroll
  for (int u = 0; u < VALUE_DEEP; u++) fetch(rows[u], u);
  float total[8] = {};
  int group[2][8] = {}, round = 0, end = rounds.end_of(0);
  const auto finish_round = [&]() {
    uint4 of = scale[0];
#pragma unroll
    for (int r = 1; r < VALUE_ROUNDS; r++)
      if (r == round) of = scale[r];
    add_group(total, group, of, list.scale[round]);
    end = rounds.end_of(++round);
  };
  for (int at = 0; at < count; at += VALUE_DEEP) {
#pragma unroll
    for (int u = 0; u < VALUE_DEEP; u++) {
      if (at + u >= count) break;
      while (at + u >= end) finish_round();
      rows[u].add(group, *reinterpret_cast<const u32*>(list.high + 4 * (at + u)),
                  *reinterpret_cast<const u32*>(list.low + 4 * (at + u)));
      fetch(rows[u], at + u + VALUE_DEEP);
    }
  }
  if (count) finish_round();
  __syncwarp();
#pragma unroll
  for (int step = VALUE_LANES; step < 32; step <<= 1)
#pragma unroll
    for (int i = 0; i < 8; i++) total[i] += __shfl_xor_sync(ALL_LANES, total[i], step);
  if (lane_index() == 0)
    FETCH_AHEAD((blockIdx.y * gridDim.x + blockIdx.x) * VALUE_WARPS + warp_index(),
                gridDim.x * gridDim.y * VALUE_WARPS);
  if (lane_index() < VALUE_LANES) {
    float4* to = sums[warp_index()] + 2 * lane;
    to[0] = make_float4(total[0], total[1], total[2], total[3]);
    to[1] = make_float4(total[4], total[5], total[6], total[7]);
  }
  __syncthreads();
  if (renews) shift[tile + t] = fmaf(h, times, plus);
  if (t >= VALUE_TILE || tile + t >= D) return;
  float all = 0;
#pragma unroll
  for (int i = 0; i < VALUE_WARPS; i++) all += reinterpret_cast<const float*>(sums[i])[t];
  parts[blockIdx.y * D + tile + t] = all;
}

