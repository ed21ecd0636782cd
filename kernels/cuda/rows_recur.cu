// The recurrence of a step of many rows: per head and for GROUP_ROWS rows, the second halves of the
// loras, the step of the state, norm, bonus and gate, in one kernel. Follows on rows.cu.
//
// The state (fp32) is most of what is read: each of a row's warps has values of its own, so that
// nothing of it is exchanged but sums over keys.

constexpr int RECUR_WARPS = 8, SHARERS = RECUR_WARPS / GROUP_ROWS;  // warps that share a row
// How much is loaded before the wait, steps of the loras and passes of a state, and the blocks that
// a processor's registers are to suffice for.
template <int LORA_STEPS_, int PASSES_, int BLOCKS_> struct RecurCut {
  static constexpr int LORA_STEPS = LORA_STEPS_, PASSES = PASSES_, BLOCKS = BLOCKS_;
};
using Recur = RecurCut<RECUR_CUT>;

// Steps of 128 inputs of the loras' second halves, one after the other: w, a, v, g.
DEVICE constexpr int rank_of(int lora) {
  return lora == 0 ? RW : lora == 1 ? RA : lora == 2 ? RV : RG;
}
DEVICE constexpr int ranks_before(int lora) {
  return (lora > 0 ? RW : 0) + (lora > 1 ? RA : 0) + (lora > 2 ? RV : 0);
}
DEVICE constexpr int steps_before(int lora) {
  return (lora > 0 ? quotient_up(RW, 128) : 0) + (lora > 1 ? quotient_up(RA, 128) : 0) +
         (lora > 2 ? quotient_up(RV, 128) : 0) + (lora > 3 ? quotient_up(RG, 128) : 0);
}
DEVICE constexpr int lora_of(int step) {
  return step < steps_before(1) ? 0 : step < steps_before(2) ? 1 : step < steps_before(3) ? 2 : 3;
}

// The hidden values of the block's rows in shared memory, so far from one another that lanes which
// take neighbouring rows meet no bank twice.
constexpr int HIDDEN_BYTES = quotient_up(2 * RANKS, 128) * 128 + 64;

// A warp's share of the second halves, matrices [D][rank], for the block's rows: 32 channels, and
// of every 128 inputs 32. The first steps' weights are loaded before the wait.
struct SecondHalves {
  static constexpr int STEPS = steps_before(4), EARLY = at_most(Recur::LORA_STEPS, STEPS);
  const u8* matrices[4];
  int channel, quarter;  // this lane's
  uint4 w[EARLY][2][2];

  static __device__ __forceinline__ int place(int step, int quarter) {  // of the lora's inputs
    const int lora = lora_of(step);
    return 128 * (step - steps_before(lora)) + 32 * ((quarter + lora) % 4) +
           8 * (lane_index() & 3);
  }
  __device__ __forceinline__ void fetch(int step) {
    const int lora = lora_of(step), k = place(step, quarter), rank = rank_of(lora);
    const u8* from = matrices[lora] + (static_cast<u64>(channel) * rank + k) * 2;
#pragma unroll
    for (int i = 0; i < 4; i++)
      w[step % EARLY][i / 2][i % 2] =
          k < rank ? load_streamed(from + 16 * i * rank) : make_uint4(0, 0, 0, 0);
  }
  __device__ __forceinline__ void start() {
#pragma unroll
    for (int step = 0; step < EARLY; step++) fetch(step);
  }
  // hidden: of the block's rows. out: see LoraParts; at this quarter's part and first channel.
  __device__ __forceinline__ void finish(const u8* hidden, float (*out)[GROUP_ROWS][64], int at) {
    const int g = lane_index() >> 2, q = lane_index() & 3;
    float sum[2][4] = {};
#pragma unroll
    for (int step = 0; step < STEPS; step++) {
      const int lora = lora_of(step), k = place(step, quarter);
      uint4 x = make_uint4(0, 0, 0, 0);
      if (g < GROUP_ROWS && k < rank_of(lora))
        x = *reinterpret_cast<const uint4*>(hidden + g * HIDDEN_BYTES +
                                            2 * (ranks_before(lora) + k));
#pragma unroll
      for (int m = 0; m < 2; m++) {
        const uint4 a = as_halves(w[step % EARLY][m][0]), b = as_halves(w[step % EARLY][m][1]);
        mma_fp16(sum[m], {a.x, b.x, a.y, b.y}, {x.x, x.y});
        mma_fp16(sum[m], {a.z, b.z, a.w, b.w}, {x.z, x.w});
      }
      if (step + EARLY < STEPS) fetch(step + EARLY);
      if (step + 1 < STEPS && lora_of(step + 1) == lora) continue;
#pragma unroll
      for (int i = 0; i < 8; i++) {
        const int row = 2 * q + i % 2;
        if (row < GROUP_ROWS)
          out[lora][row][at + 16 * (i / 4) + 8 * (i / 2 % 2) + g] = sum[i / 4][i % 4];
        sum[i / 4][i % 4] = 0;
      }
    }
  }
  static __device__ __forceinline__ uint4 as_halves(uint4 x) {
    if (LORA_KIND != BF16) return x;
    return make_uint4(bf16_to_halves(x.x), bf16_to_halves(x.y), bf16_to_halves(x.z),
                      bf16_to_halves(x.w));
  }
};

// What four warps add to the loras w, a, v, g: [quarter][lora][row][channel].
struct LoraParts {
  float of[4][4][GROUP_ROWS][64];
  __device__ __forceinline__ float2 sum(int lora, int row, int at) const {
    float2 x = make_float2(0, 0);
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const float2 part = *reinterpret_cast<const float2*>(&of[i][lora][row][at]);
      x.x += part.x, x.y += part.y;
    }
    return x;
  }
};

// What the recurrence of a row and head takes, and v and y. At first r, k and v as the products
// left them, and in y the v of layer 0.
struct HeadVectors {
  float r[64], k[64], v[64], y[64], w[64], removed[64], added[64];
};

// A block's shared memory. vectors: of the head, w0, a0, v0, k_k, k_a, r_k, ln_x's weight and bias.
struct RecurMemory {
  LoraParts loras;
  HeadVectors heads[GROUP_ROWS];
  float vectors[8][64];
  u8 hidden[GROUP_ROWS * HIDDEN_BYTES];

  // Before the wait: what is a weight.
  __device__ __forceinline__ void copy_vectors(const float* from, int head) {
    for (int i = threadIdx.x; i < 8 * 16; i += 32 * RECUR_WARPS)
      cp_async(&vectors[i / 16][i % 16 * 4], from + i / 16 * D + head * 64 + i % 16 * 4);
  }
  // After it: what the kernel before made of the block's rows, `first` and on.
  __device__ __forceinline__ void copy_rows(const float* rkv, const float* v_first,
                                            const half* from, int first, int head) {
    constexpr int PIECES = 2 * RANKS / 16;
    for (int i = threadIdx.x; i < GROUP_ROWS * PIECES; i += 32 * RECUR_WARPS)
      cp_async(hidden + i / PIECES * HIDDEN_BYTES + i % PIECES * 16,
               from + (first + i / PIECES) * RANKS + i % PIECES * 8);
    for (int i = threadIdx.x; i < GROUP_ROWS * 64; i += 32 * RECUR_WARPS) {
      const int row = first + i / 64, which = i / 16 % 4, at = head * 64 + i % 16 * 4;
      cp_async(heads[i / 64].r + 64 * which + i % 16 * 4,
               which < 3 ? rkv + (row * 3 + which) * D + at : v_first + row * D + at);
    }
  }
};

DEVICE float2 pair_at(const float* of_head, int at) {
  return *reinterpret_cast<const float2*>(of_head + at);
}
DEVICE void put_pair(float* of_head, int at, float x, float y) {
  *reinterpret_cast<float2*>(of_head + at) = make_float2(x, y);
}

// Two channels of a head and row, by a lane.
struct ChannelPair {
  float2 v;      // after the blend
  float bonus;   // of the head
  static __device__ __forceinline__ float decay(float x) {
    return fast_exp(-0.6065306597126334f * sigmoid(x));
  }
  // row: of the block, at: of the head; v_first: the row's, at the channel.
  __device__ __forceinline__ void prepare(RecurMemory& memory, int row, int at, float* v_first,
                                          bool makes_first) {
    HeadVectors& to = memory.heads[row];
    const LoraParts& loras = memory.loras;
    const auto vector = [&](int which) { return pair_at(memory.vectors[which], at); };
    const float2 r = pair_at(to.r, at), k = pair_at(to.k, at);
    v = pair_at(to.v, at);
    if (makes_first) {
      *reinterpret_cast<float2*>(v_first) = v;
    } else {
      const float2 other = pair_at(to.y, at), blend = loras.sum(2, row, at), v0 = vector(2);
      v.x = fmaf(other.x - v.x, sigmoid(v0.x + blend.x), v.x);
      v.y = fmaf(other.y - v.y, sigmoid(v0.y + blend.y), v.y);
    }
    const float2 w = loras.sum(0, row, at), rate = loras.sum(1, row, at);
    const float2 w0 = vector(0), a0 = vector(1), k_k = vector(3), k_a = vector(4);
    const float ax = sigmoid(a0.x + rate.x), ay = sigmoid(a0.y + rate.y);
    float2 kk = make_float2(k.x * k_k.x, k.y * k_k.y);
    const float length = sqrtf(warp_sum(fmaf(kk.x, kk.x, kk.y * kk.y)));
    const float by = 1.0f / fmaxf(length, 1e-12f);
    kk.x *= by, kk.y *= by;
    const float2 key = make_float2(fmaf(k.x, (ax - 1.0f) * k_a.x, k.x),
                                   fmaf(k.y, (ay - 1.0f) * k_a.y, k.y));
    const float2 r_k = vector(5);
    bonus = warp_sum(fmaf(r.x * key.x, r_k.x, r.y * key.y * r_k.y));
    put_pair(to.w, at, decay(w0.x + w.x), decay(w0.y + w.y));
    put_pair(to.k, at, key.x, key.y);
    put_pair(to.removed, at, -kk.x, -kk.y);
    put_pair(to.added, at, kk.x * ax, kk.y * ay);
    put_pair(to.v, at, v.x, v.y);
  }
  // Norm of y over the head, bonus, gate.
  __device__ __forceinline__ float2 gated(const RecurMemory& memory, int row, int at) const {
    const float2 y = pair_at(memory.heads[row].y, at), gate = memory.loras.sum(3, row, at);
    const float2 weight = pair_at(memory.vectors[6], at), bias = pair_at(memory.vectors[7], at);
    const float mean = warp_sum(y.x + y.y) * (1.0f / 64);
    const float a = y.x - mean, b = y.y - mean;
    const float by = rsqrtf(warp_sum(fmaf(a, a, b * b)) * (1.0f / 64) + 64e-5f);
    return make_float2(fmaf(bonus, v.x, fmaf(a * by, weight.x, bias.x)) * gate.x,
                       fmaf(bonus, v.y, fmaf(b * by, weight.y, bias.y)) * gate.y);
  }
};

// A warp's share of a row's and head's state [64 values][64 keys]: four values at a time, eight
// lanes each (keys 4 i .. and 32 + 4 i ..: neighbours' bytes are neighbours), in PASSES; EARLY of
// them are loaded before they are used.
struct StateShare {
  static constexpr int PASSES = 16 / SHARERS, EARLY = at_most(Recur::PASSES, PASSES);
  float4 s[EARLY][2];
  static constexpr int OTHER = 32;  // keys from a lane's first four to its others
  float* state;  // at this lane's first value and key
  __device__ __forceinline__ void fetch(int pass) {
    const float* from = state + pass * 4 * 64;
    s[pass % EARLY][0] = load_written4(from), s[pass % EARLY][1] = load_written4(from + OTHER);
  }
  __device__ __forceinline__ void start(float* of, int share) {
    state = of + (share * 4 * PASSES + (lane_index() >> 3)) * 64 + 4 * (lane_index() & 7);
#pragma unroll
    for (int pass = 0; pass < EARLY; pass++) fetch(pass);
    if (RECUR_STATES && lane_index() == 0)
      prefetch_l2(state + EARLY * 4 * 64, (PASSES - EARLY) * 4 * 64 * 4);
  }
  static __device__ __forceinline__ void take(float (&x)[8], const float* from) {
    const float4 a = *reinterpret_cast<const float4*>(from);
    const float4 b = *reinterpret_cast<const float4*>(from + OTHER);
    x[0] = a.x, x[1] = a.y, x[2] = a.z, x[3] = a.w, x[4] = b.x, x[5] = b.y, x[6] = b.z, x[7] = b.w;
  }
  __device__ __forceinline__ void finish(HeadVectors& of, int share) {
    const int key = 4 * (lane_index() & 7), value = share * 4 * PASSES + (lane_index() >> 3);
    float r[8], w[8], k[8], removed[8], added[8];
    take(r, of.r + key), take(w, of.w + key), take(k, of.k + key);
    take(removed, of.removed + key), take(added, of.added + key);
#pragma unroll
    for (int pass = 0; pass < PASSES; pass++) {
      const float4 p = s[pass % EARLY][0], q = s[pass % EARLY][1];
      float x[8] = {p.x, p.y, p.z, p.w, q.x, q.y, q.z, q.w};
      if (pass + EARLY < PASSES) fetch(pass + EARLY);
      const float v = of.v[value + 4 * pass];
      float out = 0, y = 0;
#pragma unroll
      for (int i = 0; i < 8; i++) out = fmaf(x[i], removed[i], out);
#pragma unroll
      for (int step = 4; step; step >>= 1) out += __shfl_xor_sync(ALL_LANES, out, step);
#pragma unroll
      for (int i = 0; i < 8; i++) {
        x[i] = fmaf(v, k[i], fmaf(out, added[i], x[i] * w[i]));
        y = fmaf(x[i], r[i], y);
      }
#pragma unroll
      for (int step = 4; step; step >>= 1) y += __shfl_xor_sync(ALL_LANES, y, step);
      float* to = state + pass * 4 * 64;
      *reinterpret_cast<float4*>(to) = make_float4(x[0], x[1], x[2], x[3]);
      *reinterpret_cast<float4*>(to + OTHER) = make_float4(x[4], x[5], x[6], x[7]);
      if ((lane_index() & 7) == 0) of.y[value + 4 * pass] = y;
    }
  }
};

// Fetch RECUR_AHEAD bytes of the output matrix to L2: of every row, where the parts of its product
// begin. By all threads of the grid.
DEVICE void fetch_output(const u8* matrix) {
  constexpr int PIECE = at_most(RECUR_AHEAD / (D * OUTPUT_SPLIT) / 32 * 32,
                                bytes_of(MATRIX_KIND, D / OUTPUT_SPLIT) / 32 * 32);
  if constexpr (PIECE > 0) {
    const int block = blockIdx.y * gridDim.x + blockIdx.x, step = gridDim.x * gridDim.y;
    for (int i = block * blockDim.x + threadIdx.x; i < D * OUTPUT_SPLIT; i += step * blockDim.x) {
      const int part = i % OUTPUT_SPLIT, k = D / GROUP * part / OUTPUT_SPLIT * GROUP;
      prefetch_l2(matrix + static_cast<u64>(i / OUTPUT_SPLIT) * bytes_of(MATRIX_KIND, D) +
                      bytes_of(MATRIX_KIND, k),
                  PIECE);
    }
  }
}

// grid (D / 64, ROWS / GROUP_ROWS). w2, a2, v2, g2 [D][rank]; vectors [10][D]: w0, a0, v0, k_k,
// k_a, r_k, ln_x's weight and bias, ...; state: of slot 0 and this layer, [D / 64][64][64],
// `stride` floats from one slot to the next; v_first [ROWS][D], made by layer 0; gated
// [digits][ROWS][D]; output: the matrix of the next kernel.
extern "C" __global__ void __launch_bounds__(32 * RECUR_WARPS, Recur::BLOCKS)
    rows_recur(long long layer, const int* slots, const float* rkv, const half* hidden,
               const u8* w2, const u8* a2, const u8* v2, const u8* g2, const float* vectors,
               float* state, long long stride, float* v_first, half* gated, const u8* output) {
  RecurMemory& memory = *dynamic_shared<RecurMemory>();
  const int warp = warp_index(), mine = warp / SHARERS, share = warp % SHARERS;
  const int first = blockIdx.y * GROUP_ROWS, row = first + mine, head = blockIdx.x;
  const int at = 2 * lane_index(), channel = head * 64 + at;
  dependents_may_start();
  bool is_empty = true;
#pragma unroll
  for (int i = 0; i < GROUP_ROWS; i++) is_empty = is_empty && load_fresh(slots + first + i) < 0;
  if (is_empty) return;
  const int slot = load_fresh(slots + row);
  const bool prepares = share == 0 && slot >= 0;
  const int half_of = warp % 2 * 32, quarter = warp / 2;
  SecondHalves second = {{w2, a2, v2, g2}, head * 64 + half_of + (lane_index() >> 2), quarter};
  second.start();
  memory.copy_vectors(vectors, head);
  StateShare s;
  if (slot >= 0) s.start(state + slot * stride + head * 64 * 64, share);
  fetch_output(output);
  wait_for_previous();

  memory.copy_rows(rkv, v_first, hidden, first, head);
  cp_async_commit();
  cp_async_wait<0>();
  __syncthreads();
  second.finish(memory.hidden, memory.loras.of[quarter], half_of);
  __syncthreads();
  ChannelPair pair;
  if (prepares) pair.prepare(memory, mine, at, v_first + row * D + channel, layer == 0);
  __syncthreads();
  if (slot >= 0) s.finish(memory.heads[mine], share);
  __syncthreads();
  if (!prepares) return;
  const float2 y = pair.gated(memory, mine, at);
  u32* to = reinterpret_cast<u32*>(gated + row * D + channel);
  to[0] = half2_of(y.x, y.y);
  if (Output::DIGITS == 2) to[ROWS * (D / 2)] = half2_of(rest_of(y.x), rest_of(y.y));
}
