// One token of each of up to ROWS chats through RWKV-7: seven kernels a layer, every weight read
// once for all rows. Follows on gemv.cuh, rows_product.cuh and rows_by_input.cuh; rows_recur.cu
// follows.
//
//   rows_embed     residual = rows of the table, normed
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
// Of the macros, ROWS (8, 16, 32, 64), WIDTH, FFN, VOCAB, RANK_W, RANK_A, RANK_V, RANK_G (multiples
// of 8) and the Kinds MATRIX_KIND, LORA_KIND, HEAD_KIND say what is computed. How it is cut:
// IN_SHAPE, OUTPUT_SHAPE, KEY_SHAPE, VALUE_SHAPE and HEAD_SHAPE (the numbers of a Shape),
// LORA_TILES (the tiles of rows_in's loras), OUTPUT_SPLIT and VALUE_SPLIT (blocks along k),
// EARLY_STAGES (of weights, before the wait at most), WEIGHT_LINE (of a product's weights, see
// cp_async_line), RECUR_AHEAD (bytes of the output matrix that rows_recur fetches to L2), IN_STATES
// and RECUR_STATES (1: rows_in at its end, or rows_recur before it waits, fetches states to L2),
// RECUR_CUT (the numbers of a RecurCut) and GROUP_ROWS (rows of a block of rows_recur: 2, 4, 8).
// VALUE_BY_INPUT: how the value matrix lies.

constexpr int D = WIDTH, F = FFN, V = VOCAB;
constexpr int RW = RANK_W, RA = RANK_A, RV = RANK_V, RG = RANK_G, RANKS = RW + RA + RV + RG;
constexpr int NT = ROWS / ROW_TILE;
constexpr int MIX_THREADS = D > 1024 ? 512 : 256;
using In = Shape<IN_SHAPE>;
using Lora = In::WithTiles<LORA_TILES>;
using Output = Shape<OUTPUT_SHAPE>;
using Key = Shape<KEY_SHAPE>;
using Value = Shape<VALUE_SHAPE>;
using Head = Shape<HEAD_SHAPE>;

#define PRODUCT_KERNEL(CUT) \
  extern "C" __global__ void __launch_bounds__( \
      CUT::THREADS, ROWS > 32 || CUT::THREADS > 256 ? 1 : 2)

// ------------------------------------------------------------------ ends of a step

// grid (ROWS). tokens [ROWS]; table [V][D] fp16, may be in the host's memory; norms [V], ln0 [2][D]:
// see weights.py.
KERNEL(128) rows_embed(const int* tokens, const int* slots, const u8* table, const float2* norms,
                       const float* ln0, float* residual) {
  start_next_and_wait();
  const int row = blockIdx.x;
  if (load_fresh(slots + row) < 0) return;
  const u64 id = load_fresh(tokens + row);
  const u8* from = table + id * D * 2;
  const float2 by = norms[id], *scales = reinterpret_cast<const float2*>(ln0);
  for (int i = threadIdx.x; i < D / 8; i += 128) {
    const uint4 eight = load_streamed(from + 16 * i);
    const u32 words[4] = {eight.x, eight.y, eight.z, eight.w};
    float2* to = reinterpret_cast<float2*>(residual + row * D) + 4 * i;
#pragma unroll
    for (int n = 0; n < 4; n++) {
      const float2 x = to_float2(words[n]), scale = scales[4 * i + n];
      const float2 bias = scales[D / 2 + 4 * i + n];
      to[n] = make_float2(fmaf(fmaf(x.x, by.x, by.y), scale.x, bias.x),
                          fmaf(fmaf(x.y, by.x, by.y), scale.y, bias.y));
    }
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

// Four numbers' DIGITS, ROWS * FOURS from one another.
template <int DIGITS> DEVICE void put_digits(uint2* to, float4 x) {
  to[0] = halves_of(x);
  if (DIGITS == 2)
    to[ROWS * (D / 4)] = halves_of(make_float4(rest_of(x.x), rest_of(x.y), rest_of(x.z),
                                               rest_of(x.w)));
}

// A block a row. parts [count][ROWS][D]; out [MIXES][DIGITS][ROWS][D]; shift: of slot 0 and this
// layer, `stride` floats from one slot to the next. MIXES 0: no shift, h itself.
template <int MIXES, int DIGITS>
DEVICE void mix_row(const int* slots, float* residual, const float* parts, int count,
                    const float* weight, const float* bias, const float* mixes, float* shift,
                    long long stride, half* out) {
  constexpr int FOURS = D / 4, COUNT = quotient_up(FOURS, MIX_THREADS);
  __shared__ float sums[2][MIX_THREADS / 32];
  const int row = blockIdx.x;
  const auto place = [](int n) { return n * MIX_THREADS + static_cast<int>(threadIdx.x); };
  dependents_may_start();
  float4 w[COUNT], b[COUNT], mix[COUNT][MIXES ? MIXES : 1];
#pragma unroll
  for (int n = 0; n < COUNT; n++) {
    if (place(n) >= FOURS) break;
    w[n] = reinterpret_cast<const float4*>(weight)[place(n)];
    b[n] = reinterpret_cast<const float4*>(bias)[place(n)];
#pragma unroll
    for (int m = 0; m < MIXES; m++)
      mix[n][m] = reinterpret_cast<const float4*>(mixes + m * D)[place(n)];
  }
  // The state is not written by the kernels that may still run: early, too.
  const int slot = load_fresh(slots + row);
  float4 x[COUNT], last[COUNT];
#pragma unroll
  for (int n = 0; n < COUNT; n++) {
    if (!MIXES || slot < 0 || place(n) >= FOURS) break;
    last[n] = load_written4(shift + slot * stride + 4 * place(n));
  }
  wait_for_previous();
  if (slot < 0) return;
  float sum = 0;
#pragma unroll
  for (int n = 0; n < COUNT; n++) {
    x[n] = make_float4(0, 0, 0, 0);
    if (place(n) >= FOURS) break;
    const int at = row * D + 4 * place(n);
    x[n] = load_written4(residual + at);
#pragma unroll 4
    for (int part = 0; part < count; part++)
      x[n] = plus(x[n], load_written4(parts + part * ROWS * D + at));
    if (MIXES) *reinterpret_cast<float4*>(residual + at) = x[n];
    sum += (x[n].x + x[n].y) + (x[n].z + x[n].w);
  }
  const float mean = block_sum(sum, sums[0]) / D;
  float squares = 0;
#pragma unroll
  for (int n = 0; n < COUNT; n++) {
    if (place(n) >= FOURS) break;
    x[n] = plus(x[n], make_float4(-mean, -mean, -mean, -mean));
    squares = fmaf(x[n].x, x[n].x, fmaf(x[n].y, x[n].y, squares));
    squares = fmaf(x[n].z, x[n].z, fmaf(x[n].w, x[n].w, squares));
  }
  const float by = rsqrtf(block_sum(squares, sums[1]) / D + 1e-5f);
#pragma unroll
  for (int n = 0; n < COUNT; n++) {
    if (place(n) >= FOURS) break;
    const float4 h = make_float4(
        fmaf(x[n].x * by, w[n].x, b[n].x), fmaf(x[n].y * by, w[n].y, b[n].y),
        fmaf(x[n].z * by, w[n].z, b[n].z), fmaf(x[n].w * by, w[n].w, b[n].w));
    uint2* to = reinterpret_cast<uint2*>(out) + row * FOURS + place(n);
    if (!MIXES) put_digits<DIGITS>(to, h);
    if (!MIXES) continue;
    *reinterpret_cast<float4*>(shift + slot * stride + 4 * place(n)) = h;
    const float4 d = plus(last[n], make_float4(-h.x, -h.y, -h.z, -h.w));
#pragma unroll
    for (int m = 0; m < MIXES; m++) {
      const float4 by_m = mix[n][m];
      put_digits<DIGITS>(to + m * DIGITS * ROWS * FOURS,
                         make_float4(fmaf(d.x, by_m.x, h.x), fmaf(d.y, by_m.y, h.y),
                                     fmaf(d.z, by_m.z, h.z), fmaf(d.w, by_m.w, h.w)));
    }
  }
}

// grid (ROWS). mixes [6][D] in the order r, w, k, v, a, g; mixed [6][digits][ROWS][D].
KERNEL(MIX_THREADS) rows_mix_in(const int* slots, float* residual, const float* parts, int count,
                                const float* weight, const float* bias, const float* mixes,
                                float* shift, long long stride, half* mixed) {
  mix_row<6, In::DIGITS>(slots, residual, parts, count, weight, bias, mixes, shift, stride, mixed);
}
KERNEL(MIX_THREADS) rows_mix_key(const int* slots, float* residual, const float* parts, int count,
                                 const float* weight, const float* bias, const float* mixes,
                                 float* shift, long long stride, half* mixed) {
  mix_row<1, Key::DIGITS>(slots, residual, parts, count, weight, bias, mixes, shift, stride, mixed);
}
KERNEL(MIX_THREADS) rows_mix_head(const int* slots, float* residual, const float* parts, int count,
                                  const float* weight, const float* bias, half* normed) {
  mix_row<0, Head::DIGITS>(slots, residual, parts, count, weight, bias, nullptr, nullptr, 0,
                           normed);
}

// ------------------------------------------------------------------ products

struct Nothing {
  __device__ __forceinline__ void operator()() const {}
};

// The block's tile of a matrix [*][K], from row `first` on; rows from `rows` on are left out:
// done(row, activation row, value). Of PARTS along k it has the part blockIdx.y.
template <int KIND, int K, typename Cut, int PARTS, typename Done, typename Spare = Nothing>
DEVICE void multiply_tile(Weights matrix, int first, int rows, const half* x, Done done,
                          Spare spare = {}) {
  constexpr int EACH = 16 * Cut::TILES;
  u8* memory = dynamic_shared<u8>();
  TileByRows<KIND, K, ROWS, PARTS, Cut> tile(matrix, first, rows, memory);
  go_along<PARTS>(tile, memory, x, blockIdx.y, spare);
  const int side = warp_index() / Cut::DEEP;
  first += side * EACH;
  gather_shares<Cut::TILES, NT, Cut::DEEP, Cut::SIDE, Cut::BYTES, false>(
      tile.sum, memory, side, warp_index() % Cut::DEEP, [&](int i, int row, float value) {
        if (first + i < rows) done(first + i, row, value);
      });
}

// grid (tiles of every rank, and of D, three times). matrix [3 D][D]: receptance, key, value; lora
// [RANKS][D]: w1, a1, v1, g1 transposed. rkv [ROWS][3 D]; hidden [ROWS][RANKS]: after tanh and
// sigmoid. slots, state: of rows_recur, whose states are fetched to L2 at the end if IN_STATES.
PRODUCT_KERNEL(In) rows_in(const u8* matrix, const bf16* scales, const u8* lora,
                           const half* mixed, float* rkv, half* hidden, const int* slots,
                           const float* state, long long stride) {
  constexpr int EACH = quotient_up(D, In::HEIGHT);
  int tile = blockIdx.x, which = 0, before = 0, rank = RW;
  const auto skip = [&](int of, int next) {
    if (which != of || tile < quotient_up(rank, Lora::HEIGHT)) return;
    tile -= quotient_up(rank, Lora::HEIGHT);
    which++, before += rank, rank = next;
  };
  skip(0, RA), skip(1, RV), skip(2, RG), skip(3, 0);
  const auto spare = [&]() {
    for (int i = blockIdx.x + gridDim.x * threadIdx.x; IN_STATES && i < ROWS * (D / 64);
         i += gridDim.x * In::THREADS) {
      const int slot = load_fresh(slots + i / (D / 64));
      if (slot >= 0) prefetch_l2(state + slot * stride + i % (D / 64) * 64 * 64, 64 * 64 * 4);
    }
  };
  if (which == 4) {
    which = tile / EACH;
    const half* x = mixed + (which ? which + 1 : 0) * In::DIGITS * ROWS * D;
    constexpr u64 THIRD = static_cast<u64>(D) * D;
    const Weights third = {matrix + which * (THIRD / 2 * bytes_of(MATRIX_KIND, 2)),
                           scales + which * THIRD / GROUP};
    multiply_tile<MATRIX_KIND, D, In, 1>(
        third, tile % EACH * In::HEIGHT, D, x,
        [&](int i, int row, float value) { rkv[row * 3 * D + which * D + i] = value; }, spare);
    return;
  }
  const int plane = which == 0 ? 1 : which == 1 ? 4 : which == 2 ? 3 : 5;
  const Weights first_half = {lora + static_cast<u64>(before) * D * 2, nullptr};
  multiply_tile<LORA_KIND, D, Lora, 1>(
      first_half, tile * Lora::HEIGHT, rank, mixed + plane * In::DIGITS * ROWS * D,
      [&](int i, int row, float value) {
        hidden[row * RANKS + before + i] =
            to_half(which == 0 ? tanhf(value) : which == 3 ? sigmoid(value) : value);
      },
      spare);
}

// grid (tiles of D, OUTPUT_SPLIT). matrix [D][D]; parts [OUTPUT_SPLIT][ROWS][D].
PRODUCT_KERNEL(Output) rows_output(const u8* matrix, const bf16* scales, const half* gated,
                                   float* parts) {
  float* to = parts + static_cast<int>(blockIdx.y) * ROWS * D;
  multiply_tile<MATRIX_KIND, D, Output, OUTPUT_SPLIT>(
      {matrix, scales}, blockIdx.x * Output::HEIGHT, D, gated,
      [&](int i, int row, float value) { to[row * D + i] = value; });
}

// grid (tiles of F). matrix [F][D]; activation [digits][ROWS][F].
PRODUCT_KERNEL(Key) rows_key(const u8* matrix, const bf16* scales, const half* mixed,
                             half* activation) {
  multiply_tile<MATRIX_KIND, D, Key, 1>(
      {matrix, scales}, blockIdx.x * Key::HEIGHT, F, mixed, [&](int i, int row, float value) {
        value = fmaxf(value, 0.0f);
        value = fminf(value * value, 65504.0f);
        activation[row * F + i] = to_half(value);
        if (Value::DIGITS == 2) activation[(ROWS + row) * F + i] = to_half(rest_of(value));
      });
}

// grid (tiles of D, VALUE_SPLIT). matrix [D][F]; parts [VALUE_SPLIT][ROWS][D].
#ifndef VALUE_BY_INPUT
PRODUCT_KERNEL(Value) rows_value(const u8* matrix, const bf16* scales, const half* activation,
                                 float* parts) {
  float* to = parts + static_cast<int>(blockIdx.y) * ROWS * D;
  multiply_tile<MATRIX_KIND, F, Value, VALUE_SPLIT>(
      {matrix, scales}, blockIdx.x * Value::HEIGHT, D, activation,
      [&](int i, int row, float value) { to[row * D + i] = value; });
}
#else

// The same of a matrix by inputs [F][D].
PRODUCT_KERNEL(Value) rows_value_by_input(const u8* matrix, const bf16* scales,
                                          const half* activation, float* parts) {
  u8* memory = dynamic_shared<u8>();
  float* to = parts + static_cast<int>(blockIdx.y) * ROWS * D;
  int first = blockIdx.x * Value::HEIGHT;
  TileByInputs<MATRIX_KIND, F, D, ROWS, Value> tile({matrix, scales}, first);
  go_along<VALUE_SPLIT>(tile, memory, activation, blockIdx.y, Nothing{});
  const int side = warp_index() / Value::DEEP;
  first += side * 16 * Value::TILES;
  gather_shares<Value::TILES, NT, Value::DEEP, Value::SIDE, Value::BYTES, scaled(MATRIX_KIND)>(
      tile.sum, memory, side, warp_index() % Value::DEEP,
      [&](int i, int row, float value) { to[row * D + first + i] = value; });
}
#endif

// grid (tiles of V). matrix [V][D]; logits [ROWS][V].
PRODUCT_KERNEL(Head) rows_head(const u8* matrix, const bf16* scales, const half* normed,
                               float* logits) {
  multiply_tile<HEAD_KIND, D, Head, 1>(
      {matrix, scales}, blockIdx.x * Head::HEIGHT, V, normed, [&](int i, int row, float value) {
        logits[static_cast<u64>(row) * V + i] = value;
      });
}
