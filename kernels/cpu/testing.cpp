// Single kernels behind the C header, for tests.
#include <cstring>
#include <new>
#include <vector>

#include "model.h"

namespace skn {
namespace {

// A matrix packed from plain rows, dense or as a value matrix, and what it gives.
class Packed {
   public:
    Packed(const Kernels& kernels, Pool& pool, int type, bool value, const float* w, int m, int k)
        : kernels_(kernels), pool_(pool), value_(value) {
        if (value) {
            tiles_ = value_layout(type, m, k);
            memory_ = Memory(tiles_.bytes());
            tiles_.data = memory_.data();
        } else {
            rows_ = matrix_layout(type, m, k);
            memory_ = Memory(rows_.bytes());
            rows_.data = memory_.data();
        }
        pool.each(pieces(), [&](uint32_t i, int) { pack(int(i), w); });
    }

    void product(const float* x, float* y) const { value_ ? sparse(x, y) : dense(x, y); }

    void unpack(float* out) const {
        if (value_) {
            std::vector<float> group(size_t(tiles_.tile_columns) * kGroup);
            for (int t = 0; t < tiles_.tiles; t++)
                for (int g = 0; g < tiles_.groups(); g++) {
                    kernels_.unpack_value(tiles_, group_at(t, g), group.data());
                    for (int j = 0; j < outputs(t); j++)
                        std::memcpy(out + size_t(t * tiles_.tile_columns + j) * tiles_.columns +
                                        g * kGroup,
                                    group.data() + j * kGroup, kGroup * 4);
                }
            return;
        }
        std::vector<float> block(size_t(rows_.padded) * kBlockRows);
        for (int b = 0; b < rows_.blocks; b++) {
            kernels_.unpack(rows_, rows_.data + size_t(b) * rows_.block_bytes, block.data());
            for (int r = 0; r < rows_of(b); r++)
                std::memcpy(out + size_t(b * kBlockRows + r) * rows_.columns,
                            block.data() + size_t(r) * rows_.padded, size_t(rows_.columns) * 4);
        }
    }

   private:
    uint32_t pieces() const { return uint32_t(value_ ? tiles_.tiles : rows_.blocks); }
    int rows_of(int block) const {
        const int left = rows_.rows - block * kBlockRows;
        return left < kBlockRows ? left : kBlockRows;
    }
    int outputs(int tile) const {
        const int left = tiles_.rows - tile * tiles_.tile_columns;
        return left < tiles_.tile_columns ? left : tiles_.tile_columns;
    }
    const uint8_t* group_at(int tile, int g) const {
        return tiles_.data + size_t(tile) * tiles_.tile_bytes() + size_t(g) * tiles_.group_bytes;
    }

    void pack(int i, const float* w) {
        if (!value_) {
            kernels_.pack(rows_, w + size_t(i) * kBlockRows * rows_.columns, size_t(rows_.columns),
                          rows_of(i), memory_.data() + size_t(i) * rows_.block_bytes);
            return;
        }
        const float* from = w + size_t(i) * tiles_.tile_columns * tiles_.columns;
        for (int g = 0; g < tiles_.groups(); g++)
            kernels_.pack_value(tiles_, from + g * kGroup, size_t(tiles_.columns), outputs(i),
                                const_cast<uint8_t*>(group_at(i, g)));
    }

    void dense(const float* x, float* y) const {
        Carver counting(nullptr);
        take_activation(counting, rows_.columns);
        const Memory memory(counting.used());
        Carver cutting(memory.data());
        Activation in = take_activation(cutting, rows_.columns);
        std::memcpy(in.f, x, size_t(rows_.columns) * 4);
        kernels_.prepare(rows_.type, in, rows_.padded);
        std::vector<float> out(size_t(rows_.blocks) * kBlockRows);
        pool_.each(pieces(), [&](uint32_t i, int) {
            kernels_.product(rows_, in, out.data(), int(i), int(i) + 1);
        });
        std::memcpy(y, out.data(), size_t(rows_.rows) * 4);
    }

    void sparse(const float* x, float* y) const {
        Carver counting(nullptr);
        take_active(counting, tiles_.columns);
        const Memory memory(counting.used());
        Carver cutting(memory.data());
        const Active active = take_active(cutting, tiles_.columns);
        std::vector<float> k(x, x + tiles_.columns);
        pool_.each(uint32_t(tiles_.groups()), [&](uint32_t g, int) {
            kernels_.activate(tiles_.type, k.data(), active, int(g));
        });
        std::vector<float> out(size_t(tiles_.tiles) * tiles_.tile_columns);
        pool_.each(pieces(), [&](uint32_t i, int) {
            kernels_.value(tiles_, active, int(i), out.data() + size_t(i) * tiles_.tile_columns);
        });
        std::memcpy(y, out.data(), size_t(tiles_.rows) * 4);
    }

    const Kernels& kernels_;
    Pool& pool_;
    const bool value_;
    Matrix rows_;
    ValueMatrix tiles_;
    Memory memory_;
};

int with_packed(const char* isa, skn_pool* pool, int type, bool value, const float* w, size_t m,
                size_t k, const float* x, float* out) {
    const Kernels* kernels = choose_kernels(isa);
    if (!kernels) return fail(SKN_UNSUPPORTED, "No instruction set '%s' here", isa ? isa : "");
    if (!pool || !w || !out || type < SKN_FP32 || type > SKN_Q4 || m < 1 || k < 1 ||
        m > 1 << 20 || k > 1 << 20 || (value && (m % kGroup || k % kGroup)))
        return fail(SKN_BAD_ARGUMENT, "No such product: %zu x %zu of type %d", m, k, type);
    try {
        const Packed packed(*kernels, pool->pool, type, value, w, int(m), int(k));
        if (x)
            packed.product(x, out);
        else
            packed.unpack(out);
        return SKN_OK;
    } catch (const std::bad_alloc&) {
        return fail(SKN_NO_MEMORY, "Not enough memory");
    }
}

}  // namespace
}  // namespace skn

using namespace skn;

extern "C" {

int skn_test_product(const char* isa, skn_pool* pool, int32_t weight_type, int32_t value,
                     const float* w, size_t m, size_t k, const float* x, float* y) {
    if (!x) return fail(SKN_BAD_ARGUMENT, "A vector is needed");
    return with_packed(isa, pool, weight_type, value != 0, w, m, k, x, y);
}

int skn_test_round(const char* isa, skn_pool* pool, int32_t weight_type, int32_t value,
                   const float* w, size_t m, size_t k, float* rounded) {
    return with_packed(isa, pool, weight_type, value != 0, w, m, k, nullptr, rounded);
}

int skn_test_function(const char* isa, int32_t f, const float* x, size_t n, float* y) {
    const Kernels* kernels = choose_kernels(isa);
    if (!kernels) return fail(SKN_UNSUPPORTED, "No instruction set '%s' here", isa ? isa : "");
    if (!x || !y || n % kBlockRows || n > 1 << 20 || f < 0 || f > 2)
        return fail(SKN_BAD_ARGUMENT, "A function has a number and a multiple of 16 numbers");
    (f == 0 ? kernels->exp : f == 1 ? kernels->sigmoid : kernels->tanh)(x, y, int(n));
    return SKN_OK;
}

}  // extern "C"
