// The kernels for blocks, one at a time, for tests: no model needed.
#include "gemm.h"

#include <new>
#include <vector>

#include "model.h"

namespace skn {
namespace {

// W [M, K] as a matrix or as a value matrix, packed by one thread.
struct Packed {
    Memory memory;
    Matrix matrix;
    ValueMatrix value;
};

Packed pack(const Kernels& kernels, int type, bool as_value, const float* w, size_t m, size_t k) {
    Packed packed;
    if (as_value) {
        ValueMatrix& v = packed.value = value_layout(type, int(m), int(k));
        packed.memory = Memory(v.bytes());
        v.data = packed.memory.data();
        for (int tile = 0; tile < v.tiles; tile++)
            for (int g = 0; g < v.groups(); g++) {
                const int first = tile * v.tile_columns, left = int(m) - first;
                kernels.pack_value(v, w + size_t(first) * k + size_t(g) * kGroup, k,
                                   left < v.tile_columns ? left : v.tile_columns,
                                   packed.memory.data() + size_t(tile) * v.tile_bytes() +
                                       size_t(g) * v.group_bytes);
            }
        return packed;
    }
    Matrix& x = packed.matrix = matrix_layout(type, int(m), int(k));
    packed.memory = Memory(x.bytes());
    x.data = packed.memory.data();
    for (int b = 0; b < x.blocks; b++) {
        const int first = b * kBlockRows, left = int(m) - first;
        kernels.pack(x, w + size_t(first) * k, k, left < kBlockRows ? left : kBlockRows,
                     packed.memory.data() + size_t(b) * x.block_bytes);
    }
    return packed;
}

void multiply(const Kernels& kernels, int type, bool as_value, const float* w, size_t m, size_t k,
              const float* x, size_t tokens, float* y) {
    const BlockKernels& blocks = *kernels.blocks;
    const Packed packed = pack(kernels, type, as_value, w, m, k);
    const Form form = as_value ? blocks.value_form(type) : blocks.form(type);
    Memory memory(Tokens::bytes(form, int(tokens), int(k)));
    const Tokens in = Tokens::over(memory.data(), form, int(tokens), int(k));
    for (size_t t = 0; t < tokens; t++) blocks.pack(in, int(t), x + t * k, int(k));
    Memory scratch(kScratchBytes);
    std::vector<float> out(size_t(in.tiles()) * kTile * kPanelRows);
    for (size_t row = 0; row < m; row += kPanelRows) {
        if (as_value) {
            blocks.value(packed.value, int(row / 64), in, 0, in.tiles(), out.data(), kPanelRows,
                         scratch.data());
        } else {
            const int first = int(row) / kBlockRows;
            const int end = first + kPanelBlocks;
            blocks.product(packed.matrix, first,
                           end < packed.matrix.blocks ? end : packed.matrix.blocks, in, 0,
                           in.tiles(), out.data(), kPanelRows, scratch.data());
        }
        for (size_t t = 0; t < tokens; t++)
            for (size_t i = 0; i < kPanelRows && row + i < m; i++)
                y[t * m + row + i] = out[t * kPanelRows + i];
    }
}

}  // namespace
}  // namespace skn

extern "C" SKN_API int skn_test_block_product(const char* isa, int32_t weight_type, int32_t value,
                                              const float* w, size_t m, size_t k, const float* x,
                                              size_t tokens, float* y) {
    const skn::Kernels* kernels = skn::choose_kernels(isa);
    if (!kernels) return skn::fail(SKN_UNSUPPORTED, "no such instruction set");
    if (!w || !x || !y || m == 0 || k == 0 || tokens == 0 || (value && k % skn::kGroup))
        return skn::fail(SKN_BAD_ARGUMENT, "no such product");
    try {
        skn::multiply(*kernels, weight_type, value != 0, w, m, k, x, tokens, y);
        return SKN_OK;
    } catch (const std::bad_alloc&) {
        return skn::fail(SKN_NO_MEMORY, "no memory for a product");
    }
}
