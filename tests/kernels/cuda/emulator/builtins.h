// CUDA's built-in names for the emulator's threads.
#pragma once

#define threadIdx (emulated::current->index)
#define blockIdx (emulated::block_index)
#define blockDim (emulated::block_size)
#define gridDim (emulated::grid_size)
#define EMULATED static inline __attribute__((always_inline))

constexpr int warpSize = 32;

// ------------------------------------------------------------------ vectors

#define EMULATED_VECTORS(T, name, bytes)                                       \
  struct __align__(2 * bytes) name##2 { T x, y; };                             \
  struct __align__(4 * bytes > 16 ? 16 : 4 * bytes) name##4 { T x, y, z, w; }; \
  EMULATED name##2 make_##name##2(T x, T y) { return {x, y}; }                 \
  EMULATED name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }

EMULATED_VECTORS(unsigned, uint, 4)
EMULATED_VECTORS(float, float, 4)
EMULATED_VECTORS(int, int, 4)
EMULATED_VECTORS(short, short, 2)
EMULATED_VECTORS(unsigned short, ushort, 2)
EMULATED_VECTORS(signed char, char, 1)
EMULATED_VECTORS(unsigned char, uchar, 1)
EMULATED_VECTORS(double, double, 8)
EMULATED_VECTORS(long long, longlong, 8)
EMULATED_VECTORS(unsigned long long, ulonglong, 8)

// ------------------------------------------------------------------ bits and numbers

template <typename To, typename From> EMULATED To same_bits(From x) {
  static_assert(sizeof(To) == sizeof(From), "of one size");
  To y;
  memcpy(&y, &x, sizeof y);
  return y;
}
EMULATED unsigned __float_as_uint(float x) { return same_bits<unsigned>(x); }
EMULATED int __float_as_int(float x) { return same_bits<int>(x); }
EMULATED float __uint_as_float(unsigned x) { return same_bits<float>(x); }
EMULATED float __int_as_float(int x) { return same_bits<float>(x); }

EMULATED int __popc(unsigned x) { return __builtin_popcount(x); }
EMULATED int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
EMULATED int __clz(int x) { return x ? __builtin_clz(static_cast<unsigned>(x)) : 32; }
EMULATED int __clzll(long long x) {
  return x ? __builtin_clzll(static_cast<unsigned long long>(x)) : 64;
}
EMULATED int __ffs(int x) { return __builtin_ffs(x); }
EMULATED unsigned __brev(unsigned x) {
  unsigned y = 0;
  for (int i = 0; i < 32; i++) y |= (x >> i & 1u) << (31 - i);
  return y;
}
EMULATED unsigned __umulhi(unsigned x, unsigned y) {
  return static_cast<unsigned>(1ull * x * y >> 32);
}
EMULATED unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
  const unsigned long long both = static_cast<unsigned long long>(b) << 32 | a;
  unsigned y = 0;
  for (int i = 0; i < 4; i++) {
    const unsigned at = selector >> (4 * i) & 15u;
    unsigned byte = static_cast<unsigned>(both >> (8 * (at & 7u))) & 255u;
    if (at & 8u) byte = byte & 128u ? 255u : 0u;
    y |= byte << (8 * i);
  }
  return y;
}
EMULATED int __dp4a(int a, int b, int c) {
  for (int i = 0; i < 4; i++)
    c += static_cast<signed char>(a >> (8 * i)) * static_cast<signed char>(b >> (8 * i));
  return c;
}
EMULATED unsigned __dp4a(unsigned a, unsigned b, unsigned c) {
  for (int i = 0; i < 4; i++) c += (a >> (8 * i) & 255u) * (b >> (8 * i) & 255u);
  return c;
}

#define __expf expf  // macros: the C library has functions of these names
#define __logf logf
#define __log2f log2f
#define __powf powf
#define __sinf sinf
#define __cosf cosf
EMULATED float __fdividef(float x, float y) { return x / y; }
EMULATED float __frcp_rn(float x) { return 1.0f / x; }
EMULATED float __fsqrt_rn(float x) { return sqrtf(x); }
EMULATED float __fadd_rn(float x, float y) { return x + y; }
EMULATED float __fsub_rn(float x, float y) { return x - y; }
EMULATED float __fmul_rn(float x, float y) { return x * y; }
EMULATED float __fdiv_rn(float x, float y) { return x / y; }
EMULATED float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
EMULATED float rsqrtf(float x) { return 1.0f / sqrtf(x); }
EMULATED float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
EMULATED int __float2int_rn(float x) { return static_cast<int>(rintf(x)); }
EMULATED int __float2int_rz(float x) { return static_cast<int>(x); }
EMULATED int __float2int_rd(float x) { return static_cast<int>(floorf(x)); }
EMULATED unsigned __float2uint_rn(float x) { return static_cast<unsigned>(rintf(x)); }
EMULATED float __int2float_rn(int x) { return static_cast<float>(x); }
EMULATED float __uint2float_rn(unsigned x) { return static_cast<float>(x); }

#define EMULATED_EXTREMES(T)                                 \
  EMULATED T min(T x, T y) { return y < x ? y : x; }         \
  EMULATED T max(T x, T y) { return x < y ? y : x; }
EMULATED_EXTREMES(int)
EMULATED_EXTREMES(unsigned)
EMULATED_EXTREMES(long)
EMULATED_EXTREMES(unsigned long)
EMULATED_EXTREMES(long long)
EMULATED_EXTREMES(unsigned long long)
EMULATED float min(float x, float y) { return fminf(x, y); }
EMULATED float max(float x, float y) { return fmaxf(x, y); }

template <typename T> EMULATED T __ldg(const T* p) { return *p; }
template <typename T> EMULATED T __ldcs(const T* p) { return *p; }
template <typename T> EMULATED T __ldcg(const T* p) { return *p; }
template <typename T> EMULATED void __stcs(T* p, T x) { *p = x; }
template <typename T> EMULATED void __stcg(T* p, T x) { *p = x; }

// ------------------------------------------------------------------ waiting

EMULATED void __syncthreads() { emulated::barrier(0, 0); }
EMULATED void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
EMULATED void __threadfence_block() {}
EMULATED void __threadfence_system() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
EMULATED void __trap() { emulated::fail("the kernel gave up"); }
EMULATED void __syncwarp(unsigned mask = 0xffffffffu) {
  emulated::gather(mask, 0, [](const int (&)[32], unsigned, int) { return 0; });
}

// ------------------------------------------------------------------ exchanges within a warp

namespace emulated {
template <typename T> struct Wanted {
  T value;
  int from;
};
// from: a lane of the own group of `width`; outside it the own value, as the card does.
template <typename T> EMULATED T fetch(unsigned mask, T value, int from) {
  return gather(mask, Wanted<T>{value, from},
                [](const Wanted<T> (&of)[32], unsigned, int lane) {
                  return of[of[lane].from].value;
                });
}
}  // namespace emulated

template <typename T> EMULATED T __shfl_sync(unsigned mask, T value, int from, int width = 32) {
  const int lane = emulated::current->lane;
  return emulated::fetch(mask, value, (lane & ~(width - 1)) + (from & (width - 1)));
}
template <typename T> EMULATED T __shfl_xor_sync(unsigned mask, T value, int by, int width = 32) {
  const int lane = emulated::current->lane, from = lane ^ by;
  return emulated::fetch(mask, value, from <= (lane | (width - 1)) ? from : lane);
}
template <typename T>
EMULATED T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const int lane = emulated::current->lane, from = lane + static_cast<int>(by);
  return emulated::fetch(mask, value, from <= (lane | (width - 1)) ? from : lane);
}
template <typename T>
EMULATED T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const int lane = emulated::current->lane, from = lane - static_cast<int>(by);
  return emulated::fetch(mask, value, from >= (lane & ~(width - 1)) ? from : lane);
}
EMULATED unsigned __ballot_sync(unsigned mask, int predicate) {
  return emulated::gather(mask, predicate, [](const int (&of)[32], unsigned lanes, int) {
    unsigned y = 0;
    for (int i = 0; i < 32; i++) y |= (lanes >> i & 1u && of[i] ? 1u : 0u) << i;
    return y;
  });
}
template <typename T> EMULATED T __reduce_add_sync(unsigned mask, T value) {
  return emulated::gather(mask, value, [](const T (&of)[32], unsigned lanes, int) {
    T y = 0;
    for (int i = 0; i < 32; i++) y += lanes >> i & 1u ? of[i] : T(0);
    return y;
  });
}
template <typename T> EMULATED T __reduce_max_sync(unsigned mask, T value) {
  return emulated::gather(mask, value, [](const T (&of)[32], unsigned lanes, int lane) {
    T y = of[lane];
    for (int i = 0; i < 32; i++) y = lanes >> i & 1u && of[i] > y ? of[i] : y;
    return y;
  });
}
template <typename T> EMULATED T __reduce_min_sync(unsigned mask, T value) {
  return emulated::gather(mask, value, [](const T (&of)[32], unsigned lanes, int lane) {
    T y = of[lane];
    for (int i = 0; i < 32; i++) y = lanes >> i & 1u && of[i] < y ? of[i] : y;
    return y;
  });
}
EMULATED int __any_sync(unsigned mask, int predicate) {
  return __ballot_sync(mask, predicate) != 0;
}
EMULATED int __all_sync(unsigned mask, int predicate) {
  return __ballot_sync(mask, !predicate) == 0;
}
template <typename T> EMULATED unsigned __match_any_sync(unsigned mask, T value) {
  return emulated::gather(mask, value, [](const T (&of)[32], unsigned lanes, int lane) {
    unsigned y = 0;
    for (int i = 0; i < 32; i++) y |= (lanes >> i & 1u && of[i] == of[lane] ? 1u : 0u) << i;
    return y;
  });
}
namespace emulated {
static int counted LASTING = 0;
}
EMULATED int __syncthreads_count(int predicate) {
  emulated::barrier(0, 0);
  emulated::counted = 0;
  emulated::barrier(0, 0);
  emulated::counted += predicate != 0;
  emulated::barrier(0, 0);
  return emulated::counted;
}
EMULATED int __syncthreads_or(int predicate) { return __syncthreads_count(predicate) != 0; }
EMULATED int __syncthreads_and(int predicate) { return __syncthreads_count(!predicate) == 0; }

// ------------------------------------------------------------------ atomics (whole numbers only)

template <typename T> EMULATED T atomicAdd(T* p, T x) {
  static_assert(static_cast<T>(0.5f) == static_cast<T>(0), "sums of floats have a fixed order");
  return __atomic_fetch_add(p, x, __ATOMIC_SEQ_CST);
}
template <typename T> EMULATED T atomicSub(T* p, T x) {
  return __atomic_fetch_sub(p, x, __ATOMIC_SEQ_CST);
}
template <typename T> EMULATED T atomicOr(T* p, T x) {
  return __atomic_fetch_or(p, x, __ATOMIC_SEQ_CST);
}
template <typename T> EMULATED T atomicAnd(T* p, T x) {
  return __atomic_fetch_and(p, x, __ATOMIC_SEQ_CST);
}
template <typename T> EMULATED T atomicExch(T* p, T x) {
  return __atomic_exchange_n(p, x, __ATOMIC_SEQ_CST);
}
template <typename T> EMULATED T atomicCAS(T* p, T expected, T x) {
  __atomic_compare_exchange_n(p, &expected, x, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return expected;
}
template <typename T> EMULATED T atomicMax(T* p, T x) {
  T seen = __atomic_load_n(p, __ATOMIC_SEQ_CST);
  while (seen < x &&
         !__atomic_compare_exchange_n(p, &seen, x, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
  }
  return seen;
}
template <typename T> EMULATED T atomicMin(T* p, T x) {
  T seen = __atomic_load_n(p, __ATOMIC_SEQ_CST);
  while (x < seen &&
         !__atomic_compare_exchange_n(p, &seen, x, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
  }
  return seen;
}
EMULATED unsigned atomicInc(unsigned* p, unsigned limit) {
  unsigned seen = __atomic_load_n(p, __ATOMIC_SEQ_CST);
  while (!__atomic_compare_exchange_n(p, &seen, seen >= limit ? 0 : seen + 1, false,
                                      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
  }
  return seen;
}
