// One token through RWKV-7, batch 1: five kernels a layer, one before all layers, one after. Follows
// on device.cuh and gemv.cuh. The residual, the state and every sum are fp32.
//
//   embed      residual = row of the table, normed
//   mix_in     norm, shift, six mixes; receptance, key, value and the loras' first halves
//   recur      a block a head: the loras' second halves, the step of the state, norm, bonus, gate
//   output     residual += output matrix * gated
//   key        norm, shift, mix; relu(key matrix * mixed)^2
//   value, or value_sparse: residual += value matrix * that
//   head       norm; logits
//
// Of the macros, WIDTH, FFN, VOCAB, RANK_W, RANK_A, RANK_V, RANK_G (multiples of 8) and the Kinds
// KIND, LORA, HEAD_KIND say what the model is; BLOCK_WARPS (a block of the products), RESIDENT_WARPS (of
// an SM, by registers), VALUE_GROUPS (of 64 inputs, of a block of value_sparse) and VALUE_SPLIT
// (warps to a row of value) how it is cut. Launched as dependent on
// one another: what is read before the wait is weights, and state of the step before.

constexpr int D = WIDTH, F = FFN, V = VOCAB, RW = RANK_W, RA = RANK_A, RV = RANK_V, RG = RANK_G;
constexpr int RANKS = RW + RA + RV + RG, THREADS = BLOCK_WARPS * 32;

// Two kernels can be on an SM at a time: the next one's weights come while this one ends.
#define PRODUCT_KERNEL \
  extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT_WARPS / BLOCK_WARPS)

// Rows at a time of the products that end in the residual: all blocks are to be there at once.
constexpr int ADDED_ROWS = D >= 4096 ? 2 : 1;

// ------------------------------------------------------------------ the ends

// token [1]; table [V][D] fp16, may be in the host's memory; norms [V], ln0 [2][D]: see weights.py.
KERNEL(128)
embed(const int* token, const u8* table, const float2* norms, const float* ln0, float* residual) {
  dependents_may_start();
  wait_for_previous();
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i >= D / 8) return;
  const u64 id = load_fresh(token);
  const uint4 row = load_streamed(table + (id * (D / 8) + i) * 16);
  const float2 by = norms[id], *scales = reinterpret_cast<const float2*>(ln0) + 4 * i;
  const u32 words[4] = {row.x, row.y, row.z, row.w};
#pragma unroll
  for (int n = 0; n < 4; n++) {
    const float2 x = to_float2(words[n]), scale = scales[n], bias = scales[D / 2 + n];
    reinterpret_cast<float2*>(residual)[4 * i + n] =
        make_float2(fmaf(fmaf(x.x, by.x, by.y), scale.x, bias.x),
                    fmaf(fmaf(x.y, by.x, by.y), scale.y, bias.y));
  }
}

// Rows [begin, end) of a matrix times what `mix` makes of the residual. memory: shared, so much:
template <int K_OF> DEVICE constexpr int mixed_fours() {
  return D / 4 + activation_bytes<K_OF, D>() / 16 + (K_OF == Q4 ? D / 4 : 0);
}
template <int K_OF, typename Done>
DEVICE void multiply_mixed(Weights matrix, int begin, int end, const Mix& mix,
                           const float* residual, float* normed, float4* memory, Done done) {
  float4 *a = memory, *x = a + D / 4, *c = x + activation_bytes<K_OF, D>() / 16;
  __shared__ float2 sums[BLOCK_WARPS];
  typedef Rows<K_OF, D> Product;
  typedef Mixed<K_OF, D, THREADS> Input;
  dependents_may_start();
  Product product;
  product.start(matrix, begin + warp_index() * Product::R, end, BLOCK_WARPS * Product::R);
  Input::prepare(mix, a, c, x);
  wait_for_previous();
  Input::finish(residual, a, c, x, sums, normed);
  product.finish(x, done);
}

// matrix [V][D]; `rows` a block. logits [V].
PRODUCT_KERNEL head(const u8* matrix, const bf16* scales, const float* residual,
                    const float* weight, const float* bias, float* logits, long long rows) {
  __shared__ float4 memory[mixed_fours<HEAD_KIND>()];
  const int begin = blockIdx.x * static_cast<int>(rows);
  multiply_mixed<HEAD_KIND>({matrix, scales}, begin, min(V, begin + static_cast<int>(rows)),
                            {weight, bias, nullptr, nullptr}, residual, nullptr, memory,
                            [&](int row, float y) { logits[row] = y; });
}

// ------------------------------------------------------------------ time mix

// matrix [3 D][D]: receptance, key, value; lora [RANKS][D]: w1, a1, v1, g1, transposed; mixes [6][D]
// in the order r, w, k, v, a, g; shift [D]. rkv [3][D]; hidden [RANKS]: after tanh and sigmoid.
// `rows` of the matrix and `lora_rows` a block.
PRODUCT_KERNEL mix_in(const u8* matrix, const bf16* scales, const u8* lora, const float* residual,
                      const float* weight, const float* bias, const float* mixes,
                      const float* shift, float* normed, float* rkv, float* hidden,
                      long long rows, long long lora_rows) {
  constexpr int FOURS = mixed_fours<KIND>(), LORA_FOURS = mixed_fours<LORA>();
  __shared__ float4 memory[FOURS > LORA_FOURS ? FOURS : LORA_FOURS];
  const int each = quotient_up(D, static_cast<int>(rows));
  int tile = blockIdx.x;
  if (tile < 3 * each) {
    const int part = tile / each, begin = part * D + tile % each * static_cast<int>(rows);
    const Mix mix = {weight, bias, mixes + (part ? part + 1 : 0) * D, shift};
    multiply_mixed<KIND>({matrix, scales}, begin,
                         min(part * D + D, begin + static_cast<int>(rows)), mix, residual, normed,
                         memory, [&](int row, float y) { rkv[row] = y; });
    return;
  }
  tile -= 3 * each;
  const int ranks[4] = {RW, RA, RV, RG}, mix_of[4] = {1, 4, 3, 5};
  int which = 0, first = 0;
#pragma unroll
  for (int i = 0; i < 3; i++) {
    const int tiles = quotient_up(ranks[i], static_cast<int>(lora_rows));
    if (which == i && tile >= tiles) which++, first += ranks[i], tile -= tiles;
  }
  const int rank = which == 0 ? RW : which == 1 ? RA : which == 2 ? RV : RG;
  const int mixed = which == 0 ? mix_of[0] : which == 1 ? mix_of[1] : which == 2 ? mix_of[2]
                                                                                 : mix_of[3];
  const int begin = first + tile * static_cast<int>(lora_rows);
  multiply_mixed<LORA>({lora, nullptr}, begin,
                       min(first + rank, begin + static_cast<int>(lora_rows)),
                       {weight, bias, mixes + mixed * D, shift}, residual, normed,
                       memory, [&](int row, float y) {
                         hidden[row] = which == 0 ? tanhf(y) : which == 3 ? sigmoid(y) : y;
                       });
}

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
extern "C" __global__ void __launch_bounds__(512, 2)
    recur(long long layer, const float* rkv, const float* hidden, const u8* w2, const u8* a2,
          const u8* v2, const u8* g2, const float* vectors, const float* normed, float* shift,
          float* state, float* v_first, float* gated) {
  __shared__ uint4 high[RANKS / 8], low[RANKS / 8];
  __shared__ float lora_sums[Loras::UNITS][64];
  __shared__ float of_r[64], of_w[64], of_k[64], of_kk[64], of_kka[64];
  __shared__ float2 memory[16], more[16];
  const int t = threadIdx.x, lane = t & 7, of_head = t >> 3;
  const int channel = blockIdx.x * 64 + of_head;
  dependents_may_start();
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

// ------------------------------------------------------------------ products into the residual

// residual [D] += matrix [D][K] * v [K], each row by SPLIT warps; v fp32, or fp16 if HALVES.
template <int K, int SPLIT, bool HALVES>
DEVICE void add_product(Weights matrix, const void* v, float* residual) {
  typedef Rows<KIND, K, SPLIT, ADDED_ROWS> Product;
  __shared__ float4 x[activation_bytes<KIND, K>() / 16];
  __shared__ float parts[BLOCK_WARPS][Product::R];
  const int row = (blockIdx.x * (BLOCK_WARPS / SPLIT) + warp_index() / SPLIT) * Product::R;
  const int mine = row + lane_index() / (32 / Product::R);
  const bool writes = lane_index() % (32 / Product::R) == 0 && mine < D;
  dependents_may_start();
  Product product;
  product.start(matrix, row, min(row + Product::R, D), Product::R, warp_index() % SPLIT);
  wait_for_previous();
  const float before = writes && warp_index() % SPLIT == 0 ? load_written(residual + mine) : 0.0f;
#pragma unroll 4
  for (int n = 0; n < quotient_up(K / 4, THREADS); n++) {
    const int i = n * THREADS + threadIdx.x;
    float4 four = make_float4(0, 0, 0, 0);
    if (i < K / 4) {
      if constexpr (HALVES) {
        const float2 low = to_float2(load_written(static_cast<const u32*>(v) + 2 * i));
        const float2 high = to_float2(load_written(static_cast<const u32*>(v) + 2 * i + 1));
        four = make_float4(low.x, low.y, high.x, high.y);
      } else {
        four = load_written4(static_cast<const float*>(v) + 4 * i);
      }
    }
    put_activations<KIND, K>(x, i, four, i < K / 4);
  }
  __syncthreads();
  float sum = row < D ? product.next(x) : 0.0f;
  if constexpr (SPLIT > 1) {
    if (writes) parts[warp_index()][mine - row] = sum;
    __syncthreads();
    if (writes && warp_index() % SPLIT == 0)
#pragma unroll
      for (int i = 1; i < SPLIT; i++) sum += parts[warp_index() + i][mine - row];
  }
  if (writes && warp_index() % SPLIT == 0) residual[mine] = before + sum;
}

PRODUCT_KERNEL output(const u8* matrix, const bf16* scales, const float* gated, float* residual) {
  add_product<D, 1, false>({matrix, scales}, gated, residual);
}

// ------------------------------------------------------------------ channel mix

// matrix [F][D]; mix, shift [D]; activation [F] fp16.
PRODUCT_KERNEL key(const u8* matrix, const bf16* scales, const float* residual,
                   const float* weight, const float* bias, const float* mix, const float* shift,
                   float* normed, half* activation, long long rows) {
  __shared__ float4 memory[mixed_fours<KIND>()];
  const int begin = blockIdx.x * static_cast<int>(rows);
  multiply_mixed<KIND>({matrix, scales}, begin, min(F, begin + static_cast<int>(rows)),
                       {weight, bias, mix, shift}, residual, normed, memory,
                       [&](int row, float y) {
                         y = fmaxf(y, 0.0f);
                         activation[row] = to_half(fminf(y * y, 65504.0f));
                       });
}

// The shift of the channel mix, by the block's first threads: `count` channels from `first` on.
DEVICE void renew_shift(const float* normed, const float* weight, const float* bias, float* shift,
                        int first, int count) {
  const int c = first + threadIdx.x;
  if (static_cast<int>(threadIdx.x) < count && c < D)
    shift[c] = fmaf(load_written(normed + c), weight[c], bias[c]);
}

#if VALUE_SPLIT
// Every weight is read: matrix [D][F]. weight, bias: of ln2.
PRODUCT_KERNEL value(const u8* matrix, const bf16* scales, const half* activation,
                     float* residual, const float* normed, const float* weight, const float* bias,
                     float* shift) {
  constexpr int ROWS = BLOCK_WARPS / VALUE_SPLIT * Rows<KIND, F, VALUE_SPLIT, ADDED_ROWS>::R;
  add_product<F, VALUE_SPLIT, true>({matrix, scales}, activation, residual);
  renew_shift(normed, weight, bias, shift, blockIdx.x * ROWS, ROWS);
}
#endif
