// Weights of 16 bits out of the layouts of matrices.py: what a matrix product wants; and logits of
// one token without them. Follows on device.cuh. A thread has 16 neighbours as they lie; `pieces` of 16 in all. Scales are bf16 for
// groups of 64 inputs: along a row, or (`by_input`, where the rows are neighbours) across.

DEVICE int signed_byte(u32 word, int i) { return static_cast<int>(word << (24 - 8 * i)) >> 24; }

constexpr int LEVELS[16] = {-127, -97, -77, -60, -46, -33, -21, -9, 2, 13, 24, 36, 49, 64, 82, 107};

struct Int8 {
  static __device__ __forceinline__ void unpack(float (&x)[16], const u8* data, long long piece, const float*) {
    const uint4 raw = load_streamed(data + 16 * piece);
    const u32 words[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
    for (int i = 0; i < 16; i++) x[i] = static_cast<float>(signed_byte(words[i >> 2], i & 3));
  }
};
struct Q4 {
  static __device__ __forceinline__ void unpack(float (&x)[16], const u8* data, long long piece, const float* levels) {
    const uint2 raw = load_streamed8(data + 8 * piece);
    const u32 words[2] = {raw.x, raw.y};
#pragma unroll
    for (int i = 0; i < 16; i++) x[i] = levels[words[i >> 3] >> (4 * (i & 7)) & 15];
  }
};

// rows: of the matrix, 0 if it does not lie by input.
template <typename Kind>
DEVICE void expand(const u8* data, const bf16* scales, half* out, long long pieces,
                   long long rows) {
  __shared__ float levels[16];
  if (threadIdx.x < 16) levels[threadIdx.x] = static_cast<float>(LEVELS[threadIdx.x]);
  __syncthreads();
  start_next_and_wait();
  const long long piece = static_cast<long long>(blockIdx.x) * 256 + threadIdx.x;
  if (piece >= pieces) return;
  float x[16];
  Kind::unpack(x, data, piece, levels);
  if (rows) {
    const long long k = 16 * piece / rows, row = 16 * piece - k * rows;
    const bf16* by = scales + k / 64 * rows + row;
#pragma unroll
    for (int i = 0; i < 16; i++) x[i] *= to_float(by[i]);
  } else {
    const float by = to_float(scales[piece / 4]);
#pragma unroll
    for (int i = 0; i < 16; i++) x[i] *= by;
  }
  uint4* to = reinterpret_cast<uint4*>(out) + 2 * piece;
#pragma unroll
  for (int i = 0; i < 2; i++)
    to[i] = make_uint4(half2_of(x[8 * i], x[8 * i + 1]), half2_of(x[8 * i + 2], x[8 * i + 3]),
                       half2_of(x[8 * i + 4], x[8 * i + 5]), half2_of(x[8 * i + 6], x[8 * i + 7]));
}

KERNEL(256)
expand_int8(const u8* data, const bf16* scales, half* out, long long pieces, long long rows) {
  expand<Int8>(data, scales, out, pieces, rows);
}
KERNEL(256)
expand_q4(const u8* data, const bf16* scales, half* out, long long pieces, long long rows) {
  expand<Q4>(data, scales, out, pieces, rows);
}
DEVICE u32 halves_of_pair(u32 bf16_pair) {
  return half2_of(low_bf16(bf16_pair), high_bf16(bf16_pair));
}
KERNEL(256) expand_bf16(const u8* data, const bf16*, half* out, long long pieces, long long) {
  start_next_and_wait();
  const long long piece = static_cast<long long>(blockIdx.x) * 256 + threadIdx.x;
  if (piece >= pieces) return;
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const uint4 v = load_streamed(data + 32 * piece + 16 * i);
    reinterpret_cast<uint4*>(out)[2 * piece + i] =
        make_uint4(halves_of_pair(v.x), halves_of_pair(v.y), halves_of_pair(v.z),
                   halves_of_pair(v.w));
  }
}

// ------------------------------------------------------------------ logits

// logits [rows] = matrix [rows, k] x [k]; a warp has a row.
template <typename Kind>
DEVICE void multiply(const u8* data, const bf16* scales, const float* x, float* logits,
                     long long rows, long long k) {
  __shared__ float levels[16];
  if (threadIdx.x < 16) levels[threadIdx.x] = static_cast<float>(LEVELS[threadIdx.x]);
  __syncthreads();
  start_next_and_wait();
  const long long row = static_cast<long long>(blockIdx.x) * 8 + warp_index();
  if (row >= rows) return;
  const long long pieces = k / 16, first = row * pieces;
  float sum = 0;
#pragma unroll 4
  for (long long i = lane_index(); i < pieces; i += 32) {
    float w[16], part = 0;
    Kind::unpack(w, data, first + i, levels);
#pragma unroll
    for (int j = 0; j < 16; j += 4) {
      const float4 v = load_written4(x + 16 * i + j);
      part = fmaf(v.x, w[j], fmaf(v.y, w[j + 1], part));
      part = fmaf(v.z, w[j + 2], fmaf(v.w, w[j + 3], part));
    }
    sum = fmaf(part, scales ? to_float(scales[(first + i) / 4]) : 1.0f, sum);
  }
  sum = warp_sum(sum);
  if (lane_index() == 0) logits[row] = sum;
}

DEVICE float2 pair_of(u32 pair, half) { return to_float2(pair); }
DEVICE float2 pair_of(u32 pair, bf16) { return make_float2(low_bf16(pair), high_bf16(pair)); }
template <typename T> struct Plain {
  static __device__ __forceinline__ void unpack(float (&x)[16], const u8* data, long long piece,
                                                const float*) {
#pragma unroll
    for (int j = 0; j < 2; j++) {
      const uint4 v = load_streamed(data + 32 * piece + 16 * j);
      const u32 words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
      for (int n = 0; n < 4; n++) {
        const float2 both = pair_of(words[n], T{});
        x[8 * j + 2 * n] = both.x, x[8 * j + 2 * n + 1] = both.y;
      }
    }
  }
};

#define LOGITS(NAME, KIND)                                                                       \
  KERNEL(256)                                                                                    \
  logits_##NAME(const u8* data, const bf16* scales, const float* x, float* logits,               \
                long long rows, long long k) {                                                   \
    multiply<KIND>(data, scales, x, logits, rows, k);                                            \
  }
LOGITS(int8, Int8)
LOGITS(q4, Q4)
LOGITS(fp16, Plain<half>)
LOGITS(bf16, Plain<bf16>)
