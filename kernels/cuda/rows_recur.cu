// The recurrence of a step of many rows: per head and for GROUP_ROWS rows, the second halves of the
// loras, the step of the state, norm, bonus and gate, in one kernel. Follows on rows.cu.
//
// The state (fp32) is most of what is read: each of a row's warps has values of its own, so that
// nothing of it is exchanged but sums over keys.

constexpr int RECUR_WARPS = 8, SHARERS = RECUR_WARPS / GROUP_ROWS;  // warps that share a row

// A warp's share of a lora's second half, matrix [D][RANK], for the block's rows: 32 channels, and
// of every 128 inputs 32, of which the first are loaded before the wait.
template <int RANK> struct SecondHalf {
  uint4 w[2][2];
  int k;  // this lane's next input
  const u8* matrix;
  __device__ __forceinline__ void fetch() {
#pragma unroll
    for (int i = 0; i < 4; i++)
      w[i / 2][i % 2] =
          k < RANK ? load_streamed(matrix + (8 * i * RANK + k) * 2) : make_uint4(0, 0, 0, 0);
  }
  __device__ __forceinline__ void start(const u8* of, int channel, int quarter) {
    k = 32 * (quarter % 4) + 8 * (lane_index() & 3);
    matrix = of + static_cast<u64>(channel + (lane_index() >> 2)) * RANK * 2;
    fetch();
  }
  // hidden: the first row's, of this lora. out [GROUP_ROWS][64], at the first channel.
  __device__ __forceinline__ void finish(const half* hidden, float* out) {
    const int g = lane_index() >> 2, q = lane_index() & 3;
    float sum[2][4] = {};
#pragma unroll
    for (int step = 0; step < quotient_up(RANK, 128); step++) {
      const uint4 x = g < GROUP_ROWS && k < RANK ? load_written16(hidden + g * RANKS + k)
                                                 : make_uint4(0, 0, 0, 0);
#pragma unroll
      for (int m = 0; m < 2; m++) {
        const uint4 a = as_halves(w[m][0]), b = as_halves(w[m][1]);
        mma_fp16(sum[m], {a.x, b.x, a.y, b.y}, {x.x, x.y});
        mma_fp16(sum[m], {a.z, b.z, a.w, b.w}, {x.z, x.w});
      }
      k += 128;
      if (128 * (step + 1) < RANK) fetch();
    }
#pragma unroll
    for (int i = 0; i < 8; i++) {
      const int row = 2 * q + i % 2;
      if (row < GROUP_ROWS) out[row * 64 + 16 * (i / 4) + 8 * (i / 2 % 2) + g] = sum[i / 4][i % 4];
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

// What the recurrence of a row and head takes, and v and y.
struct HeadVectors {
  float r[64], w[64], k[64], removed[64], added[64], v[64], y[64];
};

DEVICE float2 load_pair(const float* written) {
  return make_float2(load_written(written), load_written(written + 1));
}

// Two channels of a head and row, by a lane: what the vectors [10][D] say of them.
struct ChannelPair {
  float2 w0, a0, v0, k_k, k_a, r_k, weight, bias;
  float2 v;      // after the blend
  float bonus;   // of the head
  __device__ __forceinline__ void fetch(const float* vectors, int channel) {
    const float2* at = reinterpret_cast<const float2*>(vectors + channel);
    w0 = at[0], a0 = at[D / 2], v0 = at[2 * (D / 2)], k_k = at[3 * (D / 2)];
    k_a = at[4 * (D / 2)], r_k = at[5 * (D / 2)], weight = at[6 * (D / 2)];
    bias = at[7 * (D / 2)];
  }
  static __device__ __forceinline__ float decay(float x) {
    return fast_exp(-0.6065306597126334f * sigmoid(x));
  }
  // rkv, v_first: the row's, at the channel; row: of the block, at: of the head.
  __device__ __forceinline__ void prepare(HeadVectors& to, int row, int at, const float* rkv,
                                          float* v_first, bool makes_first,
                                          const LoraParts& loras) {
    const float2 r = load_pair(rkv), k = load_pair(rkv + D);
    v = load_pair(rkv + 2 * D);
    if (makes_first) {
      *reinterpret_cast<float2*>(v_first) = v;
    } else {
      const float2 other = load_pair(v_first), blend = loras.sum(2, row, at);
      v.x = fmaf(other.x - v.x, sigmoid(v0.x + blend.x), v.x);
      v.y = fmaf(other.y - v.y, sigmoid(v0.y + blend.y), v.y);
    }
    const float2 w = loras.sum(0, row, at), rate = loras.sum(1, row, at);
    const float ax = sigmoid(a0.x + rate.x), ay = sigmoid(a0.y + rate.y);
    float2 kk = make_float2(k.x * k_k.x, k.y * k_k.y);
    const float length = sqrtf(warp_sum(fmaf(kk.x, kk.x, kk.y * kk.y)));
    const float by = 1.0f / fmaxf(length, 1e-12f);
    kk.x *= by, kk.y *= by;
    const float2 key = make_float2(fmaf(k.x, (ax - 1.0f) * k_a.x, k.x),
                                   fmaf(k.y, (ay - 1.0f) * k_a.y, k.y));
    bonus = warp_sum(fmaf(r.x * key.x, r_k.x, r.y * key.y * r_k.y));
    to.r[at] = r.x, to.r[at + 1] = r.y;
    to.w[at] = decay(w0.x + w.x), to.w[at + 1] = decay(w0.y + w.y);
    to.k[at] = key.x, to.k[at + 1] = key.y;
    to.removed[at] = -kk.x, to.removed[at + 1] = -kk.y;
    to.added[at] = kk.x * ax, to.added[at + 1] = kk.y * ay;
    to.v[at] = v.x, to.v[at + 1] = v.y;
  }
  // Norm of y over the head, bonus, gate.
  __device__ __forceinline__ u32 gated(const HeadVectors& from, int at, float2 gate) const {
    const float x = from.y[at], y = from.y[at + 1];
    const float mean = warp_sum(x + y) * (1.0f / 64);
    const float a = x - mean, b = y - mean;
    const float by = rsqrtf(warp_sum(fmaf(a, a, b * b)) * (1.0f / 64) + 64e-5f);
    return half2_of(fmaf(bonus, v.x, fmaf(a * by, weight.x, bias.x)) * gate.x,
                    fmaf(bonus, v.y, fmaf(b * by, weight.y, bias.y)) * gate.y);
  }
};

// A warp's share of a row's and head's state [64 values][64 keys]: four values at a time, eight
// lanes each, in PASSES; EARLY of them are loaded before they are used.
struct StateShare {
  static constexpr int PASSES = 16 / SHARERS, EARLY = 4;
  float4 s[EARLY][2];
  float* state;  // at this lane's first value and key
  __device__ __forceinline__ void fetch(int pass) {
    const float* from = state + pass * 4 * 64;
    s[pass % EARLY][0] = load_written4(from), s[pass % EARLY][1] = load_written4(from + 4);
  }
  __device__ __forceinline__ void start(float* of, int share) {
    state = of + (share * 4 * PASSES + (lane_index() >> 3)) * 64 + 8 * (lane_index() & 7);
#pragma unroll
    for (int pass = 0; pass < EARLY; pass++) fetch(pass);
  }
  static __device__ __forceinline__ void take(float (&x)[8], const float* from) {
    const float4 a = *reinterpret_cast<const float4*>(from);
    const float4 b = *reinterpret_cast<const float4*>(from + 4);
    x[0] = a.x, x[1] = a.y, x[2] = a.z, x[3] = a.w, x[4] = b.x, x[5] = b.y, x[6] = b.z, x[7] = b.w;
  }
  __device__ __forceinline__ void finish(HeadVectors& of, int share) {
    const int key = 8 * (lane_index() & 7), value = share * 4 * PASSES + (lane_index() >> 3);
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
      float4* to = reinterpret_cast<float4*>(state + pass * 4 * 64);
      to[0] = make_float4(x[0], x[1], x[2], x[3]), to[1] = make_float4(x[4], x[5], x[6], x[7]);
      if ((lane_index() & 7) == 0) of.y[value + 4 * pass] = y;
    }
  }
};

// grid (D / 64, ROWS / GROUP_ROWS). w2, a2, v2, g2 [D][rank]; vectors [10][D]: w0, a0, v0, k_k,
// k_a, r_k, ln_x's weight and bias, ...; state: of slot 0 and this layer, [D / 64][64][64],
// `stride` floats from one slot to the next; v_first [ROWS][D], made by layer 0; gated [ROWS][D].
extern "C" __global__ void __launch_bounds__(32 * RECUR_WARPS, 2)
    rows_recur(long long layer, const int* slots, const float* rkv, const half* hidden,
               const u8* w2, const u8* a2, const u8* v2, const u8* g2, const float* vectors,
               float* state, long long stride, float* v_first, half* gated) {
  __shared__ __align__(16) LoraParts loras;
  __shared__ __align__(16) HeadVectors heads[GROUP_ROWS];
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
  const int tile = head * 64 + warp % 2 * 32, quarter = warp / 2;
  SecondHalf<RW> decay;
  SecondHalf<RA> rate;
  SecondHalf<RV> blend;
  SecondHalf<RG> gate;
  decay.start(w2, tile, quarter), rate.start(a2, tile, quarter + 1);
  blend.start(v2, tile, quarter + 2), gate.start(g2, tile, quarter + 3);
  StateShare s;
  if (slot >= 0) s.start(state + slot * stride + head * 64 * 64, share);
  wait_for_previous();

  const half* from = hidden + first * RANKS;
  decay.finish(from, &loras.of[quarter][0][0][warp % 2 * 32]);
  rate.finish(from + RW, &loras.of[quarter][1][0][warp % 2 * 32]);
  blend.finish(from + RW + RA, &loras.of[quarter][2][0][warp % 2 * 32]);
  gate.finish(from + RW + RA + RV, &loras.of[quarter][3][0][warp % 2 * 32]);
  ChannelPair pair;
  if (prepares) pair.fetch(vectors, channel);
  __syncthreads();
  if (prepares)
    pair.prepare(heads[mine], mine, at, rkv + row * 3 * D + channel, v_first + row * D + channel,
                 layer == 0, loras);
  __syncthreads();
  if (slot >= 0) s.finish(heads[mine], share);
  __syncthreads();
  if (prepares)
    *reinterpret_cast<u32*>(gated + row * D + channel) =
        pair.gated(heads[mine], at, loras.sum(3, mine, at));
}
