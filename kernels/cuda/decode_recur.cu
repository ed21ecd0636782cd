// The step of the state of decode.cu, on which this follows, a block a head: the loras' second
// halves, decay, rate and blend, the state, its norm, bonus and gate.

// The loras' second halves for the 64 channels of a head, on the tensor cores: W2 [64][rank] times
// the hidden vector, whose numbers are two of 16 bits each, so that nothing is lost. A unit is 32
// ranks of one lora; a warp has 16 channels (warp % 4) of every 4th unit, lane 4 g + q the channels
// g and g + 8 and the ranks 8 q .. 8 q + 7, which are two steps' operands as they lie.
template <int OF> struct NumberOf { typedef half type; };
template <> struct NumberOf<BF16> { typedef bf16 type; };
typedef NumberOf<LORA>::type LoraNumber;

struct Loras {
  static constexpr int A = quotient_up(RW, 32), V_ = A + quotient_up(RA, 32);  // first units
  static constexpr int G = V_ + quotient_up(RV, 32), UNITS = G + quotient_up(RG, 32);
  static constexpr int TURNS = quotient_up(UNITS, 4), HELD = TURNS < 4 ? TURNS : 4;
  static constexpr int BEFORE_GATE = quotient_up(G, 4);  // turns that the state's step waits for

  const u8* matrix[4];
  int head;
  uint4 w[HELD][2];

  // Lora 0..3 of a unit; which of its ranks are this lane's; where they are in the hidden vector.
  static METHOD int lora_of(int unit) { return unit < A ? 0 : unit < V_ ? 1 : unit < G ? 2 : 3; }
  static METHOD int rank_of(int lora) {
    return lora == 0 ? RW : lora == 1 ? RA : lora == 2 ? RV : RG;
  }
  static METHOD int lane_rank(int unit, int lora) {
    const int first = lora == 0 ? 0 : lora == 1 ? A : lora == 2 ? V_ : G;
    return (unit - first) * 32 + lane_index() % 4 * 8;
  }
  static METHOD int place_of(int lora) {
    return lora == 0 ? 0 : lora == 1 ? RW : lora == 2 ? RW + RA : RW + RA + RV;
  }

  METHOD void fetch(int turn) {
    const int unit = turn * 4 + warp_index() / 4, lora = lora_of(unit);
    const int rank = rank_of(lora), k = lane_rank(unit, lora);
    const int channel = head * 64 + warp_index() % 4 * 16 + lane_index() / 4;
    uint4* to = w[turn % HELD];
    to[0] = to[1] = make_uint4(0, 0, 0, 0);
    if (unit >= UNITS || k >= rank) return;
    const u8* from = lora == 0 ? matrix[0] : lora == 1 ? matrix[1] : lora == 2 ? matrix[2]
                                                                               : matrix[3];
    from += (static_cast<u64>(channel) * rank + k) * 2;
    to[0] = load_streamed(from), to[1] = load_streamed(from + 16 * rank);
  }
  METHOD void start(int head_) {
    head = head_;
#pragma unroll
    for (int turn = 0; turn < HELD; turn++) fetch(turn);
  }
  // Turns [from, to): sums [UNITS][64]; hidden: two times [RANKS] of 16 bits, high and low parts.
  METHOD void work(int from, int to, const uint4* high, const uint4* low, float (*sums)[64]) {
#pragma unroll
    for (int turn = 0; turn < TURNS; turn++) {
      if (turn < from || turn >= to) continue;
      const int unit = turn * 4 + warp_index() / 4, lora = lora_of(unit);
      const int k = lane_rank(unit, lora), at = (place_of(lora) + k) / 8;
      const bool there = unit < UNITS && k < rank_of(lora);
      const uint4 zero = make_uint4(0, 0, 0, 0), x = there ? high[at] : zero;
      const uint4 y = there ? low[at] : zero, up = w[turn % HELD][0], down = w[turn % HELD][1];
      float d[4] = {};
      mma_16x8x16<LoraNumber>(d, {up.x, down.x, up.y, down.y}, {x.x, x.y});
      mma_16x8x16<LoraNumber>(d, {up.z, down.z, up.w, down.w}, {x.z, x.w});
      mma_16x8x16<LoraNumber>(d, {up.x, down.x, up.y, down.y}, {y.x, y.y});
      mma_16x8x16<LoraNumber>(d, {up.z, down.z, up.w, down.w}, {y.z, y.w});
      if (turn + HELD < TURNS) fetch(turn + HELD);
      if (unit < UNITS && lane_index() % 4 == 0) {
        float* channel = sums[unit] + warp_index() % 4 * 16 + lane_index() / 4;
        channel[0] = d[0], channel[8] = d[2];
      }
    }
  }
};

// Four numbers as two parts of 16 bits each.
DEVICE void split_lora(float4 v, uint2& high, uint2& low) {
  const float x[4] = {v.x, v.y, v.z, v.w};
  LoraNumber part[4];
  float rest[4];
#pragma unroll
  for (int i = 0; i < 4; i++) {
    part[i] = from_float<LoraNumber>(x[i]);
    rest[i] = x[i] - to_float(part[i]);
  }
  high.x = part[0].bits | static_cast<u32>(part[1].bits) << 16;
  high.y = part[2].bits | static_cast<u32>(part[3].bits) << 16;
#pragma unroll
  for (int i = 0; i < 4; i++) part[i] = from_float<LoraNumber>(rest[i]);
  low.x = part[0].bits | static_cast<u32>(part[1].bits) << 16;
  low.y = part[2].bits | static_cast<u32>(part[3].bits) << 16;
}

// The sums over the 64 channels of a head, of which every eight lanes have one; the same in all.
DEVICE float2 head_sums(float a, float b, float2* memory) {
#pragma unroll
  for (int step = 8; step <= 16; step <<= 1) {
    a += __shfl_xor_sync(ALL_LANES, a, step);
    b += __shfl_xor_sync(ALL_LANES, b, step);
  }
  if (lane_index() == 0) memory[warp_index()] = make_float2(a, b);
  __syncthreads();
  a = 0, b = 0;
#pragma unroll
  for (int i = 0; i < 16; i++) a += memory[i].x, b += memory[i].y;
  return make_float2(a, b);
}

// A block a head, 512 threads: eight lanes have a channel in common, then a row (value) of the
// state. layer: 0 makes v_first. vectors [10][D]: w0, a0, v0, k_k, k_a, r_k, ln_x's weight and bias,
// ln1's weight and bias. state [H][64][64]; gated [D]. shift [D] becomes what `normed` says.
// Blocks after the heads' fetch ahead.
extern "C" __global__ void __launch_bounds__(512, 2)
    recur(long long layer, const float* rkv, const float* hidden, const u8* w2, const u8* a2,
          const u8* v2, const u8* g2, const float* vectors, const float* normed, float* shift,
          float* state, float* v_first, float* gated, AHEAD_PARAMETERS) {
  constexpr int HEADS = D / 64;
  __shared__ uint4 high[RANKS / 8], low[RANKS / 8];
  __shared__ float lora_sums[Loras::UNITS][64];
  __shared__ float of_r[64], of_w[64], of_k[64], of_kk[64], of_kka[64];
  __shared__ float2 memory[16], more[16];
  const int t = threadIdx.x, lane = t & 7, of_head = t >> 3;
  const int channel = blockIdx.x * 64 + of_head;
  dependents_may_start();
  if (blockIdx.x >= HEADS) {
    if (!AHEAD_EARLY) wait_for_previous();
    FETCH_AHEAD((blockIdx.x - HEADS) * 512 + t, (gridDim.x - HEADS) * 512);
    if (AHEAD_EARLY) wait_for_previous();
    return;
  }
  Loras loras = {{w2, a2, v2, g2}};
  loras.start(blockIdx.x);
  float* row = state + (static_cast<u64>(channel) * 64 + lane * 8);
  float4 s0 = load_written4(row), s1 = load_written4(row + 4);
  const float base = lane < 3 ? vectors[lane * D + channel] : 0.0f;
  const float k_k = vectors[3 * D + channel], k_a = vectors[4 * D + channel];
  const float r_k = vectors[5 * D + channel];
  wait_for_previous();

  const float r = load_written(rkv + channel);
  float k = load_written(rkv + D + channel), v = load_written(rkv + 2 * D + channel);
  const float first = layer ? load_written(v_first + channel) : v;
  if (t < RANKS / 4)
    split_lora(load_written4(hidden + 4 * t), reinterpret_cast<uint2*>(high)[t],
               reinterpret_cast<uint2*>(low)[t]);
  __syncthreads();
  loras.work(0, Loras::BEFORE_GATE, high, low, lora_sums);
  __syncthreads();

  // Lane 0 works the decay out, lane 1 the rate, lane 2 the blend.
  const int begin = lane == 0 ? 0 : lane == 1 ? Loras::A : Loras::V_;
  const int end = lane == 0 ? Loras::A : lane == 1 ? Loras::V_ : lane == 2 ? Loras::G : 0;
  float mine = base;
  for (int unit = begin; unit < end; unit++) mine += lora_sums[unit][of_head];
  mine = sigmoid(mine);
  const int eight = lane_index() & 24;
  const float w = fast_exp(-0.6065306597126334f * __shfl_sync(ALL_LANES, mine, eight));
  const float a = __shfl_sync(ALL_LANES, mine, eight + 1);
  const float mixing = __shfl_sync(ALL_LANES, mine, eight + 2);
  if (layer)
    v = fmaf(first - v, mixing, v);
  else if (lane == 0)
    v_first[channel] = v;
  const float kk = k * k_k;
  k = fmaf(k, (a - 1.0f) * k_a, k);
  if (lane == 0) {
    of_r[of_head] = r, of_w[of_head] = w, of_k[of_head] = k;
    of_kk[of_head] = kk, of_kka[of_head] = kk * a;
  }
  const float2 sums = head_sums(kk * kk, r * k * r_k, memory);  // and a barrier
  const float by = 1.0f / fmaxf(sums.x, 1e-24f);  // of two kk's, each of length 1

  float s[8] = {s0.x, s0.y, s0.z, s0.w, s1.x, s1.y, s1.z, s1.w};
  const int j = lane * 8;
  float removed = 0, y = 0;
#pragma unroll
  for (int i = 0; i < 8; i++) removed = fmaf(s[i], of_kk[j + i], removed);
#pragma unroll
  for (int step = 4; step; step >>= 1) removed += __shfl_xor_sync(ALL_LANES, removed, step);
  removed *= -by;
#pragma unroll
  for (int i = 0; i < 8; i++) {
    s[i] = fmaf(v, of_k[j + i], fmaf(removed, of_kka[j + i], s[i] * of_w[j + i]));
    y = fmaf(s[i], of_r[j + i], y);
  }
  reinterpret_cast<float4*>(row)[0] = make_float4(s[0], s[1], s[2], s[3]);
  reinterpret_cast<float4*>(row)[1] = make_float4(s[4], s[5], s[6], s[7]);
#pragma unroll
  for (int step = 4; step; step >>= 1) y += __shfl_xor_sync(ALL_LANES, y, step);
  loras.work(Loras::BEFORE_GATE, Loras::TURNS, high, low, lora_sums);

  const float2 of_y = head_sums(y, y * y, more);  // and a barrier
  float opened = 0;
  for (int unit = Loras::G + lane; unit < Loras::UNITS; unit += 8)
    opened += lora_sums[unit][of_head];
#pragma unroll
  for (int step = 4; step; step >>= 1) opened += __shfl_xor_sync(ALL_LANES, opened, step);
  const float mean = of_y.x / 64.0f, variance = fmaxf(of_y.y / 64.0f - mean * mean, 0.0f);
  if (lane == 0) {
    const float scaled_y = (y - mean) * rsqrtf(variance + 64e-5f);
    const float out = fmaf(scaled_y, vectors[6 * D + channel], vectors[7 * D + channel]);
    gated[channel] = fmaf(sums.y, v, out) * opened;
  } else if (lane == 1) {
    const float h = load_written(normed + channel);
    shift[channel] = fmaf(h, vectors[8 * D + channel], vectors[9 * D + channel]);
  }
}
