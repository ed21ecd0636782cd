// Layouts' sizes, and which instruction set this machine runs.
#include "kernels.h"

#include <cstdlib>
#include <cstring>

#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
#include <intrin.h>
#elif defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(SKN_NEON) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(SKN_NEON) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif
#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#endif

namespace skn {

Matrix matrix_layout(int type, int rows, int columns) {
    Matrix m;
    m.type = type;
    m.rows = rows;
    m.columns = columns;
    m.padded = round_up(columns, quantised(type) ? kGroup : 16);
    m.blocks = round_up(rows, kBlockRows) / kBlockRows;
    const size_t padded = size_t(m.padded);
    if (type == SKN_FP32) {
        m.block_bytes = padded * 16 * 4;
    } else if (!quantised(type)) {
        m.block_bytes = padded * 16 * 2;
    } else {
        const size_t chunks = size_t(kGroup) * (type == SKN_INT8 ? 16 : 8);
        const size_t groups = padded / kGroup;
        m.block_bytes = groups / 2 * (64 + 2 * chunks) + groups % 2 * (64 + chunks);
    }
    return m;
}

ValueMatrix value_layout(int type, int rows, int columns) {
    ValueMatrix m;
    m.type = type;
    m.rows = rows;
    m.columns = columns;
    m.tile_columns = type == SKN_Q4 ? 128 : 64;
    m.tiles = round_up(rows, m.tile_columns) / m.tile_columns;
    const size_t row = type == SKN_FP32 ? 256 : quantised(type) ? 64 : 128;
    m.group_bytes = kGroup * row + (quantised(type) ? size_t(m.tile_columns) * 2 : 0);
    return m;
}

size_t row_bytes(int type, int n) {
    if (type == SKN_FP32) return size_t(n) * 4;
    if (!quantised(type)) return size_t(n) * 2;
    return round_up(size_t(n / kGroup) * 2, size_t(64)) + size_t(n);
}

namespace {

struct Features {
    bool avx2 = false, avx512 = false, avx512vnni = false;
    bool dotprod = false, i8mm = false;
};

#if defined(__x86_64__) || defined(_M_X64) || defined(__i386__) || defined(_M_IX86)

struct Registers {
    uint32_t a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(uint32_t leaf, uint32_t part) {
    Registers r;
#if defined(_MSC_VER)
    int out[4];
    __cpuidex(out, int(leaf), int(part));
    r = {uint32_t(out[0]), uint32_t(out[1]), uint32_t(out[2]), uint32_t(out[3])};
#else
    __cpuid_count(leaf, part, r.a, r.b, r.c, r.d);
#endif
    return r;
}

// Which registers the system saves when it switches between threads.
uint64_t saved_registers() {
#if defined(_MSC_VER)
    return _xgetbv(0);
#else
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return uint64_t(high) << 32 | low;
#endif
}

bool bit(uint32_t word, int n) { return word >> n & 1; }

Features features() {
    Features f;
    const uint32_t leaves = cpuid(0, 0).a;
    if (leaves < 7) return f;
    const Registers one = cpuid(1, 0), seven = cpuid(7, 0);
    if (!bit(one.c, 27)) return f;  // OSXSAVE
    const uint64_t saved = saved_registers();
    if ((saved & 6) != 6) return f;  // SSE and AVX
    f.avx2 = bit(one.c, 28) && bit(one.c, 12) && bit(one.c, 29) && bit(seven.b, 5);
    if ((saved & 0xe0) != 0xe0) return f;  // the masks and all 32 registers
    f.avx512 = f.avx2 && bit(seven.b, 16) && bit(seven.b, 17) && bit(seven.b, 30) &&
               bit(seven.b, 31);  // F, DQ, BW, VL
    const bool bf16 = seven.a >= 1 && bit(cpuid(7, 1).a, 5);
    f.avx512vnni = f.avx512 && bit(seven.c, 11) && bf16;
    return f;
}

#elif defined(SKN_NEON) && defined(__linux__)

// The numbers are the kernel's for ever; older headers do not name them all.
Features features() {
    Features f;
    f.dotprod = getauxval(16) >> 20 & 1;              // AT_HWCAP, HWCAP_ASIMDDP
    f.i8mm = f.dotprod && (getauxval(26) >> 13 & 1);  // AT_HWCAP2, HWCAP2_I8MM
    return f;
}

#elif defined(SKN_NEON) && defined(__APPLE__)

bool has(const char* name) {
    int value = 0;
    size_t bytes = sizeof value;
    return sysctlbyname(name, &value, &bytes, nullptr, 0) == 0 && value != 0;
}

Features features() {
    Features f;
    f.dotprod = has("hw.optional.arm.FEAT_DotProd");
    f.i8mm = f.dotprod && has("hw.optional.arm.FEAT_I8MM");
    return f;
}

#elif defined(SKN_NEON) && defined(_WIN32)

// By number: the names came with later headers than many have.
Features features() {
    Features f;
    f.dotprod = IsProcessorFeaturePresent(43);            // PF_ARM_V82_DP_..
    f.i8mm = f.dotprod && IsProcessorFeaturePresent(66);  // PF_ARM_V82_I8MM_..
    return f;
}

#else

Features features() { return {}; }

#endif

}  // namespace

const Kernels* available_kernels(int index) {
    const Features f = features();
    const Kernels* const all[] = {f.avx512vnni ? kAvx512Vnni : nullptr,
                                  f.avx512 ? kAvx512 : nullptr,
                                  f.avx2 ? kAvx2 : nullptr,
                                  f.i8mm ? kNeonI8mm : nullptr,
                                  f.dotprod ? kNeonDotprod : nullptr,
                                  kNeon,
                                  kPortable};
    for (const Kernels* one : all)
        if (one && index-- == 0) return one;
    return nullptr;
}

#if defined(_WIN32)

// The system's variables: a C library of our own has a copy that is made once, when it is loaded.
const char* wanted_set() {
    thread_local char name[64];
    const DWORD length = GetEnvironmentVariableA("SKEIN_CPU", name, sizeof name);
    if (length >= sizeof name) return "(a long name)";
    return length ? name : "";
}

#else

const char* wanted_set() {
    const char* name = std::getenv("SKEIN_CPU");
    return name ? name : "";
}

#endif

const Kernels* choose_kernels(const char* name) {
    if (!name || !*name) name = wanted_set();
    if (!*name) return available_kernels(0);
    for (int i = 0;; i++) {
        const Kernels* one = available_kernels(i);
        if (!one || std::strcmp(one->name, name) == 0) return one;
    }
}

// Sets that belong to other processors than this library was built for.
#ifndef SKN_X86
const Kernels* const kAvx2 = nullptr;
const Kernels* const kAvx512 = nullptr;
const Kernels* const kAvx512Vnni = nullptr;
#endif
#ifndef SKN_NEON
const Kernels* const kNeon = nullptr;
#endif
// Those that this library's compiler did not know.
#ifndef SKN_NEON_DOTPROD
const Kernels* const kNeonDotprod = nullptr;
#endif
#ifndef SKN_NEON_I8MM
const Kernels* const kNeonI8mm = nullptr;
#endif

}  // namespace skn
