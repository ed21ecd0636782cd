// Making a model: where every tensor goes, packing it as it comes, and what is still missing.
#include "model.h"

#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#endif
#if defined(_WIN32)
#include <malloc.h>
#endif

namespace skn {

// ---- Errors ---------------------------------------------------------------------------------

namespace {

// The words for skn_error; each thread has its own.
thread_local char last_error[512] = "";

}  // namespace

int fail(int code, const char* format, ...) {
    va_list values;
    va_start(values, format);
    std::vsnprintf(last_error, sizeof last_error, format, values);
    va_end(values);
    return code;
}

// ---- Memory ---------------------------------------------------------------------------------

#if defined(__unix__) || defined(__APPLE__)

namespace {
constexpr size_t kHugePage = size_t(2) << 20;
}

Memory::Memory(size_t bytes) : bytes_(bytes) {
    mapped_bytes_ = round_up(bytes + kHugePage, kHugePage);
    mapped_ = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                   0);
    if (mapped_ == MAP_FAILED) {
        mapped_ = nullptr;
        throw std::bad_alloc();
    }
    const uintptr_t at = reinterpret_cast<uintptr_t>(mapped_);
    data_ = reinterpret_cast<uint8_t*>(round_up(size_t(at), kHugePage));
#if defined(MADV_HUGEPAGE)
    if (bytes >= 4 * kHugePage) madvise(data_, bytes, MADV_HUGEPAGE);
#endif
}

Memory::~Memory() {
    if (mapped_) munmap(mapped_, mapped_bytes_);
}

#else

Memory::Memory(size_t bytes) : bytes_(bytes) {
    mapped_ = std::calloc(bytes + 64, 1);
    if (!mapped_) throw std::bad_alloc();
    const uintptr_t at = reinterpret_cast<uintptr_t>(mapped_);
    data_ = reinterpret_cast<uint8_t*>((at + 63) / 64 * 64);
}

Memory::~Memory() { std::free(mapped_); }

#endif

Memory::Memory(Memory&& other) noexcept { *this = std::move(other); }

Memory& Memory::operator=(Memory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(mapped_, other.mapped_);
    std::swap(mapped_bytes_, other.mapped_bytes_);
    return *this;
}

Activation take_activation(Carver& carver, int n) {
    const size_t size = size_t(round_up(n, kGroup));
    Activation x;
    x.f = carver.take<float>(size);
    x.high = carver.take<uint16_t>(size);
    x.low = carver.take<uint16_t>(size);
    x.q = carver.take<int8_t>(size);
    x.q_low = carver.take<int8_t>(size);
    x.scale = carver.take<float>(size / kGroup);
    x.sum = carver.take<int32_t>(size / kGroup);
    x.sum_low = carver.take<int32_t>(size / kGroup);
    return x;
}

Active take_active(Carver& carver, int n) {
    const size_t size = size_t(round_up(n, kGroup));
    Active x;
    x.index = carver.take<uint8_t>(size);
    x.q = carver.take<uint8_t>(size);
    x.value = carver.take<float>(size);
    x.scale = carver.take<float>(size / kGroup);
    x.count = carver.take<uint8_t>(size / kGroup);
    return x;
}

// ---- Layout ---------------------------------------------------------------------------------

namespace {

bool possible(const skn_shape& s) {
    const int64_t most = int64_t(1) << 24;
    if (s.first_layer < 0 || s.first_layer > 4096 || s.layers < (s.first_layer ? 0 : 1))
        return false;
    for (int32_t n : {s.width, s.heads, s.ffn, s.vocab, s.rank_w, s.rank_a, s.rank_v,
                      s.rank_g})
        if (n < 1 || n > most) return false;
    if (s.deep < 0 || s.deep > kDeepMost || (s.deep && s.first_layer)) return false;
    return s.head_size == kHead && s.width == s.heads * kHead && s.ffn % kGroup == 0 &&
           s.layers <= 4096;
}

}  // namespace

bool lay_out(const skn_shape& shape, int type, const uint8_t* base, Weights& weights) {
    if (type < SKN_FP32 || type > SKN_Q4 || !possible(shape)) return false;
    Carver carver(const_cast<uint8_t*>(base));
    const int D = shape.width, F = shape.ffn;
    weights.shape = shape;
    weights.narrow = D <= kNarrow;
    if (type == SKN_INT8 && weights.narrow) type = SKN_FP16;
    weights.type = type;
    weights.lora_type = quantised(type) ? int(SKN_INT8) : type;
    weights.head_type = quantised(type) && weights.narrow ? int(SKN_FP16) : weights.lora_type;
    auto vector = [&](int n) -> const float* { return carver.take<float>(size_t(n)); };
    auto matrix = [&](int of, int rows, int columns) {
        Matrix m = matrix_layout(of, rows, columns);
        m.data = carver.take<uint8_t>(m.bytes());
        return m;
    };
    weights.base = base;
    weights.embedding_row = row_bytes(weights.head_type, D);
    if (shape.first_layer == 0) {
        weights.embedding = carver.take<uint8_t>(weights.embedding_row * size_t(shape.vocab));
        weights.ln0_w = vector(D);
        weights.ln0_b = vector(D);
    }
    weights.layers.resize(size_t(shape.layers));
    const int ranks[kLoras] = {shape.rank_w, shape.rank_a, shape.rank_v, shape.rank_g};
    for (size_t i = 0; i < weights.layers.size(); i++) {
        Layer& l = weights.layers[i];
        for (auto part : {&l.ln1_w, &l.ln1_b, &l.mix[kMixR], &l.mix[kMixW], &l.mix[kMixK],
                          &l.mix[kMixV], &l.mix[kMixA], &l.mix[kMixG], &l.w0, &l.a0, &l.v0, &l.k_k,
                          &l.k_a, &l.r_k, &l.ln_x_w, &l.ln_x_b, &l.ln2_w, &l.ln2_b, &l.ffn_mix})
            *part = vector(D);
        l.receptance = matrix(type, D, D);
        l.key = matrix(type, D, D);
        l.value = matrix(type, D, D);
        for (int n = 0; n < kLoras; n++)
            if (n != kLoraV || weights.blends(int(i))) l.lora1[n] = matrix(weights.lora_type, ranks[n], D);
        for (int n = 0; n < kLoras; n++)
            if (n != kLoraV || weights.blends(int(i))) l.lora2[n] = matrix(weights.lora_type, D, ranks[n]);
        l.output = matrix(type, D, D);
        l.ffn_key = matrix(type, F, D);
        l.ffn_value = value_layout(type, D, F);
        l.ffn_value.data = carver.take<uint8_t>(l.ffn_value.bytes());
        if (!shape.deep) continue;
        l.deep_turn = matrix(weights.lora_type, shape.deep * shape.deep, D);
        l.deep_in = matrix(weights.lora_type, shape.deep, D);
        l.deep_out = matrix(weights.lora_type, F, shape.deep);
        l.deep_bias = vector(F);
    }
    weights.ln_out_w = vector(D);
    weights.ln_out_b = vector(D);
    weights.head = matrix(weights.head_type, shape.vocab, D);
    weights.bytes = carver.used();
    return true;
}

// ---- Tensors by name ------------------------------------------------------------------------

namespace {

enum class Kind { vector, matrix, transposed, value, embedding, ignored };

// Where a tensor goes. number: its place in the list of what has to come.
struct Target {
    Kind kind = Kind::ignored;
    const float* vector = nullptr;
    Matrix matrix;
    ValueMatrix value;
    size_t rows = 0, columns = 0;  // as the file has them
    size_t number = 0;
};

// Calls see(name, target) for every tensor of the model, always in the same order.
template <class See>
void each_tensor(const Weights& w, const See& see) {
    size_t place = 0;
    const size_t D = size_t(w.shape.width), F = size_t(w.shape.ffn), V = size_t(w.shape.vocab);
    auto give = [&](const std::string& name, Target target) {
        target.number = place++;
        see(name, target);
    };
    auto numbers = [&](const std::string& name, const float* to, size_t count) {
        Target t;
        t.kind = Kind::vector;
        t.vector = to;
        t.rows = 1;
        t.columns = count;
        give(name, t);
    };
    auto vector = [&](const std::string& name, const float* to) { numbers(name, to, D); };
    auto matrix = [&](const std::string& name, const Matrix& to, Kind kind = Kind::matrix) {
        Target t;
        t.kind = kind;
        t.matrix = to;
        t.rows = size_t(kind == Kind::matrix ? to.rows : to.columns);
        t.columns = size_t(kind == Kind::matrix ? to.columns : to.rows);
        give(name, t);
    };
    if (w.shape.first_layer == 0) {
        Target embedding;
        embedding.kind = Kind::embedding;
        embedding.rows = V;
        embedding.columns = D;
        give("emb.weight", embedding);
        vector("blocks.0.ln0.weight", w.ln0_w);
        vector("blocks.0.ln0.bias", w.ln0_b);
    }
    for (size_t i = 0; i < w.layers.size(); i++) {
        const Layer& l = w.layers[i];
        const bool blends = w.blends(int(i));
        const std::string number = std::to_string(size_t(w.shape.first_layer) + i);
        const std::string block = "blocks." + number + ".", att = block + "att.";
        vector(block + "ln1.weight", l.ln1_w);
        vector(block + "ln1.bias", l.ln1_b);
        vector(block + "ln2.weight", l.ln2_w);
        vector(block + "ln2.bias", l.ln2_b);
        for (int m = 0; m < kMixes; m++) vector(att + "x_" + "rwkvag"[m], l.mix[m]);
        vector(att + "w0", l.w0);
        vector(att + "a0", l.a0);
        if (blends) vector(att + "v0", l.v0);
        vector(att + "k_k", l.k_k);
        vector(att + "k_a", l.k_a);
        vector(att + "r_k", l.r_k);
        vector(att + "ln_x.weight", l.ln_x_w);
        vector(att + "ln_x.bias", l.ln_x_b);
        for (int n = 0; n < kLoras; n++) {
            if (n == kLoraV && !blends) continue;
            const std::string letter(1, "wavg"[n]);
            matrix(att + letter + "1", l.lora1[n], Kind::transposed);
            matrix(att + letter + "2", l.lora2[n], Kind::transposed);
        }
        matrix(att + "receptance.weight", l.receptance);
        matrix(att + "key.weight", l.key);
        matrix(att + "value.weight", l.value);
        matrix(att + "output.weight", l.output);
        vector(block + "ffn.x_k", l.ffn_mix);
        matrix(block + "ffn.key.weight", l.ffn_key);
        Target value;
        value.kind = Kind::value;
        value.value = l.ffn_value;
        value.rows = D;
        value.columns = F;
        give(block + "ffn.value.weight", value);
        if (!w.shape.deep) continue;
        matrix(block + "ffn.s_emb_x.weight", l.deep_turn);
        matrix(block + "ffn.s1", l.deep_in, Kind::transposed);
        matrix(block + "ffn.s2", l.deep_out, Kind::transposed);
        numbers(block + "ffn.s0", l.deep_bias, F);
    }
    vector("ln_out.weight", w.ln_out_w);
    vector("ln_out.bias", w.ln_out_b);
    matrix("head.weight", w.head);
}

bool find_tensor(const Weights& w, const char* name, Target& found) {
    for (const char* unused : {"blocks.0.att.v0", "blocks.0.att.v1", "blocks.0.att.v2"})
        if (std::strcmp(name, unused) == 0) return true;
    bool there = false;
    each_tensor(w, [&](const std::string& one, const Target& target) {
        if (one == name) {
            found = target;
            there = true;
        }
    });
    return there;
}

constexpr size_t kRowsTogether = 128;  // what a piece of rows is a multiple of

size_t pieces_of_rows(const Target& t) { return (t.rows + kRowsTogether - 1) / kRowsTogether; }

size_t size_of(int dtype) { return dtype == SKN_FP32 ? 4 : 2; }

// Packs one tensor, or some of its rows: each piece is 16, 64 or 128 rows, widened to fp32 first.
class Packing {
   public:
    Packing(skn_model& model, const Target& target, int dtype, const void* data, size_t first,
            size_t rows)
        : model_(model), kernels_(*model.kernels), target_(target), dtype_(dtype),
          data_(static_cast<const uint8_t*>(data)), first_(first), rows_(rows) {}

    // False: a value is not finite.
    bool run() {
        const Target& t = target_;
        size_t together = kBlockRows;
        if (t.kind == Kind::value) together = size_t(t.value.tile_columns);
        // Small pieces of many rows cost more to hand out than to pack.
        if (t.kind == Kind::embedding) together = kRowsTogether;
        if (t.kind == Kind::transposed || t.kind == Kind::vector) together = rows_;
        const size_t room = together * t.columns;
        const size_t pieces = (rows_ + together - 1) / together;
        // One for each thread that comes by: few do where there are few pieces.
        std::vector<std::unique_ptr<float[]>> scratch(size_t(model_.pool->threads()));
        std::atomic<bool> finite{true}, memory{true};
        model_.pool->each(uint32_t(pieces), [&](uint32_t piece, int worker) {
            const size_t begin = piece * together;
            const size_t count = rows_ - begin < together ? rows_ - begin : together;
            try {  // nothing may be thrown on a thread of the pool
                auto& x = scratch[size_t(worker)];
                if (!x) x.reset(new float[room]);
                if (!kernels_.widen(dtype_, data_ + begin * t.columns * size_of(dtype_), x.get(),
                                    count * t.columns))
                    finite = false;
                else
                    pack(x.get(), first_ + begin, count);
            } catch (const std::bad_alloc&) {
                memory = false;
            }
        });
        if (!memory) throw std::bad_alloc();
        return finite;
    }

   private:
    uint8_t* writable(const void* at) const { return static_cast<uint8_t*>(const_cast<void*>(at)); }

    void pack(const float* x, size_t row, size_t count) {
        const Target& t = target_;
        const Weights& w = model_.weights;
        switch (t.kind) {
            case Kind::vector: std::memcpy(writable(t.vector), x, t.columns * 4); break;
            case Kind::matrix:
                kernels_.pack(t.matrix, x, t.columns, int(count),
                              writable(t.matrix.data) + row / kBlockRows * t.matrix.block_bytes);
                break;
            case Kind::transposed: pack_transposed(x); break;
            case Kind::value: {
                const size_t tile = row / size_t(t.value.tile_columns);
                uint8_t* out = writable(t.value.data) + tile * t.value.tile_bytes();
                for (int g = 0; g < t.value.groups(); g++)
                    kernels_.pack_value(t.value, x + g * kGroup, t.columns, int(count),
                                        out + size_t(g) * t.value.group_bytes);
                break;
            }
            case Kind::embedding:
                for (size_t i = 0; i < count; i++)
                    kernels_.pack_row(w.head_type, x + i * t.columns, w.shape.width,
                                      writable(w.embedding) + (row + i) * w.embedding_row);
                break;
            case Kind::ignored: break;
        }
    }

    // x [K, M], as the loras come; the matrix is [M, K].
    void pack_transposed(const float* x) {
        const Matrix& m = target_.matrix;
        const size_t K = size_t(m.columns), M = size_t(m.rows);
        std::vector<float> rows(kBlockRows * K);
        for (int b = 0; b < m.blocks; b++) {
            const size_t row = size_t(b) * kBlockRows;
            const size_t count = M - row < kBlockRows ? M - row : size_t(kBlockRows);
            for (size_t k = 0; k < K; k++)
                for (size_t r = 0; r < count; r++) rows[r * K + k] = x[k * M + row + r];
            kernels_.pack(m, rows.data(), K, int(count), writable(m.data) + size_t(b) * m.block_bytes);
        }
    }

    skn_model& model_;
    const Kernels& kernels_;
    const Target& target_;
    const int dtype_;
    const uint8_t* const data_;
    const size_t first_, rows_;
};

int put_rows(skn_model& model, const char* name, const Target& target, int dtype, const void* data,
             size_t first, size_t rows) {
    if (dtype < SKN_FP32 || dtype > SKN_FP16)
        return fail(SKN_BAD_ARGUMENT, "%s: tensors come as fp32, bf16 or fp16, not as type %d",
                    name, dtype);
    if (!model.memory.data())
        return fail(SKN_BAD_ARGUMENT, "The weights of this model are borrowed: nothing can be put");
    if (!Packing(model, target, dtype, data, first, rows).run())
        return fail(SKN_NOT_FINITE, "%s holds values that are not finite", name);
    auto& arrived = model.arrived[target.number];
    for (size_t i = first / kRowsTogether; i * kRowsTogether < first + rows; i++) arrived[i] = 1;
    return SKN_OK;
}

int make(const skn_shape* shape, int type, skn_pool* pool, const uint8_t* borrowed,
         skn_model** out) {
    auto model = std::make_unique<skn_model>();
    model->kernels = choose_kernels(nullptr);
    if (!model->kernels)
        return fail(SKN_UNSUPPORTED, "SKEIN_CPU asks for '%s', which this machine or this library "
                                     "does not have", wanted_set());
    if (!lay_out(*shape, type, nullptr, model->weights))
        return fail(SKN_UNSUPPORTED, "No model of this shape and type %d can run here", type);
    if (!borrowed) {
        model->memory = Memory(model->weights.bytes);
        borrowed = model->memory.data();
    }
    lay_out(*shape, type, borrowed, model->weights);
    model->pool = &pool->pool;
    each_tensor(model->weights, [&](const std::string&, const Target& t) {
        model->arrived.emplace_back(pieces_of_rows(t), uint8_t(0));
    });
    *out = model.release();
    return SKN_OK;
}

}  // namespace

int read_rows(const skn_model& model, const int32_t* tokens, size_t count, void* rows) {
    if (!model.weights.shape.deep || !model.rows.read(model.rows.user, tokens, count, rows))
        return SKN_OK;
    return fail(SKN_NO_ROWS, "The rows of %zu tokens cannot be had", count);
}

int check_run(const skn_model* model, const int32_t* tokens, size_t count) {
    if (!model || !tokens) return fail(SKN_BAD_ARGUMENT, "A model and tokens are needed");
    if (!model->ready) return fail(SKN_NOT_READY, "The model is not ready: skn_model_ready first");
    if (model->weights.shape.deep && !model->rows.read)
        return fail(SKN_NOT_READY, "A model with DeepEmbed needs rows: skn_model_set_rows first");
    if (model->weights.shape.first_layer)
        return fail(SKN_BAD_ARGUMENT, "This model begins at layer %d: only skn_continue runs it",
                    int(model->weights.shape.first_layer));
    for (size_t i = 0; i < count; i++)
        if (tokens[i] < 0 || tokens[i] >= model->weights.shape.vocab)
            return fail(SKN_BAD_ARGUMENT, "Token %d is not below %d", int(tokens[i]),
                        int(model->weights.shape.vocab));
    return SKN_OK;
}

}  // namespace skn

using namespace skn;

// What may throw ends here: memory and threads are all that can be missing.
template <class Body>
static int guarded(const Body& body) {
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return fail(SKN_NO_MEMORY, "Not enough memory");
    } catch (const std::exception& error) {
        return fail(SKN_INTERNAL, "%s", error.what());
    } catch (...) {
        return fail(SKN_INTERNAL, "Unknown failure");
    }
}

extern "C" {

int32_t skn_abi_version(void) { return SKN_ABI_VERSION; }

int32_t skn_error(char* buffer, size_t bytes) {
    if (buffer && bytes) std::snprintf(buffer, bytes, "%s", last_error);
    return int32_t(std::strlen(last_error));
}

const char* skn_cpu(void) {
    const Kernels* kernels = choose_kernels(nullptr);
    if (kernels) return kernels->name;
    fail(SKN_UNSUPPORTED, "SKEIN_CPU asks for '%s', which this machine or this library does not "
                          "have", wanted_set());
    return nullptr;
}

const char* skn_cpu_available(int32_t index) {
    const Kernels* kernels = index < 0 ? nullptr : available_kernels(index);
    return kernels ? kernels->name : nullptr;
}

int skn_pool_create(int32_t threads, skn_pool** pool) {
    if (!pool || threads < 1 || threads > 1024)
        return fail(SKN_BAD_ARGUMENT, "A pool has 1 to 1024 threads, not %d", int(threads));
    return guarded([&] {
        *pool = new skn_pool(threads);
        return int(SKN_OK);
    });
}

void skn_pool_destroy(skn_pool* pool) { delete pool; }

int32_t skn_pool_threads(const skn_pool* pool) { return pool ? pool->pool.threads() : 0; }

size_t skn_packed_bytes(const skn_shape* shape, int32_t weight_type) {
    size_t bytes = 0;
    guarded([&] {
        Weights weights;
        if (shape && lay_out(*shape, weight_type, nullptr, weights)) bytes = weights.bytes;
        return int(SKN_OK);
    });
    return bytes;
}

int skn_model_create(const skn_shape* shape, int32_t weight_type, skn_pool* pool,
                     skn_model** model) {
    if (!shape || !pool || !model) return fail(SKN_BAD_ARGUMENT, "A shape and a pool are needed");
    return guarded([&] { return make(shape, weight_type, pool, nullptr, model); });
}

int skn_model_adopt(const skn_shape* shape, int32_t weight_type, const void* data, size_t bytes,
                    skn_pool* pool, skn_model** model) {
    if (!shape || !pool || !model || !data)
        return fail(SKN_BAD_ARGUMENT, "A shape, weights and a pool are needed");
    if (reinterpret_cast<uintptr_t>(data) % 64)
        return fail(SKN_BAD_ARGUMENT, "Packed weights begin at a multiple of 64 bytes");
    const size_t expected = skn_packed_bytes(shape, weight_type);
    if (!expected) return fail(SKN_UNSUPPORTED, "No model of this shape can run here");
    if (bytes != expected)
        return fail(SKN_BAD_ARGUMENT, "Packed weights of this shape have %zu bytes, not %zu",
                    expected, bytes);
    return guarded([&] {
        const int code = make(shape, weight_type, pool, static_cast<const uint8_t*>(data), model);
        if (code == SKN_OK) (*model)->ready = true;
        return code;
    });
}

void skn_model_destroy(skn_model* model) { delete model; }

int skn_model_tensor(skn_model* model, const char* name, int32_t dtype, const void* data,
                     size_t count) {
    if (!model || !name || !data)
        return fail(SKN_BAD_ARGUMENT, "A model, a name and numbers are needed");
    return guarded([&] {
        Target target;
        if (!find_tensor(model->weights, name, target))
            return fail(SKN_BAD_ARGUMENT, "This model has no tensor %s", name);
        if (target.kind == Kind::ignored) return int(SKN_OK);
        if (count != target.rows * target.columns)
            return fail(SKN_BAD_ARGUMENT, "%s has %zu x %zu elements, not %zu", name, target.rows,
                        target.columns, count);
        return put_rows(*model, name, target, dtype, data, 0, target.rows);
    });
}

int skn_model_rows(skn_model* model, const char* name, int32_t dtype, const void* data,
                   size_t first_row, size_t rows) {
    if (!model || !name || !data)
        return fail(SKN_BAD_ARGUMENT, "A model, a name and numbers are needed");
    return guarded([&] {
        Target t;
        if (!find_tensor(model->weights, name, t))
            return fail(SKN_BAD_ARGUMENT, "This model has no tensor %s", name);
        if (t.kind != Kind::matrix && t.kind != Kind::value && t.kind != Kind::embedding)
            return fail(SKN_BAD_ARGUMENT, "%s comes whole, not by rows", name);
        if (first_row > t.rows || rows > t.rows - first_row || first_row % kRowsTogether ||
            (rows % kRowsTogether && first_row + rows != t.rows))
            return fail(SKN_BAD_ARGUMENT, "%s: rows come %zu at a time, below %zu", name,
                        kRowsTogether, t.rows);
        return put_rows(*model, name, t, dtype, data, first_row, rows);
    });
}

int skn_model_set_rows(skn_model* model, int32_t dtype, skn_rows read, void* user) {
    if (!model || !read || dtype < SKN_FP32 || dtype > SKN_FP16)
        return fail(SKN_BAD_ARGUMENT, "A model, a source of rows and their type are needed");
    model->rows = {read, user, dtype};
    model->decoder.reset();  // buffers are made for a type
    model->blocks.reset();
    model->blocks_bytes = 0;
    return SKN_OK;
}

int skn_model_ready(skn_model* model) {
    if (!model) return fail(SKN_BAD_ARGUMENT, "A model is needed");
    return guarded([&] {
        if (model->ready) return int(SKN_OK);
        std::string missing;
        each_tensor(model->weights, [&](const std::string& name, const Target& t) {
            for (uint8_t piece : model->arrived[t.number])
                if (!piece && missing.empty()) missing = name;
        });
        if (!missing.empty())
            return fail(SKN_NOT_READY, "%s is missing, or a part of it", missing.c_str());
        model->ready = true;
        return int(SKN_OK);
    });
}

int skn_model_data(const skn_model* model, const void** data, size_t* bytes) {
    if (!model || !data || !bytes) return fail(SKN_BAD_ARGUMENT, "A model is needed");
    if (!model->ready) return fail(SKN_NOT_READY, "The model is not ready");
    *data = model->weights.base;
    *bytes = model->weights.bytes;
    return SKN_OK;
}

size_t skn_model_bytes(const skn_model* model) { return model ? model->weights.bytes : 0; }

const char* skn_model_cpu(const skn_model* model) { return model ? model->kernels->name : nullptr; }

}  // extern "C"
