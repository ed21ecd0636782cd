// What the NEON sets share: their lanes. Included by one file for each set.
//
// Nothing here has a name outside of the file that includes it: each set is built with flags of its
// own, and the linker may not put one set's functions in the place of another's.
#pragma once

#include <arm_neon.h>

#include "kernels.h"
#include "lanes.h"

namespace skn {
namespace {

struct NeonLanes {
    static constexpr int width = 4;
    static constexpr int registers = 32;
    static constexpr bool kBf16Dot = false;
    using F = float32x4_t;
    static F zero() { return vdupq_n_f32(0); }
    static F set1(float a) { return vdupq_n_f32(a); }
    static F load(const float* p) { return vld1q_f32(p); }
    static void store(float* p, F a) { vst1q_f32(p, a); }
    static F add(F a, F b) { return vaddq_f32(a, b); }
    static F sub(F a, F b) { return vsubq_f32(a, b); }
    static F mul(F a, F b) { return vmulq_f32(a, b); }
    static F div(F a, F b) { return vdivq_f32(a, b); }
    static F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
    static F max(F a, F b) { return vmaxq_f32(a, b); }
    static F min(F a, F b) { return vminq_f32(a, b); }
    static F abs(F a) { return vabsq_f32(a); }
    static F round(F a) { return vrndnq_f32(a); }
    static F bf16(const uint16_t* p) {
        return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
    }
    static F half(const uint16_t* p) {
        return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
    }
    static void store_half(uint16_t* p, F a) {
        vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(a)));
    }
    static void pairs(const uint16_t* p, F& even, F& odd) {
        const uint32x4_t both = vreinterpretq_u32_u16(vld1q_u16(p));
        even = vreinterpretq_f32_u32(vshlq_n_u32(both, 16));
        odd = vreinterpretq_f32_u32(vandq_u32(both, vdupq_n_u32(0xffff0000u)));
    }
    static F power2(F n) {
        const int32x4_t e = vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127));
        return vreinterpretq_f32_s32(vshlq_n_s32(e, 23));
    }
    static F add_above(F c, F a, F border, F step) {
        const uint32x4_t some = vandq_u32(vcgtq_f32(a, border), vreinterpretq_u32_f32(step));
        return vaddq_f32(c, vreinterpretq_f32_u32(some));
    }
    static void store_bytes(int8_t* p, F a) {
        const int16x4_t words = vmovn_s32(vcvtnq_s32_f32(a));
        const int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
        const int32_t four = vget_lane_s32(vreinterpret_s32_s8(bytes), 0);
        std::memcpy(p, &four, 4);
    }
    static void prefetch(const void* p) {
#if defined(_MSC_VER) && !defined(__clang__)
        __prefetch(p);
#else
        __builtin_prefetch(p);
#endif
    }
    static float sum(F a) { return vaddvq_f32(a); }
    static float top(F a) { return vmaxvq_f32(a); }

    struct Sums {
        int32x4_t x[4];
    };
    static Sums start(int32_t n) {
        Sums s;
        for (int32x4_t& part : s.x) part = vdupq_n_s32(n);
        return s;
    }
    static void merge(Sums& s, const Sums& other) {
        for (int i = 0; i < 4; i++) s.x[i] = vaddq_s32(s.x[i], other.x[i]);
    }
    static F floats(const Sums& s, int part) { return vcvtq_f32_s32(s.x[part]); }

    static int8x16_t four(int32_t x) { return vreinterpretq_s8_s32(vdupq_n_s32(x)); }
    // Bytes that are stored 128 above what they are.
    static int8x16_t lowered(const uint8_t* p) {
        return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(p), vdupq_n_u8(0x80)));
    }
    static int8x16_t levels() { return vld1q_s8(kQ4); }
    static uint8x16_t first(uint8x16_t both) { return vandq_u8(both, vdupq_n_u8(15)); }
    static uint8x16_t second(uint8x16_t both) { return vshrq_n_u8(both, 4); }
};

// Four rows of 16 bytes as 4 times 4 outputs of four bytes: what unpack_dot multiplies.
inline void interleave(const int8x16_t* rows, int8x16_t* out) {
    const int8x16x2_t a = vzipq_s8(rows[0], rows[1]), b = vzipq_s8(rows[2], rows[3]);
    for (int i = 0; i < 2; i++) {
        const int16x8x2_t both =
            vzipq_s16(vreinterpretq_s16_s8(a.val[i]), vreinterpretq_s16_s8(b.val[i]));
        out[2 * i] = vreinterpretq_s8_s16(both.val[0]);
        out[2 * i + 1] = vreinterpretq_s8_s16(both.val[1]);
    }
}

// The sparse products of sets with dot products: L::add_unsigned(s, l, rows, x) adds chunk l of four
// rows, 16 signed bytes each, times the four bytes 0 .. 255 in x.
template <class L>
void unpack_rows(NeonLanes::Sums* s, const uint8_t* const* rows, int32_t x) {
    for (int l = 0; l < 4; l++) {
        int8x16_t part[4];
        for (int r = 0; r < 4; r++) part[r] = vreinterpretq_s8_u8(vld1q_u8(rows[r] + 16 * l));
        L::add_unsigned(s, l, part, x);
    }
}

template <class L>
void unpack_rows4(NeonLanes::Sums* s, const uint8_t* const* rows, int32_t x) {
    const int8x16_t table = NeonLanes::levels();
    for (int l = 0; l < 4; l++) {
        int8x16_t low[4], high[4];
        for (int r = 0; r < 4; r++) {
            const uint8x16_t both = vld1q_u8(rows[r] + 16 * l);
            low[r] = vqtbl1q_s8(table, NeonLanes::first(both));
            high[r] = vqtbl1q_s8(table, NeonLanes::second(both));
        }
        L::add_unsigned(s, l, low, x);
        L::add_unsigned(s + 4, l, high, x);
    }
}

}  // namespace
}  // namespace skn
