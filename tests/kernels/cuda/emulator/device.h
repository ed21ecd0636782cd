// kernels/cuda/device.cuh for a CPU: the same names in C++ with the emulator's threads, so that
// kernels run as they are. Each function says there what it does; here only what differs.
#pragma once
#include "threads.h"
#include "checks.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define DEVICE static inline __attribute__((always_inline))
#define METHOD __device__ __forceinline__
#define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)

constexpr u32 ALL_LANES = 0xffffffffu;

DEVICE int lane_index() { return threadIdx.x & 31; }
DEVICE int warp_index() { return threadIdx.x >> 5; }

// ------------------------------------------------------------------ numbers of 16 bits

struct half { u16 bits; };
struct bf16 { u16 bits; };

DEVICE float to_float(float x) { return x; }
DEVICE float to_float(half x) {
  _Float16 y;
  memcpy(&y, &x, 2);
  return static_cast<float>(y);
}
DEVICE float to_float(bf16 x) { return __uint_as_float(static_cast<u32>(x.bits) << 16); }
DEVICE half to_half(float x) {
  const _Float16 y = static_cast<_Float16>(x);
  half z;
  memcpy(&z, &y, 2);
  return z;
}
DEVICE bf16 to_bf16(float x) {
  const u32 bits = __float_as_uint(x);
  const u32 nearest = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return {static_cast<u16>(x == x ? nearest : 0x7fffu)};
}
template <typename T> struct Number;
template <> struct Number<float> { static inline float of(float x) { return x; } };
template <> struct Number<half> { static inline half of(float x) { return to_half(x); } };
template <> struct Number<bf16> { static inline bf16 of(float x) { return to_bf16(x); } };
template <typename T> DEVICE T from_float(float x) { return Number<T>::of(x); }

DEVICE float low_half(u32 pair) { return to_float(half{static_cast<u16>(pair)}); }
DEVICE float high_half(u32 pair) { return to_float(half{static_cast<u16>(pair >> 16)}); }
DEVICE float2 to_float2(u32 pair) { return make_float2(low_half(pair), high_half(pair)); }
DEVICE u32 half2_of(half low, half high) {
  return static_cast<u32>(low.bits) | static_cast<u32>(high.bits) << 16;
}
DEVICE u32 half2_of(float low, float high) { return half2_of(to_half(low), to_half(high)); }
DEVICE u32 half2_add(u32 x, u32 y) {
  return half2_of(low_half(x) + low_half(y), high_half(x) + high_half(y));
}
DEVICE u32 half2_mul(u32 x, u32 y) {
  return half2_of(low_half(x) * low_half(y), high_half(x) * high_half(y));
}
// Rounded to 24 bits and then to 11: one in 8000 sums may differ from the card's in its last bit.
DEVICE u32 half2_fma(u32 x, u32 y, u32 z) {
  return half2_of(fmaf(low_half(x), low_half(y), low_half(z)),
                  fmaf(high_half(x), high_half(y), high_half(z)));
}
DEVICE float low_bf16(u32 pair) { return __uint_as_float(pair << 16); }
DEVICE float high_bf16(u32 pair) { return __uint_as_float(pair & 0xffff0000u); }
DEVICE u32 bf162_of(float low, float high) {
  return static_cast<u32>(to_bf16(low).bits) | static_cast<u32>(to_bf16(high).bits) << 16;
}

// ------------------------------------------------------------------ words and memory

DEVICE u32 byte_perm(u32 a, u32 b, u32 selector) { return __byte_perm(a, b, selector); }
DEVICE int dp4a(int a, int b, int c) { return __dp4a(a, b, c); }

// As on the card, an address that is not aligned is an error.
template <typename T> DEVICE T load_aligned(const void* p) {
  if (reinterpret_cast<u64>(p) % sizeof(T)) emulated::fail("a load that is not aligned");
  T v;
  memcpy(&v, p, sizeof v);
  return v;
}
DEVICE uint4 load_streamed(const void* p) { return load_aligned<uint4>(p); }
DEVICE uint2 load_streamed8(const void* p) { return load_aligned<uint2>(p); }
DEVICE u32 load_streamed4(const void* p) { return load_aligned<u32>(p); }
DEVICE u16 load_streamed2(const void* p) { return load_aligned<u16>(p); }
DEVICE uint4 load_ahead(const void* p) { return load_aligned<uint4>(p); }
DEVICE u16 load_ahead2(const void* p) { return load_aligned<u16>(p); }
DEVICE u32 load_fresh(const u32* p) { return *const_cast<const volatile u32*>(p); }
DEVICE int load_fresh(const int* p) { return *const_cast<const volatile int*>(p); }
DEVICE float load_written(const float* p) { return load_aligned<float>(p); }
DEVICE u32 load_written(const u32* p) { return load_aligned<u32>(p); }
DEVICE float4 load_written4(const float* p) { return load_aligned<float4>(p); }
DEVICE uint4 load_written16(const void* p) { return load_aligned<uint4>(p); }
// Only looked at: whether it may be read.
DEVICE void prefetch_l2(const void* p, u32 bytes) {
  if (reinterpret_cast<u64>(p) % 16 || bytes % 16 || !bytes)
    emulated::fail("a prefetch that is not aligned");
  const bool waited = emulated::current->waited;
  emulated::current->waited = true;  // a fetch of what is still being written does no harm
  const volatile u8* at = static_cast<const volatile u8*>(p);
  (void)at[0], (void)at[bytes - 1];
  emulated::current->waited = waited;
}
DEVICE u32 atomic_increment(u32* p, u32 most) { return atomicInc(p, most); }

// ------------------------------------------------------------------ functions

DEVICE float fast_exp(float x) { return expf(x); }
DEVICE float fast_divide(float x, float y) { return x / y; }
DEVICE float sigmoid(float x) { return 1.0f / (1.0f + expf(-fmaxf(x, -80.0f))); }

// One exchange in place of five, with the same sums.
DEVICE float warp_sum(float x) {
  return emulated::gather(ALL_LANES, x, [](const float (&of)[32], u32, int lane) {
    float sum[32];
    memcpy(sum, of, sizeof sum);
    for (int step = 16; step; step >>= 1)
      for (int i = 0; i < step; i++)
        sum[i] += sum[i + step];
    (void)lane;
    return sum[0];
  });
}
DEVICE float warp_max(float x) {
  for (int step = 16; step; step >>= 1) x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, step));
  return x;
}

// ------------------------------------------------------------------ waiting

DEVICE void dependents_may_start() {}
DEVICE void wait_for_previous() {
  emulated::current->waited = true;
  emulated::waits++;
}
DEVICE void start_next_and_wait() {
  dependents_may_start();
  wait_for_previous();
}
DEVICE void named_barrier(int id, int threads) {
  if (id < 1 || id > 15 || threads % 32) emulated::fail("a barrier of ids 1 to 15, whole warps");
  emulated::barrier(id, threads);
}

// ------------------------------------------------------------------ shared memory

template <typename T> DEVICE T* dynamic_shared() {
  return static_cast<T*>(emulated::dynamic_shared());
}

// The copy is made when it is waited for: whoever reads before, reads what was there before.
DEVICE void cp_async(void* to_shared, const void* from, bool valid = true) {
  if (reinterpret_cast<u64>(to_shared) % 16 || (valid && reinterpret_cast<u64>(from) % 16))
    emulated::fail("an asynchronous copy that is not aligned");
  emulated::copy_later(to_shared, from, valid);
}
template <int LINE> DEVICE void cp_async_line(void* to_shared, const void* from, bool valid) {
  cp_async(to_shared, from, valid);
}
DEVICE void cp_async_commit() { emulated::close_copies(); }
template <int GROUPS> DEVICE void cp_async_wait() { emulated::make_copies(GROUPS); }

// ------------------------------------------------------------------ tensor cores

struct TileOperands {
  u32 a[4], b[2];
};
template <typename T> DEVICE float low_of(u32 pair) {
  return to_float(T{static_cast<u16>(pair)});
}
template <typename T> DEVICE float high_of(u32 pair) {
  return to_float(T{static_cast<u16>(pair >> 16)});
}
template <typename T>
static inline void mma_16x8x16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
  TileOperands mine;
  memcpy(mine.a, a, sizeof a);
  memcpy(mine.b, b, sizeof b);
  struct Sum { float d[4]; };
  const Sum sum =
      emulated::gather(ALL_LANES, mine, [](const TileOperands (&of)[32], u32, int lane) {
        const int g = lane >> 2, q = lane & 3;
        Sum s = {};
        for (int i = 0; i < 8; i++) {
          const TileOperands& left = of[4 * g + (i & 3)];
          const u32 x = left.a[i < 4 ? 0 : 2], y = left.a[i < 4 ? 1 : 3];
          const u32 u = of[8 * q + (i & 3)].b[i >> 2], v = of[8 * q + 4 + (i & 3)].b[i >> 2];
          s.d[0] += low_of<T>(x) * low_of<T>(u) + high_of<T>(x) * high_of<T>(u);
          s.d[1] += low_of<T>(x) * low_of<T>(v) + high_of<T>(x) * high_of<T>(v);
          s.d[2] += low_of<T>(y) * low_of<T>(u) + high_of<T>(y) * high_of<T>(u);
          s.d[3] += low_of<T>(y) * low_of<T>(v) + high_of<T>(y) * high_of<T>(v);
        }
        return s;
      });
  for (int i = 0; i < 4; i++) d[i] += sum.d[i];
}
DEVICE void mma_fp16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
  mma_16x8x16<half>(d, a, b);
}
DEVICE void mma_bf16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
  mma_16x8x16<bf16>(d, a, b);
}

template <int TILES, bool TRANSPOSED>
static inline void load_tiles(u32 (&r)[TILES], const void* row) {
  struct Tiles { u32 r[TILES]; };
  if (lane_index() < 8 * TILES && reinterpret_cast<u64>(row) % 16)
    emulated::fail("a row for ldmatrix that is not aligned");
  const Tiles tiles =
      emulated::gather(ALL_LANES, row, [](const void* const (&of)[32], u32, int lane) {
        const int g = lane >> 2, q = lane & 3;
        Tiles t;
        for (int i = 0; i < TILES; i++) {
          const void* const* rows = of + 8 * i;
          if (TRANSPOSED)
            t.r[i] = static_cast<const u16*>(rows[2 * q])[g] |
                     static_cast<u32>(static_cast<const u16*>(rows[2 * q + 1])[g]) << 16;
          else
            t.r[i] = static_cast<const u32*>(rows[g])[q];
        }
        return t;
      });
  memcpy(r, tiles.r, sizeof r);
}
DEVICE void ldmatrix_x4(u32 (&r)[4], const void* row) { load_tiles<4, false>(r, row); }
DEVICE void ldmatrix_x4_transposed(u32 (&r)[4], const void* row) { load_tiles<4, true>(r, row); }
DEVICE void ldmatrix_x2(u32 (&r)[2], const void* row) { load_tiles<2, false>(r, row); }
DEVICE void ldmatrix_x2_transposed(u32 (&r)[2], const void* row) { load_tiles<2, true>(r, row); }
DEVICE u32 transposed_8x8(u32 pair) {
  return emulated::gather(ALL_LANES, pair, [](const u32 (&of)[32], u32, int lane) {
    const int g = lane >> 2, q = lane & 3, half_of = 16 * (g & 1);
    return (of[8 * q + (g >> 1)] >> half_of & 0xffffu) |
           (of[8 * q + 4 + (g >> 1)] >> half_of & 0xffffu) << 16;
  });
}
