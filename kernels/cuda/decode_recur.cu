// The step of the state of decode.cu, on which this follows: the loras' second halves, decay, rate
// and blend, the state, its sums. A head is cut by rows (values) of its state into RECUR_SPLIT
// blocks, each of which works out anew what all keys need: a block alone would be as slow as its
// instructions are many. The norm over a head's values is left to the kernel after it.

constexpr int RECUR_WARPS = 8, RECUR_THREADS = RECUR_WARPS * 32;
constexpr int STATE_ROWS = 64 / RECUR_SPLIT;          // of a block
constexpr int ROW_LANES = RECUR_THREADS / STATE_ROWS;  // neighbours that share a row of the state
constexpr int ROW_KEYS = 64 / ROW_LANES;
static_assert(STATE_ROWS >= 16 && ROW_LANES <= 32, "tiles of 16 values; a row within a warp");

// The loras' second halves on the tensor cores: W2 [channels][rank] times the hidden vector, whose
// numbers are two of 16 bits each, so that nothing is lost: two columns of the product. A unit is
// 16 channels and 32 ranks of one lora; lane 4 g + q has the channels g and g + 8 and the ranks
// 8 q .. 8 q + 7, which are two steps' operands as they lie. Of w and a all channels of the head
// are needed, of v and g those of the block's rows.
struct Loras {
  static constexpr int OWN = STATE_ROWS / 16;
  static constexpr int W_PARTS = quotient_up(RW, 32), A_PARTS = quotient_up(RA, 32);
  static constexpr int V_PARTS = quotient_up(RV, 32), G_PARTS = quotient_up(RG, 32);
  static constexpr int A = 4 * W_PARTS, V_ = A + 4 * A_PARTS, G = V_ + OWN * V_PARTS;  // the first
  static constexpr int UNITS = G + OWN * G_PARTS, TURNS = quotient_up(UNITS, RECUR_WARPS);
  static constexpr int HELD = TURNS < 7 ? TURNS : 7;

  const u8* matrix[4];
  int channel, row;  // the block's first ones
  uint4 w[HELD][2];
  int place[TURNS];  // of this lane's eight numbers in the hidden vectors, < 0: none

  // A turn's weights, and where the numbers are that they meet.
  METHOD void fetch(int turn) {
    const int unit = turn * RECUR_WARPS + warp_index();
    const bool of_w = unit < A, of_a = !of_w && unit < V_, of_v = !of_w && !of_a && unit < G;
    const int rank = of_w ? RW : of_a ? RA : of_v ? RV : RG;
    const int first = of_w ? 0 : of_a ? A : of_v ? V_ : G;
    const int tiles = of_w || of_a ? 4 : OWN, tile = (unit - first) % tiles;
    const int k = (unit - first) / tiles * 32 + lane_index() % 4 * 8;
    const int of = (of_w || of_a ? channel : row) + tile * 16 + lane_index() / 4;
    const int at = (of_w ? 0 : of_a ? RW : of_v ? RW + RA : RW + RA + RV) + k;
    uint4* to = w[turn % HELD];
    to[0] = to[1] = make_uint4(0, 0, 0, 0);
    place[turn] = -1;
    if (unit >= UNITS || k >= rank) return;
    place[turn] = at + lane_index() / 4 % 2 * RANKS;  // the columns 0 and 1: high and low
    const u8* from = of_w ? matrix[0] : of_a ? matrix[1] : of_v ? matrix[2] : matrix[3];
    from += (static_cast<u64>(of) * rank + k) * 2;
    to[0] = load_ahead(from), to[1] = load_ahead(from + 16 * rank);
  }
  METHOD void start() {
#pragma unroll
    for (int turn = 0; turn < HELD; turn++) fetch(turn);
  }
  METHOD uint4 numbers(const u8* hidden, int turn) const {
    if (place[turn] < 0) return make_uint4(0, 0, 0, 0);
    return load_written16(hidden + 2 * place[turn]);
  }
  // sums [UNITS][16]. hidden: two times [RANKS] of 16 bits, high and low parts.
  METHOD void work(const u8* hidden, float (*sums)[16]) {
    uint4 x[HELD];
#pragma unroll
    for (int turn = 0; turn < HELD; turn++) x[turn] = numbers(hidden, turn);
#pragma unroll
    for (int turn = 0; turn < TURNS; turn++) {
      const uint4 up = w[turn % HELD][0], down = w[turn % HELD][1], v = x[turn % HELD];
      float d[4] = {};
      mma_16x8x16<LoraNumber>(d, {up.x, down.x, up.y, down.y}, {v.x, v.y});
      mma_16x8x16<LoraNumber>(d, {up.z, down.z, up.w, down.w}, {v.z, v.w});
      if (turn + HELD < TURNS) {
        fetch(turn + HELD);
        x[turn % HELD] = numbers(hidden, turn + HELD);
      }
      const int unit = turn * RECUR_WARPS + warp_index();
      if (lane_index() % 4 == 0 && unit < UNITS) {
        sums[unit][lane_index() / 4] = d[0] + d[1];
        sums[unit][lane_index() / 4 + 8] = d[2] + d[3];
      }
    }
  }
};

// What all keys of a head need.
struct alignas(16) Keys {
  float r[64], w[64], k[64], kk[64], kka[64];
  float2 sums[RECUR_WARPS];
};

// Blocks [H][RECUR_SPLIT]. layer: 0 makes v_first. hidden: [2][RANKS] of 16 bits. vectors [10][D]:
// w0, a0, v0, k_k, k_a, r_k, ln_x's weight and bias, ln1's weight and bias. state [H][64][64] becomes
// `after`, which may be the same. read [3][D]: what the state says (y), and A and B of (y - mean) / deviation * A + B, which is what
// the output matrix is to be given. shift [D] becomes what `normed` says.
extern "C" __global__ void __launch_bounds__(RECUR_THREADS, Loras::TURNS > 5 ? 2 : 3)
    recur(long long layer, const float* rkv, const u8* hidden, const u8* w2, const u8* a2,
          const u8* v2, const u8* g2, const float* vectors, const float* normed, float* shift,
          const float* state, float* after, float* v_first, float* read) {
  __shared__ float lora_sums[Loras::UNITS][16];
  __shared__ Keys keys;
  const int t = threadIdx.x;
  dependents_may_start();
  // A key's channel is shared by four threads, a row by ROW_LANES.
  const int head = blockIdx.x / RECUR_SPLIT * 64, row = blockIdx.x % RECUR_SPLIT * STATE_ROWS;
  const int key = t / 4, of_key = t % 4, mine = t / ROW_LANES, lane = t % ROW_LANES;
  const int channel = head + key, value = head + row + mine;
  Loras loras = {{w2, a2, v2, g2}, head, head + row};
  loras.start();
  const int at = value * 64 + lane * ROW_KEYS;
  float s[ROW_KEYS];
#pragma unroll
  for (int i = 0; i < ROW_KEYS; i += 4) {
    const float4 four = load_written4(state + at + i);
    s[i] = four.x, s[i + 1] = four.y, s[i + 2] = four.z, s[i + 3] = four.w;
  }
  const float base = of_key < 2 ? vectors[of_key * D + channel] : 0.0f;
  const float k_k = vectors[3 * D + channel], k_a = vectors[4 * D + channel];
  const float r_k = vectors[5 * D + channel], v0 = vectors[2 * D + value];
  // The first lane of a row scales what is read, the second one renews the shift.
  const int scales = lane == 0 ? 6 : 8;
  const float weight = vectors[scales * D + value], bias = vectors[(scales + 1) * D + value];
  wait_for_previous();

  const float r = load_written(rkv + channel);
  float k = load_written(rkv + D + channel), v = load_written(rkv + 2 * D + value);
  const float other = load_written((lane == 1 ? normed : layer ? v_first : rkv + 2 * D) + value);
  loras.work(hidden, lora_sums);
  __syncthreads();

  // Of four, the first works the decay out, the second the rate.
  float gate = base;
  const int begin = of_key == 0 ? 0 : Loras::A, parts = of_key == 0 ? Loras::W_PARTS
                                                                    : Loras::A_PARTS;
#pragma unroll
  for (int i = 0; i < (Loras::W_PARTS > Loras::A_PARTS ? Loras::W_PARTS : Loras::A_PARTS); i++)
    if (i < parts) gate += lora_sums[begin + 4 * i + key / 16][key % 16];
  gate = sigmoid(gate);
  const int four = lane_index() & 28;
  const float w = fast_exp(-0.6065306597126334f * __shfl_sync(ALL_LANES, gate, four));
  const float a = __shfl_sync(ALL_LANES, gate, four + 1);
  const float kk = k * k_k;
  k = fmaf(k, (a - 1.0f) * k_a, k);
  if (of_key == 0) keys.r[key] = r, keys.w[key] = w, keys.k[key] = k;
  if (of_key == 1) keys.kk[key] = kk, keys.kka[key] = kk * a;
  float2 sums = make_float2(kk * kk, r * k * r_k);
#pragma unroll
  for (int step = 4; step <= 16; step <<= 1) {
    sums.x += __shfl_xor_sync(ALL_LANES, sums.x, step);
    sums.y += __shfl_xor_sync(ALL_LANES, sums.y, step);
  }
  if (lane_index() == 0) keys.sums[warp_index()] = sums;
  float blend = v0, open = 0;
#pragma unroll
  for (int i = 0; i < Loras::V_PARTS; i++)
    blend += lora_sums[Loras::V_ + i * Loras::OWN + mine / 16][mine % 16];
#pragma unroll
  for (int i = 0; i < quotient_up(Loras::G_PARTS, ROW_LANES); i++)
    if (i * ROW_LANES + lane < Loras::G_PARTS)
      open += lora_sums[Loras::G + (i * ROW_LANES + lane) * Loras::OWN + mine / 16][mine % 16];
  const float first = __shfl_sync(ALL_LANES, other, lane_index() / ROW_LANES * ROW_LANES);
  if (layer)
    v = fmaf(first - v, sigmoid(blend), v);
  else if (lane == 0)
    v_first[value] = v;
  __syncthreads();

  sums = make_float2(0, 0);
#pragma unroll
  for (int i = 0; i < RECUR_WARPS; i++) sums.x += keys.sums[i].x, sums.y += keys.sums[i].y;
  const float by = 1.0f / fmaxf(sums.x, 1e-24f);  // of two kk's, each of length 1
  const int j = lane * ROW_KEYS;
  float removed = 0, y = 0;
#pragma unroll
  for (int i = 0; i < ROW_KEYS; i++) removed = fmaf(s[i], keys.kk[j + i], removed);
#pragma unroll
  for (int step = ROW_LANES / 2; step; step >>= 1)
    removed += __shfl_xor_sync(ALL_LANES, removed, step);
  removed *= -by;
#pragma unroll
  for (int i = 0; i < ROW_KEYS; i++) {
    s[i] = fmaf(v, keys.k[j + i], fmaf(removed, keys.kka[j + i], s[i] * keys.w[j + i]));
    y = fmaf(s[i], keys.r[j + i], y);
  }
#pragma unroll
  for (int i = 0; i < ROW_KEYS; i += 4)
    reinterpret_cast<float4*>(after + at + i)[0] = make_float4(s[i], s[i + 1], s[i + 2], s[i + 3]);
#pragma unroll
  for (int step = ROW_LANES / 2; step; step >>= 1) {
    y += __shfl_xor_sync(ALL_LANES, y, step);
    open += __shfl_xor_sync(ALL_LANES, open, step);
  }
  if (lane == 0) {
    read[value] = y;
    read[D + value] = weight * open;
    read[2 * D + value] = fmaf(sums.y, v, bias) * open;
  } else if (lane == 1) {
    shift[value] = fmaf(other, weight, bias);
  }
}
