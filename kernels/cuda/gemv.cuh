// Products of a weight matrix and one vector, at the speed of the memory: a warp takes rows, its
// lanes 16 bytes of weights each at a time, several loads ahead. Follows on device.cuh. The layouts
// of weights are those of matrices.py. Knows no model. The macro AHEAD says how many loads of 16
// bytes a lane has under way.
//
// Activations lie in shared memory: fp32 for weights of 16 bits; for int8 and q4 as two digits of 8
// bits, 128 high + low, with a scale for each 64: 15 bits of the largest, finer than fp16 there.

enum Kind { FP16 = 0, BF16 = 1, INT8 = 2, Q4 = 3 };

constexpr int GROUP = 64;  // weights of a row with one scale

// Weights in 16 bytes.
DEVICE constexpr int elements(int kind) { return kind == Q4 ? 32 : kind == INT8 ? 16 : 8; }
DEVICE constexpr bool scaled(int kind) { return kind == INT8 || kind == Q4; }
DEVICE constexpr int at_least_1(int n) { return n > 0 ? n : 1; }
DEVICE constexpr int quotient_up(int a, int b) { return (a + b - 1) / b; }

struct Weights {
  const u8* data;
  const bf16* scales;  // of the scaled kinds only
};

// ------------------------------------------------------------------ weights of later kernels

// Parts of two matrices that kernels after this one read: asked for while the memory would be idle.
// Of each of SEGMENTS segments of a matrix the bytes from `from` on, so that all blocks of
// its product find as much of theirs. shape: a segment's bytes << 32 | bytes of it; 0: none.
struct Ahead {
  static constexpr u32 PIECE = 2048, SEGMENTS = 128;
  const u8* from;
  u64 shape;

  // By those that call it with who = 0 .. of - 1.
  METHOD void fetch(int who, int of) const {
    const u32 bytes = static_cast<u32>(shape), pieces = quotient_up(bytes, PIECE);
    for (u32 i = who; i < SEGMENTS * pieces; i += of) {
      const u32 at = i % pieces * PIECE;
      prefetch_l2(from + i / pieces * (shape >> 32) + at, min(PIECE, bytes - at));
    }
  }
};
#define AHEAD_PARAMETERS const u8 *ahead, u64 ahead_shape, const u8 *then, u64 then_shape
DEVICE void fetch_ahead(AHEAD_PARAMETERS, int who, int of) {
  Ahead{ahead, ahead_shape}.fetch(who, of);
  Ahead{then, then_shape}.fetch(who, of);
}
#define FETCH_AHEAD(who, of) fetch_ahead(ahead, ahead_shape, then, then_shape, who, of)

// ------------------------------------------------------------------ numbers out of words

// A byte as it was stored, signed, to fp32: 2^23 + (q + 128), exactly, less what is too much.
DEVICE float byte_to_float(u32 flipped, int i) {
  return __uint_as_float(byte_perm(flipped, 0x4b000000u, 0x7440u + i)) - 8388736.0f;
}
template <int OF> DEVICE float low_number(u32 pair) {
  return OF == BF16 ? low_bf16(pair) : low_half(pair);
}
template <int OF> DEVICE float high_number(u32 pair) {
  return OF == BF16 ? high_bf16(pair) : high_half(pair);
}

// The levels (bytes) of the 8 nibbles of a word, the lowest nibble first: matrices.Q4_LEVELS.
DEVICE void nibbles_to_levels(u32 word, u32& first, u32& second) {
  const u32 at = word & 0x77777777u;
  const u32 above = ((word >> 1) & 0x44444444u) | 0x32103210u;  // whose upper bit: the other half
  const u32 low4 = byte_perm(0xc4b39f81u, 0xf7ebdfd2u, at);
  const u32 high4 = byte_perm(0x24180d02u, 0x6b524031u, at);
  first = byte_perm(low4, high4, above);
  const u32 low8 = byte_perm(0xc4b39f81u, 0xf7ebdfd2u, at >> 16);
  const u32 high8 = byte_perm(0x24180d02u, 0x6b524031u, at >> 16);
  second = byte_perm(low8, high8, above >> 16);
}

// ------------------------------------------------------------------ activations

// Where the numbers 4 i .. 4 i + 3 of a vector of K lie (as a float4): neighbouring lanes, which
// want neighbouring pieces, meet no bank twice.
template <int OF, int K> DEVICE int place_of(int i) {
  constexpr int FOURS = elements(OF) / 4, PIECES = K / elements(OF);
  return i % FOURS * PIECES + i / FOURS;
}

// The largest of a vector's 64 in units of its scale: 127 of the higher digit.
constexpr float DIGITS_MOST = 127 * 128;

// Where the 16 numbers of chunk i have their higher digits (as a uint4); the lower ones lie K / 16
// further, the scales after both.
template <int OF, int K> DEVICE int place_of_digits(int i) {
  return OF == Q4 ? i % 2 * (K / 32) + i / 2 : i;
}

// Put the numbers 4 i .. 4 i + 3 there. All lanes of a warp come here, with i's that follow one
// another and begin at a multiple of 16; `valid` says whose are of the vector.
template <int OF, int K> DEVICE void put_activations(float4* x, int i, float4 v, bool valid) {
  if constexpr (!scaled(OF)) {
    if (valid) x[place_of<OF, K>(i)] = v;
  } else {
    float top = fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w)));
#pragma unroll
    for (int step = 8; step; step >>= 1) top = fmaxf(top, __shfl_xor_sync(ALL_LANES, top, step));
    const float by = top > 1e-30f ? DIGITS_MOST / top : 0.0f;
    if (!valid) return;
    const float of[4] = {v.x, v.y, v.z, v.w};
    u32 high = 0, low = 0;
#pragma unroll
    for (int n = 0; n < 4; n++) {
      const int q = __float2int_rn(of[n] * by), upper = (q + 64) >> 7;
      high |= (static_cast<u32>(upper) & 255u) << 8 * n;
      low |= (static_cast<u32>(q - 128 * upper) & 255u) << 8 * n;
    }
    u32* digits = reinterpret_cast<u32*>(x) + place_of_digits<OF, K>(i / 4) * 4 + i % 4;
    digits[0] = high, digits[K / 4] = low;
    if (i % 16 == 0) reinterpret_cast<float*>(x)[K / 2 + i / 16] = top * (1.0f / DIGITS_MOST);
  }
}
// Bytes of memory for them, whole uint4's: at most 4 K.
template <int OF, int K> DEVICE constexpr int activation_bytes() {
  return scaled(OF) ? quotient_up(2 * K + K / 16, 16) * 16 : 4 * K;
}

// Some 4 of a lane's weights times 4 activations.
template <int OF> DEVICE void add_fours(float (&sum)[2], u32 first, u32 second, float4 v) {
  sum[0] = fmaf(low_number<OF>(first), v.x, sum[0]);
  sum[1] = fmaf(high_number<OF>(first), v.y, sum[1]);
  sum[0] = fmaf(low_number<OF>(second), v.z, sum[0]);
  sum[1] = fmaf(high_number<OF>(second), v.w, sum[1]);
}
// Sixteen weights of a byte times as many digits.
DEVICE int dot_bytes(const u32 (&w)[4], uint4 v, int sum) {
  sum = dp4a(static_cast<int>(w[0]), static_cast<int>(v.x), sum);
  sum = dp4a(static_cast<int>(w[1]), static_cast<int>(v.y), sum);
  sum = dp4a(static_cast<int>(w[2]), static_cast<int>(v.z), sum);
  return dp4a(static_cast<int>(w[3]), static_cast<int>(v.w), sum);
}

// sum += 16 bytes of weights of each of R rows times the activations of `piece`.
template <int OF, int K, int R>
DEVICE void multiply_piece(float (&sum)[R][2], const uint4 (&w)[R], const float (&scale)[R],
                           const float4* x, int piece) {
  constexpr int E = elements(OF), PLANE = K / E;
  if constexpr (scaled(OF)) {
    constexpr int CHUNKS = E / 16;
    const uint4* digits = reinterpret_cast<const uint4*>(x);
    const float of_x = reinterpret_cast<const float*>(x)[K / 2 + piece / (GROUP / E)];
    int high[R] = {}, low[R] = {};
#pragma unroll
    for (int i = 0; i < CHUNKS; i++) {
      const uint4 upper = digits[i * PLANE + piece], lower = digits[K / 16 + i * PLANE + piece];
#pragma unroll
      for (int r = 0; r < R; r++) {
        u32 bytes[4] = {w[r].x, w[r].y, w[r].z, w[r].w};
        if constexpr (OF == Q4) {
          nibbles_to_levels(i ? w[r].z : w[r].x, bytes[0], bytes[1]);
          nibbles_to_levels(i ? w[r].w : w[r].y, bytes[2], bytes[3]);
        }
        high[r] = dot_bytes(bytes, upper, high[r]);
        low[r] = dot_bytes(bytes, lower, low[r]);
      }
    }
#pragma unroll
    for (int r = 0; r < R; r++)
      sum[r][0] = fmaf(static_cast<float>(128 * high[r] + low[r]), of_x * scale[r], sum[r][0]);
  } else {
    float4 v = x[piece];
#pragma unroll
    for (int r = 0; r < R; r++) add_fours<OF>(sum[r], w[r].x, w[r].y, v);
    v = x[PLANE + piece];
#pragma unroll
    for (int r = 0; r < R; r++) add_fours<OF>(sum[r], w[r].z, w[r].w, v);
  }
}

// ------------------------------------------------------------------ rows

// The totals over the warp of R (a power of 2) numbers a lane: lane i gets that of number
// i / (32 / R).
template <int R> DEVICE float warp_sums(float (&v)[R]) {
  int step = 16;
#pragma unroll
  for (int n = R / 2; n; n >>= 1, step >>= 1) {
    const bool upper = lane_index() & step;
#pragma unroll
    for (int i = 0; i < n; i++) {
      const float keep = upper ? v[i + n] : v[i], give = upper ? v[i] : v[i + n];
      v[i] = keep + __shfl_xor_sync(ALL_LANES, give, step);
    }
  }
#pragma unroll
  for (; step; step >>= 1) v[0] += __shfl_xor_sync(ALL_LANES, v[0], step);
  return v[0];
}

// The rows `row`, `row` + stride, ... below `end` of a matrix [*, K], each R <= MOST at a time, by
// one warp, MOST a power of 2. SPLIT warps share a row: part `split` of it is this warp's.
template <int OF, int K, int SPLIT = 1, int MOST = 4> struct Rows {
  static constexpr int E = elements(OF), PIECES = K / E / SPLIT;
  static constexpr int LOADS = quotient_up(PIECES, 32);      // of a lane and row
  static constexpr int PARTS = quotient_up(LOADS, AHEAD);    // in which a row is read
  static constexpr int B = quotient_up(LOADS, PARTS);        // loads of a part
  static constexpr int FIT = 4 * B <= AHEAD ? 4 : 2 * B <= AHEAD ? 2 : 1;
  static constexpr int R = FIT < MOST ? FIT : MOST;          // rows at a time
  static constexpr bool EVEN = PIECES == PARTS * B * 32;
  static_assert(K % (GROUP * SPLIT) == 0, "whole groups");

  static constexpr int STEP_GROUPS = 32 * E / GROUP;  // that the lanes read at a time
  static constexpr int S = scaled(OF) ? quotient_up(B * STEP_GROUPS, 32) : 1;

  const u8* data;        // where this lane's first piece of `row` lies
  const bf16* scales;    // of this lane's group: lane i has the groups i and i + 32 of a part
  int row, end, stride, first;
  uint4 w[R][B];
  u16 scale[R][S];

  // Ask for the first part. The loads are under way when this returns.
  METHOD void start(Weights of, int from, int to, int step, int split = 0) {
    row = from, end = to, stride = step, first = split * PIECES + lane_index();
    data = of.data + (static_cast<u64>(row) * (K / E) + first) * 16;
    if constexpr (scaled(OF)) {
      scales = of.scales + static_cast<u64>(row) * (K / GROUP) + split * (K / GROUP / SPLIT) +
               lane_index();
      fetch_scales<true>(0);
    }
#pragma unroll
    for (int b = 0; b < B; b++) fetch<true>(b, 0);
  }

  // Of the rows at `row`. What is beyond the row or the last row stays what it was.
  template <bool AT_ONCE = false> METHOD void fetch(int b, int part) {
    const int step = part * B + b;
    if (!EVEN && step * 32 + lane_index() >= PIECES) return;
#pragma unroll
    for (int r = 0; r < R; r++) {
      const u8* from = data + (r * (K / E) + step * 32) * 16;
      if (row + r < end) w[r][b] = AT_ONCE ? load_ahead(from) : load_streamed(from);
    }
  }
  template <bool AT_ONCE = false> METHOD void fetch_scales(int part) {
#pragma unroll
    for (int i = 0; i < S; i++) {
      const int group = part * B * STEP_GROUPS + i * 32;
      if (group + lane_index() < K / GROUP / SPLIT)
#pragma unroll
        for (int r = 0; r < R; r++) {
          const bf16* from = scales + r * (K / GROUP) + group;
          if (row + r < end) scale[r][i] = AT_ONCE ? load_ahead2(from) : load_streamed2(from);
        }
    }
  }

  // This warp's share of R rows, and on to the next R; lane i's is that of row i / (32 / R).
  METHOD float next(const float4* x) {
    float sum[R][2] = {};
#pragma unroll
    for (int part = 0; part < PARTS; part++) {
      const bool last = part + 1 == PARTS;
      u16 now[R][S];
#pragma unroll
      for (int r = 0; r < R; r++)
#pragma unroll
        for (int i = 0; i < S; i++) now[r][i] = scale[r][i];
      if (last) {
        row += stride, data += static_cast<u64>(stride) * (K / E * 16);
        if constexpr (scaled(OF)) scales += static_cast<u64>(stride) * (K / GROUP);
      }
      if constexpr (scaled(OF)) fetch_scales(last ? 0 : part + 1);
#pragma unroll
      for (int b = 0; b < B; b++) {
        const int step = (part * B + b) * 32;
        float scale_of[R] = {};
        if constexpr (scaled(OF)) {
          const int group = b * STEP_GROUPS + lane_index() / (GROUP / E);
#pragma unroll
          for (int r = 0; r < R; r++) {
            const int bits = __shfl_sync(ALL_LANES, static_cast<int>(now[r][b * STEP_GROUPS / 32]),
                                         group & 31);
            scale_of[r] = to_float(bf16{static_cast<u16>(bits)});
          }
        }
        if (EVEN || step + lane_index() < PIECES) {
          uint4 of[R];
#pragma unroll
          for (int r = 0; r < R; r++) of[r] = w[r][b];
          multiply_piece<OF, K, R>(sum, of, scale_of, x, first + step);
        }
        fetch(b, last ? 0 : part + 1);
      }
    }
    float of[R];
#pragma unroll
    for (int r = 0; r < R; r++) of[r] = sum[r][0] + sum[r][1];
    return warp_sums<R>(of);
  }

  // All its rows: done(row, value), by one lane for each row.
  template <typename Done> METHOD void finish(const float4* x, Done done) {
    while (row < end) {
      const int mine = row + lane_index() / (32 / R);
      const float value = next(x);
      if (lane_index() % (32 / R) == 0 && mine < end) done(mine, value);
    }
  }
};

// ------------------------------------------------------------------ the norm before a product

// Σ over the block of two numbers a thread. memory: two floats a warp.
template <int BLOCK_OF> DEVICE float2 block_sums(float a, float b, float2* memory) {
  a = warp_sum(a), b = warp_sum(b);
  if (lane_index() == 0) memory[warp_index()] = make_float2(a, b);
  __syncthreads();
  a = 0, b = 0;
#pragma unroll
  for (int i = 0; i < BLOCK_OF; i++) a += memory[i].x, b += memory[i].y;
  return make_float2(a, b);
}

// The mean of a vector [K] and 1 / its deviation, by a whole block, whose thread t gets into v the
// fours t, t + THREADS, ... take(i): the fours 4 i .. 4 i + 3.
template <int K, int THREADS, int COUNT, typename Take>
DEVICE float2 mean_and_scale(float4 (&v)[COUNT], float2* memory, Take take) {
  static_assert(COUNT == quotient_up(K / 4, THREADS), "all of it");
  float sum = 0, squares = 0;
#pragma unroll
  for (int n = 0; n < COUNT; n++) {
    const int i = n * THREADS + static_cast<int>(threadIdx.x);
    v[n] = i < K / 4 ? take(i) : make_float4(0, 0, 0, 0);
  }
#pragma unroll
  for (int n = 0; n < COUNT; n++) {
    sum += (v[n].x + v[n].y) + (v[n].z + v[n].w);
    squares = fmaf(v[n].x, v[n].x, fmaf(v[n].y, v[n].y, squares));
    squares = fmaf(v[n].z, v[n].z, fmaf(v[n].w, v[n].w, squares));
  }
  const float2 all = block_sums<THREADS / 32>(sum, squares, memory);
  const float mean = all.x / K;
  return make_float2(mean, rsqrtf(fmaxf(all.y / K - mean * mean, 0.0f) + 1e-5f));
}

// What a layer norm and a token shift do to the residual x [K]: y = (x - mean) / deviation, then
// y * weight + bias =: h, then h + (shift - h) * mix. mix null: h.
struct Mix {
  const float *weight, *bias, *mix, *shift;
};

// It is worked out by every block anew, where that is cheaper than a kernel more. a, c: shared
// memory [K / 4] each, c of its own for int8 and q4 only. THREADS: of the block.
template <int OF, int K, int THREADS> struct Mixed {
  static constexpr int COUNT = quotient_up(K / 4, THREADS);

  static METHOD float4& offset(float4* c, float4* x, int i) {
    return scaled(OF) ? c[i] : x[place_of<OF, K>(i)];
  }

  // Before the wait: h + (shift - h) mix = y * a + c.
  static METHOD void prepare(const Mix& of, float4* a, float4* c, float4* x) {
    const float4* weight = reinterpret_cast<const float4*>(of.weight);
    const float4* bias = reinterpret_cast<const float4*>(of.bias);
#pragma unroll
    for (int n = 0; n < COUNT; n++) {
      const int i = n * THREADS + static_cast<int>(threadIdx.x);
      if (i >= K / 4) break;
      float4 w = weight[i], b = bias[i];
      if (of.mix) {
        const float4 m = reinterpret_cast<const float4*>(of.mix)[i];
        const float4 s = load_written4(of.shift + 4 * i);
        w.x *= 1.0f - m.x, w.y *= 1.0f - m.y, w.z *= 1.0f - m.z, w.w *= 1.0f - m.w;
        b.x = fmaf(s.x - b.x, m.x, b.x), b.y = fmaf(s.y - b.y, m.y, b.y);
        b.z = fmaf(s.z - b.z, m.z, b.z), b.w = fmaf(s.w - b.w, m.w, b.w);
      }
      a[i] = w, offset(c, x, i) = b;
    }
  }

  // After it. y of the channels whose turn it is goes to `normed` [K] too, if that is not null:
  // what the next kernels make the new shift of.
  static METHOD void finish(const float* residual, const float4* a, float4* c, float4* x,
                            float2* memory, float* normed) {
    float4 v[COUNT];
    const float2 norm =
        mean_and_scale<K, THREADS>(v, memory, [&](int i) { return load_written4(residual + 4 * i); });
    const float mean = norm.x, by = norm.y;
#pragma unroll
    for (int n = 0; n < COUNT; n++) {
      const int i = n * THREADS + static_cast<int>(threadIdx.x);
      const bool valid = i < K / 4;
      v[n].x = (v[n].x - mean) * by, v[n].y = (v[n].y - mean) * by;
      v[n].z = (v[n].z - mean) * by, v[n].w = (v[n].w - mean) * by;
      if (valid && normed && i / 16 % gridDim.x == blockIdx.x)
        reinterpret_cast<float4*>(normed)[i] = v[n];
      if (valid) {
        const float4 w = a[i], b = offset(c, x, i);
        v[n].x = fmaf(v[n].x, w.x, b.x), v[n].y = fmaf(v[n].y, w.y, b.y);
        v[n].z = fmaf(v[n].z, w.z, b.z), v[n].w = fmaf(v[n].w, w.w, b.w);
      }
      put_activations<OF, K>(x, i, v[n], valid);
    }
    __syncthreads();
  }
};
