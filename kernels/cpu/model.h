// A model's weights in one block of memory, and the buffers that running it needs.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "deep.h"
#include "kernels.h"
#include "pool.h"
#include "skein_cpu.h"

namespace skn {

// Order of the mixes x_* and of the loras, as everywhere here.
enum Mix { kMixR, kMixW, kMixK, kMixV, kMixA, kMixG, kMixes };
enum LoraName { kLoraW, kLoraA, kLoraV, kLoraG, kLoras };
// Which mix feeds a lora.
constexpr int kLoraMix[kLoras] = {kMixW, kMixA, kMixV, kMixG};

struct Layer {
    const float *ln1_w, *ln1_b, *ln2_w, *ln2_b;      // [D]
    const float* mix[kMixes];                        // [D]
    const float *w0, *a0, *v0, *k_k, *k_a, *r_k;     // [D]; v0 is unused in the file's layer 0
    const float *ln_x_w, *ln_x_b;                    // [D]
    const float* ffn_mix;                            // [D]
    Matrix lora1[kLoras];                            // [rank, D]; kLoraV is empty in layer 0
    Matrix lora2[kLoras];                            // [D, rank]
    Matrix receptance, key, value, output;           // [D, D]
    Matrix ffn_key;                                  // [F, D]
    ValueMatrix ffn_value;                           // [D, F]
    // DeepEmbed's, empty without it. n: shape.deep.
    Matrix deep_turn;        // [n * n, D] s_emb_x
    Matrix deep_in;          // [n, D] s1, turned
    Matrix deep_out;         // [F, n] s2, turned
    const float* deep_bias;  // [F] s0
};

// Models up to this width average little of what rounding does, and are quick in any type: in int8
// 5 of 192 chats of the built-in model, of 64 tokens each, became others. So int8 is held as fp16
// there, the tables of q4 are too, and blocks of tokens are multiplied in fp32.
constexpr int kNarrow = 256;

struct Weights {
    skn_shape shape;
    int type;        // as held
    int lora_type;   // int8 with int8 and q4
    int head_type;   // the same, fp16 if narrow; also of the embedding's rows
    bool narrow;     // see kNarrow
    const uint8_t* base;       // where the layout begins
    const uint8_t* embedding;  // [V] rows of row_bytes(head_type, D); as ln0, only of whole models
    size_t embedding_row;
    const float *ln0_w, *ln0_b, *ln_out_w, *ln_out_b;
    std::vector<Layer> layers;
    Matrix head;  // [V, D]
    size_t bytes;

    // Whether a layer held here is not the file's first: that one alone has no lora of v.
    bool blends(int layer) const { return shape.first_layer + layer > 0; }
};

// False: no such model. base null: only the sizes are right.
bool lay_out(const skn_shape& shape, int type, const uint8_t* base, Weights& weights);

// Zeroed memory that begins at 64 bytes and, if large, on huge pages where the system has them.
class Memory {
   public:
    Memory() = default;
    explicit Memory(size_t bytes);
    ~Memory();
    Memory(Memory&& other) noexcept;
    Memory& operator=(Memory&& other) noexcept;
    uint8_t* data() const { return data_; }
    size_t bytes() const { return bytes_; }

   private:
    uint8_t* data_ = nullptr;
    size_t bytes_ = 0;
    void* mapped_ = nullptr;
    size_t mapped_bytes_ = 0;
};

// Gives out aligned parts of one Memory: first counted, then cut.
class Carver {
   public:
    explicit Carver(uint8_t* base) : base_(base) {}
    template <class T>
    T* take(size_t count) {
        const size_t at = used_;
        used_ += round_up(count * sizeof(T), size_t(64));
        return base_ ? reinterpret_cast<T*>(base_ + at) : nullptr;
    }
    size_t used() const { return used_; }

   private:
    uint8_t* base_;
    size_t used_ = 0;
};

// Room for a vector of n (padded) in every form.
Activation take_activation(Carver& carver, int n);
Active take_active(Carver& carver, int n);

struct Decoder;  // decode.cpp: buffers and plan of skn_decode
struct Blocks;   // prefill.cpp: buffers of skn_prefill and skn_decode_batch, made when first needed

int fail(int code, const char* format, ...)
#if defined(__MINGW32__)
    __attribute__((format(gnu_printf, 2, 3)))
#elif defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

// Fills rows [L, count, n * n] for these tokens, where the model has DeepEmbed. SKN_OK or a code.
int read_rows(const skn_model& model, const int32_t* tokens, size_t count, void* rows);

// Checks what all runs from tokens on share. SKN_OK or a code.
int check_run(const skn_model* model, const int32_t* tokens, size_t count);

// What a model that begins in the middle is given for tokens: [count, D] each. Null: a whole one.
struct Before {
    const float *residual = nullptr, *v_first = nullptr;
};

// One token, checked before.
int decode(skn_model* model, int token, const Before& before, float* att_shift, float* wkv,
           float* ffn_shift, float* logits);

}  // namespace skn

struct skn_pool {
    explicit skn_pool(int threads) : pool(threads) {}
    skn::Pool pool;
};

struct skn_model {
    skn_model() : decoder(nullptr, nullptr), blocks(nullptr, nullptr) {}
    skn::Weights weights{};
    skn::Memory memory;  // of the weights; empty when they are borrowed
    const skn::Kernels* kernels = nullptr;
    skn::Pool* pool = nullptr;
    bool ready = false;
    skn::DeepRows rows;
    std::vector<std::vector<uint8_t>> arrived;  // per tensor, which pieces of 128 rows have come
    std::unique_ptr<skn::Decoder, void (*)(skn::Decoder*)> decoder;
    std::unique_ptr<skn::Blocks, void (*)(skn::Blocks*)> blocks;
    size_t blocks_bytes = 0;  // kept by prefill.cpp
};
