// Plain C++: for every processor, and what the other sets are compared with.
#include "block_kernels.h"
#include "table.h"

namespace skn {
namespace {

struct Portable : skein::PortableLanes {
    static constexpr bool kBf16Dot = false;
    static constexpr int kBias = 0;

    static F half(const uint16_t* p) {
        F o;
        for (int i = 0; i < width; i++) {
            const uint32_t sign = uint32_t(p[i] & 0x8000) << 16, rest = p[i] & 0x7fff;
            // Exponents by a product: it normalises small numbers on its way.
            uint32_t bits = rest << 13;
            if (rest >= 0x7c00) {
                bits |= 0x7f800000;
            } else {
                float x;
                std::memcpy(&x, &bits, 4);
                x *= 5.192296858534828e33f;  // 2^112
                std::memcpy(&bits, &x, 4);
            }
            bits |= sign;
            float x;
            std::memcpy(&x, &bits, 4);
            o[i] = x;
        }
        return o;
    }
    static void store_half(uint16_t* p, F a) {
        for (int i = 0; i < width; i++) {
            const float value = a[i];
            uint32_t bits;
            std::memcpy(&bits, &value, 4);
            const uint32_t sign = bits >> 16 & 0x8000;
            bits &= 0x7fffffff;
            uint32_t half;
            if (bits > 0x7f800000) {
                half = 0x7e00;
            } else if (bits >= 0x477ff000) {  // rounds to 65536 or more
                half = 0x7c00;
            } else if (bits < 0x38800000) {  // below 2^-14: whole multiples of 2^-24
                float x;
                std::memcpy(&x, &bits, 4);
                x += 0.5f;  // the last bit of 0.5 is 2^-24: the sum rounds to nearest even
                std::memcpy(&half, &x, 4);
                half -= 0x3f000000;
            } else {
                half = (bits - 0x38000000 + 0xfff + (bits >> 13 & 1)) >> 13;
            }
            p[i] = uint16_t(half | sign);
        }
    }
    static void pairs(const uint16_t* p, F& even, F& odd) {
        for (int i = 0; i < width; i++) {
            const uint32_t low = uint32_t(p[2 * i]) << 16, high = uint32_t(p[2 * i + 1]) << 16;
            float x, y;
            std::memcpy(&x, &low, 4);
            std::memcpy(&y, &high, 4);
            even[i] = x;
            odd[i] = y;
        }
    }
    // c + (a > border ? step : 0)
    static F add_above(F c, F a, F border, F step) {
        for (int i = 0; i < width; i++) c[i] += a[i] > border[i] ? step[i] : 0.0f;
        return c;
    }
    static void store_bytes(int8_t* p, F a) {
        for (int i = 0; i < width; i++) p[i] = int8_t(a[i]);
    }
    static void prefetch(const void*) {}

    struct Sums {
        int32_t x[16];
    };
    static Sums start(int32_t n) {
        Sums s;
        for (int i = 0; i < 16; i++) s.x[i] = n;
        return s;
    }
    static void merge(Sums& s, const Sums& other) {
        for (int i = 0; i < 16; i++) s.x[i] += other.x[i];
    }
    static F floats(const Sums& s, int part) {
        F o;
        for (int i = 0; i < width; i++) o[i] = float(s.x[part * width + i]);
        return o;
    }
    static void dot_both(Sums& a, Sums& b, const uint8_t* w, int32_t x, int32_t y) {
        int8_t p[4], q[4];
        std::memcpy(p, &x, 4);
        std::memcpy(q, &y, 4);
        for (int i = 0; i < 16; i++)
            for (int j = 0; j < 4; j++) {
                const int weight = int(w[4 * i + j]) - 128;
                a.x[i] += weight * p[j];
                b.x[i] += weight * q[j];
            }
    }
    static void dot4(Sums& a, Sums& b, const uint8_t* w, int32_t x, int32_t y) {
        int8_t p[4], q[4];
        std::memcpy(p, &x, 4);
        std::memcpy(q, &y, 4);
        for (int i = 0; i < 16; i++)
            for (int j = 0; j < 4; j++) {
                a.x[i] += kQ4[w[4 * i + j] & 15] * p[j];
                b.x[i] += kQ4[w[4 * i + j] >> 4] * q[j];
            }
    }
    static void unpack_dot(Sums* s, const uint8_t* const* rows, int32_t x) {
        uint8_t q[4];
        std::memcpy(q, &x, 4);
        for (int r = 0; r < 4; r++)
            for (int u = 0; u < 4; u++)
                for (int l = 0; l < 4; l++)
                    for (int i = 0; i < 4; i++)
                        s[u].x[4 * l + i] += int8_t(rows[r][16 * l + 4 * u + i]) * int(q[r]);
    }
    static void unpack_dot4(Sums* s, const uint8_t* const* rows, int32_t x) {
        uint8_t q[4];
        std::memcpy(q, &x, 4);
        for (int r = 0; r < 4; r++)
            for (int u = 0; u < 4; u++)
                for (int l = 0; l < 4; l++)
                    for (int i = 0; i < 4; i++) {
                        const uint8_t both = rows[r][16 * l + 4 * u + i];
                        s[u].x[4 * l + i] += kQ4[both & 15] * int(q[r]);
                        s[4 + u].x[4 * l + i] += kQ4[both >> 4] * int(q[r]);
                    }
    }
};

const Kernels kTable = table<Portable>("portable", &kBlockTable<Set<Portable>>);

}  // namespace

const Kernels* const kPortable = &kTable;

}  // namespace skn
