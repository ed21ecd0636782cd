// NEON with products of four signed bytes at once: most ARM processors since 2018.
#include "gemm_neon.h"
#include "table.h"

namespace skn {
namespace {

struct NeonDotprod : NeonLanes {
    static constexpr int kBias = 0;

    static void dot_both(Sums& a, Sums& b, const uint8_t* w, int32_t x, int32_t y) {
        const int8x16_t p = four(x), q = four(y);
        for (int i = 0; i < 4; i++) {
            const int8x16_t weights = lowered(w + 16 * i);
            a.x[i] = vdotq_s32(a.x[i], weights, p);
            b.x[i] = vdotq_s32(b.x[i], weights, q);
        }
    }
    static void dot4(Sums& a, Sums& b, const uint8_t* w, int32_t x, int32_t y) {
        const int8x16_t p = four(x), q = four(y), table = levels();
        for (int i = 0; i < 4; i++) {
            const uint8x16_t both = vld1q_u8(w + 16 * i);
            a.x[i] = vdotq_s32(a.x[i], vqtbl1q_s8(table, first(both)), p);
            b.x[i] = vdotq_s32(b.x[i], vqtbl1q_s8(table, second(both)), q);
        }
    }
    // q up to 255 is no signed byte: it goes 128 lower, and 128 times the weights come back.
    static void add_unsigned(Sums* s, int l, const int8x16_t* rows, int32_t x) {
        const int8x16_t q = four(int32_t(uint32_t(x) ^ 0x80808080u)), lowest = vdupq_n_s8(-128);
        int8x16_t w[4];
        interleave(rows, w);
        for (int u = 0; u < 4; u++) {
            const int32x4_t less = vdotq_s32(vdupq_n_s32(0), w[u], lowest);
            s[u].x[l] = vsubq_s32(vdotq_s32(s[u].x[l], w[u], q), less);
        }
    }
    static void unpack_dot(Sums* s, const uint8_t* const* rows, int32_t x) {
        unpack_rows<NeonDotprod>(s, rows, x);
    }
    static void unpack_dot4(Sums* s, const uint8_t* const* rows, int32_t x) {
        unpack_rows4<NeonDotprod>(s, rows, x);
    }
};

struct DotTile {
    // Bytes 0 .. 255 go 128 lower: what the products then lack of 8 rows.
    static void missing(const uint8_t* w, int32x4_t* from) {
        const int8x16_t lowest = vdupq_n_s8(-128);
        int32x4_t less[2] = {vdupq_n_s32(0), vdupq_n_s32(0)};
        for (int k = 0; k < kGroup / 4; k++)
            for (int i = 0; i < 2; i++)
                less[i] = vdotq_s32(less[i], weight_bytes<true>(w + 64 * k + 16 * i), lowest);
        for (int i = 0; i < 2; i++) from[i] = vnegq_s32(less[i]);
    }

    template <bool Value, int Quads>
    static void group(const uint8_t* w, const uint32_t* x, int32x4_t (*dot)[2]) {
        int32x4_t from[2] = {vdupq_n_s32(0), vdupq_n_s32(0)};
        if (Value) missing(w, from);
        int32x4_t sum[4 * Quads][2];
        for (int t = 0; t < 4 * Quads; t++)
            for (int i = 0; i < 2; i++) sum[t][i] = from[i];
        for (int k = 0; k < kGroup / 4; k++, w += 64, x += kTile) {
            const int8x16_t rows[2] = {weight_bytes<Value>(w), weight_bytes<Value>(w + 16)};
            for (int q = 0; q < Quads; q++) {
                int8x16_t items = word_bytes(x + 4 * q);
                if (Value) items = veorq_s8(items, vdupq_n_s8(-128));
                for (int i = 0; i < 2; i++) {
                    sum[4 * q][i] = vdotq_laneq_s32(sum[4 * q][i], rows[i], items, 0);
                    sum[4 * q + 1][i] = vdotq_laneq_s32(sum[4 * q + 1][i], rows[i], items, 1);
                    sum[4 * q + 2][i] = vdotq_laneq_s32(sum[4 * q + 2][i], rows[i], items, 2);
                    sum[4 * q + 3][i] = vdotq_laneq_s32(sum[4 * q + 3][i], rows[i], items, 3);
                }
            }
        }
        for (int t = 0; t < 4 * Quads; t++)
            for (int i = 0; i < 2; i++) dot[t][i] = sum[t][i];
    }
};

const Kernels kTable =
    table<NeonDotprod>("neon-dotprod", &kInt8Blocks<Set<NeonDotprod, false, true>, DotTile>);

}  // namespace

const Kernels* const kNeonDotprod = &kTable;

}  // namespace skn
