// AVX-512 without instructions for int8 and bf16: the first servers and desktops that had it.
#include "lanes_avx512.h"
#include "block_kernels.h"
#include "table.h"

namespace skn {
namespace {

struct Avx512 : Avx512Base {
    static constexpr bool kBf16Dot = false;
    static constexpr int kBias = 0;

    // s += w times x, four by four. |w|, |x| <= 127: two products fit 16 bits.
    static __m512i add_dot(__m512i s, __m512i w, __m512i x) {
        const __m512i turned =
            _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(w), _mm512_setzero_si512(), x);
        const __m512i two = _mm512_maddubs_epi16(_mm512_abs_epi8(w), turned);
        return _mm512_add_epi32(s, _mm512_madd_epi16(two, _mm512_set1_epi16(1)));
    }
    static void dot_both(Sums& a, Sums& b, const uint8_t* w, int32_t x, int32_t y) {
        const __m512i weights = _mm512_xor_si512(bytes(w), _mm512_set1_epi8(int8_t(0x80)));
        a.x = add_dot(a.x, weights, _mm512_set1_epi32(x));
        b.x = add_dot(b.x, weights, _mm512_set1_epi32(y));
    }
    static void dot4(Sums& a, Sums& b, const uint8_t* w, int32_t x, int32_t y) {
        const __m512i low = _mm512_set1_epi8(15), table = table_of(kQ4), both = bytes(w);
        const __m512i first = _mm512_and_si512(both, low);
        const __m512i second = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
        a.x = add_dot(a.x, _mm512_shuffle_epi8(table, first), _mm512_set1_epi32(x));
        b.x = add_dot(b.x, _mm512_shuffle_epi8(table, second), _mm512_set1_epi32(y));
    }
    // q up to 255 would not fit 16 bits: its lowest bit goes apart.
    template <int Parts>
    static void add_unsigned(Sums* s, const __m512i* w, int32_t x) {
        const uint32_t q = uint32_t(x);
        const __m512i upper = _mm512_set1_epi32(int32_t(q >> 1 & 0x7f7f7f7f));
        const __m512i lowest = _mm512_set1_epi32(int32_t(q & 0x01010101));
        const __m512i one = _mm512_set1_epi16(1), two = _mm512_set1_epi16(2);
        for (int i = 0; i < Parts; i++) {
            const __m512i a = _mm512_madd_epi16(_mm512_maddubs_epi16(upper, w[i]), two);
            const __m512i b = _mm512_madd_epi16(_mm512_maddubs_epi16(lowest, w[i]), one);
            s[i].x = _mm512_add_epi32(s[i].x, _mm512_add_epi32(a, b));
        }
    }
    static void unpack_dot(Sums* s, const uint8_t* const* rows, int32_t x) {
        __m512i part[4], w[4];
        for (int r = 0; r < 4; r++) part[r] = bytes(rows[r]);
        interleave(part, w);
        add_unsigned<4>(s, w, x);
    }
    static void unpack_dot4(Sums* s, const uint8_t* const* rows, int32_t x) {
        __m512i w[8];
        interleave_q4(rows, w);
        add_unsigned<8>(s, w, x);
    }
};

const Kernels kTable = table<Avx512>("avx512", &kBlockTable<Set<Avx512>>);

}  // namespace

const Kernels* const kAvx512 = &kTable;

}  // namespace skn
