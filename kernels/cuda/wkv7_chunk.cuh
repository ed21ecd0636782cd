// The WKV7 recurrence with its gradients, in chunks of 16 tokens on the tensor cores. One block
// per row and head. Per head, with S the state [64, 64] (row = value index,
// column = key index), as in RWKV-7 (https://arxiv.org/abs/2503.14456, section 3):
//
//   u_t = S_{t-1} a_t,   S_t = S_{t-1} diag(w_t) + u_t b_t^T + v_t k_t^T,   y_t = S_t r_t
//
// Within a chunk, P_t = w_1 .. w_t and the scaled rows a^ = a P_{t-1}, r^ = r P_t, b^ = b / P_t,
// k^ = k / P_t take the decay out: S^_t = S_t / P_t = S_0 + sum_{s<=t} (u_s b^_s^T + v_s k^_s^T).
// With the matrices [t][s] AB = a^ b^T, AK = a^ k^T (s < t), RB = r^ b^T, RK = r^ k^T (s <= t) and
// INV = (I - AB)^-1, rows being tokens:
//
//   U = INV (A^ S_0^T + AK V)     Y = R^ S_0^T + RK V + RB U     S = (S_0 + V^T K^ + U^T B^) P_16
//
// and backwards, with G the gradient of S^_16 (that of S times P_16) and [t][s] DYU = dY U^T,
// DYV = dY V^T (s <= t), DUU = dU U^T, DUV = dU V^T (s < t):
//
//   dU = INV^T (B^ G^T + RB^T dY)             dV = K^ G^T + RK^T dY + AK^T dU
//   dR^ = dY S_0 + DYU B^ + DYV K^            dA^ = dU S_0 + DUU B^ + DUV K^
//   dB^ = U G + DYU^T R^ + DUU^T A^           dK^ = V G + DYV^T R^ + DUV^T A^
//   dS_0 = G + dY^T R^ + dU^T A^
//   d log w_t = sum_{s>=t} (r^ dR^ - b^ dB^ - k^ dK^)_s + sum_{s>t} (a^ dA^)_s + sum_i (G S^_16)_i
//
// wkv7_forward.cu and wkv7_backward.cu follow on this text, which follows on tiles.cuh. No atomics:
// the same input gives the same bits.
// Decays of a chunk must stay above 1e-35 (the model's stay above 6e-5).

constexpr int N = 64;   // head size
constexpr int C = 16;   // tokens of a chunk
constexpr int LW = 72;  // a shared row of 64 floats that is read along itself, without conflicts
constexpr int LN = 68;  // one that is read across
constexpr int LM = 24;  // a shared row of 16 floats

// How often a product is taken on the tensor cores, whose operands have 11 bits: once is enough
// for bf16; three times, with the remainders, gives 22 bits.
template <typename T> struct Passes { static constexpr int value = 3; };
template <> struct Passes<bf16> { static constexpr int value = 1; };

// ------------------------------------------------------------------ parts of both directions

// Sums of log w up to every token: c [t][key], by the thread of a key.
__device__ __forceinline__ void accumulate(const float (&log_w)[C], float* c, int key) {
  float sum = 0;
#pragma unroll
  for (int t = 0; t < C; t++) c[t * LN + key] = sum += log_w[t];
}

__device__ __forceinline__ void read_column(float (&to)[C], const float* from, long long step) {
#pragma unroll
  for (int t = 0; t < C; t++) to[t] = from[t * step];
}

// out [t][s] = x_t . y_s below the diagonal, and on it if `on`; one warp.
template <int P, int LX, int LY>
__device__ __forceinline__ void attend(const float* x, const float* y, float* out, bool on) {
  Sum d[2];
  clear(d);
#pragma unroll
  for (int k = 0; k < N; k += 8) {
    const A a = a_of<LX>(x + k);
    add<P>(d[0], a, b_of_t<LY>(y + k));
    add<P>(d[1], a, b_of_t<LY>(y + 8 * LY + k));
  }
  const int g = group(), q = quarter();
#pragma unroll
  for (int j = 0; j < 2; j++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int t = g + 8 * (i >> 1), s = 8 * j + 2 * q + (i & 1);
      out[t * LM + s] = s < t || (on && s == t) ? d[j].x[i] : 0.0f;
    }
}

// inverse = (I - x)^-1 of a strictly lower x, a column per lane by substitution; one warp.
__device__ __forceinline__ void invert(const float* x, float* inverse) {
  const int column = threadIdx.x & 15;
  float z[C];
#pragma unroll
  for (int t = 0; t < C; t++) z[t] = t == column ? 1.0f : 0.0f;
#pragma unroll
  for (int s = 0; s < C - 1; s++)
#pragma unroll
    for (int t = s + 1; t < C; t++) z[t] += x[t * LM + s] * z[s];
  if ((threadIdx.x & 31) < C) {
#pragma unroll
    for (int t = 0; t < C; t++) inverse[t * LM + column] = z[t];
  }
}

// The scaled rows of four neighbours of one token.
__device__ __forceinline__ void scaled(const float* c, int t, int column, float (&before)[4],
                                       float (&after)[4], float (&back)[4]) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const float sum = c[t * LN + column + i];
    before[i] = t ? expf(c[(t - 1) * LN + column + i]) : 1.0f;
    after[i] = expf(sum), back[i] = expf(-sum);
  }
}
template <typename T>
__device__ __forceinline__ void put(float* to, const Four<T>& from, const float (&by)[4]) {
  float x[4];
  from.unpack(x);
#pragma unroll
  for (int i = 0; i < 4; i++) x[i] *= by[i];
  store4(to, x);
}

// A thread's part of rows [value][key] of a state in memory: 16 values from `row` on.
__device__ __forceinline__ void read_state(Sum (&s)[8], const float* state, int row) {
#pragma unroll
  for (int j = 0; j < 8; j++)
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const int at = (row + group() + 8 * i) * N + 8 * j + 2 * quarter();
      const float2 pair =
          state ? *reinterpret_cast<const float2*>(state + at) : make_float2(0.0f, 0.0f);
      s[j].x[2 * i] = pair.x, s[j].x[2 * i + 1] = pair.y;
    }
}
template <int LD, typename T>
__device__ __forceinline__ void write_state(const Sum (&s)[8], T* state, int row) {
#pragma unroll
  for (int j = 0; j < 8; j++)
#pragma unroll
    for (int i = 0; i < 2; i++)
      store2(state + (row + group() + 8 * i) * LD + 8 * j + 2 * quarter(), s[j].x[2 * i],
             s[j].x[2 * i + 1]);
}
// Columns [key] of a state are multiplied by exp(c).
__device__ __forceinline__ void decay(Sum (&s)[8], const float* c) {
#pragma unroll
  for (int j = 0; j < 8; j++)
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const float by = expf(c[8 * j + 2 * quarter() + i]);
      s[j].x[i] *= by, s[j].x[2 + i] *= by;
    }
}
// x [value][token], 16 values from `row` on, is written as [token][value].
template <typename T>
__device__ __forceinline__ void write_rows(const Sum (&x)[2], T* to, long long step, int row) {
#pragma unroll
  for (int j = 0; j < 2; j++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int t = 8 * j + 2 * quarter() + (i & 1), value = row + group() + 8 * (i >> 1);
      store(to + t * step + value, x[j].x[i]);
    }
}
