// The WKV7 recurrence for reading: the records of its chunks. Follows on wkv7_read.cuh.

constexpr float LOG_DECAY = -0.6065306597126334f;  // -exp(-0.5)
constexpr int CHUNKS_OF_BLOCK = 4;

constexpr int ROW = 72;  // halves of a row of 64 in shared memory

struct ChunkShared {       // of one warp
  half r[CHUNK * ROW];     // becomes r^
  half k[CHUNK * ROW];     // becomes AB, then INV
  half v[CHUNK * ROW];
  half v_first[CHUNK * ROW];
  uint4 a[4 * 32];         // a^ as right operands [token][key]
  float middle[HEAD];      // P_8
};
constexpr int LOWER = 20;    // floats of a row of AB
constexpr int INVERSE = 12;  // words of a column of INV
static_assert(4 * CHUNK * LOWER + 4 * CHUNK * INVERSE <= 2 * CHUNK * ROW, "both lie in k");

struct Vectors {
  const float *w0, *a0, *v0, *k_k, *k_a, *r_k;  // [D]
};

// Rows of a chunk of one head into shared memory; those from `valid` on are zero.
DEVICE void fetch_rows(half* to, const half* from, int valid) {
  for (int i = lane_index(); i < CHUNK * 8; i += 32) {
    const int t = i >> 3, column = 8 * (i & 7);
    cp_async(to + t * ROW + column, from + static_cast<long long>(t) * D + column, t < valid);
  }
}

DEVICE void four_of(float (&x)[4], uint2 pairs) {
  x[0] = low_half(pairs.x), x[1] = high_half(pairs.x);
  x[2] = low_half(pairs.y), x[3] = high_half(pairs.y);
}
DEVICE void four_of(float (&x)[4], const float* p) {
  const float4 y = *reinterpret_cast<const float4*>(p);
  x[0] = y.x, x[1] = y.y, x[2] = y.z, x[3] = y.w;
}
DEVICE uint2 two_words(const half* p) { return *reinterpret_cast<const uint2*>(p); }
DEVICE uint2 pairs_of(const float (&x)[4]) {
  return make_uint2(half2_of(x[0], x[1]), half2_of(x[2], x[3]));
}
// [token][key] as it lies becomes two right operands: tokens are summed over.
DEVICE uint4 across(uint2 up, uint2 down) {
  return make_uint4(transposed_8x8(up.x), transposed_8x8(down.x), transposed_8x8(up.y),
                    transposed_8x8(down.y));
}
DEVICE float over_quarters(float x) {
  x += __shfl_xor_sync(ALL_LANES, x, 1);
  return x + __shfl_xor_sync(ALL_LANES, x, 2);
}

// Sums of x up to every token: rows g and g + 8.
DEVICE void accumulate(float& up, float& down, float& middle) {
  const int g = group(), last = 28 + quarter();
#pragma unroll
  for (int step = 1; step < 8; step *= 2) {
    const float x = __shfl_up_sync(ALL_LANES, up, 4 * step);
    const float y = __shfl_up_sync(ALL_LANES, down, 4 * step);
    if (g >= step) up += x, down += y;
  }
  middle = __shfl_sync(ALL_LANES, up, last);
  down += middle;
}

// The four products of a chunk's rows, [t][s] but `ak`, which is [s][t]; two tiles of 8 columns.
struct Attention {
  float ab[2][4], ak[2][4], rb[2][4], rk[2][4];
};
DEVICE void attend(float (&sum)[2][4], const uint2 (&x)[2], const uint2 (&y)[2]) {
  const u32 a[4] = {x[0].x, x[1].x, x[0].y, x[1].y};
  product(sum[0], a, y[0].x, y[0].y);
  product(sum[1], a, y[1].x, y[1].y);
}

// What lies above the diagonal is cleared: `on`: the diagonal stays; `up`: x is transposed.
DEVICE void clear_above(float (&x)[2][4], bool on, bool up) {
#pragma unroll
  for (int j = 0; j < 2; j++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int row = group() + 8 * (i >> 1), column = 8 * j + 2 * quarter() + (i & 1);
      const int t = up ? column : row, s = up ? row : column;
      if (!(s < t || (on && s == t))) x[j][i] = 0.0f;
    }
}

// columns = (I - x)^-1 of a strictly lower x, a column per lane by substitution.
DEVICE void invert(const float (&x)[2][4], float* lower, u32* columns) {
  const int g = group(), q = quarter(), column = lane_index() & 15;
#pragma unroll
  for (int j = 0; j < 2; j++) {
    *reinterpret_cast<float2*>(lower + g * LOWER + 8 * j + 2 * q) = make_float2(x[j][0], x[j][1]);
    *reinterpret_cast<float2*>(lower + (g + 8) * LOWER + 8 * j + 2 * q) =
        make_float2(x[j][2], x[j][3]);
  }
  __syncwarp();
  float z[CHUNK];
#pragma unroll
  for (int t = 0; t < CHUNK; t++) {
    float sum = t == column ? 1.0f : 0.0f;
#pragma unroll
    for (int s = 0; s < t; s += 4) {
      const float4 row = *reinterpret_cast<const float4*>(lower + t * LOWER + s);
      sum = fmaf(row.x, z[s], sum);
      if (s + 1 < t) sum = fmaf(row.y, z[s + 1], sum);
      if (s + 2 < t) sum = fmaf(row.z, z[s + 2], sum);
      if (s + 3 < t) sum = fmaf(row.w, z[s + 3], sum);
    }
    z[t] = sum;
  }
  if (lane_index() < CHUNK) {
#pragma unroll
    for (int t = 0; t < CHUNK; t += 2) columns[column * INVERSE + t / 2] = half2_of(z[t], z[t + 1]);
  }
  __syncwarp();
}

// One warp's chunk of one head. Rows and columns of a lane: see wkv7_read.cuh.
struct Chunk {
  ChunkShared& shared;
  u8* record;
  int head, valid;                // tokens that are there, 1 .. 16
  const half *hid0, *hid1;        // hidden ranks of tokens g and g + 8
  const float* early;             // r's sums of the chunk's head, or null: see read_chunks
  long long early_rows;
  Attention sums = {};
  float bonus[2] = {}, inverse_norm[2];
  // r . k and r . b of a token: the diagonals of RK and RB, whose decays cancel. Early in a text y
  // is little else, and is normalised after: fp16 operands would show where r . k is small.
  float own_k[2] = {}, own_b[2] = {};

  METHOD int at(int s) const { return 16 * quarter() + 4 * s; }  // of the lane's four columns
  METHOD bool is_there(int p) const { return group() + 8 * p < valid; }

  // Four columns of a token's r (which = 0) or k (1): rounded, in `row`, or exact.
  METHOD void own(float (&x)[4], int which, int p, int s, const half* row) const {
    if (!early) {
      four_of(x, two_words(row + (group() + 8 * p) * ROW + at(s)));
      return;
    }
    const float* sums = early + (2 * which * early_rows + group() + 8 * p) * D + at(s);
    const float4 kept = load_written4(sums), lost = load_written4(sums + early_rows * D);
    const bool there = is_there(p);
    x[0] = there ? kept.x + lost.x : 0.0f, x[1] = there ? kept.y + lost.y : 0.0f;
    x[2] = there ? kept.z + lost.z : 0.0f, x[3] = there ? kept.w + lost.w : 0.0f;
  }

  // The length of kk of both tokens.
  METHOD void measure(const Vectors& by) {
#pragma unroll
    for (int p = 0; p < 2; p++) {
      float sum = 0;
#pragma unroll
      for (int s = 0; s < 4; s++) {
        float k[4], scale[4];
        own(k, 1, p, s, shared.k);
        four_of(scale, by.k_k + head * HEAD + at(s));
#pragma unroll
        for (int i = 0; i < 4; i++) sum = fmaf(k[i] * scale[i], k[i] * scale[i], sum);
      }
      inverse_norm[p] = 1.0f / fmaxf(sqrtf(over_quarters(sum)), 1e-12f);
    }
  }

  // The lane's eight of bias + hidden ranks x second [D, RANK].
  template <int RANK>
  METHOD void second(float (&x)[2][4], int s, int first_rank, const LORA* matrix,
                     const float* bias) const {
    float sum[2][4] = {}, start[4];
    const LORA* rows[2];
#pragma unroll
    for (int j = 0; j < 2; j++)
      rows[j] = matrix + (head * HEAD + column_of(2 * s + j, group())) * RANK;
    add_ranks<RANK>(sum, hid0 + first_rank, hid1 + first_rank, rows);
    four_of(start, bias + head * HEAD + at(s));
#pragma unroll
    for (int p = 0; p < 2; p++)
#pragma unroll
      for (int i = 0; i < 4; i++) x[p][i] = start[i] + sum[i >> 1][2 * p + (i & 1)];
  }

  METHOD void values(int s, int layer, const LORA* v2, const float* v0, half* v_first) {
    uint2 out[2];
    float blend[2][4];
    if (layer) second<RV>(blend, s, RW + RA, v2, v0);
#pragma unroll
    for (int p = 0; p < 2; p++) {
      const int t = group() + 8 * p;
      const uint2 own = two_words(shared.v + t * ROW + at(s));
      if (layer == 0) {
        out[p] = own;
        if (is_there(p))
          *reinterpret_cast<uint2*>(v_first + static_cast<long long>(t) * D + at(s)) = own;
        continue;
      }
      float v[4], first[4];
      four_of(v, own), four_of(first, two_words(shared.v_first + t * ROW + at(s)));
#pragma unroll
      for (int i = 0; i < 4; i++)
        v[i] = is_there(p) ? fmaf(first[i] - v[i], sigmoid(blend[p][i]), v[i]) : 0.0f;
      out[p] = pairs_of(v);
    }
    const uint4 x = across(out[0], out[1]);
    fragment(record, AT_V, s) = make_uint4(x.x, x.z, x.y, x.w);  // a left operand
  }

  // Four columns' part of everything that sums over keys; B, K, P_16 into the record.
  METHOD void keys(int s, const LORA* w2, const LORA* a2, const Vectors& by) {
    float log_w[2][4], rate[2][4], middle[4], sums_w[2][4], tail[4];
    second<RW>(log_w, s, 0, w2, by.w0);
    second<RA>(rate, s, RW, a2, by.a0);
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
      for (int p = 0; p < 2; p++) {
        sums_w[p][i] = log_w[p][i] = is_there(p) ? LOG_DECAY * sigmoid(log_w[p][i]) : 0.0f;
        rate[p][i] = is_there(p) ? sigmoid(rate[p][i]) : 0.0f;
      }
      accumulate(sums_w[0][i], sums_w[1][i], middle[i]);
      const float all = __shfl_sync(ALL_LANES, sums_w[1][i], 28 + quarter());
      tail[i] = fast_exp(all - middle[i]);
      if (group() == 0) {
        shared.middle[at(s) + i] = fast_exp(middle[i]);
        reinterpret_cast<float*>(record + AT_DECAY)[at(s) + i] = fast_exp(all);
      }
    }
    float k_k[4], k_a[4], r_k[4];
    four_of(k_k, by.k_k + head * HEAD + at(s)), four_of(k_a, by.k_a + head * HEAD + at(s));
    four_of(r_k, by.r_k + head * HEAD + at(s));
    uint2 a[2], b[2], k[2], r[2], b_end[2], k_end[2];
#pragma unroll
    for (int p = 0; p < 2; p++) {
      half* row = shared.r + (group() + 8 * p) * ROW + at(s);
      float x[4], y[4], ka[4], kb[4];
      own(x, 0, p, s, shared.r);
      own(y, 1, p, s, shared.k);
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const float kk = y[i] * k_k[i] * inverse_norm[p];
        const float from_middle = sums_w[p][i] - middle[i], back = fast_exp(-from_middle);
        y[i] *= 1.0f + (rate[p][i] - 1.0f) * k_a[i];
        bonus[p] = fmaf(x[i] * y[i], r_k[i], bonus[p]);
        own_k[p] = fmaf(x[i], y[i], own_k[p]), own_b[p] = fmaf(x[i], kk * rate[p][i], own_b[p]);
        x[i] *= fast_exp(from_middle), y[i] *= back;
        ka[i] = -kk * fast_exp(from_middle - log_w[p][i]), kb[i] = kk * rate[p][i] * back;
      }
      a[p] = pairs_of(ka), b[p] = pairs_of(kb), k[p] = pairs_of(y), r[p] = pairs_of(x);
      *reinterpret_cast<uint2*>(row) = r[p];
#pragma unroll
      for (int i = 0; i < 4; i++) kb[i] *= tail[i], y[i] *= tail[i];
      b_end[p] = pairs_of(kb), k_end[p] = pairs_of(y);
    }
    attend(sums.ab, a, b), attend(sums.ak, k, a), attend(sums.rb, r, b), attend(sums.rk, r, k);
    shared.a[32 * s + lane_index()] = across(a[0], a[1]);
    fragment(record, AT_B, s) = across(b_end[0], b_end[1]);
    fragment(record, AT_K, s) = across(k_end[0], k_end[1]);
  }

  METHOD void put_diagonals() {
    const int g = group();
#pragma unroll
    for (int p = 0; p < 2; p++) {
      const float k = over_quarters(own_k[p]), b = over_quarters(own_b[p]);
#pragma unroll
      for (int i = 0; i < 2; i++)
        if (g == 2 * quarter() + i) sums.rk[p][2 * p + i] = k, sums.rb[p][2 * p + i] = b;
    }
  }

  // E, Q, W and R out of what was summed.
  METHOD void matrices() {
    float* lower = reinterpret_cast<float*>(shared.k);
    u32* columns = reinterpret_cast<u32*>(shared.k) + CHUNK * LOWER;
    put_diagonals();
    clear_above(sums.ab, false, false), clear_above(sums.ak, false, true);
    clear_above(sums.rb, true, false), clear_above(sums.rk, true, false);
    __syncwarp();
    invert(sums.ab, lower, columns);
    const int g = group(), q = quarter();
    const u32 n0[2] = {columns[g * INVERSE + q], columns[g * INVERSE + q + 4]};
    const u32 n1[2] = {columns[(g + 8) * INVERSE + q], columns[(g + 8) * INVERSE + q + 4]};
    const u32 inverse[4] = {transposed_8x8(n0[0]), transposed_8x8(n0[1]), transposed_8x8(n1[0]),
                            transposed_8x8(n1[1])};
    u32 rb[4], through[4];
    float e[2][4] = {}, f[2][4] = {};
    as_left(rb, sums.rb[0], sums.rb[1]);
    product(f[0], rb, n0[0], n0[1]), product(f[1], rb, n1[0], n1[1]);
    as_left(through, f[0], f[1]);  // RB INV
    const uint4 ak = as_right(sums.ak[0], sums.ak[1]);
    product(e[0], inverse, ak.x, ak.y), product(e[1], inverse, ak.z, ak.w);
    product(sums.rk[0], through, ak.x, ak.y), product(sums.rk[1], through, ak.z, ak.w);
    fragment(record, AT_E, 0) = as_right(e[0], e[1]);
    fragment(record, AT_Q, 0) = as_right(sums.rk[0], sums.rk[1]);
#pragma unroll 1
    for (int s = 0; s < 4; s++) rows(s, inverse, through);
  }

  METHOD void rows(int s, const u32 (&inverse)[4], const u32 (&through)[4]) {
    const uint4 a = shared.a[32 * s + lane_index()];
    float w[2][4] = {}, r[2][4], up[4], down[4], by[4];
    four_of(up, two_words(shared.r + group() * ROW + at(s)));
    four_of(down, two_words(shared.r + (group() + 8) * ROW + at(s)));
    four_of(by, shared.middle + at(s));
#pragma unroll
    for (int i = 0; i < 4; i++) {
      r[i >> 1][i & 1] = up[i];
      r[i >> 1][2 + (i & 1)] = down[i];
    }
    product(w[0], inverse, a.x, a.y), product(w[1], inverse, a.z, a.w);
    product(r[0], through, a.x, a.y), product(r[1], through, a.z, a.w);
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
      for (int p = 0; p < 2; p++) {
        w[i >> 1][2 * p + (i & 1)] *= by[i];
        r[i >> 1][2 * p + (i & 1)] *= by[i];
      }
    fragment(record, AT_W, s) = as_right(w[0], w[1]);
    fragment(record, AT_R, s) = as_right(r[0], r[1]);
  }
};

// Records of all chunks and heads; a warp each.
// grid (ceil(T / 64), heads). rkv: three planes [T, D], `plane` apart; hid [T, RANKS]: of w after
// tanh; second matrices [D, rank]; v_first [T, D]: written in layer 0, read in the others;
// records [T / 16, heads, RECORD]. early [2, 2 early_rows, D], or null: r and k of the first tokens,
// fp32, in two parts each: where there is no state yet, y is v times r . k, and a small r . k is
// little but what r and k have lost.
KERNEL(32 * CHUNKS_OF_BLOCK)
read_chunks(const int* place, long long layer, const half* rkv, long long plane, const half* hid,
            const LORA* w2, const LORA* a2, const LORA* v2, const float* w0, const float* a0,
            const float* v0, const float* k_k, const float* k_a, const float* r_k,
            const float* early, long long early_rows, half* v_first, u8* records) {
  __shared__ __align__(16) ChunkShared all[CHUNKS_OF_BLOCK];
  const Vectors by = {w0, a0, v0, k_k, k_a, r_k};
  const long long n = static_cast<long long>(blockIdx.x) * CHUNKS_OF_BLOCK + warp_index();
  const int head = blockIdx.y;
  start_next_and_wait();
  const long long left = place[0] - n * CHUNK;
  if (left <= 0) return;
  const long long first = n * CHUNK * D + head * HEAD;
  const half* ranks = hid + (n * CHUNK + group()) * RANKS;
  Chunk chunk = {all[warp_index()], records + (n * HEADS + head) * RECORD, head,
                 left < CHUNK ? static_cast<int>(left) : CHUNK, ranks, ranks + 8 * RANKS,
                 early && n * CHUNK < early_rows ? early + n * CHUNK * D + head * HEAD : nullptr,
                 early_rows};
  ChunkShared& shared = chunk.shared;
  fetch_rows(shared.r, rkv + first, chunk.valid);
  fetch_rows(shared.k, rkv + plane + first, chunk.valid);
  fetch_rows(shared.v, rkv + 2 * plane + first, chunk.valid);
  if (layer) fetch_rows(shared.v_first, v_first + first, chunk.valid);
  cp_async_commit();
  cp_async_wait<0>();
  __syncwarp();
  chunk.measure(by);
#pragma unroll 1
  for (int s = 0; s < 4; s++) {
    chunk.values(s, static_cast<int>(layer), v2, v0, v_first + first);
    chunk.keys(s, w2, a2, by);
  }
  __syncwarp();
  chunk.matrices();
#pragma unroll
  for (int p = 0; p < 2; p++) {
    const float sum = over_quarters(chunk.bonus[p]);
    if (quarter() == 0)
      reinterpret_cast<float*>(chunk.record + AT_BONUS)[group() + 8 * p] = sum;
  }
}
