// NEON as every 64-bit ARM has it: fused products of floats, no products of bytes into words.
#include "lanes_neon.h"
#include "block_kernels.h"
#include "table.h"

namespace skn {
namespace {

struct Neon : NeonLanes {
    static constexpr int kBias = 0;

    // s += w times x, four by four. |w|, |x| <= 127: two products fit 16 bits.
    static int32x4_t add_dot(int32x4_t s, int8x16_t w, int8x16_t x) {
        const int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(x));
        const int16x8_t high = vmull_high_s8(w, x);
        // Neighbours of 32 bits hold the halves of one row: their pairs are the rows' sums.
        return vpadalq_s16(s, vpaddq_s16(low, high));
    }
    static void dot_both(Sums& a, Sums& b, const uint8_t* w, int32_t x, int32_t y) {
        const int8x16_t p = four(x), q = four(y);
        for (int i = 0; i < 4; i++) {
            const int8x16_t weights = lowered(w + 16 * i);
            a.x[i] = add_dot(a.x[i], weights, p);
            b.x[i] = add_dot(b.x[i], weights, q);
        }
    }
    static void dot4(Sums& a, Sums& b, const uint8_t* w, int32_t x, int32_t y) {
        const int8x16_t p = four(x), q = four(y), table = levels();
        for (int i = 0; i < 4; i++) {
            const uint8x16_t both = vld1q_u8(w + 16 * i);
            a.x[i] = add_dot(a.x[i], vqtbl1q_s8(table, first(both)), p);
            b.x[i] = add_dot(b.x[i], vqtbl1q_s8(table, second(both)), q);
        }
    }
    // Chunk l of a row: outputs 16 u + 4 l + i are bytes 4 u + i of it.
    static void add_row(Sums* s, int l, int8x16_t row, int16_t q) {
        const int16x8_t low = vmovl_s8(vget_low_s8(row)), high = vmovl_high_s8(row);
        s[0].x[l] = vmlal_n_s16(s[0].x[l], vget_low_s16(low), q);
        s[1].x[l] = vmlal_high_n_s16(s[1].x[l], low, q);
        s[2].x[l] = vmlal_n_s16(s[2].x[l], vget_low_s16(high), q);
        s[3].x[l] = vmlal_high_n_s16(s[3].x[l], high, q);
    }
    static void unpack_dot(Sums* s, const uint8_t* const* rows, int32_t x) {
        for (int r = 0; r < 4; r++) {
            const int16_t q = int16_t(uint32_t(x) >> (8 * r) & 255);
            for (int l = 0; l < 4; l++)
                add_row(s, l, vreinterpretq_s8_u8(vld1q_u8(rows[r] + 16 * l)), q);
        }
    }
    static void unpack_dot4(Sums* s, const uint8_t* const* rows, int32_t x) {
        const int8x16_t table = levels();
        for (int r = 0; r < 4; r++) {
            const int16_t q = int16_t(uint32_t(x) >> (8 * r) & 255);
            for (int l = 0; l < 4; l++) {
                const uint8x16_t both = vld1q_u8(rows[r] + 16 * l);
                add_row(s, l, vqtbl1q_s8(table, first(both)), q);
                add_row(s + 4, l, vqtbl1q_s8(table, second(both)), q);
            }
        }
    }
};

const Kernels kTable = table<Neon>("neon", &kBlockTable<Set<Neon>>);

}  // namespace

const Kernels* const kNeon = &kTable;

}  // namespace skn
