// Products of small matrices on the tensor cores of one warp (tf32: sm_80 and later), operands in
// registers and in shared memory, and bf16 by its bits: NVRTC has no headers. Knows no model.
// The text of other sources follows on this one.

typedef unsigned short bf16;

// ------------------------------------------------------------------ numbers in memory

__device__ __forceinline__ float load(const float* p) { return *p; }
__device__ __forceinline__ float load(const bf16* p) {
  return __uint_as_float(static_cast<unsigned>(*p) << 16);
}
__device__ __forceinline__ void store(float* p, float x) { *p = x; }
__device__ __forceinline__ unsigned rounded(float x) {  // to the nearest bf16, ties to even
  const unsigned bits = __float_as_uint(x);
  return (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
}
__device__ __forceinline__ void store(bf16* p, float x) { *p = static_cast<bf16>(rounded(x)); }
__device__ __forceinline__ void store2(float* p, float x, float y) {
  *reinterpret_cast<float2*>(p) = make_float2(x, y);
}
__device__ __forceinline__ void store2(bf16* p, float x, float y) {
  *reinterpret_cast<unsigned*>(p) = rounded(x) | rounded(y) << 16;
}
__device__ __forceinline__ void store4(float* p, const float (&x)[4]) {
  *reinterpret_cast<float4*>(p) = make_float4(x[0], x[1], x[2], x[3]);
}
__device__ __forceinline__ void store4(bf16* p, const float (&x)[4]) {
  *reinterpret_cast<uint2*>(p) =
      make_uint2(rounded(x[0]) | rounded(x[1]) << 16, rounded(x[2]) | rounded(x[3]) << 16);
}

// Four neighbours as they lie in memory, fetched early and unpacked late.
template <typename T> struct Four;
template <> struct Four<float> {
  float4 raw;
  __device__ __forceinline__ void fetch(const float* p) {
    raw = *reinterpret_cast<const float4*>(p);
  }
  __device__ __forceinline__ void unpack(float (&x)[4]) const {
    x[0] = raw.x, x[1] = raw.y, x[2] = raw.z, x[3] = raw.w;
  }
};
template <> struct Four<bf16> {
  uint2 raw;
  __device__ __forceinline__ void fetch(const bf16* p) { raw = *reinterpret_cast<const uint2*>(p); }
  __device__ __forceinline__ void unpack(float (&x)[4]) const {
    x[0] = __uint_as_float(raw.x << 16), x[1] = __uint_as_float(raw.x & 0xffff0000u);
    x[2] = __uint_as_float(raw.y << 16), x[3] = __uint_as_float(raw.y & 0xffff0000u);
  }
};

// ------------------------------------------------------------------ products of 16 x 8 x 8

// d += a b on the tensor cores of one warp (mma.m16n8k8, tf32).
__device__ __forceinline__ void tensor_product(float (&d)[4], const unsigned (&a)[4],
                                               const unsigned (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// The nearest number of 11 bits, and the nearest to what is left.
__device__ __forceinline__ unsigned high(float x) {
  return (__float_as_uint(x) + 0x1000u) & 0xffffe000u;
}
__device__ __forceinline__ unsigned low(float x) { return high(x - __uint_as_float(high(x))); }

// A thread's part of an operand: lane = 4 g + q holds of A [m][k] the elements (g, 2q), (g + 8,
// 2q), (g, 2q + 1), (g + 8, 2q + 1), of B [k][n] (2q, g), (2q + 1, g), of the sum [m][n] (g, 2q),
// (g, 2q + 1), (g + 8, 2q), (g + 8, 2q + 1). The hardware numbers k otherwise, in A and B alike,
// which does not matter to a sum over k; so a sum can be the next product's A as it lies.
struct A { float x[4]; };
struct B { float x[2]; };
struct Sum { float x[4]; };

__device__ __forceinline__ int group() { return (threadIdx.x & 31) >> 2; }
__device__ __forceinline__ int quarter() { return threadIdx.x & 3; }

template <int PASSES> __device__ __forceinline__ void add(Sum& d, const A& a, const B& b) {
  unsigned ah[4], bh[2];
#pragma unroll
  for (int i = 0; i < 4; i++) ah[i] = high(a.x[i]);
#pragma unroll
  for (int i = 0; i < 2; i++) bh[i] = high(b.x[i]);
  if (PASSES == 3) {
    unsigned al[4], bl[2];
#pragma unroll
    for (int i = 0; i < 4; i++) al[i] = low(a.x[i]);
#pragma unroll
    for (int i = 0; i < 2; i++) bl[i] = low(b.x[i]);
    tensor_product(d.x, al, bh);
    tensor_product(d.x, ah, bl);
  }
  tensor_product(d.x, ah, bh);
}

// Operands out of memory: x is where the tile begins; `t` ones take the transposed.
template <int LD> __device__ __forceinline__ A a_of(const float* x) {
  const float2 up = *reinterpret_cast<const float2*>(x + group() * LD + 2 * quarter());
  const float2 down = *reinterpret_cast<const float2*>(x + (group() + 8) * LD + 2 * quarter());
  return {{up.x, down.x, up.y, down.y}};
}
template <int LD, typename T> __device__ __forceinline__ A a_of_t(const T* x) {
  const T* p = x + 2 * quarter() * LD + group();
  return {{load(p), load(p + 8), load(p + LD), load(p + LD + 8)}};
}
template <int LD> __device__ __forceinline__ B b_of(const float* x) {
  const float* p = x + 2 * quarter() * LD + group();
  return {{p[0], p[LD]}};
}
template <int LD> __device__ __forceinline__ B b_of_t(const float* x) {
  const float2 pair = *reinterpret_cast<const float2*>(x + group() * LD + 2 * quarter());
  return {{pair.x, pair.y}};
}
__device__ __forceinline__ A a_of(const Sum& s) { return {{s.x[0], s.x[2], s.x[1], s.x[3]}}; }

// d [16][16] += a [16][16] x: A in two slices of k, X [k][n] in shared memory, or its transposed.
template <int P, int LD>
__device__ __forceinline__ void add16(Sum (&d)[2], const A (&a)[2], const float* x) {
#pragma unroll
  for (int i = 0; i < 2; i++)
#pragma unroll
    for (int j = 0; j < 2; j++) add<P>(d[j], a[i], b_of<LD>(x + 8 * i * LD + 8 * j));
}
template <int P, int LD>
__device__ __forceinline__ void add16_t(Sum (&d)[2], const A (&a)[2], const float* x) {
#pragma unroll
  for (int i = 0; i < 2; i++)
#pragma unroll
    for (int j = 0; j < 2; j++) add<P>(d[j], a[i], b_of_t<LD>(x + 8 * j * LD + 8 * i));
}
// d [16][64] += a [16][16] x [16][64].
template <int P, int LD>
__device__ __forceinline__ void add64(Sum (&d)[8], const A (&a)[2], const float* x) {
#pragma unroll
  for (int j = 0; j < 8; j++)
#pragma unroll
    for (int i = 0; i < 2; i++) add<P>(d[j], a[i], b_of<LD>(x + 8 * i * LD + 8 * j));
}
__device__ __forceinline__ void clear(Sum (&d)[2]) {
#pragma unroll
  for (int i = 0; i < 4; i++) d[0].x[i] = d[1].x[i] = 0;
}
