// One token through RWKV-7, batch 1: five kernels a layer, one before all layers, one after.
// Follows on device.cuh and gemv.cuh. The residual, the state and every sum are fp32.
//
//   embed      residual = row of the table, normed
//   mix_in     norm, shift, six mixes; receptance, key, value and the loras' first halves
//   recur      the state's step, in decode_recur.cu, which follows
//   output     norm of what was read; residual += output matrix * that
//   key        norm, shift, mix; relu(key matrix * mixed)^2
//   value, or value_sparse: residual += value matrix * that
//   head       norm; logits
//
// If NORM_APART, those norms, shifts and mixes are kernels of their own (norm_in, norm_key,
// norm_head), two more a layer: no block of a product then reads what they are made of.
//
// Of the macros, WIDTH, FFN, VOCAB, RANK_W, RANK_A, RANK_V, RANK_G (multiples of 8) and the Kinds
// KIND, LORA, HEAD_KIND say what the model is; BLOCK_WARPS (a block of the products), OUTPUT_WARPS (of output),
// RESIDENT_WARPS (of an SM, by registers), NORM_APART, VALUE_GROUPS (of 64 inputs, of a block of
// value_sparse), VALUE_TILE (its columns), VALUE_WARPS, VALUE_PARTS (its blocks to a column, or 0:
// dense), VALUE_SPLIT (warps to a row of value), RECUR_SPLIT (blocks to a head: 1, 2 or 4), NORM_THREADS and
// NORM_CHANNELS (of a block of the norms) how it is cut.
// Launched as dependent on one another: what is read before the wait is weights, and state of the
// step before.

constexpr int D = WIDTH, F = FFN, V = VOCAB, RW = RANK_W, RA = RANK_A, RV = RANK_V, RG = RANK_G;
constexpr int RANKS = RW + RA + RV + RG, THREADS = BLOCK_WARPS * 32;

// Two kernels can be on an SM at a time: the next one's weights come while this one ends.
#define PRODUCT_KERNEL \
  extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT_WARPS / BLOCK_WARPS)

// Rows at a time of the products that end in the residual: all blocks are to be there at once.
constexpr int ADDED_ROWS = D >= 4096 ? 2 : 1;

// The loras' numbers.
template <int OF> struct NumberOf { typedef half type; };
template <> struct NumberOf<BF16> { typedef bf16 type; };
typedef NumberOf<LORA>::type LoraNumber;

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

// Inputs that a norm's kernel has made lie D floats apart, each as its product wants it: of mix_in
// those of receptance, key, value and, for the loras, of w, a, v, g.
constexpr int NORM_FOURS = NORM_CHANNELS / 4;  // a block's own channels, by fours
#define NORM_KERNEL KERNEL(NORM_THREADS)

// The residual's fours 4 i .. 4 i + 3, with what the sparse value product before has yet to add
// (parts null: nothing).
DEVICE float4 whole_residual(const float* residual, const float* parts, int i) {
  float4 x = load_written4(residual + 4 * i);
#if VALUE_PARTS
  if (parts) {
    float4 part[VALUE_PARTS];
#pragma unroll
    for (int n = 0; n < VALUE_PARTS; n++) part[n] = load_written4(parts + n * D + 4 * i);
#pragma unroll
    for (int n = 0; n < VALUE_PARTS; n++)
      x.x += part[n].x, x.y += part[n].y, x.z += part[n].z, x.w += part[n].w;
  }
#endif
  return x;
}

// Make COUNT inputs of the residual, the first PRODUCTS as OF wants them, the others as LORA does.
// A block has NORM_FOURS of the channels, and all for the sums. mixes [6][D], or null: none. whole:
// gets the residual where parts of it are still to be added, or null.
template <int OF, int COUNT, int PRODUCTS>
DEVICE void make_inputs(const float* residual, const float* parts, float* whole,
                        const float* weight, const float* bias,
                        const float* mixes, const float* shift, float* normed, float* inputs) {
  constexpr int EACH = NORM_THREADS / NORM_FOURS, TURNS = quotient_up(COUNT, EACH);
  __shared__ float2 sums[NORM_THREADS / 32];
  __shared__ float4 own[NORM_FOURS];
  const int i = blockIdx.x * NORM_FOURS + threadIdx.x % NORM_FOURS, of = threadIdx.x / NORM_FOURS;
  const bool valid = i < D / 4;
  const float4 none = make_float4(0, 0, 0, 0);
  float4 w = none, b = none, s = none, m[TURNS];
  dependents_may_start();
  if (valid) {
    w = reinterpret_cast<const float4*>(weight)[i], b = reinterpret_cast<const float4*>(bias)[i];
    if (mixes) s = load_written4(shift + 4 * i);
  }
#pragma unroll
  for (int n = 0; n < TURNS; n++) {
    const int input = n * EACH + of;
    const int row = COUNT == 1 ? 0 : (0x5341320 >> 4 * input) & 7;  // r k v, w a v g
    const bool mixed = valid && mixes && input < COUNT;
    m[n] = mixed ? reinterpret_cast<const float4*>(mixes)[row * (D / 4) + i] : none;
  }
  wait_for_previous();
  float4 all[quotient_up(D / 4, NORM_THREADS)];
  const float2 norm = mean_and_scale<D, NORM_THREADS>(all, sums, [&](int n) {
    const float4 x = whole_residual(residual, parts, n);
    if (n / NORM_FOURS == blockIdx.x) own[n % NORM_FOURS] = x;
    return x;
  });
  float4 h = valid ? own[i % NORM_FOURS] : none;
  if (whole && valid && of == 0) reinterpret_cast<float4*>(whole)[i] = h;
  h.x = (h.x - norm.x) * norm.y, h.y = (h.y - norm.x) * norm.y;
  h.z = (h.z - norm.x) * norm.y, h.w = (h.w - norm.x) * norm.y;
  if (valid && mixes && of == 0) reinterpret_cast<float4*>(normed)[i] = h;
  h.x = fmaf(h.x, w.x, b.x), h.y = fmaf(h.y, w.y, b.y);
  h.z = fmaf(h.z, w.z, b.z), h.w = fmaf(h.w, w.w, b.w);
#pragma unroll
  for (int n = 0; n < TURNS; n++) {
    const int input = n * EACH + of;
    float4 x;
    x.x = fmaf(s.x - h.x, m[n].x, h.x), x.y = fmaf(s.y - h.y, m[n].y, h.y);
    x.z = fmaf(s.z - h.z, m[n].z, h.z), x.w = fmaf(s.w - h.w, m[n].w, h.w);
    float4* to = reinterpret_cast<float4*>(inputs) + input * (D / 4);
    if (input < PRODUCTS)
      put_activations<OF, D>(to, i, x, valid);
    else if (input < COUNT)
      put_activations<LORA, D>(to, i, x, valid);
  }
}

// Rows [begin, end) of a matrix times what `mix` makes of the residual, or an input that a norm's
// kernel has made of it. memory: shared, so much:
template <int K_OF> DEVICE constexpr int mixed_fours() {
  return activation_bytes<K_OF, D>() / 16 + (NORM_APART ? 0 : scaled(K_OF) ? D / 2 : D / 4);
}
template <int K_OF, typename Done>
DEVICE void multiply_mixed(Weights matrix, int begin, int end, const Mix& mix,
                           const float* residual, float* normed, const float* input,
                           float4* memory, Done done) {
  typedef Rows<K_OF, D> Product;
  dependents_may_start();
  Product product;
  product.start(matrix, begin + warp_index() * Product::R, end, BLOCK_WARPS * Product::R);
  float4* x = memory;
  if constexpr (NORM_APART) {
    constexpr int FOURS = activation_bytes<K_OF, D>() / 16;
    wait_for_previous();
#pragma unroll 4
    for (int n = 0; n < quotient_up(FOURS, THREADS); n++) {
      const int i = n * THREADS + threadIdx.x;
      if (i < FOURS) x[i] = load_written4(input + 4 * i);
    }
    __syncthreads();
  } else {
    float4 *a = x + activation_bytes<K_OF, D>() / 16, *c = a + D / 4;
    __shared__ float2 sums[BLOCK_WARPS];
    typedef Mixed<K_OF, D, THREADS> Input;
    Input::prepare(mix, a, c, x);
    wait_for_previous();
    Input::finish(residual, a, c, x, sums, normed);
  }
  product.finish(x, done);
}

// matrix [V][D]; `rows` a block. logits [V].
PRODUCT_KERNEL head(const u8* matrix, const bf16* scales, const float* residual,
                    const float* weight, const float* bias, const float* input, float* logits,
                    long long rows) {
  __shared__ float4 memory[mixed_fours<HEAD_KIND>()];
  const int begin = blockIdx.x * static_cast<int>(rows);
  multiply_mixed<HEAD_KIND>({matrix, scales}, begin, min(V, begin + static_cast<int>(rows)),
                            {weight, bias, nullptr, nullptr}, residual, nullptr, input, memory,
                            [&](int row, float y) { logits[row] = y; });
}

NORM_KERNEL norm_head(const float* residual, const float* parts, const float* weight,
                      const float* bias, float* input) {
  make_inputs<HEAD_KIND, 1, 1>(residual, parts, nullptr, weight, bias, nullptr, nullptr, nullptr, input);
}

// ------------------------------------------------------------------ time mix

// inputs [7][D]: what mix_in takes.
NORM_KERNEL norm_in(const float* residual, const float* parts, float* whole, const float* weight,
                    const float* bias, const float* mixes, const float* shift, float* normed, float* inputs) {
  make_inputs<KIND, 7, 3>(residual, parts, whole, weight, bias, mixes, shift, normed, inputs);
}

// matrix [3 D][D]: receptance, key, value; lora [RANKS][D]: w1, a1, v1, g1, transposed; mixes [6][D]
// in the order r, w, k, v, a, g; shift [D]. rkv [3][D]; hidden [2][RANKS]: after tanh and sigmoid,
// each as two numbers of 16 bits, the second what the first lacks.
// `rows` of the matrix and `lora_rows` a block.
PRODUCT_KERNEL mix_in(const u8* matrix, const bf16* scales, const u8* lora, const float* residual,
                      const float* weight, const float* bias, const float* mixes,
                      const float* shift, const float* inputs, float* normed, float* rkv,
                      LoraNumber* hidden, long long rows, long long lora_rows) {
  constexpr int FOURS = mixed_fours<KIND>(), LORA_FOURS = mixed_fours<LORA>();
  __shared__ float4 memory[FOURS > LORA_FOURS ? FOURS : LORA_FOURS];
  const int each = quotient_up(D, static_cast<int>(rows));
  int tile = blockIdx.x;
  if (tile < 3 * each) {
    const int part = tile / each, begin = part * D + tile % each * static_cast<int>(rows);
    const Mix mix = {weight, bias, mixes + (part ? part + 1 : 0) * D, shift};
    multiply_mixed<KIND>({matrix, scales}, begin,
                         min(part * D + D, begin + static_cast<int>(rows)), mix, residual, normed,
                         inputs + part * D, memory, [&](int row, float y) { rkv[row] = y; });
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
                       inputs + (3 + which) * D, memory, [&](int row, float y) {
                         y = which == 0 ? tanhf(y) : which == 3 ? sigmoid(y) : y;
                         const LoraNumber high = from_float<LoraNumber>(y);
                         hidden[row] = high;
                         hidden[RANKS + row] = from_float<LoraNumber>(y - to_float(high));
                       });
}

// ------------------------------------------------------------------ products into the residual

// residual [D] += matrix [D][K] * v [K], by WARPS, SPLIT of them to a row. take(i, valid): the fours 4 i ..
// 4 i + 3 of v, asked for by all lanes of a warp, whose i's follow one another.
template <int K, int WARPS, int SPLIT, typename Take>
DEVICE void add_product(Weights matrix, float* residual, AHEAD_PARAMETERS, Take take) {
  typedef Rows<KIND, K, SPLIT, ADDED_ROWS> Product;
  __shared__ float4 x[activation_bytes<KIND, K>() / 16];
  __shared__ float parts[WARPS][Product::R];
  const int row = (blockIdx.x * (WARPS / SPLIT) + warp_index() / SPLIT) * Product::R;
  const int mine = row + lane_index() / (32 / Product::R);
  const bool writes = lane_index() % (32 / Product::R) == 0 && mine < D;
  dependents_may_start();
  Product product;
  product.start(matrix, row, min(row + Product::R, D), Product::R, warp_index() % SPLIT);
  wait_for_previous();
  if (lane_index() == 0)
    FETCH_AHEAD(blockIdx.x * WARPS + warp_index(), gridDim.x * WARPS);
  const float before = writes && warp_index() % SPLIT == 0 ? load_written(residual + mine) : 0.0f;
#pragma unroll 4
  for (int n = 0; n < quotient_up(K / 4, WARPS * 32); n++) {
    const int i = n * WARPS * 32 + threadIdx.x;
    put_activations<KIND, K>(x, i, take(i, i < K / 4), i < K / 4);
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

// (y - mean) / deviation * a + b of a head of 64 values: four of each of 16 lanes.
DEVICE float4 head_norm(float4 y, float4 a, float4 b) {
  float sum = (y.x + y.y) + (y.z + y.w);
  float squares = fmaf(y.x, y.x, fmaf(y.y, y.y, fmaf(y.z, y.z, y.w * y.w)));
#pragma unroll
  for (int step = 8; step; step >>= 1) {
    sum += __shfl_xor_sync(ALL_LANES, sum, step);
    squares += __shfl_xor_sync(ALL_LANES, squares, step);
  }
  const float mean = sum / 64.0f, variance = fmaxf(squares / 64.0f - mean * mean, 0.0f);
  const float by = rsqrtf(variance + 64e-5f);
  return make_float4(fmaf((y.x - mean) * by, a.x, b.x), fmaf((y.y - mean) * by, a.y, b.y),
                     fmaf((y.z - mean) * by, a.z, b.z), fmaf((y.w - mean) * by, a.w, b.w));
}

// read [3][D]: see recur. Of OUTPUT_WARPS: each block reads all of it.
extern "C" __global__ void __launch_bounds__(OUTPUT_WARPS * 32, 32 / OUTPUT_WARPS)
    output(const u8* matrix, const bf16* scales, const float* read, float* residual,
           AHEAD_PARAMETERS) {
  add_product<D, OUTPUT_WARPS, 1>({matrix, scales}, residual, ahead, ahead_shape, then, then_shape,
                    [&](int i, bool valid) {
                      const float4 none = make_float4(0, 0, 0, 0);
                      const float4 y = valid ? load_written4(read + 4 * i) : none;
                      const float4 a = valid ? load_written4(read + D + 4 * i) : none;
                      const float4 b = valid ? load_written4(read + 2 * D + 4 * i) : none;
                      return head_norm(y, a, b);
                    });
}

// ------------------------------------------------------------------ channel mix

NORM_KERNEL norm_key(const float* residual, const float* weight, const float* bias,
                     const float* mix, const float* shift, float* normed, float* input) {
  make_inputs<KIND, 1, 1>(residual, nullptr, nullptr, weight, bias, mix, shift, normed, input);
}

// matrix [F][D]; mix, shift [D]; activation [F] fp32.
PRODUCT_KERNEL key(const u8* matrix, const bf16* scales, const float* residual,
                   const float* weight, const float* bias, const float* mix, const float* shift,
                   const float* input, float* normed, float* activation, long long rows) {
  __shared__ float4 memory[mixed_fours<KIND>()];
  const int begin = blockIdx.x * static_cast<int>(rows);
  multiply_mixed<KIND>({matrix, scales}, begin, min(F, begin + static_cast<int>(rows)),
                       {weight, bias, mix, shift}, residual, normed, input, memory,
                       [&](int row, float y) {
                         y = fmaxf(y, 0.0f);
                         activation[row] = y * y;
                       });
}

#if VALUE_SPLIT
// Every weight is read: matrix [D][F]. weight, bias: of ln2.
PRODUCT_KERNEL value(const u8* matrix, const bf16* scales, const float* activation,
                     float* residual, const float* normed, const float* weight, const float* bias,
                     float* shift, AHEAD_PARAMETERS) {
  constexpr int ROWS = BLOCK_WARPS / VALUE_SPLIT * Rows<KIND, F, VALUE_SPLIT, ADDED_ROWS>::R;
  const int t = threadIdx.x, c = blockIdx.x * ROWS + t;
  const bool renews = t < ROWS && c < D;
  const float times = renews ? weight[c] : 0.0f, plus = renews ? bias[c] : 0.0f;
  float h = 0;
  add_product<F, BLOCK_WARPS, VALUE_SPLIT>({matrix, scales}, residual, ahead, ahead_shape, then, then_shape,
                              [&](int i, bool valid) {
                                if (renews && i == t) h = load_written(normed + c);
                                return valid ? load_written4(activation + 4 * i)
                                             : make_float4(0, 0, 0, 0);
                              });
  if (renews) shift[c] = fmaf(h, times, plus);
}
#endif

#if VALUE_PARTS
// residual [D] += the parts' sums: where no norm follows the sparse value product.
KERNEL(256) add_value(const float* parts, float* residual) {
  start_next_and_wait();
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < D / 4) reinterpret_cast<float4*>(residual)[i] = whole_residual(residual, parts, i);
}
#endif
