// The gradients of the WKV7 recurrence in chunks: see wkv7_chunk.cuh.

struct BackwardShared {
  float a[C * LW], r[C * LW], b[C * LW], k[C * LW], v[C * LW], u[C * LW], dy[C * LW], du[C * LW];
  float G[N * LN], c[2][C * LN], sum_end[N];
  float ab[C * LM], ak[C * LM], rb[C * LM], rk[C * LM], inverse[C * LM];
  float dyu[C * LM], dyv[C * LM], duu[C * LM], duv[C * LM];
};

// What all threads bring in: four neighbours of one token.
template <typename T> struct Incoming {
  Four<T> r, k, v, a, b, dy, u;
  const int t = threadIdx.x >> 4, column = 4 * (threadIdx.x & 15);

  __device__ __forceinline__ void fetch(const T* r_, const T* k_, const T* v_, const T* a_,
                                        const T* b_, const T* dy_, const T* u_,
                                        long long first, long long step) {
    const long long at = first + t * step + column;
    r.fetch(r_ + at), k.fetch(k_ + at), v.fetch(v_ + at), a.fetch(a_ + at), b.fetch(b_ + at);
    dy.fetch(dy_ + at), u.fetch(u_ + at);
  }
  __device__ __forceinline__ void spread(BackwardShared& to, const float* c) const {
    float before[4], after[4], back[4], same[4] = {1, 1, 1, 1};
    scaled(c, t, column, before, after, back);
    const int at = t * LW + column;
    put(to.a + at, a, before), put(to.r + at, r, after), put(to.b + at, b, back);
    put(to.k + at, k, back), put(to.v + at, v, same), put(to.dy + at, dy, same);
    put(to.u + at, u, same);
  }
};

// Warps 0 to 3: the chain from chunk to chunk, for the 16 values from `row` on.
template <int P> struct Chain {
  Sum G[8], du[2], dv[2];
  A dy[2];
  int row;

  __device__ __forceinline__ void enter(BackwardShared& shared, const float* c) {
    decay(G, c + (C - 1) * LN);
    write_state<LN>(G, shared.G, row);
    clear(du), clear(dv);
#pragma unroll
    for (int k = 0; k < 8; k++) {
      const A g = a_of(G[k]);
#pragma unroll
      for (int j = 0; j < 2; j++) {
        add<P>(du[j], g, b_of_t<LW>(shared.b + 8 * j * LW + 8 * k));
        add<P>(dv[j], g, b_of_t<LW>(shared.k + 8 * j * LW + 8 * k));
      }
    }
  }
  __device__ __forceinline__ void from_outputs(const BackwardShared& shared) {
#pragma unroll
    for (int i = 0; i < 2; i++) dy[i] = a_of_t<LW>(shared.dy + 8 * i * LW + row);
    add16<P, LM>(du, dy, shared.rb);
    add16<P, LM>(dv, dy, shared.rk);
  }
  template <typename T>
  __device__ __forceinline__ void leave(BackwardShared& shared, T* to, long long step) {
    A u[2] = {a_of(du[0]), a_of(du[1])};
    clear(du);
    add16<P, LM>(du, u, shared.inverse);
    write_rows(du, shared.du, LW, row);
    u[0] = a_of(du[0]), u[1] = a_of(du[1]);
    add16<P, LM>(dv, u, shared.ak);
    write_rows(dv, to, step, row);
    add64<P, LW>(G, dy, shared.r);
    add64<P, LW>(G, u, shared.a);
  }
};

// Warps 4 to 7: gradients [key][token] of the scaled rows, for the 16 keys from `key` on.
template <int P> struct Rows {
  Sum dr[2], da[2], db[2], dk[2];
  A S[8];                // the state before the chunk [key][value]
  float up = 0, down = 0;  // of the keys g and g + 8: the sum over values of G S^_16
  int key;

  template <typename T> __device__ __forceinline__ void fetch(const T* state) {
#pragma unroll
    for (int k = 0; k < 8; k++) S[k] = a_of_t<N>(state + 8 * k * N + key);
  }
  // What does not wait for dU.
  __device__ __forceinline__ void begin(const BackwardShared& shared) {
    clear(dr), clear(da), clear(db), clear(dk);
    up = down = 0;
#pragma unroll
    for (int k = 0; k < 8; k++) {
      const A g = a_of_t<LN>(shared.G + 8 * k * LN + key);
      up += g.x[0] * S[k].x[0] + g.x[2] * S[k].x[2];
      down += g.x[1] * S[k].x[1] + g.x[3] * S[k].x[3];
#pragma unroll
      for (int j = 0; j < 2; j++) {
        const int at = 8 * j * LW + 8 * k;
        add<P>(dr[j], S[k], b_of_t<LW>(shared.dy + at));
        add<P>(db[j], g, b_of_t<LW>(shared.u + at));
        add<P>(dk[j], g, b_of_t<LW>(shared.v + at));
      }
    }
#pragma unroll
    for (int j = 0; j < 2; j++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int at = place(j, i);
        (i < 2 ? up : down) += db[j].x[i] * shared.b[at] + dk[j].x[i] * shared.k[at];
      }
    A x[2];
    across(x, shared.b), add16_t<P, LM>(dr, x, shared.dyu);
    across(x, shared.k), add16_t<P, LM>(dr, x, shared.dyv);
    across(x, shared.r), add16<P, LM>(db, x, shared.dyu), add16<P, LM>(dk, x, shared.dyv);
  }
  __device__ __forceinline__ void from_state(const BackwardShared& shared) {
#pragma unroll
    for (int k = 0; k < 8; k++)
#pragma unroll
      for (int j = 0; j < 2; j++)
        add<P>(da[j], S[k], b_of_t<LW>(shared.du + 8 * j * LW + 8 * k));
  }
  // The rest; then the gradients take the places of what they belong to, and G's rows 0 to 15 and
  // 16 to 31 those of log w: what counts for this token too, and what for earlier ones only.
  __device__ __forceinline__ void finish(BackwardShared& shared, const float* c) {
    A x[2];
    across(x, shared.b), add16_t<P, LM>(da, x, shared.duu);
    across(x, shared.k), add16_t<P, LM>(da, x, shared.duv);
    across(x, shared.a), add16<P, LM>(db, x, shared.duu), add16<P, LM>(dk, x, shared.duv);
    __syncwarp();
#pragma unroll
    for (int j = 0; j < 2; j++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int at = place(j, i), t = at / LW, column = at % LW;
        const float sum = c[t * LN + column], earlier = t ? c[(t - 1) * LN + column] : 0.0f;
        shared.G[t * LN + column] = shared.r[at] * dr[j].x[i] - shared.b[at] * db[j].x[i] -
                                    shared.k[at] * dk[j].x[i];
        shared.G[(C + t) * LN + column] = shared.a[at] * da[j].x[i];
        const float back = expf(-sum);
        shared.r[at] = dr[j].x[i] * expf(sum), shared.a[at] = da[j].x[i] * expf(earlier);
        shared.b[at] = db[j].x[i] * back, shared.k[at] = dk[j].x[i] * back;
      }
    up += __shfl_xor_sync(0xffffffffu, up, 1), down += __shfl_xor_sync(0xffffffffu, down, 1);
    up += __shfl_xor_sync(0xffffffffu, up, 2), down += __shfl_xor_sync(0xffffffffu, down, 2);
    if (quarter() == 0) {
      shared.sum_end[key + group()] = up;
      shared.sum_end[key + group() + 8] = down;
    }
  }
  __device__ __forceinline__ void across(A (&x)[2], const float* rows) const {
#pragma unroll
    for (int i = 0; i < 2; i++) x[i] = a_of_t<LW>(rows + 8 * i * LW + key);
  }
  __device__ __forceinline__ int place(int j, int i) const {  // [token][key] of a sum's element
    return (8 * j + 2 * quarter() + (i & 1)) * LW + key + group() + 8 * (i >> 1);
  }
};

template <typename T>
__device__ __forceinline__ void give(T* to, const float* from) {
  const float4 x = *reinterpret_cast<const float4*>(from);
  const float four[4] = {x.x, x.y, x.z, x.w};
  store4(to, four);
}

template <typename T> struct Tensors {
  const T *r, *k, *v, *a, *b, *dy, *removed;
  T *dr, *dk, *da, *db;
};

// What all threads do at the beginning and at the end of a chunk that begins at `at`. A thread
// reads at the end what it alone overwrites at the next beginning: no barrier between.
template <typename T>
__device__ __forceinline__ void begin_chunk(const Tensors<T>& of, BackwardShared& shared,
                                            const float* c, Incoming<T>& next, bool last,
                                            long long at, long long step) {
  next.spread(shared, c);
  if (!last) next.fetch(of.r, of.k, of.v, of.a, of.b, of.dy, of.removed, at - C * step, step);
}
template <typename T>
__device__ __forceinline__ void end_chunk(const Tensors<T>& of, const BackwardShared& shared,
                                          const Incoming<T>& next, long long at, long long step) {
  const long long to = at + next.t * step + next.column;
  const int from = next.t * LW + next.column;
  give(of.dr + to, shared.r + from), give(of.da + to, shared.a + from);
  give(of.db + to, shared.b + from), give(of.dk + to, shared.k + from);
}
__device__ __forceinline__ void give_log_w(float* to, const BackwardShared& shared, int key,
                                           long long step) {
  float sum = shared.sum_end[key];
#pragma unroll
  for (int t = C - 1; t >= 0; t--) {
    sum += shared.G[t * LN + key];
    to[t * step + key] = sum;
    sum += shared.G[(C + t) * LN + key];
  }
}

// From the last chunk to the first; d_end may be null. Two loops with the same barriers.
template <typename T>
__device__ __forceinline__ void backward(
    long long length, long long heads, const T* r, const float* log_w, const T* k, const T* v,
    const T* a, const T* b, const T* dy, const float* d_end, const T* kept, const T* removed, T* dr,
    float* d_log_w, T* dk, T* dv, T* da, T* db, float* d_start) {
  constexpr int P = Passes<T>::value;
  extern __shared__ __align__(16) unsigned char memory[];
  BackwardShared& shared = *reinterpret_cast<BackwardShared*>(memory);
  const long long head = blockIdx.x, chunks = length / C, step = heads * N;
  const long long first = (head / heads * length * heads + head % heads) * N;
  const Tensors<T> of = {r, k, v, a, b, dy, removed, dr, dk, da, db};
  const int warp = threadIdx.x >> 5;
  const bool writes_log_w = threadIdx.x >= 64 && threadIdx.x < 128;
  long long at = first + (chunks - 1) * C * step;
  Incoming<T> next;
  next.fetch(r, k, v, a, b, dy, removed, at, step);

  if (warp < 4) {
    Chain<P> chain;
    float sums[C];
    chain.row = 16 * warp;
    read_state(chain.G, d_end ? d_end + head * N * N : d_end, chain.row);
    if (threadIdx.x < N) {
      read_column(sums, log_w + at + threadIdx.x, step);
      accumulate(sums, shared.c[(chunks - 1) & 1], threadIdx.x);
    }
    __syncthreads();
    for (long long n = chunks - 1; n >= 0; n--, at -= C * step) {
      begin_chunk(of, shared, shared.c[n & 1], next, n == 0, at, step);
      if (threadIdx.x < N && n > 0)
        read_column(sums, log_w + at - C * step + threadIdx.x, step);
      __syncthreads();
      chain.enter(shared, shared.c[n & 1]);
      __syncthreads();
      chain.from_outputs(shared);
      __syncthreads();
      chain.leave(shared, dv + at, step);
      __syncthreads();
      if (warp == 0) attend<P, LW, LW>(shared.du, shared.u, shared.duu, false);
      if (warp == 1) attend<P, LW, LW>(shared.du, shared.v, shared.duv, false);
      __syncthreads();
      if (threadIdx.x < N && n > 0) accumulate(sums, shared.c[(n - 1) & 1], threadIdx.x);
      __syncthreads();
      end_chunk(of, shared, next, at, step);
      if (writes_log_w) give_log_w(d_log_w + at, shared, threadIdx.x - 64, step);
    }
    write_state<N>(chain.G, d_start + head * N * N, chain.row);
  } else {
    Rows<P> rows;
    rows.key = 16 * (warp - 4);
    __syncthreads();
    for (long long n = chunks - 1; n >= 0; n--, at -= C * step) {
      const float* c = shared.c[n & 1];
      begin_chunk(of, shared, c, next, n == 0, at, step);
      rows.fetch(kept + (head * chunks + n) * N * N);
      __syncthreads();
      if (warp == 4) attend<P, LW, LW>(shared.a, shared.b, shared.ab, false);
      if (warp == 5) attend<P, LW, LW>(shared.a, shared.k, shared.ak, false);
      if (warp == 6) attend<P, LW, LW>(shared.r, shared.b, shared.rb, true);
      if (warp == 7) attend<P, LW, LW>(shared.r, shared.k, shared.rk, true);
      __syncthreads();
      if (warp == 4) invert(shared.ab, shared.inverse);
      if (warp == 5) attend<P, LW, LW>(shared.dy, shared.u, shared.dyu, true);
      if (warp == 6) attend<P, LW, LW>(shared.dy, shared.v, shared.dyv, true);
      __syncthreads();
      rows.begin(shared);
      __syncthreads();
      rows.from_state(shared);
      __syncthreads();
      rows.finish(shared, c);
      __syncthreads();
      end_chunk(of, shared, next, at, step);
    }
  }
}

// BLOCKS share a multiprocessor where it has room: with more of them, registers would spill.
#define KERNEL(NAME, T, BLOCKS)                                                                   \
  extern "C" __global__ void __launch_bounds__(256, BLOCKS) backward_##NAME(                      \
      long long length, long long heads, const T* r, const float* log_w, const T* k, const T* v,  \
      const T* a, const T* b, const T* dy, const float* d_end, const T* kept, const T* removed,   \
      T* dr, float* d_log_w, T* dk, T* dv, T* da, T* db, float* d_start) {                        \
    backward<T>(length, heads, r, log_w, k, v, a, b, dy, d_end, kept, removed, dr, d_log_w, dk,   \
                dv, da, db, d_start);                                                             \
  }

#ifdef WITH_BF16
KERNEL(bf16, bf16, 2)
#endif
#ifdef WITH_FP32
KERNEL(fp32, float, 1)
#endif

static_assert(sizeof(BackwardShared) == 77056, "wkv7_train.py asks for this size");
