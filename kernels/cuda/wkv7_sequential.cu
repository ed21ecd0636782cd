// The WKV7 recurrence with its gradients, token by token, for cards without tf32. One block per
// row and head, four threads per row of the state, so that a row's sums need two shuffles. Per
// head, with S the state [64, 64] (row = value index i, column = key index j):
//
//   s_t = S_{t-1} a_t                 S_t = S_{t-1} diag(w_t) + s_t b_t^T + v_t k_t^T
//   y_t = S_t r_t                     (RWKV-7, https://arxiv.org/abs/2503.14456, section 3)
//
// No headers: NVRTC has none. bf16 is converted by its bits.

typedef unsigned short bf16;

constexpr int N = 64;      // head size
constexpr int CHUNK = 16;  // tokens between kept states
constexpr int OWN = 16;    // columns of a thread: 4 q + 16 m + (0..3), which share no bank

__device__ __forceinline__ float load(const float* p) { return *p; }
__device__ __forceinline__ float load(const bf16* p) {
  return __uint_as_float(static_cast<unsigned>(*p) << 16);
}
__device__ __forceinline__ void store(float* p, float x) { *p = x; }
__device__ __forceinline__ void store(bf16* p, float x) {  // rounds to nearest even
  const unsigned bits = __float_as_uint(x);
  *p = static_cast<bf16>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

__device__ __forceinline__ int column(int q, int m) { return 4 * q + 16 * m; }

// The thread's 16 columns of a row of 64.
__device__ __forceinline__ void read_own(const float* row, int q, float (&x)[OWN]) {
#pragma unroll
  for (int m = 0; m < 4; m++) {
    const float4 f = *reinterpret_cast<const float4*>(row + column(q, m));
    x[4 * m] = f.x, x[4 * m + 1] = f.y, x[4 * m + 2] = f.z, x[4 * m + 3] = f.w;
  }
}
__device__ __forceinline__ void write_own(float* row, int q, const float (&x)[OWN]) {
#pragma unroll
  for (int m = 0; m < 4; m++)
    *reinterpret_cast<float4*>(row + column(q, m)) =
        make_float4(x[4 * m], x[4 * m + 1], x[4 * m + 2], x[4 * m + 3]);
}
// The same of a column of a 64 x 64 matrix.
__device__ __forceinline__ void read_column(const float* at, int q, float (&x)[OWN]) {
#pragma unroll
  for (int m = 0; m < 4; m++)
#pragma unroll
    for (int e = 0; e < 4; e++) x[4 * m + e] = at[(column(q, m) + e) * N];
}

__device__ __forceinline__ float dot(const float (&x)[OWN], const float (&y)[OWN]) {
  float even = 0, odd = 0;
#pragma unroll
  for (int j = 0; j < OWN; j += 2) even += x[j] * y[j], odd += x[j + 1] * y[j + 1];
  return even + odd;
}
__device__ __forceinline__ float over_row(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}

// kept: the state after every chunk, [B H, T / 16, 64, 64]. removed: s_t, [B, T, H, 64].
template <typename T>
__device__ __forceinline__ void forward(
    long long length, long long heads, const T* r, const float* log_w, const T* k, const T* v,
    const T* a, const T* b, const float* start, T* y, float* kept, float* removed, float* end) {
  const int i = threadIdx.x >> 2, q = threadIdx.x & 3;
  const int n = threadIdx.x & 63, part = threadIdx.x >> 6;  // what this thread fetches
  const long long head = blockIdx.x, chunks = length / CHUNK, step = heads * N;
  const long long first = (head / heads * length * heads + head % heads) * N;
  __shared__ __align__(16) float in[2][6][N];  // r w k a b v, of this token and of the next

  float S[OWN], x[OWN], w[OWN], key[OWN];
  read_own(start + (head * N + i) * N, q, S);
  float one = 0, two = 0;
  long long at = first + n;
  auto fetch = [&] {
    if (part == 0) one = load(r + at), two = __expf(log_w[at]);
    else if (part == 1) one = load(k + at);
    else if (part == 2) one = load(a + at);
    else one = load(b + at), two = load(v + at);
  };
  fetch();
  for (long long t = 0; t < length; t++) {
    float(&now)[6][N] = in[t & 1];
    if (part == 0) now[0][n] = one, now[1][n] = two;
    else if (part == 1) now[2][n] = one;
    else if (part == 2) now[3][n] = one;
    else now[4][n] = one, now[5][n] = two;
    at += step;
    if (t + 1 < length) fetch();
    // One barrier a token: the other half of `in` is written only after everyone passed the next.
    __syncthreads();
    read_own(now[3], q, x);
    const float s = over_row(dot(S, x)), value = now[5][i];
    read_own(now[1], q, w);
    read_own(now[2], q, key);
    read_own(now[4], q, x);
#pragma unroll
    for (int j = 0; j < OWN; j++) S[j] = S[j] * w[j] + (s * x[j] + value * key[j]);
    read_own(now[0], q, x);
    const float out = over_row(dot(S, x));
    if (q == 0) {
      store(y + first + t * step + i, out);
      removed[first + t * step + i] = s;
    }
    if ((t + 1) % CHUNK == 0) write_own(kept + ((head * chunks + t / CHUNK) * N + i) * N, q, S);
  }
  write_own(end + (head * N + i) * N, q, S);
}

// From the last token to the first. A thread holds row i of dS (D), and of S and dS transposed
// (St, Dt: column i), so that every sum is over what it holds. Within a chunk the state runs
// backwards, S_{t-1} = (S_t - s_t b_t^T - v_t k_t^T) diag(1 / w_t).
template <typename T>
__device__ __forceinline__ void backward(
    long long length, long long heads, const T* r, const float* log_w, const T* k, const T* v,
    const T* a, const T* b, const T* dy, const float* d_end, const float* kept,
    const float* removed, T* dr, float* d_log_w, T* dk, T* dv, T* da, T* db, float* d_start) {
  const int i = threadIdx.x >> 2, q = threadIdx.x & 3;
  const int n = threadIdx.x & 63, part = threadIdx.x >> 6;
  const long long head = blockIdx.x, chunks = length / CHUNK, step = heads * N;
  const long long first = (head / heads * length * heads + head % heads) * N;
  __shared__ __align__(16) float in[2][8][N];  // r, log w, k, a, b, v, dy, s
  __shared__ __align__(16) float ds[2][N];

  float St[OWN], D[OWN], Dt[OWN], x[OWN], z[OWN];
  read_own(d_end + (head * N + i) * N, q, D);
  read_column(d_end + head * N * N + i, q, Dt);
  float one = 0, two = 0;
  long long at = first + (length - 1) * step + n;
  auto fetch = [&] {
    if (part == 0) one = load(r + at), two = log_w[at];
    else if (part == 1) one = load(k + at), two = load(a + at);
    else if (part == 2) one = load(b + at), two = load(v + at);
    else one = load(dy + at), two = removed[at];
  };
  fetch();
  for (long long t = length - 1; t >= 0; t--) {
    float(&now)[8][N] = in[t & 1];
    now[2 * part][n] = one, now[2 * part + 1][n] = two;
    at -= step;
    if (t > 0) fetch();
    if ((t + 1) % CHUNK == 0)
      read_column(kept + (head * chunks + t / CHUNK) * N * N + i, q, St);
    __syncthreads();
    const float ri = now[0][i], ki = now[2][i], ai = now[3][i], bi = now[4][i], gi = now[6][i];
    const float w = __expf(now[1][i]), inverse = __expf(-now[1][i]);

    read_own(now[6], q, x);  // dy
    float sum_r = dot(St, x);
#pragma unroll
    for (int j = 0; j < OWN; j++) Dt[j] += ri * x[j];
    read_own(now[5], q, x);  // v
    read_own(now[7], q, z);  // s
#pragma unroll
    for (int j = 0; j < OWN; j++) St[j] = (St[j] - ki * x[j] - bi * z[j]) * inverse;
    float sum_w = dot(Dt, St), sum_k = dot(Dt, x), sum_b = dot(Dt, z);
    read_own(now[0], q, x);  // r
#pragma unroll
    for (int j = 0; j < OWN; j++) D[j] += gi * x[j];
    read_own(now[4], q, x);  // b
    const float d = over_row(dot(D, x));
    if (q == 0) ds[t & 1][i] = d;
    read_own(now[2], q, x);  // k
    float sum_v = dot(D, x);
    sum_r = over_row(sum_r), sum_w = over_row(sum_w), sum_k = over_row(sum_k);
    sum_v = over_row(sum_v), sum_b = over_row(sum_b);
    __syncthreads();
    read_own(ds[t & 1], q, x);
    const float sum_a = over_row(dot(St, x));
#pragma unroll
    for (int j = 0; j < OWN; j++) Dt[j] = Dt[j] * w + ai * x[j];
    read_own(now[1], q, x);  // log w
    read_own(now[3], q, z);  // a
#pragma unroll
    for (int j = 0; j < OWN; j++) D[j] = D[j] * __expf(x[j]) + d * z[j];
    const long long to = first + t * step + i;
    if (q == 0) store(dr + to, sum_r), d_log_w[to] = sum_w * w;
    else if (q == 1) store(dk + to, sum_k), store(dv + to, sum_v);
    else if (q == 2) store(da + to, sum_a);
    else store(db + to, sum_b);
  }
  write_own(d_start + (head * N + i) * N, q, D);
}

#define KERNELS(NAME, T)                                                                          \
  extern "C" __global__ void __launch_bounds__(4 * N) forward_##NAME(                             \
      long long length, long long heads, const T* r, const float* log_w, const T* k, const T* v,  \
      const T* a, const T* b, const float* start, T* y, float* kept, float* removed,              \
      float* end) {                                                                               \
    forward<T>(length, heads, r, log_w, k, v, a, b, start, y, kept, removed, end);                \
  }                                                                                               \
  extern "C" __global__ void __launch_bounds__(4 * N) backward_##NAME(                            \
      long long length, long long heads, const T* r, const float* log_w, const T* k, const T* v,  \
      const T* a, const T* b, const T* dy, const float* d_end, const float* kept,                 \
      const float* removed, T* dr, float* d_log_w, T* dk, T* dv, T* da, T* db, float* d_start) {  \
    backward<T>(length, heads, r, log_w, k, v, a, b, dy, d_end, kept, removed, dr, d_log_w, dk,   \
                dv, da, db, d_start);                                                             \
  }

#ifdef WITH_BF16
KERNELS(bf16, bf16)
#endif
#ifdef WITH_FP32
KERNELS(fp32, float)
#endif
