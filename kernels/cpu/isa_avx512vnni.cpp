// AVX-512 with VNNI and BF16: Zen 4 and later, Cooper Lake, Sapphire Rapids and later.
#include "lanes_avx512.h"
#include "block_kernels.h"
#include "table.h"

namespace skn {
namespace {

struct Avx512Vnni : Avx512Base {
    static constexpr bool kBf16Dot = true;
    static constexpr int kBias = 128;

    static __m512bh bf16_pairs(const void* p) { return as<__m512bh>(bytes(p)); }
    static __m512bh bf16_pair(const uint16_t* p) {
        int32_t pair;
        std::memcpy(&pair, p, 4);
        return as<__m512bh>(_mm512_set1_epi32(pair));
    }
    // a += 16 x 2 weights times two of x's upper parts, b the same with the lower.
    static void dot_bf16(F& a, F& b, const uint16_t* w, const uint16_t* high,
                         const uint16_t* low) {
        const __m512bh pairs = bf16_pairs(w);
        a = _mm512_dpbf16_ps(a, pairs, bf16_pair(high));
        b = _mm512_dpbf16_ps(b, pairs, bf16_pair(low));
    }
    static void split_bf16(const float* x, uint16_t* high, uint16_t* low) {
        const F all = load(x);
        const __m256i upper = as<__m256i>(_mm512_cvtneps_pbh(all));
        const F rest = sub(all, _mm512_castsi512_ps(
                                    _mm512_slli_epi32(_mm512_cvtepu16_epi32(upper), 16)));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(high), upper);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(low),
                            as<__m256i>(_mm512_cvtneps_pbh(rest)));
    }
    static void dot_both(Sums& a, Sums& b, const uint8_t* w, int32_t x, int32_t y) {
        const __m512i weights = bytes(w);
        a.x = _mm512_dpbusd_epi32(a.x, weights, _mm512_set1_epi32(x));
        b.x = _mm512_dpbusd_epi32(b.x, weights, _mm512_set1_epi32(y));
    }
    static void dot4(Sums& a, Sums& b, const uint8_t* w, int32_t x, int32_t y) {
        const __m512i low = _mm512_set1_epi8(15), both = bytes(w);
        const __m512i table = _mm512_xor_si512(table_of(kQ4), _mm512_set1_epi8(int8_t(0x80)));
        const __m512i first = _mm512_and_si512(both, low);
        const __m512i second = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
        a.x = _mm512_dpbusd_epi32(a.x, _mm512_shuffle_epi8(table, first), _mm512_set1_epi32(x));
        b.x = _mm512_dpbusd_epi32(b.x, _mm512_shuffle_epi8(table, second), _mm512_set1_epi32(y));
    }
    static void unpack_dot(Sums* s, const uint8_t* const* rows, int32_t x) {
        __m512i part[4], w[4];
        for (int r = 0; r < 4; r++) part[r] = bytes(rows[r]);
        interleave(part, w);
        for (int i = 0; i < 4; i++)
            s[i].x = _mm512_dpbusd_epi32(s[i].x, _mm512_set1_epi32(x), w[i]);
    }
    static void unpack_dot4(Sums* s, const uint8_t* const* rows, int32_t x) {
        __m512i w[8];
        interleave_q4(rows, w);
        for (int i = 0; i < 8; i++)
            s[i].x = _mm512_dpbusd_epi32(s[i].x, _mm512_set1_epi32(x), w[i]);
    }
};

const Kernels kTable = 
    table<Avx512Vnni>("avx512vnni", &kBlockTable<Set<Avx512Vnni, true, true>>);

}  // namespace

const Kernels* const kAvx512Vnni = &kTable;

}  // namespace skn
