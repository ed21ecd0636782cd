// What every instruction set offers, and the layouts that they all read. Knows nothing of models.
//
// The layouts do not depend on the instruction set: packed weights can be kept and moved.
//
// Matrix [M, K], for y = W x. Blocks of 16 rows, one sequential stream a block; K padded with zeros
// (to 64 for int8 and q4, else to 16), M padded with zero rows:
//   fp32, fp16   for k: 16 rows
//   bf16         for k in steps of 2: 16 rows x (k, k + 1)
//   int8         for pairs of groups of 64 k: [bf16 scale: 2 groups x 16 rows] and per group 16
//                chunks of 64 bytes: 16 rows x 4 k, each stored as q + 128
//   q4           the same with 8 chunks of 64 bytes: 16 rows x 4 bytes, byte j of chunk c holds
//                k = 8 c + j in its lower and k = 8 c + 4 + j in its upper half, as an index of kQ4
// An odd last group has the room of a pair of scales too, so that all stays aligned to 64 bytes.
//
// ValueMatrix: W [D, F] of the channel mix, for y = W x where most of x is zero. Tiles of 64
// columns (outputs; 128 for q4, padded with zeros); inside a tile the F inputs one after the other:
//   fp32, fp16   64 outputs
//   bf16         twice 32 outputs, as 16 pairs (j, j + 16)
//   int8, q4     groups of 64 inputs: [bf16 scale of each output of the tile], then 64 rows of 64
//                bytes. Byte 16 l + 4 u + i is output 16 u + 4 l + i, which is what unpacking four
//                rows into each other puts in order. int8 is signed; q4 holds outputs 0 to 63 in
//                the lower and 64 to 127 in the upper half of the bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "skein_cpu.h"

namespace skn {

struct BlockKernels;  // gemm.h: products of blocks of tokens

constexpr int kGroup = 64;     // weights that share a scale
constexpr int kBlockRows = 16;  // rows that are interleaved
constexpr int kHead = 64;      // N, the size of a head

// Levels of q4: fitted to Gaussian groups of 64 with the scale and its sign chosen for each group.
constexpr int8_t kQ4[16] = {-127, -97, -77, -60, -46, -33, -21, -9, 2, 13, 24, 36, 49, 64, 82, 107};

inline bool quantised(int type) { return type == SKN_INT8 || type == SKN_Q4; }
inline int round_up(int n, int to) { return (n + to - 1) / to * to; }
inline size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

struct Matrix {
    int type = SKN_FP32;
    int rows = 0, columns = 0;  // M, K as they are
    int padded = 0;             // K as stored
    int blocks = 0;             // of 16 rows
    size_t block_bytes = 0;
    const uint8_t* data = nullptr;

    int groups() const { return padded / kGroup; }
    size_t bytes() const { return block_bytes * size_t(blocks); }
};

struct ValueMatrix {
    int type = SKN_FP32;
    int rows = 0, columns = 0;  // D outputs, F inputs
    int tile_columns = 64;      // outputs of a tile
    int tiles = 0;
    size_t group_bytes = 0;  // 64 inputs of a tile
    const uint8_t* data = nullptr;

    int groups() const { return columns / kGroup; }
    size_t tile_bytes() const { return group_bytes * size_t(groups()); }
    size_t bytes() const { return tile_bytes() * size_t(tiles); }
};

Matrix matrix_layout(int type, int rows, int columns);
ValueMatrix value_layout(int type, int rows, int columns);

// A vector that products read, padded to the matrix's K, in the forms that its type wants.
struct Activation {
    float* f = nullptr;       // always there; zero beyond K
    uint16_t *high = nullptr, *low = nullptr;  // bf16: x = high + low
    // int8, q4: groups of 64, x = (254 q + q_low) * scale. The weights of int8 lose so little that
    // 8 bits of x would lose more; q4 reads q alone.
    int8_t *q = nullptr, *q_low = nullptr;
    float* scale = nullptr;
    int32_t *sum = nullptr, *sum_low = nullptr;  // of a group's q and q_low
};

// What is left of the channel mix's k: the numbers above zero of each group of 64.
struct Active {
    uint8_t* index = nullptr;  // [F] places in the group, rising; all 64 where many are active
    uint8_t* q = nullptr;      // [F] int8, q4: x = q * scale, 1 to 255, zeros up to a multiple of 4
    float* value = nullptr;    // [F] other types
    float* scale = nullptr;    // [groups]
    uint8_t* count = nullptr;  // [groups] how many are above zero
};

// The vectors of one time mix, as far as a head needs them.
struct HeadInput {
    const float *r, *k, *v;            // [D] products
    const float *w2, *a2, *v2, *g2;    // [D] second loras' products, v2 null in layer 0
    float* v_first;                    // [D] written in layer 0, else read
    const float *w0, *a0, *v0, *k_k, *k_a, *r_k, *ln_w, *ln_b;  // [D]
};

struct Kernels {
    const char* name;

    // y[16 (first .. last)] = W x for these blocks of rows; y begins at row 0.
    void (*product)(const Matrix& w, const Activation& x, float* y, int first, int last);
    // The forms of x.f that `type` wants; n: padded K.
    void (*prepare)(int type, Activation& x, int n);

    // relu(k)^2 of group g of k [F], in place, and its compact form.
    void (*activate)(int type, float* k, const Active& active, int g);
    // y [tile_columns] = tile of W times what is active.
    void (*value)(const ValueMatrix& w, const Active& active, int tile, float* y);

    // out = layer norm of x [n], n a multiple of 16; out may be x.
    void (*norm)(const float* x, const float* w, const float* b, float* out, int n, float eps);
    // out[m] = h + (shift - h) * mix[m]; then shift = h. m below `count`.
    void (*mix)(const float* h, float* shift, const float* const* mix, float* const* out, int count,
                int n);
    // One head of the recurrence: advances state [N, N] (key-major), writes y [N] after the group
    // norm, the bonus and the gate. All pointers begin at the head.
    void (*head)(const HeadInput& in, float* state, float* y);

    // n a multiple of 16.
    void (*tanh)(const float* x, float* y, int n);
    void (*sigmoid)(const float* x, float* y, int n);
    void (*exp)(const float* x, float* y, int n);
    void (*add)(const float* x, float* y, int n);  // y += x

    // x [n] of a type (fp32, bf16, fp16) as fp32. False: a value is not finite.
    bool (*widen)(int dtype, const void* x, float* y, size_t n);
    // 16 rows of fp32, `stride` apart, as one block; `rows` of them are there.
    void (*pack)(const Matrix& w, const float* x, size_t stride, int rows, uint8_t* out);
    // 64 inputs of a tile: x[output * stride + input]; `outputs` of them are there.
    void (*pack_value)(const ValueMatrix& w, const float* x, size_t stride, int outputs,
                       uint8_t* out);
    // Undoes both, for tests. out: [16, padded], and [tile_columns, 64].
    void (*unpack)(const Matrix& w, const uint8_t* block, float* out);
    void (*unpack_value)(const ValueMatrix& w, const uint8_t* group, float* out);
    // A row of the embedding [n], as kept: fp32, bf16, fp16, or int8 with bf16 scales in front.
    void (*pack_row)(int type, const float* x, int n, uint8_t* out);
    void (*unpack_row)(int type, const uint8_t* row, float* x, int n);

    const BlockKernels* blocks;
};

// Byte of a group of 64 inputs of a block of rows (int8 and q4) where its scales and its chunks
// begin; chunk_bytes: kGroup * 16 for int8, half of it for q4.
inline size_t scales_at(int group, size_t chunk_bytes) {
    return size_t(group / 2) * (64 + 2 * chunk_bytes) + size_t(group % 2) * 32;
}
inline size_t chunks_at(int group, size_t chunk_bytes) {
    return size_t(group / 2) * (64 + 2 * chunk_bytes) + 64 + size_t(group % 2) * chunk_bytes;
}

size_t row_bytes(int type, int n);  // of an embedding's row

// One table for each instruction set that this library was built with; null where it was not.
extern const Kernels* const kPortable;
extern const Kernels* const kAvx2;
extern const Kernels* const kAvx512;
extern const Kernels* const kAvx512Vnni;
extern const Kernels* const kNeon;
extern const Kernels* const kNeonDotprod;
extern const Kernels* const kNeonI8mm;

// What SKEIN_CPU asks for; "" when it asks for nothing.
const char* wanted_set();
// The table of that name, if this machine can run it; null otherwise. null or "": the best, or what
// wanted_set() says.
const Kernels* choose_kernels(const char* name);
// Those that can run here, best first; null past the end.
const Kernels* available_kernels(int index);

}  // namespace skn
