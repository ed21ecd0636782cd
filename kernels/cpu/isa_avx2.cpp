// AVX2 with FMA and F16C: desktops since 2013.
#include "block_kernels.h"
#include "table.h"

namespace skn {
namespace {

struct Avx2 : skein::Avx2Lanes {
    static constexpr bool kBf16Dot = false;
    static constexpr int kBias = 0;

    static __m256i bytes(const void* p) {
        return _mm256_loadu_si256(static_cast<const __m256i*>(p));
    }
    static F half(const uint16_t* p) {
        return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    }
    static void store_half(uint16_t* p, F a) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a, 0));
    }
    static void pairs(const uint16_t* p, F& even, F& odd) {
        const __m256i both = bytes(p);
        even = _mm256_castsi256_ps(_mm256_slli_epi32(both, 16));
        odd = _mm256_castsi256_ps(_mm256_and_si256(both, _mm256_set1_epi32(int(0xffff0000))));
    }
    static F add_above(F c, F a, F border, F step) {
        return _mm256_add_ps(c, _mm256_and_ps(_mm256_cmp_ps(a, border, _CMP_GT_OQ), step));
    }
    static void store_bytes(int8_t* p, F a) {
        const __m256i words = _mm256_cvtps_epi32(a);
        const __m128i half =
            _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
        _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(half, half));
    }
    static void prefetch(const void* p) {
        _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
    }

    struct Sums {
        __m256i x[2];
    };
    static Sums start(int32_t n) { return {{_mm256_set1_epi32(n), _mm256_set1_epi32(n)}}; }
    static void merge(Sums& s, const Sums& other) {
        for (int i = 0; i < 2; i++) s.x[i] = _mm256_add_epi32(s.x[i], other.x[i]);
    }
    static F floats(const Sums& s, int part) { return _mm256_cvtepi32_ps(s.x[part]); }

    // s += w times x, four by four. |w|, |x| <= 127: two products fit 16 bits.
    static __m256i add_dot(__m256i s, __m256i w, __m256i x) {
        const __m256i two = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
        return _mm256_add_epi32(s, _mm256_madd_epi16(two, _mm256_set1_epi16(1)));
    }
    static void dot_both(Sums& a, Sums& b, const uint8_t* w, int32_t x, int32_t y) {
        const __m256i p = _mm256_set1_epi32(x), q = _mm256_set1_epi32(y);
        const __m256i flip = _mm256_set1_epi8(int8_t(0x80));
        for (int i = 0; i < 2; i++) {
            const __m256i weights = _mm256_xor_si256(bytes(w + 32 * i), flip);
            a.x[i] = add_dot(a.x[i], weights, p);
            b.x[i] = add_dot(b.x[i], weights, q);
        }
    }
    static __m256i levels() {
        return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(kQ4)));
    }
    static void dot4(Sums& a, Sums& b, const uint8_t* w, int32_t x, int32_t y) {
        const __m256i p = _mm256_set1_epi32(x), q = _mm256_set1_epi32(y);
        const __m256i low = _mm256_set1_epi8(15), table = levels();
        for (int i = 0; i < 2; i++) {
            const __m256i both = bytes(w + 32 * i);
            const __m256i first = _mm256_and_si256(both, low);
            const __m256i second = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
            a.x[i] = add_dot(a.x[i], _mm256_shuffle_epi8(table, first), p);
            b.x[i] = add_dot(b.x[i], _mm256_shuffle_epi8(table, second), q);
        }
    }
    // q up to 255 would not fit: its lowest bit goes apart.
    struct Split {
        __m256i upper, lowest;
    };
    static Split split(int32_t x) {
        const uint32_t q = uint32_t(x);
        return {_mm256_set1_epi32(int32_t(q >> 1 & 0x7f7f7f7f)),
                _mm256_set1_epi32(int32_t(q & 0x01010101))};
    }
    static __m256i add_unsigned(__m256i s, const Split& q, __m256i w) {
        const __m256i upper = _mm256_madd_epi16(_mm256_maddubs_epi16(q.upper, w),
                                                _mm256_set1_epi16(2));
        const __m256i lowest = _mm256_madd_epi16(_mm256_maddubs_epi16(q.lowest, w),
                                                 _mm256_set1_epi16(1));
        return _mm256_add_epi32(s, _mm256_add_epi32(upper, lowest));
    }
    // Half of the outputs of four rows, 32 bytes of each.
    static void unpack_half(Sums* s, int half, const __m256i* rows, const Split& q) {
        const __m256i b0 = _mm256_unpacklo_epi8(rows[0], rows[1]);
        const __m256i b1 = _mm256_unpackhi_epi8(rows[0], rows[1]);
        const __m256i d0 = _mm256_unpacklo_epi8(rows[2], rows[3]);
        const __m256i d1 = _mm256_unpackhi_epi8(rows[2], rows[3]);
        s[0].x[half] = add_unsigned(s[0].x[half], q, _mm256_unpacklo_epi16(b0, d0));
        s[1].x[half] = add_unsigned(s[1].x[half], q, _mm256_unpackhi_epi16(b0, d0));
        s[2].x[half] = add_unsigned(s[2].x[half], q, _mm256_unpacklo_epi16(b1, d1));
        s[3].x[half] = add_unsigned(s[3].x[half], q, _mm256_unpackhi_epi16(b1, d1));
    }
    static void unpack_dot(Sums* s, const uint8_t* const* rows, int32_t x) {
        const Split q = split(x);
        for (int half = 0; half < 2; half++) {
            __m256i part[4];
            for (int r = 0; r < 4; r++) part[r] = bytes(rows[r] + 32 * half);
            unpack_half(s, half, part, q);
        }
    }
    static void unpack_dot4(Sums* s, const uint8_t* const* rows, int32_t x) {
        const Split q = split(x);
        const __m256i low = _mm256_set1_epi8(15), table = levels();
        for (int half = 0; half < 2; half++) {
            __m256i first[4], second[4];
            for (int r = 0; r < 4; r++) {
                const __m256i both = bytes(rows[r] + 32 * half);
                first[r] = _mm256_shuffle_epi8(table, _mm256_and_si256(both, low));
                second[r] = _mm256_shuffle_epi8(
                    table, _mm256_and_si256(_mm256_srli_epi16(both, 4), low));
            }
            unpack_half(s, half, first, q);
            unpack_half(s + 4, half, second, q);
        }
    }
};

const Kernels kTable = table<Avx2>("avx2", &kBlockTable<Set<Avx2>>);

}  // namespace

const Kernels* const kAvx2 = &kTable;

}  // namespace skn
