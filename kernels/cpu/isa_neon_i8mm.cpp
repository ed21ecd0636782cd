// NEON with products of small matrices of bytes, signed or not: ARM servers, desktops and laptops
// since 2021.
#include "gemm_neon.h"
#include "table.h"

namespace skn {
namespace {

struct NeonI8mm : NeonLanes {
    static constexpr int kBias = 128;  // weights are read as they are stored

    static void dot_both(Sums& a, Sums& b, const uint8_t* w, int32_t x, int32_t y) {
        const int8x16_t p = four(x), q = four(y);
        for (int i = 0; i < 4; i++) {
            const uint8x16_t weights = vld1q_u8(w + 16 * i);
            a.x[i] = vusdotq_s32(a.x[i], weights, p);
            b.x[i] = vusdotq_s32(b.x[i], weights, q);
        }
    }
    static void dot4(Sums& a, Sums& b, const uint8_t* w, int32_t x, int32_t y) {
        const int8x16_t p = four(x), q = four(y);
        const uint8x16_t table = veorq_u8(vreinterpretq_u8_s8(levels()), vdupq_n_u8(0x80));
        for (int i = 0; i < 4; i++) {
            const uint8x16_t both = vld1q_u8(w + 16 * i);
            a.x[i] = vusdotq_s32(a.x[i], vqtbl1q_u8(table, first(both)), p);
            b.x[i] = vusdotq_s32(b.x[i], vqtbl1q_u8(table, second(both)), q);
        }
    }
    static void add_unsigned(Sums* s, int l, const int8x16_t* rows, int32_t x) {
        const uint8x16_t q = vreinterpretq_u8_s8(four(x));
        int8x16_t w[4];
        interleave(rows, w);
        for (int u = 0; u < 4; u++) s[u].x[l] = vusdotq_s32(s[u].x[l], q, w[u]);
    }
    static void unpack_dot(Sums* s, const uint8_t* const* rows, int32_t x) {
        unpack_rows<NeonI8mm>(s, rows, x);
    }
    static void unpack_dot4(Sums* s, const uint8_t* const* rows, int32_t x) {
        unpack_rows4<NeonI8mm>(s, rows, x);
    }
};

struct MatrixTile {
    // Two vectors of four words as two vectors of two times eight bytes.
    struct Eights {
        int8x16_t part[2];
    };
    static Eights eights(int8x16_t a, int8x16_t b) {
        const int32x4_t p = vreinterpretq_s32_s8(a), q = vreinterpretq_s32_s8(b);
        return {{vreinterpretq_s8_s32(vzip1q_s32(p, q)), vreinterpretq_s8_s32(vzip2q_s32(p, q))}};
    }
    // s += two tokens times two rows: [token][row].
    template <bool Value>
    static int32x4_t multiply(int32x4_t s, int8x16_t x, int8x16_t w) {
        return Value ? vusmmlaq_s32(s, vreinterpretq_u8_s8(x), w) : vmmlaq_s32(s, x, w);
    }

    template <bool Value, int Quads>
    static void group(const uint8_t* w, const uint32_t* x, int32x4_t (*dot)[2]) {
        int32x4_t sum[2 * Quads][4];
        for (int t = 0; t < 2 * Quads; t++)
            for (int r = 0; r < 4; r++) sum[t][r] = vdupq_n_s32(0);
        for (int k = 0; k < kGroup / 8; k++, w += 128, x += 2 * kTile) {
            Eights rows[2];
            for (int i = 0; i < 2; i++)
                rows[i] = eights(weight_bytes<Value>(w + 16 * i),
                                 weight_bytes<Value>(w + 64 + 16 * i));
            for (int q = 0; q < Quads; q++) {
                const Eights items = eights(word_bytes(x + 4 * q), word_bytes(x + kTile + 4 * q));
                for (int t = 0; t < 2; t++)
                    for (int r = 0; r < 4; r++)
                        sum[2 * q + t][r] = multiply<Value>(sum[2 * q + t][r], items.part[t],
                                                            rows[r / 2].part[r % 2]);
            }
        }
        for (int t = 0; t < 2 * Quads; t++)
            for (int i = 0; i < 2; i++) {
                const int32x4_t a = sum[t][2 * i], b = sum[t][2 * i + 1];
                dot[2 * t][i] = vcombine_s32(vget_low_s32(a), vget_low_s32(b));
                dot[2 * t + 1][i] = vcombine_s32(vget_high_s32(a), vget_high_s32(b));
            }
    }
};

const Kernels kTable =
    table<NeonI8mm>("neon-i8mm", &kInt8Blocks<Set<NeonI8mm, false, true>, MatrixTile>);

}  // namespace

const Kernels* const kNeonI8mm = &kTable;

}  // namespace skn
