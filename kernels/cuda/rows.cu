// One token of each of up to ROWS chats through RWKV-7: seven kernels a layer, every weight read
// once for all rows. Follows on device.cuh, gemv.cuh and rows_product.cuh.
//
//   rows_embed     residual = rows of the table (ln0 is folded into it)
//   rows_mix_in    residual += parts; norm, shift, six mixes
//   rows_in        receptance, key, value and the loras' first halves
//   rows_recur     per head, for some rows: the loras' second halves, the step of the state, norm,
//                  bonus, gate
//   rows_output    parts = output matrix * gated
//   rows_mix_key   residual += parts; norm, shift, mix
//   rows_key       relu(key matrix * mixed)^2
//   rows_value     parts = value matrix * that; rows_value_by_input: of a matrix by inputs
//   rows_mix_head  residual + parts; norm
//   rows_head      logits
//
// The residual, the state and every sum are fp32; what the products take is fp16. Rows have slots,
// where their states lie; a slot below 0 means that there is no such row (its buffers hold
// something finite all the same). Parts [split][ROWS][D] are added in their order.
//
// Of the macros, ROWS (8, 16, 32, 64), WIDTH, FFN, VOCAB, RANK_W, RANK_A, RANK_V, RANK_G (multiples of
// 8) and the Kinds MATRIX_KIND, LORA_KIND, HEAD_KIND say what is computed; SIDE and DEEP (warps of a
// block beside each other and along k), WARP_TILES (of 16 weight rows a warp), OUTPUT_SPLIT and
// VALUE_SPLIT (blocks along k) and GROUP_ROWS (rows of a block of rows_recur: 2, 4, 8) how it is cut.

constexpr int D = WIDTH, F = FFN, V = VOCAB;
constexpr int RW = RANK_W, RA = RANK_A, RV = RANK_V, RG = RANK_G, RANKS = RW + RA + RV + RG;
constexpr int NT = ROWS / ROW_TILE;
constexpr int PRODUCT_THREADS = 32 * SIDE * DEEP;
constexpr int TILE = 16 * WARP_TILES, BLOCK_TILE = TILE * SIDE;
constexpr int MIX_THREADS = D > 1024 ? 512 : 256;
constexpr int RECUR_WARPS = 8, SHARERS = RECUR_WARPS / GROUP_ROWS;  // warps that share a row

#define PRODUCT_KERNEL extern "C" __global__ void __launch_bounds__(PRODUCT_THREADS)

// ------------------------------------------------------------------ ends of a step

// grid (ROWS). tokens [ROWS]; table [V][D] of 16 bits, may be in the host's memory.
KERNEL(128) rows_embed(const int* tokens, const int* slots, const u8* table, float* residual,
                       long long table_is_bf16) {
  start_next_and_wait();
  const int row = blockIdx.x;
  if (load_fresh(slots + row) < 0) return;
  const u8* from = table + static_cast<u64>(load_fresh(tokens + row)) * D * 2;
  for (int i = threadIdx.x; i < D / 8; i += 128) {
    const uint4 eight = load_streamed(from + 16 * i);
    const u32 words[4] = {eight.x, eight.y, eight.z, eight.w};
    float2* to = reinterpret_cast<float2*>(residual + row * D) + 4 * i;
#pragma unroll
    for (int n = 0; n < 4; n++)
      to[n] = table_is_bf16 ? make_float2(low_bf16(words[n]), high_bf16(words[n]))
                            : to_float2(words[n]);
  }
}

// ------------------------------------------------------------------ norm and shift

DEVICE float block_sum(float x, float* memory) {
  x = warp_sum(x);
  if (lane_index() == 0) memory[warp_index()] = x;
  __syncthreads();
  x = 0;
#pragma unroll
  for (int i = 0; i < MIX_THREADS / 32; i++) x += memory[i];
  return x;
}
DEVICE float4 plus(float4 x, float4 y) {
  return make_float4(x.x + y.x, x.y + y.y, x.z + y.z, x.w + y.w);
}
DEVICE uint2 halves_of(float4 x) { return make_uint2(half2_of(x.x, x.y), half2_of(x.z, x.w)); }

// A block a row. parts [count][ROWS][D]; out [MIXES][ROWS][D]; shift: of slot 0 and this layer,
// `stride` floats from one slot to the next. MIXES 0: no shift, h itself.
template <int MIXES>
DEVICE void mix_row(const int* slots, float* residual, const float* parts, int count,
                    const float* weight, const float* bias, const float* mixes, float* shift,
                    long long stride, half* out) {
  constexpr int FOURS = D / 4, COUNT = quotient_up(FOURS, MIX_THREADS);
  __shared__ float sums[2][MIX_THREADS / 32];
  const int row = blockIdx.x;
  dependents_may_start();
  float4 w[COUNT], b[COUNT];
#pragma unroll
  for (int n = 0; n < COUNT; n++) {
    const int i = n * MIX_THREADS + static_cast<int>(threadIdx.x);
    if (i >= FOURS) break;
    w[n] = reinterpret_cast<const float4*>(weight)[i];
    b[n] = reinterpret_cast<const float4*>(bias)[i];
  }
  wait_for_previous();
  const int slot = load_fresh(slots + row);
  if (slot < 0) return;
  float4 x[COUNT];
  float sum = 0;
#pragma unroll
  for (int n = 0; n < COUNT; n++) {
    const int i = n * MIX_THREADS + static_cast<int>(threadIdx.x);
    x[n] = make_float4(0, 0, 0, 0);
    if (i >= FOURS) break;
    x[n] = load_written4(residual + row * D + 4 * i);
#pragma unroll 4
    for (int part = 0; part < count; part++)
      x[n] = plus(x[n], load_written4(parts + (part * ROWS + row) * D + 4 * i));
    if (MIXES) *reinterpret_cast<float4*>(residual + row * D + 4 * i) = x[n];
    sum += (x[n].x + x[n].y) + (x[n].z + x[n].w);
  }
  const float mean = block_sum(sum, sums[0]) / D;
  float squares = 0;
#pragma unroll
  for (int n = 0; n < COUNT; n++) {
    if (n * MIX_THREADS + static_cast<int>(threadIdx.x) >= FOURS) break;
    x[n] = plus(x[n], make_float4(-mean, -mean, -mean, -mean));
    squares = fmaf(x[n].x, x[n].x, fmaf(x[n].y, x[n].y, squares));
    squares = fmaf(x[n].z, x[n].z, fmaf(x[n].w, x[n].w, squares));
  }
  const float by = rsqrtf(block_sum(squares, sums[1]) / D + 1e-5f);
#pragma unroll
  for (int n = 0; n < COUNT; n++) {
    const int i = n * MIX_THREADS + static_cast<int>(threadIdx.x);
    if (i >= FOURS) break;
    const float4 h = make_float4(
        fmaf(x[n].x * by, w[n].x, b[n].x), fmaf(x[n].y * by, w[n].y, b[n].y),
        fmaf(x[n].z * by, w[n].z, b[n].z), fmaf(x[n].w * by, w[n].w, b[n].w));
    uint2* to = reinterpret_cast<uint2*>(out) + row * FOURS + i;
    if (!MIXES) *to = halves_of(h);
    if (!MIXES) continue;
    float4* last = reinterpret_cast<float4*>(shift + slot * stride) + i;
    const float4 s = *last;
    *last = h;
#pragma unroll
    for (int m = 0; m < MIXES; m++) {
      const float4 mix = reinterpret_cast<const float4*>(mixes + m * D)[i];
      to[m * ROWS * FOURS] = halves_of(make_float4(
          fmaf(s.x - h.x, mix.x, h.x), fmaf(s.y - h.y, mix.y, h.y),
          fmaf(s.z - h.z, mix.z, h.z), fmaf(s.w - h.w, mix.w, h.w)));
    }
  }
}

// grid (ROWS). mixes [6][D] in the order r, w, k, v, a, g; mixed [6][ROWS][D].
KERNEL(MIX_THREADS) rows_mix_in(const int* slots, float* residual, const float* parts, int count,
                                const float* weight, const float* bias, const float* mixes,
                                float* shift, long long stride, half* mixed) {
  mix_row<6>(slots, residual, parts, count, weight, bias, mixes, shift, stride, mixed);
}
KERNEL(MIX_THREADS) rows_mix_key(const int* slots, float* residual, const float* parts, int count,
                                 const float* weight, const float* bias, const float* mixes,
                                 float* shift, long long stride, half* mixed) {
  mix_row<1>(slots, residual, parts, count, weight, bias, mixes, shift, stride, mixed);
}
KERNEL(MIX_THREADS) rows_mix_head(const int* slots, float* residual, const float* parts, int count,
                                  const float* weight, const float* bias, half* normed) {
  mix_row<0>(slots, residual, parts, count, weight, bias, nullptr, nullptr, 0, normed);
}

// ------------------------------------------------------------------ products

// The block's BLOCK_TILE rows from `first` on of a matrix [*][K], rows from `rows` on left out:
// done(row, activation row, value). Along k, blocks and warps take chunks in turn.
template <int KIND, int K, int BLOCKS, typename Done>
DEVICE void multiply_tile(Weights matrix, int first, int rows, const half* x, Done done) {
  __shared__ float memory[SIDE][ROWS * (TILE + 4)];
  const int side = warp_index() / DEEP, deep = warp_index() % DEEP;
  const int begin = static_cast<int>(blockIdx.y) + BLOCKS * deep;
  first += side * TILE;
  float sum[WARP_TILES][NT][4] = {};
  multiply<KIND, K, WARP_TILES, NT>(sum, matrix, first, rows, x, begin, K / GROUP, BLOCKS * DEEP);
  gather_shares<WARP_TILES, NT, DEEP, false>(sum, memory[side], deep, [&](int i, int row, float value) {
    if (first + i < rows) done(first + i, row, value);
  });
}

// grid (tiles of D, three times, and of every rank). matrix [3 D][D]: receptance, key, value; lora
// [RANKS][D]: w1, a1, v1, g1 transposed. rkv [ROWS][3 D]; hidden [ROWS][RANKS]: after tanh, sigmoid.
PRODUCT_KERNEL rows_in(const u8* matrix, const bf16* scales, const u8* lora, const half* mixed,
                       float* rkv, half* hidden) {
  constexpr int EACH = quotient_up(D, BLOCK_TILE);
  int tile = blockIdx.x;
  if (tile < 3 * EACH) {
    const int which = tile / EACH;
    const half* x = mixed + (which ? which + 1 : 0) * ROWS * D;
    const u64 skipped = static_cast<u64>(which) * D * D;
    const Weights third = {matrix + skipped * (MATRIX_KIND == Q4 ? 1 : MATRIX_KIND == INT8 ? 2 : 4) / 2,
                           scales + skipped / GROUP};
    multiply_tile<MATRIX_KIND, D, 1>(third, tile % EACH * BLOCK_TILE, D, x,
                                     [&](int i, int row, float value) {
                                       rkv[row * 3 * D + which * D + i] = value;
                                     });
    return;
  }
  tile -= 3 * EACH;
  int which = 0, before = 0, rank = RW;
  const auto skip = [&](int of, int next) {
    if (which != of || tile < quotient_up(rank, BLOCK_TILE)) return;
    tile -= quotient_up(rank, BLOCK_TILE);
    which++, before += rank, rank = next;
  };
  skip(0, RA), skip(1, RV), skip(2, RG);
  const int plane = which == 0 ? 1 : which == 1 ? 4 : which == 2 ? 3 : 5;
  const Weights first_half = {lora + static_cast<u64>(before) * D * 2, nullptr};
  multiply_tile<LORA_KIND, D, 1>(
      first_half, tile * BLOCK_TILE, rank, mixed + plane * ROWS * D,
      [&](int i, int row, float value) {
        hidden[row * RANKS + before + i] =
            to_half(which == 0 ? tanhf(value) : which == 3 ? sigmoid(value) : value);
      });
}

// grid (tiles of D, OUTPUT_SPLIT). matrix [D][D]; parts [OUTPUT_SPLIT][ROWS][D].
PRODUCT_KERNEL rows_output(const u8* matrix, const bf16* scales, const half* gated, float* parts) {
  float* to = parts + static_cast<int>(blockIdx.y) * ROWS * D;
  multiply_tile<MATRIX_KIND, D, OUTPUT_SPLIT>(
      {matrix, scales}, blockIdx.x * BLOCK_TILE, D, gated,
      [&](int i, int row, float value) { to[row * D + i] = value; });
}

// grid (tiles of F). matrix [F][D]; activation [ROWS][F].
PRODUCT_KERNEL rows_key(const u8* matrix, const bf16* scales, const half* mixed,
                        half* activation) {
  multiply_tile<MATRIX_KIND, D, 1>(
      {matrix, scales}, blockIdx.x * BLOCK_TILE, F, mixed, [&](int i, int row, float value) {
        value = fmaxf(value, 0.0f);
        activation[row * F + i] = to_half(fminf(value * value, 65504.0f));
      });
}

// grid (tiles of D, VALUE_SPLIT). matrix [D][F]; parts [VALUE_SPLIT][ROWS][D].
PRODUCT_KERNEL rows_value(const u8* matrix, const bf16* scales, const half* activation,
                          float* parts) {
  float* to = parts + static_cast<int>(blockIdx.y) * ROWS * D;
  multiply_tile<MATRIX_KIND, F, VALUE_SPLIT>(
      {matrix, scales}, blockIdx.x * BLOCK_TILE, D, activation,
      [&](int i, int row, float value) { to[row * D + i] = value; });
}

// grid (D / 64, VALUE_SPLIT), 128 threads. matrix [F][D] (by inputs).
KERNEL(128) rows_value_by_input(const u8* matrix, const bf16* scales, const half* activation,
                                float* parts) {
  __shared__ float memory[ROWS * (64 + 4)];
  float* to = parts + static_cast<int>(blockIdx.y) * ROWS * D;
  const int first = blockIdx.x * 64, begin = static_cast<int>(blockIdx.y) + VALUE_SPLIT * warp_index();
  float sum[4][NT][4] = {};
  multiply_by_input<MATRIX_KIND, F, D, NT>(sum, {matrix, scales}, first, activation, begin,
                                           F / GROUP, VALUE_SPLIT * 4);
  gather_shares<4, NT, 4, true>(sum, memory, warp_index(), [&](int i, int row, float value) {
    to[row * D + first + i] = value;
  });
}

// grid (tiles of V). matrix [V][D]; logits [ROWS][V].
PRODUCT_KERNEL rows_head(const u8* matrix, const bf16* scales, const half* normed, float* logits) {
  multiply_tile<HEAD_KIND, D, 1>(
      {matrix, scales}, blockIdx.x * BLOCK_TILE, V, normed, [&](int i, int row, float value) {
        logits[static_cast<u64>(row) * V + i] = value;
      });
}

// ------------------------------------------------------------------ recurrence

// out [8][64] (row, channel) += two tiles of 16 channels of a lora's second half, matrix [D][RANK],
// for the block's rows: hidden is the first one's, from this lora on. EARLY steps of 32 are loaded
// before they are used; the first before the wait.
template <int RANK> struct SecondHalf {
  static constexpr int EARLY = 2, STEPS = quotient_up(RANK, 32);
  uint4 w[EARLY][2][2];
  const u8* matrix;
  int q;

  __device__ __forceinline__ void fetch(int from) {
#pragma unroll
    for (int s = 0; s < EARLY; s++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int k = 32 * (from + s) + 8 * q;
        w[s][i / 2][i % 2] = k < RANK ? load_streamed(matrix + (8 * i * RANK + k) * 2)
                                      : make_uint4(0, 0, 0, 0);
      }
  }
  __device__ __forceinline__ void start(const u8* of, int channel) {
    q = lane_index() & 3;
    matrix = of + static_cast<u64>(channel + (lane_index() >> 2)) * RANK * 2;
    fetch(0);
  }
  __device__ __forceinline__ void finish(const half* hidden, float* out) {
    float sum[2][4] = {};
    const int g = lane_index() >> 2;
#pragma unroll 1
    for (int from = 0; from < STEPS; from += EARLY) {
#pragma unroll
      for (int s = 0; s < EARLY; s++) {
        const int k = 32 * (from + s) + 8 * q;
        const uint4 x = g < GROUP_ROWS && k < RANK ? load_written16(hidden + g * RANKS + k)
                                                   : make_uint4(0, 0, 0, 0);
#pragma unroll
        for (int m = 0; m < 2; m++) {
          const uint4 a = weights(w[s][m][0]), b = weights(w[s][m][1]);
          mma_fp16(sum[m], {a.x, b.x, a.y, b.y}, {x.x, x.y});
          mma_fp16(sum[m], {a.z, b.z, a.w, b.w}, {x.z, x.w});
        }
      }
      fetch(from + EARLY);
    }
#pragma unroll
    for (int i = 0; i < 8; i++) {
      const int row = 2 * q + i % 2;
      if (row < GROUP_ROWS) out[row * 64 + 16 * (i / 4) + 8 * (i / 2 % 2) + g] = sum[i / 4][i % 4];
    }
  }
  static __device__ __forceinline__ uint4 weights(uint4 x) {
    if (LORA_KIND != BF16) return x;
    return make_uint4(bf16_to_halves(x.x), bf16_to_halves(x.y), bf16_to_halves(x.z),
                      bf16_to_halves(x.w));
  }
};
template <int RANK, typename Meanwhile>
DEVICE void second_half(const u8* matrix, int channel, const half* hidden, float* out,
                        Meanwhile meanwhile) {
  SecondHalf<RANK> lora;
  lora.start(matrix, channel);
  meanwhile();
  wait_for_previous();
  lora.finish(hidden, out);
}

// What the recurrence of a row and head takes, and v and y.
struct HeadVectors {
  float r[64], w[64], k[64], removed[64], added[64], v[64], y[64];
};

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
  // rkv, v_first: the row's, at the channel. loras: at the channel's place, `between` them.
  __device__ __forceinline__ void prepare(HeadVectors& to, int at, const float* rkv,
                                          float* v_first, bool makes_first, const float* loras,
                                          int between) {
    const float2 r = *reinterpret_cast<const float2*>(rkv);
    const float2 k = *reinterpret_cast<const float2*>(rkv + D);
    v = *reinterpret_cast<const float2*>(rkv + 2 * D);
    const float* rate = loras + between;
    const float* blend = loras + 2 * between;
    float2* first = reinterpret_cast<float2*>(v_first);
    if (makes_first) {
      *first = v;
    } else {
      const float2 other = *first;
      v.x = fmaf(other.x - v.x, sigmoid(v0.x + blend[0]), v.x);
      v.y = fmaf(other.y - v.y, sigmoid(v0.y + blend[1]), v.y);
    }
    const float ax = sigmoid(a0.x + rate[0]), ay = sigmoid(a0.y + rate[1]);
    float2 kk = make_float2(k.x * k_k.x, k.y * k_k.y);
    const float length = sqrtf(warp_sum(fmaf(kk.x, kk.x, kk.y * kk.y)));
    const float by = 1.0f / fmaxf(length, 1e-12f);
    kk.x *= by, kk.y *= by;
    const float2 key = make_float2(fmaf(k.x, (ax - 1.0f) * k_a.x, k.x),
                                   fmaf(k.y, (ay - 1.0f) * k_a.y, k.y));
    bonus = warp_sum(fmaf(r.x * key.x, r_k.x, r.y * key.y * r_k.y));
    to.r[at] = r.x, to.r[at + 1] = r.y;
    to.w[at] = decay(w0.x + loras[0]), to.w[at + 1] = decay(w0.y + loras[1]);
    to.k[at] = key.x, to.k[at + 1] = key.y;
    to.removed[at] = -kk.x, to.removed[at + 1] = -kk.y;
    to.added[at] = kk.x * ax, to.added[at + 1] = kk.y * ay;
    to.v[at] = v.x, to.v[at + 1] = v.y;
  }
  // Norm of y over the head, bonus, gate (at the channel's place).
  __device__ __forceinline__ u32 gated(const HeadVectors& from, int at, const float* gate) const {
    const float x = from.y[at], y = from.y[at + 1];
    const float mean = warp_sum(x + y) * (1.0f / 64);
    const float a = x - mean, b = y - mean;
    const float by = rsqrtf(warp_sum(fmaf(a, a, b * b)) * (1.0f / 64) + 64e-5f);
    return half2_of(fmaf(bonus, v.x, fmaf(a * by, weight.x, bias.x)) * gate[0],
                    fmaf(bonus, v.y, fmaf(b * by, weight.y, bias.y)) * gate[1]);
  }
};

// A warp's share of a row's and head's state [64 values][64 keys]: four values at a time, eight lanes
// each, as many passes; EARLY of them are loaded before they are used.
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

// grid (D / 64, ROWS / GROUP_ROWS). w2, a2, v2, g2 [D][rank]; vectors [10][D]: w0, a0, v0, k_k, k_a, r_k,
// ln_x's weight and bias, ...; state: of slot 0 and this layer, [D / 64][64][64], `stride` floats from one
// slot to the next; v_first [ROWS][D], made by layer 0; gated [ROWS][D].
extern "C" __global__ void __launch_bounds__(32 * RECUR_WARPS, 2)
    rows_recur(long long layer, const int* slots, const float* rkv, const half* hidden,
               const u8* w2, const u8* a2, const u8* v2, const u8* g2, const float* vectors,
               float* state, long long stride, float* v_first, half* gated) {
  __shared__ float loras[4][GROUP_ROWS * 64];
  __shared__ __align__(16) HeadVectors heads[GROUP_ROWS];
  const int warp = warp_index(), mine = warp / SHARERS, share = warp % SHARERS;
  const int first = blockIdx.y * GROUP_ROWS, row = first + mine, head = blockIdx.x;
  const int channel = head * 64 + 2 * lane_index();
  dependents_may_start();
  bool is_empty = true;
#pragma unroll
  for (int i = 0; i < GROUP_ROWS; i++) is_empty = is_empty && load_fresh(slots + first + i) < 0;
  if (is_empty) return;
  const int slot = load_fresh(slots + row);
  StateShare s;
  ChannelPair pair;
  const auto meanwhile = [&] {
    if (slot < 0) return;
    s.start(state + slot * stride + head * 64 * 64, share);
    if (share == 0) pair.fetch(vectors, channel);
  };
  const half* from = hidden + first * RANKS;
  const int which = warp / 2, tile = head * 64 + warp % 2 * 32;
  float* out = loras[which] + warp % 2 * 32;
  if (which == 0) second_half<RW>(w2, tile, from, out, meanwhile);
  else if (which == 1) second_half<RA>(a2, tile, from + RW, out, meanwhile);
  else if (which == 2) second_half<RV>(v2, tile, from + RW + RA, out, meanwhile);
  else second_half<RG>(g2, tile, from + RW + RA + RV, out, meanwhile);
  __syncthreads();
  const int at = 2 * lane_index();
  const float* own = loras[0] + mine * 64 + at;
  if (share == 0 && slot >= 0)
    pair.prepare(heads[mine], at, rkv + row * 3 * D + channel, v_first + row * D + channel,
                 layer == 0, own, GROUP_ROWS * 64);
  __syncthreads();
  if (slot >= 0) s.finish(heads[mine], share);
  __syncthreads();
  if (share == 0 && slot >= 0)
    *reinterpret_cast<u32*>(gated + row * D + channel) =
        pair.gated(heads[mine], at, own + 3 * GROUP_ROWS * 64);
}
