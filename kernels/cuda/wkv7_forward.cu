// The WKV7 recurrence in chunks: see wkv7_chunk.cuh.

struct Prepared {  // what a chunk brings, whatever the state
  float a[C * LW], r[C * LW], b[C * LN], k[C * LN], v[C * LN], sums[N];
  float ak[C * LM], rk[C * LM], rb[C * LM], inverse[C * LM];
};
struct ForwardShared {
  Prepared prepared[2];
  float c[C * LN], ab[C * LM];
};

__device__ __forceinline__ void meet_128() { asm volatile("bar.sync 1, 128;" ::: "memory"); }

// Warps 4 to 7, one chunk ahead of the others.
template <typename T> struct Preparer {
  static constexpr int P = Passes<T>::value;
  Four<T> r[2], k[2], v[2], a[2], b[2];  // eight neighbours of one token
  float log_w[C];                        // one column, for the first 64 threads
  const int me = threadIdx.x - 128, t = me >> 3, column = 8 * (me & 7);

  __device__ __forceinline__ void fetch(const T* r_, const float* log_w_, const T* k_,
                                        const T* v_, const T* a_, const T* b_, long long first,
                                        long long step) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
      const long long at = first + t * step + column + 4 * h;
      r[h].fetch(r_ + at), k[h].fetch(k_ + at), v[h].fetch(v_ + at);
      a[h].fetch(a_ + at), b[h].fetch(b_ + at);
    }
    if (me < N) read_column(log_w, log_w_ + first + me, step);
  }

  __device__ __forceinline__ void spread(ForwardShared& shared, Prepared& to) {
    if (me < N) {
      accumulate(log_w, shared.c, me);
      to.sums[me] = shared.c[(C - 1) * LN + me];
    }
    meet_128();
#pragma unroll
    for (int h = 0; h < 2; h++) {
      const int at = column + 4 * h;
      float before[4], after[4], back[4], same[4] = {1, 1, 1, 1};
      scaled(shared.c, t, at, before, after, back);
      put(to.a + t * LW + at, a[h], before), put(to.r + t * LW + at, r[h], after);
      put(to.b + t * LN + at, b[h], back), put(to.k + t * LN + at, k[h], back);
      put(to.v + t * LN + at, v[h], same);
    }
    meet_128();
  }

  __device__ __forceinline__ void matrices(ForwardShared& shared, Prepared& to) {
    const int warp = me >> 5;
    if (warp == 0) {
      attend<P, LW, LN>(to.a, to.b, shared.ab, false);
      __syncwarp();
      invert(shared.ab, to.inverse);
    } else if (warp == 1) {
      attend<P, LW, LN>(to.a, to.k, to.ak, false);
    } else if (warp == 2) {
      attend<P, LW, LN>(to.r, to.b, to.rb, true);
    } else {
      attend<P, LW, LN>(to.r, to.k, to.rk, true);
    }
  }
};

// Warps 0 to 3: a chunk for the 16 values from `row` on, whose part of the state they hold.
template <typename T>
__device__ __forceinline__ void advance(Sum (&S)[8], const Prepared& in, T* y, T* removed,
                                        long long step, int row) {
  constexpr int P = Passes<T>::value;
  A v[2], u[2];
  Sum x[2], out[2];
  clear(x), clear(out);
#pragma unroll
  for (int i = 0; i < 2; i++) v[i] = a_of_t<LN>(in.v + 8 * i * LN + row);
#pragma unroll
  for (int k = 0; k < 8; k++) {
    const A s = a_of(S[k]);
#pragma unroll
    for (int j = 0; j < 2; j++) {
      add<P>(x[j], s, b_of_t<LW>(in.a + 8 * j * LW + 8 * k));
      add<P>(out[j], s, b_of_t<LW>(in.r + 8 * j * LW + 8 * k));
    }
  }
  add16_t<P, LM>(x, v, in.ak);
  add16_t<P, LM>(out, v, in.rk);
  u[0] = a_of(x[0]), u[1] = a_of(x[1]);
  clear(x);
  add16_t<P, LM>(x, u, in.inverse);
  if (removed) write_rows(x, removed, step, row);
  u[0] = a_of(x[0]), u[1] = a_of(x[1]);
  add16_t<P, LM>(out, u, in.rb);
  write_rows(out, y, step, row);
  add64<P, LN>(S, v, in.k);
  add64<P, LN>(S, u, in.b);
  decay(S, in.sums);
}

// kept: the state before every chunk [B H, T / 16, 64, 64], and removed: U [B, T, H, 64], for the
// way back, as exact as r and the others; start, kept and removed may be null.
template <typename T>
__device__ __forceinline__ void forward(long long length, long long heads, const T* r,
                                        const float* log_w, const T* k, const T* v, const T* a,
                                        const T* b, const float* start, T* y, T* kept, T* removed,
                                        float* end) {
  extern __shared__ __align__(16) unsigned char memory[];
  ForwardShared& shared = *reinterpret_cast<ForwardShared*>(memory);
  const long long head = blockIdx.x, chunks = length / C, step = heads * N;
  const long long first = (head / heads * length * heads + head % heads) * N;
  const int row = 16 * (threadIdx.x >> 5);
  if (threadIdx.x >= 128) {
    Preparer<T> next;
    next.fetch(r, log_w, k, v, a, b, first, step);
    for (long long n = 0; n <= chunks; n++) {  // in step with the loop below
      if (n < chunks) {
        Prepared& to = shared.prepared[n & 1];
        next.spread(shared, to);
        if (n + 1 < chunks) next.fetch(r, log_w, k, v, a, b, first + (n + 1) * C * step, step);
        next.matrices(shared, to);
      }
      __syncthreads();
    }
    return;
  }
  Sum S[8];
  read_state(S, start ? start + head * N * N : start, row);
  __syncthreads();
  for (long long n = 0; n < chunks; n++) {
    const long long at = first + n * C * step;
    if (kept) write_state<N>(S, kept + (head * chunks + n) * N * N, row);
    advance(S, shared.prepared[n & 1], y + at, removed ? removed + at : removed, step, row);
    __syncthreads();
  }
  write_state<N>(S, end + head * N * N, row);
}

#define KERNEL(NAME, T)                                                                           \
  extern "C" __global__ void __launch_bounds__(256, 2) forward_##NAME(                            \
      long long length, long long heads, const T* r, const float* log_w, const T* k, const T* v,  \
      const T* a, const T* b, const float* start, T* y, T* kept, T* removed, float* end) {        \
    forward<T>(length, heads, r, log_w, k, v, a, b, start, y, kept, removed, end);                \
  }

#ifdef WITH_BF16
KERNEL(bf16, bf16)
#endif
#ifdef WITH_FP32
KERNEL(fp32, float)
#endif

static_assert(sizeof(ForwardShared) == 63232, "wkv7_train.py asks for this size");
