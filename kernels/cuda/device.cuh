// What the kernels of inference ask of a card beyond C++17 and CUDA's built-in names: numbers of
// 16 bits, streamed loads, tensor cores, copies into shared memory, dependent launches. NVRTC has
// no headers, so nothing here includes any. This text comes first in every program.
// tests/kernels/cuda/emulator/device.h has the same names for a CPU: a change here is one there.
//
// Below sm_80 there are no bf16 tensor cores and no asynchronous copies, below sm_90 no dependent
// launches: each of these has a slower way of the same result.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define DEVICE __device__ __forceinline__
#define METHOD __device__ __forceinline__  // of a struct: the emulator tells them apart
// A kernel's head: `KERNEL(256) name(...)`, blocks of at most so many threads.
#define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)

constexpr u32 ALL_LANES = 0xffffffffu;

DEVICE int lane_index() { return threadIdx.x & 31; }
DEVICE int warp_index() { return threadIdx.x >> 5; }

// ------------------------------------------------------------------ numbers of 16 bits

struct half { u16 bits; };  // IEEE binary16, subnormals kept
struct bf16 { u16 bits; };

DEVICE float to_float(float x) { return x; }
DEVICE float to_float(half x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
  return y;
}
DEVICE float to_float(bf16 x) { return __uint_as_float(static_cast<u32>(x.bits) << 16); }

// To the nearest, ties to even; above 65504 infinity.
DEVICE half to_half(float x) {
  half y;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
  return y;
}
DEVICE bf16 to_bf16(float x) {
  const u32 bits = __float_as_uint(x);
  const u32 nearest = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return {static_cast<u16>(x == x ? nearest : 0x7fffu)};
}
template <typename T> struct Number;
template <> struct Number<float> { static DEVICE float of(float x) { return x; } };
template <> struct Number<half> { static DEVICE half of(float x) { return to_half(x); } };
template <> struct Number<bf16> { static DEVICE bf16 of(float x) { return to_bf16(x); } };
// from_float<T>(x): x as T (float, half or bf16).
template <typename T> DEVICE T from_float(float x) { return Number<T>::of(x); }

// Two halves in one word, the first in the low 16 bits.
DEVICE float low_half(u32 pair) { return to_float(half{static_cast<u16>(pair)}); }
DEVICE float high_half(u32 pair) { return to_float(half{static_cast<u16>(pair >> 16)}); }
DEVICE float2 to_float2(u32 pair) { return make_float2(low_half(pair), high_half(pair)); }
DEVICE u32 half2_of(half low, half high) {
  return static_cast<u32>(low.bits) | static_cast<u32>(high.bits) << 16;
}
DEVICE u32 half2_of(float low, float high) {
#if __CUDA_ARCH__ >= 800
  u32 y;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
  return y;
#else
  return half2_of(to_half(low), to_half(high));
#endif
}
DEVICE u32 half2_add(u32 x, u32 y) {
  u32 z;
  asm("add.rn.f16x2 %0, %1, %2;" : "=r"(z) : "r"(x), "r"(y));
  return z;
}
DEVICE u32 half2_mul(u32 x, u32 y) {
  u32 z;
  asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(z) : "r"(x), "r"(y));
  return z;
}
// x y + z, each rounded once.
DEVICE u32 half2_fma(u32 x, u32 y, u32 z) {
  u32 sum;
  asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(sum) : "r"(x), "r"(y), "r"(z));
  return sum;
}

// Two bf16 in one word, the first in the low 16 bits.
DEVICE float low_bf16(u32 pair) { return __uint_as_float(pair << 16); }
DEVICE float high_bf16(u32 pair) { return __uint_as_float(pair & 0xffff0000u); }
DEVICE u32 bf162_of(float low, float high) {
  return static_cast<u32>(to_bf16(low).bits) | static_cast<u32>(to_bf16(high).bits) << 16;
}

// ------------------------------------------------------------------ words and memory

// Four of the eight bytes of (b << 32 | a), by the nibbles of `selector`.
DEVICE u32 byte_perm(u32 a, u32 b, u32 selector) { return __byte_perm(a, b, selector); }
// The sum of the four products of signed bytes, and c.
DEVICE int dp4a(int a, int b, int c) { return __dp4a(a, b, c); }

// Weights, read once and by one block: not kept in L1. p: global memory, of the load's alignment;
// nothing may write there while the kernel runs.
DEVICE uint4 load_streamed(const void* p) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(p));
  return v;
}
DEVICE uint2 load_streamed8(const void* p) {
  uint2 v;
  asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v2.u32 {%0,%1}, [%2];"
               : "=r"(v.x), "=r"(v.y)
               : "l"(p));
  return v;
}
DEVICE u32 load_streamed4(const void* p) {
  u32 v;
  asm volatile("ld.global.nc.L1::no_allocate.L2::128B.u32 %0, [%1];" : "=r"(v) : "l"(p));
  return v;
}
DEVICE u16 load_streamed2(const void* p) {
  u16 v;
  asm volatile("ld.global.nc.L1::no_allocate.L2::128B.u16 %0, [%1];" : "=h"(v) : "l"(p));
  return v;
}
// The same, asked for where it stands: loads that are marked as of constant memory are put off by
// the compiler, even until after wait_for_previous, where it wants registers.
DEVICE uint4 load_ahead(const void* p) {
  uint4 v;
  asm volatile("ld.global.L1::no_allocate.L2::128B.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(p));
  return v;
}
DEVICE u16 load_ahead2(const void* p) {
  u16 v;
  asm volatile("ld.global.L1::no_allocate.L2::128B.u16 %0, [%1];" : "=h"(v) : "l"(p));
  return v;
}
// Host memory, or what another kernel may be writing: past every cache of this SM.
DEVICE u32 load_fresh(const u32* p) { return *const_cast<const volatile u32*>(p); }
DEVICE int load_fresh(const int* p) { return *const_cast<const volatile int*>(p); }
// What the kernel before this one wrote, read after wait_for_previous: from L2, never from an older
// line of this SM's L1, and never before the wait.
DEVICE float load_written(const float* p) {
  float v;
  asm volatile("ld.global.cg.f32 %0, [%1];" : "=f"(v) : "l"(p));
  return v;
}
DEVICE u32 load_written(const u32* p) {
  u32 v;
  asm volatile("ld.global.cg.u32 %0, [%1];" : "=r"(v) : "l"(p));
  return v;
}
DEVICE float4 load_written4(const float* p) {
  float4 v;
  asm volatile("ld.global.cg.v4.f32 {%0,%1,%2,%3}, [%4];"
               : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
               : "l"(p));
  return v;
}
DEVICE uint4 load_written16(const void* p) {
  uint4 v;
  asm volatile("ld.global.cg.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(p));
  return v;
}

// Ask for `bytes` (a multiple of 16) at p, aligned to 16, to be fetched from memory to L2. Nothing
// is waited for, and nothing promised. Nothing happens below sm_90.
DEVICE void prefetch_l2(const void* p, u32 bytes) {
#if __CUDA_ARCH__ >= 900
  asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(p), "r"(bytes));
#endif
}

// The number at p before it goes on by one, or from `most` back to zero. What a block has written
// before a barrier is there for those that increment later than the block does after it (and for
// whom they meet at a barrier), if they read it past L1: load_written.
DEVICE u32 atomic_increment(u32* p, u32 most) {
  u32 before;
  asm volatile("atom.acq_rel.gpu.global.inc.u32 %0, [%1], %2;"
               : "=r"(before)
               : "l"(p), "r"(most)
               : "memory");
  return before;
}

// ------------------------------------------------------------------ functions

DEVICE float fast_exp(float x) { return __expf(x); }                       // 2 ulp + 1e-7 |x|
DEVICE float fast_divide(float x, float y) { return __fdividef(x, y); }    // |y| < 8e37
DEVICE float sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-fmaxf(x, -80.0f))); }

// Over the 32 lanes of a warp, in the same order always; the result is in every lane.
DEVICE float warp_sum(float x) {
#pragma unroll
  for (int step = 16; step; step >>= 1) x += __shfl_xor_sync(ALL_LANES, x, step);
  return x;
}
DEVICE float warp_max(float x) {
#pragma unroll
  for (int step = 16; step; step >>= 1) x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, step));
  return x;
}

// ------------------------------------------------------------------ waiting

// The kernel that was launched as dependent on this one may start: its blocks take their places as
// this kernel's end. Call it early: it promises nothing about memory.
DEVICE void dependents_may_start() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}
// Wait until the kernel before is finished, with all that it wrote. Before it, read only what no
// kernel of this stream writes: weights. Every thread must come here before it writes anything.
DEVICE void wait_for_previous() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
// Both in the order that keeps the next kernel's weights loading during this kernel.
DEVICE void start_next_and_wait() {
  dependents_may_start();
  wait_for_previous();
}

// A barrier of the `threads` (whole warps) that come here with this id: 1..15, 0 is __syncthreads.
DEVICE void named_barrier(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

// ------------------------------------------------------------------ shared memory

// The dynamic shared memory of the launch, aligned to 16 bytes.
extern __shared__ uint4 dynamic_shared_memory[];
template <typename T> DEVICE T* dynamic_shared() {
  return reinterpret_cast<T*>(dynamic_shared_memory);
}

DEVICE u32 shared_address(const void* p) {
  return static_cast<u32>(__cvta_generic_to_shared(p));
}

// 16 bytes from global to shared memory, both aligned to 16; there after cp_async_wait of its
// group, for this thread, and after a barrier then, for all. `valid` false writes zeros.
DEVICE void cp_async(void* to_shared, const void* from, bool valid = true) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to_shared)),
               "l"(from), "r"(valid ? 16 : 0)
               : "memory");
#else
  *static_cast<uint4*>(to_shared) =
      valid ? *static_cast<const uint4*>(from) : make_uint4(0, 0, 0, 0);
#endif
}
// The same of what is read once: of LINE bytes around it (128, 256; 0: as the card likes) all are
// fetched from memory to L2.
template <int LINE> DEVICE void cp_async_line(void* to_shared, const void* from, bool valid) {
#if __CUDA_ARCH__ >= 800
  if constexpr (LINE == 0)
    cp_async(to_shared, from, valid);
  else if constexpr (LINE == 128)
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(
                     shared_address(to_shared)),
                 "l"(from), "r"(valid ? 16 : 0)
                 : "memory");
  else
    asm volatile("cp.async.cg.shared.global.L2::256B [%0], [%1], 16, %2;" ::"r"(
                     shared_address(to_shared)),
                 "l"(from), "r"(valid ? 16 : 0)
                 : "memory");
#else
  cp_async(to_shared, from, valid);
#endif
}
// Close a group of this thread's copies.
DEVICE void cp_async_commit() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
// Wait until at most the last GROUPS groups are under way.
template <int GROUPS> DEVICE void cp_async_wait() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(GROUPS) : "memory");
#endif
}

// ------------------------------------------------------------------ tensor cores

// d [16][8] += a [16][16] b [16][8], by one whole warp. Lane 4 g + q holds pairs of neighbours
// (the first in the low 16 bits): of A [m][k] a[0] (g, 2q), a[1] (g + 8, 2q), a[2] (g, 2q + 8),
// a[3] (g + 8, 2q + 8); of B [k][n] b[0] (2q and 2q + 1, g), b[1] (2q + 8 and 2q + 9, g); of the
// sum [m][n] d[0] (g, 2q), d[1] (g, 2q + 1), d[2] (g + 8, 2q), d[3] (g + 8, 2q + 1).
DEVICE void mma_fp16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
#pragma unroll
  for (int k = 0; k < 2; k++)
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, "
        "{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[2 * k]), "r"(a[2 * k + 1]), "r"(b[k]));
#endif
}
DEVICE void mma_bf16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
      "{%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  const int g = lane_index() >> 2, q = lane_index() & 3;
#pragma unroll
  for (int i = 0; i < 8; i++) {  // the pair i of k is in the registers i / 4 of quarter i % 4
    const u32 x = __shfl_sync(ALL_LANES, a[i < 4 ? 0 : 2], 4 * g + (i & 3));
    const u32 y = __shfl_sync(ALL_LANES, a[i < 4 ? 1 : 3], 4 * g + (i & 3));
    const u32 u = __shfl_sync(ALL_LANES, b[i < 4 ? 0 : 1], 8 * q + (i & 3));
    const u32 v = __shfl_sync(ALL_LANES, b[i < 4 ? 0 : 1], 8 * q + 4 + (i & 3));
    d[0] = fmaf(high_bf16(x), high_bf16(u), fmaf(low_bf16(x), low_bf16(u), d[0]));
    d[1] = fmaf(high_bf16(x), high_bf16(v), fmaf(low_bf16(x), low_bf16(v), d[1]));
    d[2] = fmaf(high_bf16(y), high_bf16(u), fmaf(low_bf16(y), low_bf16(u), d[2]));
    d[3] = fmaf(high_bf16(y), high_bf16(v), fmaf(low_bf16(y), low_bf16(v), d[3]));
  }
#endif
}
template <typename T> struct Product;
template <> struct Product<half> {
  static DEVICE void add(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) { mma_fp16(d, a, b); }
};
template <> struct Product<bf16> {
  static DEVICE void add(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) { mma_bf16(d, a, b); }
};
// The same for T = half or bf16.
template <typename T>
DEVICE void mma_16x8x16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
  Product<T>::add(d, a, b);
}

// Tiles [8][8] of 16 bits out of shared memory, by one whole warp: lane i names (row, aligned to
// 16 bytes) row i % 8 of tile i / 8; lane 4 g + q gets into r[tile] the pair (g, 2q), or of the
// transposed tile. Of x2 the lanes 16..31 name nothing.
DEVICE void ldmatrix_x4(u32 (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
DEVICE void ldmatrix_x4_transposed(u32 (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
DEVICE void ldmatrix_x2(u32 (&r)[2], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row))
               : "memory");
}
DEVICE void ldmatrix_x2_transposed(u32 (&r)[2], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row))
               : "memory");
}
// An 8 x 8 tile of 16 bits held by one whole warp, lane 4 g + q the pair (g, 2q), is transposed.
DEVICE u32 transposed_8x8(u32 pair) {
  u32 y;
  asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(y) : "r"(pair));
  return y;
}
