// What one instruction set offers to the kernels: a vector of floats and the few operations on it.
//
// Every kernel is a template over one of these structs, so that each isa_*.cpp instantiates its own
// copies under its own flags and the linker can never mix them up. Nothing here but structs.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace skn {

// Plain C++: four floats, which is what the baseline of every 64-bit processor holds.
struct PortableLanes {
    static constexpr int width = 4;
    static constexpr int registers = 16;
#if defined(__GNUC__)
    typedef float F __attribute__((vector_size(16)));
#else
    struct F {
        float x[width];
        float& operator[](int i) { return x[i]; }
        float operator[](int i) const { return x[i]; }
    };
#endif
#define SKEIN_EACH(expression)                             \
    F o;                                                   \
    for (int i = 0; i < width; i++) o[i] = (expression);   \
    return o
    static F zero() { return set1(0); }
    static F set1(float a) { SKEIN_EACH(a); }
    static F load(const float* p) {
        F o;
        std::memcpy(&o, p, sizeof o);
        return o;
    }
    static void store(float* p, F a) { std::memcpy(p, &a, sizeof a); }
#if defined(__GNUC__)
    static F add(F a, F b) { return a + b; }
    static F sub(F a, F b) { return a - b; }
    static F mul(F a, F b) { return a * b; }
    static F div(F a, F b) { return a / b; }
    static F fma(F a, F b, F c) { return a * b + c; }
#else
    static F add(F a, F b) { SKEIN_EACH(a[i] + b[i]); }
    static F sub(F a, F b) { SKEIN_EACH(a[i] - b[i]); }
    static F mul(F a, F b) { SKEIN_EACH(a[i] * b[i]); }
    static F div(F a, F b) { SKEIN_EACH(a[i] / b[i]); }
    static F fma(F a, F b, F c) { SKEIN_EACH(a[i] * b[i] + c[i]); }
#endif
    static F max(F a, F b) { SKEIN_EACH(a[i] > b[i] ? a[i] : b[i]); }
    static F min(F a, F b) { SKEIN_EACH(a[i] < b[i] ? a[i] : b[i]); }
    static F abs(F a) { SKEIN_EACH(a[i] < 0 ? -a[i] : a[i]); }
    // Adding and taking off 1.5 * 2^23 rounds to nearest; |a| stays below 2^22 here.
    static F round(F a) { return sub(add(a, set1(12582912.0f)), set1(12582912.0f)); }
    static F bf16(const std::uint16_t* p) {
        F o;
        for (int i = 0; i < width; i++) {
            const std::uint32_t bits = static_cast<std::uint32_t>(p[i]) << 16;
            float x;
            std::memcpy(&x, &bits, 4);
            o[i] = x;
        }
        return o;
    }
    // Shifting a half into place leaves it 2^112 too small, whether denormal or not.
    static F half(const std::uint16_t* p) {
        F o;
        for (int i = 0; i < width; i++) {
            std::uint32_t bits = static_cast<std::uint32_t>(p[i] & 0x7fff) << 13;
            float x;
            std::memcpy(&x, &bits, 4);
            x *= 5.192296858534828e33f;
            o[i] = p[i] & 0x8000 ? -x : x;
        }
        return o;
    }
    // 2^n of whole n in the range of normal floats.
    static F power2(F n) {
        F o;
        for (int i = 0; i < width; i++) {
            const std::uint32_t bits = static_cast<std::uint32_t>(static_cast<int>(n[i]) + 127)
                                       << 23;
            float x;
            std::memcpy(&x, &bits, 4);
            o[i] = x;
        }
        return o;
    }
    static float sum(F a) { return (a[0] + a[2]) + (a[1] + a[3]); }
    static float top(F a) {
        float m = a[0];
        for (int i = 1; i < width; i++) m = a[i] > m ? a[i] : m;
        return m;
    }
#undef SKEIN_EACH
};

#if defined(__AVX2__) && defined(__FMA__)
struct Avx2Lanes {
    static constexpr int width = 8;
    static constexpr int registers = 16;
    using F = __m256;
    static F zero() { return _mm256_setzero_ps(); }
    static F set1(float a) { return _mm256_set1_ps(a); }
    static F load(const float* p) { return _mm256_loadu_ps(p); }
    static void store(float* p, F a) { _mm256_storeu_ps(p, a); }
    static F add(F a, F b) { return _mm256_add_ps(a, b); }
    static F sub(F a, F b) { return _mm256_sub_ps(a, b); }
    static F mul(F a, F b) { return _mm256_mul_ps(a, b); }
    static F div(F a, F b) { return _mm256_div_ps(a, b); }
    static F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
    static F max(F a, F b) { return _mm256_max_ps(a, b); }
    static F min(F a, F b) { return _mm256_min_ps(a, b); }
    static F abs(F a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
    static F round(F a) {
        return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    }
    static F bf16(const std::uint16_t* p) {
        const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
        return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
    }
    static F half(const std::uint16_t* p) {
        return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    }
    static F power2(F n) {
        const __m256i e = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
        return _mm256_castsi256_ps(_mm256_slli_epi32(e, 23));
    }
    static float sum(F a) {
        __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
        s = _mm_add_ps(s, _mm_movehl_ps(s, s));
        return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
    }
    static float top(F a) {
        __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
        s = _mm_max_ps(s, _mm_movehl_ps(s, s));
        return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
    }
};
#endif

#if defined(__AVX512F__) && defined(__AVX512BW__)
struct Avx512Lanes {
    static constexpr int width = 16;
    static constexpr int registers = 32;
    using F = __m512;
    static F zero() { return _mm512_setzero_ps(); }
    static F set1(float a) { return _mm512_set1_ps(a); }
    static F load(const float* p) { return _mm512_loadu_ps(p); }
    static void store(float* p, F a) { _mm512_storeu_ps(p, a); }
    static F add(F a, F b) { return _mm512_add_ps(a, b); }
    static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
    static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
    static F div(F a, F b) { return _mm512_div_ps(a, b); }
    static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
    static F max(F a, F b) { return _mm512_max_ps(a, b); }
    static F min(F a, F b) { return _mm512_min_ps(a, b); }
    static F abs(F a) { return _mm512_abs_ps(a); }
    static F round(F a) { return _mm512_roundscale_ps(a, 0); }
    static F bf16(const std::uint16_t* p) {
        const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
    }
    static F half(const std::uint16_t* p) {
        return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    }
    static F power2(F n) { return _mm512_scalef_ps(_mm512_set1_ps(1), n); }
    static float sum(F a) { return _mm512_reduce_add_ps(a); }
    static float top(F a) { return _mm512_reduce_max_ps(a); }
};
#endif

// e^x to about one unit in the last place; x is held inside the range of normal floats.
template <class L>
inline typename L::F exponential(typename L::F x) {
    x = L::max(L::min(x, L::set1(88.0f)), L::set1(-87.0f));
    const auto n = L::round(L::mul(x, L::set1(1.44269504f)));
    auto r = L::fma(n, L::set1(-0.693145752f), x);
    r = L::fma(n, L::set1(-1.42860677e-6f), r);
    auto p = L::set1(1.0f / 720);
    p = L::fma(p, r, L::set1(1.0f / 120));
    p = L::fma(p, r, L::set1(1.0f / 24));
    p = L::fma(p, r, L::set1(1.0f / 6));
    p = L::fma(p, r, L::set1(0.5f));
    p = L::fma(p, r, L::set1(1.0f));
    p = L::fma(p, r, L::set1(1.0f));
    return L::mul(p, L::power2(n));
}

template <class L>
inline typename L::F logistic(typename L::F x) {
    const auto one = L::set1(1);
    return L::div(one, L::add(one, exponential<L>(L::sub(L::zero(), x))));
}

template <class L>
inline typename L::F hyperbolic_tangent(typename L::F x) {
    const auto twice = logistic<L>(L::add(x, x));
    return L::sub(L::add(twice, twice), L::set1(1));
}

}  // namespace skn

namespace skein = skn;  // its first name
