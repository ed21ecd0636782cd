// What the two AVX-512 sets share: a base of their lanes.
#pragma once

#include "kernels.h"
#include "lanes.h"

namespace skn {

struct Avx512Base : skein::Avx512Lanes {
    // The same bits as another type of vector: not all compilers cast one to the other.
    template <class To, class From>
    static To as(From from) {
        static_assert(sizeof(To) == sizeof(From), "vectors of one size");
        To to;
        std::memcpy(&to, &from, sizeof to);
        return to;
    }
    static __m512i bytes(const void* p) { return _mm512_loadu_si512(p); }
    static F half(const uint16_t* p) {
        return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    }
    static void store_half(uint16_t* p, F a) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a, 0));
    }
    static void pairs(const uint16_t* p, F& even, F& odd) {
        const __m512i both = bytes(p);
        even = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
        odd = _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32(int(0xffff0000))));
    }
    static F add_above(F c, F a, F border, F step) {
        return _mm512_mask_add_ps(c, _mm512_cmp_ps_mask(a, border, _CMP_GT_OQ), c, step);
    }
    template <class Bins>
    static F nearest_level(F x, const Bins& bins) {
        const F place = _mm512_mul_ps(_mm512_add_ps(x, _mm512_set1_ps(128)), _mm512_set1_ps(0.125f));
        const F held = _mm512_min_ps(_mm512_max_ps(place, _mm512_setzero_ps()), _mm512_set1_ps(31));
        const __m512i bin = _mm512_cvttps_epi32(held);
        const auto look_up = [&](const float* values) {
            return _mm512_permutex2var_ps(_mm512_load_ps(values), bin, _mm512_load_ps(values + 16));
        };
        return add_above(look_up(bins.level), x, look_up(bins.border), look_up(bins.step));
    }
    static void store_bytes(int8_t* p, F a) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                         _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a)));
    }
    static void prefetch(const void* p) {
        _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
    }
    static __m512i table_of(const int8_t* levels) {
        return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(levels)));
    }

    struct Sums {
        __m512i x;
    };
    static Sums start(int32_t n) { return {_mm512_set1_epi32(n)}; }
    static void merge(Sums& s, const Sums& other) { s.x = _mm512_add_epi32(s.x, other.x); }
    static F floats(const Sums& s, int) { return _mm512_cvtepi32_ps(s.x); }

    // Four rows of 64 bytes as 4 times 16 outputs of four bytes.
    static void interleave(const __m512i* rows, __m512i* out) {
        const __m512i b0 = _mm512_unpacklo_epi8(rows[0], rows[1]);
        const __m512i b1 = _mm512_unpackhi_epi8(rows[0], rows[1]);
        const __m512i d0 = _mm512_unpacklo_epi8(rows[2], rows[3]);
        const __m512i d1 = _mm512_unpackhi_epi8(rows[2], rows[3]);
        out[0] = _mm512_unpacklo_epi16(b0, d0);
        out[1] = _mm512_unpackhi_epi16(b0, d0);
        out[2] = _mm512_unpacklo_epi16(b1, d1);
        out[3] = _mm512_unpackhi_epi16(b1, d1);
    }
    static void interleave_q4(const uint8_t* const* rows, __m512i* out) {
        const __m512i low = _mm512_set1_epi8(15), table = table_of(kQ4);
        __m512i first[4], second[4];
        for (int r = 0; r < 4; r++) {
            const __m512i both = bytes(rows[r]);
            first[r] = _mm512_shuffle_epi8(table, _mm512_and_si512(both, low));
            second[r] =
                _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(both, 4), low));
        }
        interleave(first, out);
        interleave(second, out + 4);
    }
};

}  // namespace skn
