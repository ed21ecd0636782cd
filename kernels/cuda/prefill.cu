// Reading many tokens: all that stands between the matrix products but the recurrence. Follows on
// wkv7_read.cuh. x is the residual, fp32 [T, D]. What is to be added to it comes as a product left
// it, DELTA [T, D], and is multiplied by `scale`. Who reads what the kernel before wrote, and is
// launched as dependent on it, goes past L1.

#ifndef DELTA
#define DELTA float
#endif

constexpr float NORM_EPS = 1e-5f;
constexpr float HEAD_NORM_EPS = 64e-5f;
constexpr float LARGEST = 65504.0f;
constexpr int ROW_THREADS = (D / 8 + 31) / 32 * 32;  // eight columns each

// ------------------------------------------------------------------ eight neighbours

struct Eight {
  float x[8];
};
DEVICE Eight eight_of(const float* p) {
  const float4 a = *reinterpret_cast<const float4*>(p), b = *reinterpret_cast<const float4*>(p + 4);
  return {{a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w}};
}
DEVICE Eight eight_of(uint4 v) {
  return {{low_half(v.x), high_half(v.x), low_half(v.y), high_half(v.y), low_half(v.z),
           high_half(v.z), low_half(v.w), high_half(v.w)}};
}
DEVICE Eight eight_of(const half*, uint4 v) { return eight_of(v); }
DEVICE Eight eight_of(const bf16*, uint4 v) {
  return {{low_bf16(v.x), high_bf16(v.x), low_bf16(v.y), high_bf16(v.y), low_bf16(v.z),
           high_bf16(v.z), low_bf16(v.w), high_bf16(v.w)}};
}
DEVICE Eight eight_written(const float* p) {
  const float4 a = load_written4(p), b = load_written4(p + 4);
  return {{a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w}};
}
DEVICE Eight eight_written(const half* p) { return eight_of(load_written16(p)); }
DEVICE void put(float* p, const Eight& v) {
  reinterpret_cast<float4*>(p)[0] = make_float4(v.x[0], v.x[1], v.x[2], v.x[3]);
  reinterpret_cast<float4*>(p)[1] = make_float4(v.x[4], v.x[5], v.x[6], v.x[7]);
}
DEVICE uint4 halves_of(const Eight& v) {
  return make_uint4(half2_of(v.x[0], v.x[1]), half2_of(v.x[2], v.x[3]), half2_of(v.x[4], v.x[5]),
                    half2_of(v.x[6], v.x[7]));
}
DEVICE void put(half* p, const Eight& v) { *reinterpret_cast<uint4*>(p) = halves_of(v); }
// x, and `behind` what it loses there.
DEVICE void put_both(half* p, long long behind, Eight x) {
  const uint4 kept = halves_of(x);
  const Eight y = eight_of(kept);
  *reinterpret_cast<uint4*>(p) = kept;
#pragma unroll
  for (int i = 0; i < 8; i++) x.x[i] -= y.x[i];
  put(p + behind, x);
}
// x + y z, column by column.
DEVICE Eight mixed(const Eight& x, const Eight& y, const Eight& z) {
  Eight sum;
#pragma unroll
  for (int i = 0; i < 8; i++) sum.x[i] = fmaf(y.x[i], z.x[i], x.x[i]);
  return sum;
}

// ------------------------------------------------------------------ the beginning

// grid T. tokens [T]; table [V, D] in the host's memory; norms [V], ln0 [2, D]: see weights.py.
KERNEL(ROW_THREADS)
read_embed(const int* place, const int* tokens, const half* table, const float2* norms,
           const float* ln0, float* x) {
  start_next_and_wait();
  const long long t = blockIdx.x, column = 8 * threadIdx.x;
  if (t >= place[0] || column >= D) return;
  const long long id = tokens[t];
  const float2 by = norms[id];
  Eight row = eight_of(load_streamed(table + id * D + column));
#pragma unroll
  for (int i = 0; i < 8; i++) row.x[i] = fmaf(row.x[i], by.x, by.y);
  put(x + t * D + column, mixed(eight_of(ln0 + D + column), row, eight_of(ln0 + column)));
}

// What becomes of a slot's shifts [L, D], both of them: what the layers have left. grid L.
KERNEL(ROW_THREADS)
read_keep_shifts(const int* place, const float* att_from, const float* ffn_from, float* att_shift,
                 float* ffn_shift, long long slot_step) {
  start_next_and_wait();
  const long long at = static_cast<long long>(blockIdx.x) * D + 8 * threadIdx.x;
  if (8 * threadIdx.x >= D || place[0] == 0) return;
  put(att_shift + place[1] * slot_step + at, eight_written(att_from + at));
  put(ffn_shift + place[1] * slot_step + at, eight_written(ffn_from + at));
}

// ------------------------------------------------------------------ norms and mixes

// A row of the residual with what is added to it, one block; 8 columns of each thread.
struct Residual {
  const float* x;
  const DELTA* delta;  // or null
  float scale;
  Eight weight, bias;
  float* parts;  // [2][32], shared
  int column;

  METHOD bool is_there() const { return column < D; }

  METHOD Eight row(long long t) const {
    Eight sum = {};
    if (!is_there()) return sum;
    sum = eight_written(x + t * D + column);
    if (!delta) return sum;
    const Eight more = eight_written(delta + t * D + column);
#pragma unroll
    for (int i = 0; i < 8; i++) sum.x[i] = fmaf(more.x[i], scale, sum.x[i]);
    return sum;
  }

  // Over the block. Two arrays in turn: whoever is behind still reads the other.
  METHOD float total(float sum, int turn) const {
    float* to = parts + 32 * turn;
    sum = warp_sum(sum);
    if (lane_index() == 0) to[warp_index()] = sum;
    __syncthreads();
    sum = 0;
#pragma unroll
    for (int i = 0; i < ROW_THREADS / 32; i++) sum += to[i];
    return sum;
  }

  METHOD Eight normalised(Eight v) const {
    float sum = 0;
#pragma unroll
    for (int i = 0; i < 8; i++) sum += v.x[i];
    const float mean = total(sum, 0) / D;
    sum = 0;
#pragma unroll
    for (int i = 0; i < 8; i++) {
      v.x[i] -= mean;
      if (is_there()) sum = fmaf(v.x[i], v.x[i], sum);
    }
    const float by = rsqrtf(total(sum, 1) / D + NORM_EPS);
#pragma unroll
    for (int i = 0; i < 8; i++) v.x[i] = fmaf(v.x[i] * by, weight.x[i], bias.x[i]);
    return v;
  }
};

DEVICE Residual residual_of(const float* x, const DELTA* delta, float scale, const float* weight,
                            const float* bias, float* parts) {
  Residual r = {x, delta, scale, {}, {}, parts, static_cast<int>(8 * threadIdx.x)};
  if (r.is_there()) r.weight = eight_of(weight + r.column), r.bias = eight_of(bias + r.column);
  return r;
}

// The rows first .. end - 1: x is updated into x_out, and use(t, h, what stood before - h) is
// called by the threads that are there. shift [D]: h before row 0; shift_out [D]: h of the last
// row.
template <typename Use>
DEVICE void through_rows(const Residual& r, long long first, long long end, long long count,
                         float* x_out, const float* shift, float* shift_out, Use use) {
  if (end > count) end = count;
  if (first >= end) return;
  Eight before = {};
  if (first) before = r.normalised(r.row(first - 1));
  else if (r.is_there()) before = eight_of(shift + r.column);
  Eight next = r.row(first);
  for (long long t = first; t < end; t++) {
    const Eight now = next;
    if (t + 1 < end) next = r.row(t + 1);
    const Eight h = r.normalised(now);
    if (!r.is_there()) continue;
    put(x_out + t * D + r.column, now);
    if (t == count - 1) put(shift_out + r.column, h);
#pragma unroll
    for (int i = 0; i < 8; i++) before.x[i] -= h.x[i];
    use(t, h, before);
    before = h;
  }
}

// firsts [RANKS, D] with a mix for each -> folded [RANKS, 2 D], so that folded [h, dx] is
// firsts (h + dx mix): one product for the four hidden ranks. A block has a row.
DEVICE void fold(int row, const LORA* firsts, const float* mixes, half* folded) {
  const int column = 8 * threadIdx.x;
  if (column >= D) return;
  const int mix = row < RW ? 1 : row < RW + RA ? 4 : row < RW + RA + RV ? 3 : 5;
  const uint4 raw = load_streamed(firsts + static_cast<long long>(row) * D + column);
  Eight x = eight_of(firsts, raw);
  const Eight by = eight_of(mixes + mix * D + column);
  half* to = folded + 2LL * row * D + column;
  put(to, x);
#pragma unroll
  for (int i = 0; i < 8; i++) x.x[i] *= by.x[i];
  put(to + D, x);
}

// grid row_blocks + RANKS: `rows` rows a block, then the blocks of fold.
// mixes [6, D]: of r, w, k, v, a, g; pair [T, 2 D]: h and dx; mixed_to: planes [T, D] of r, k, v.
// early [2, 2 early_rows, D], or null: of r and k, the first tokens' mixes, and what they lost by
// rounding.
KERNEL(ROW_THREADS)
read_time_mix(const int* place, long long rows, long long row_blocks, const float* x,
              const DELTA* delta, float scale, float* x_out, const float* weight, const float* bias,
              const float* mixes, const float* shift, long long slot_step, float* shift_out,
              half* pair, half* mixed_to, long long plane, half* early, long long early_rows,
              const LORA* firsts, half* folded) {
  __shared__ float parts[64];
  const Residual r = residual_of(x, delta, scale, weight, bias, parts);
  Eight by[3] = {};
  if (r.is_there()) {
    by[0] = eight_of(mixes + r.column), by[1] = eight_of(mixes + 2 * D + r.column);
    by[2] = eight_of(mixes + 3 * D + r.column);
  }
  start_next_and_wait();
  if (static_cast<long long>(blockIdx.x) >= row_blocks) {
    fold(blockIdx.x - static_cast<int>(row_blocks), firsts, mixes, folded);
    return;
  }
  const long long first = blockIdx.x * rows;
  shift += place[1] * slot_step;
  through_rows(r, first, first + rows, place[0], x_out, shift, shift_out,
               [&](long long t, const Eight& h, const Eight& dx) {
                 put(pair + 2 * t * D + r.column, h);
                 put(pair + (2 * t + 1) * D + r.column, dx);
#pragma unroll
                 for (int i = 0; i < 3; i++)
                   put(mixed_to + i * plane + t * D + r.column, mixed(h, dx, by[i]));
                 if (!early || t >= early_rows) return;
#pragma unroll
                 for (int i = 0; i < 2; i++)
                   put_both(early + (2 * i * early_rows + t) * D + r.column, early_rows * D,
                            mixed(h, dx, by[i]));
               });
}

// x, followed at `lost` by what rounding takes from it; lost 0: by nothing.
DEVICE void put_exact(half* p, long long lost, const Eight& x) {
  if (lost) put_both(p, lost, x);
  else put(p, x);
}

// grid as many blocks of `rows` rows as there are. What is mixed leaves out the norm's bias: see
// relu2. lost: see put_exact.
KERNEL(ROW_THREADS)
read_channel_mix(const int* place, long long rows, const float* x, const DELTA* delta, float scale,
                 float* x_out, const float* weight, const float* bias, const float* mix,
                 const float* shift, long long slot_step, float* shift_out, half* mixed_to,
                 long long lost) {
  __shared__ float parts[64];
  const Residual r = residual_of(x, delta, scale, weight, bias, parts);
  Eight by = {};
  if (r.is_there()) by = eight_of(mix + r.column);
  start_next_and_wait();
  const long long first = blockIdx.x * rows;
  shift += place[1] * slot_step;
  through_rows(r, first, first + rows, place[0], x_out, shift, shift_out,
               [&](long long t, const Eight& h, const Eight& dx) {
                 Eight x = mixed(h, dx, by);
#pragma unroll
                 for (int i = 0; i < 8; i++) x.x[i] -= r.bias.x[i];
                 put_exact(mixed_to + t * D + r.column, lost, x);
               });
}

// The last norm: of rows from `first` on, a block each; first < 0: of the last token only. Halves
// are followed, behind all rows, by what they lose.
DEVICE void put_normed(half* out, const Eight& h) {
  put_both(out, static_cast<long long>(gridDim.x) * D, h);
}
DEVICE void put_normed(float* out, const Eight& h) { put(out, h); }
template <typename T>
DEVICE void norm_out(const int* place, long long first, const Residual& r, T* out) {
  start_next_and_wait();
  const long long t = first < 0 ? place[0] - 1 : first + blockIdx.x;
  if (t >= place[0]) return;
  const Eight h = r.normalised(r.row(t));
  if (r.is_there()) put_normed(out + static_cast<long long>(blockIdx.x) * D + r.column, h);
}
KERNEL(ROW_THREADS)
read_norm_out(const int* place, long long first, const float* x, const DELTA* delta, float scale,
              const float* weight, const float* bias, half* out) {
  __shared__ float parts[64];
  norm_out(place, first, residual_of(x, delta, scale, weight, bias, parts), out);
}
KERNEL(ROW_THREADS)
read_norm_last(const int* place, const float* x, const DELTA* delta, float scale,
               const float* weight, const float* bias, float* out) {
  __shared__ float parts[64];
  norm_out(place, -1, residual_of(x, delta, scale, weight, bias, parts), out);
}

// ------------------------------------------------------------------ activations

// hid [T, RANKS], in place: tanh of w's, sigmoid of g's. A thread has eight.
KERNEL(256) read_activate(const int* place, half* hid) {
  constexpr int PIECES = (RW + RG) / 8;
  start_next_and_wait();
  const long long i = static_cast<long long>(blockIdx.x) * 256 + threadIdx.x, t = i / PIECES;
  if (t >= place[0]) return;
  const int piece = static_cast<int>(i - t * PIECES);
  const bool is_w = piece < RW / 8;
  half* at = hid + t * RANKS + 8 * piece + (is_w ? 0 : RA + RV);
  Eight x = eight_written(at);
#pragma unroll
  for (int j = 0; j < 8; j++) {
    const float y = sigmoid(is_w ? 2.0f * x.x[j] : x.x[j]);
    x.x[j] = is_w ? 2.0f * y - 1.0f : y;
  }
  put(at, x);
}

// to [T, width] = scale relu(x + fixed)^2; x may be what it is written to. A thread has `times` of
// eight, 256 threads apart. fixed [width]: the matrix times its norm's bias, which so needs no room
// among the bits of a mix. lost: see put_exact.
template <typename T>
DEVICE void relu2(const int* place, const T* x, const float* fixed, half* to, long long width,
                  float scale, long long times, long long lost) {
  start_next_and_wait();
  const long long end = place[0] * width;
  long long i = (static_cast<long long>(blockIdx.x) * 256 * times + threadIdx.x) * 8;
#pragma unroll 4
  for (long long n = 0; n < times; n++, i += 8 * 256) {
    if (i >= end) return;
    Eight v = eight_written(x + i);
    const Eight more = eight_of(fixed + static_cast<u32>(i) % static_cast<u32>(width));
#pragma unroll
    for (int j = 0; j < 8; j++) {
      const float y = fmaxf(v.x[j] + more.x[j], 0.0f);
      v.x[j] = fminf(y * y * scale, LARGEST);
    }
    put_exact(to + i, lost, v);
  }
}
KERNEL(256) read_relu2_fp16(const int* place, const half* x, const float* fixed, half* to,
                            long long width, float scale, long long times, long long lost) {
  relu2(place, x, fixed, to, width, scale, times, lost);
}
KERNEL(256) read_relu2_fp32(const int* place, const float* x, const float* fixed, half* to,
                            long long width, float scale, long long times, long long lost) {
  relu2(place, x, fixed, to, width, scale, times, lost);
}

// ------------------------------------------------------------------ after the recurrence

constexpr int OUT_ROW = 72;

// The group norm of a chunk's y in place: [slice][row g, row g + 8][token], 4 tokens a lane.
DEVICE void normalise_head(float (&y)[4][2][4]) {
#pragma unroll
  for (int t = 0; t < 4; t++) {
    float sum = 0, squares = 0;
#pragma unroll
    for (int m = 0; m < 4; m++) sum += y[m][0][t] + y[m][1][t];
#pragma unroll
    for (int step = 4; step < 32; step *= 2) sum += __shfl_xor_sync(ALL_LANES, sum, step);
#pragma unroll
    for (int m = 0; m < 4; m++)
#pragma unroll
      for (int p = 0; p < 2; p++) {
        y[m][p][t] -= sum / HEAD;
        squares = fmaf(y[m][p][t], y[m][p][t], squares);
      }
#pragma unroll
    for (int step = 4; step < 32; step *= 2) squares += __shfl_xor_sync(ALL_LANES, squares, step);
    const float by = rsqrtf(squares / HEAD + HEAD_NORM_EPS);
#pragma unroll
    for (int m = 0; m < 4; m++) y[m][0][t] *= by, y[m][1][t] *= by;
  }
}

// Values g and g + 8 of a slice by tokens 2q, 2q + 1, 2q + 8, 2q + 9.
DEVICE void eight_of_slice(float (&x)[2][4], uint4 v) {
  const u32 words[2][2] = {{v.x, v.z}, {v.y, v.w}};
#pragma unroll
  for (int p = 0; p < 2; p++)
#pragma unroll
    for (int i = 0; i < 2; i++)
      x[p][2 * i] = low_half(words[p][i]), x[p][2 * i + 1] = high_half(words[p][i]);
}

// out [T, D] = (norm(y) + bonus v) gate, the gate [T, D] as its product left it. A warp has a chunk
// of a head. grid (ceil(T / 64), heads). y as read_scan wrote it.
KERNEL(128)
read_heads(const int* place, const uint4* y_from, const u8* records, const DELTA* gate,
           const float* weight, const float* bias, half* out) {
  __shared__ __align__(16) float all[4][CHUNK * OUT_ROW];
  const long long n = static_cast<long long>(blockIdx.x) * 4 + warp_index();
  const int head = blockIdx.y, g = group(), q = quarter();
  float* tile = all[warp_index()];
  start_next_and_wait();
  const long long left = place[0] - n * CHUNK;
  if (left <= 0) return;
  const u8* record = records + (n * HEADS + head) * RECORD;
  y_from += (n * HEADS + head) * 4 * 32;
  float y[4][2][4];
#pragma unroll
  for (int m = 0; m < 4; m++) eight_of_slice(y[m], load_written16(y_from + 32 * m + lane_index()));
  normalise_head(y);
  float bonus[4];
  const float* sums = reinterpret_cast<const float*>(record + AT_BONUS);
#pragma unroll
  for (int i = 0; i < 4; i++) bonus[i] = load_written(sums + 2 * q + 8 * (i >> 1) + (i & 1));
#pragma unroll
  for (int m = 0; m < 4; m++) {
    float v[2][4];
    eight_of_slice(v, load_written16(&fragment(record, AT_V, m)));
#pragma unroll
    for (int p = 0; p < 2; p++) {
      const int column = column_of(2 * m + p, g);
      const float w = weight[head * HEAD + column], b = bias[head * HEAD + column];
#pragma unroll
      for (int t = 0; t < 4; t++)
        tile[(2 * q + 8 * (t >> 1) + (t & 1)) * OUT_ROW + column] =
            fmaf(bonus[t], v[p][t], fmaf(y[m][p][t], w, b));
    }
  }
  __syncwarp();
  for (int i = lane_index(); i < CHUNK * 8; i += 32) {
    const int t = i >> 3, column = 8 * (i & 7);
    if (t >= left) continue;
    const long long to = (n * CHUNK + t) * D + head * HEAD + column;
    Eight x = eight_of(tile + t * OUT_ROW + column);
    const Eight by = eight_written(gate + to);
#pragma unroll
    for (int j = 0; j < 8; j++) x.x[j] *= by.x[j];
    put(out + to, x);
  }
}
