// Whole models of noise through the C header: decode, prefill and batches against plain doubles,
// numbers of threads, packed weights, and what has to be refused. check_deep.cpp compiles it again
// with DeepEmbed's rows of CHECK_DEEP squared.
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "plain_model.h"

#ifndef CHECK_DEEP
#define CHECK_DEEP 0
#endif

namespace check {
namespace {

// Wider than what is held in other types, odd where it may be; a row is a tile and more of q4.
constexpr skn_shape kShape = {2, 320, 5, 64, 448, 67, 5, 17, 33, 65, 0, CHECK_DEEP};
constexpr int kSteps = 4, kPrompt = 17;

void choose(const char* isa) {
#if defined(_WIN32)
    _putenv_s("SKEIN_CPU", isa);
#else
    setenv("SKEIN_CPU", isa, 1);
#endif
}

// How the library keeps a tensor.
enum class Kind { vector, matrix, small_matrix, lora, value, table };

struct Named {
    std::string name;
    Kind kind;
    int rows, columns;  // as files have them
    float scale = 1, about = 0;
};

std::vector<Named> tensors_of(const skn_shape& s) {
    std::vector<Named> all;
    const auto vector = [&](const std::string& name, float about = 0, float scale = 0.1f) {
        all.push_back({name, Kind::vector, 1, s.width, scale, about});
    };
    const auto matrix = [&](const std::string& name, Kind kind, int rows, int columns) {
        const int inputs = kind == Kind::lora ? rows : columns;
        all.push_back({name, kind, rows, columns, 1 / std::sqrt(float(inputs))});
    };
    const auto norm = [&](const std::string& name) {
        vector(name + ".weight", 1);
        vector(name + ".bias");
    };
    matrix("emb.weight", Kind::small_matrix, s.vocab, s.width);
    matrix("head.weight", Kind::small_matrix, s.vocab, s.width);
    norm("blocks.0.ln0");
    norm("ln_out");
    for (int i = 0; i < s.layers; i++) {
        const std::string block = "blocks." + std::to_string(i) + ".", att = block + "att.";
        for (const char* name : {"ln1", "ln2", "att.ln_x"}) norm(block + name);
        for (char letter : {'r', 'w', 'k', 'v', 'a', 'g'}) vector(att + "x_" + letter, 0.5f, 0.2f);
        vector(block + "ffn.x_k", 0.5f, 0.2f);
        vector(att + "k_k", 0.8f);
        vector(att + "k_a", 1);
        vector(att + "r_k");
        const int ranks[] = {s.rank_w, s.rank_a, s.rank_v, s.rank_g};
        for (int n = 0; n < 4; n++) {
            const char letter = "wavg"[n];
            if (letter == 'v' && i == 0) continue;
            if (letter != 'g') vector(att + letter + "0", 0, 0.5f);
            matrix(att + letter + "1", Kind::lora, s.width, ranks[n]);
            matrix(att + letter + "2", Kind::lora, ranks[n], s.width);
        }
        for (const char* name : {"receptance", "key", "value", "output"})
            matrix(att + name + ".weight", Kind::matrix, s.width, s.width);
        matrix(block + "ffn.key.weight", Kind::matrix, s.ffn, s.width);
        matrix(block + "ffn.value.weight", Kind::value, s.width, s.ffn);
        if (!s.deep) continue;
        const int row = s.deep * s.deep;
        all.push_back({block + "ffn.s_emb.weight", Kind::table, s.vocab, row, 0.3f});
        matrix(block + "ffn.s_emb_x.weight", Kind::small_matrix, row, s.width);
        matrix(block + "ffn.s1", Kind::lora, s.width, s.deep);
        matrix(block + "ffn.s2", Kind::lora, s.deep, s.ffn);
        all.push_back({block + "ffn.s0", Kind::vector, 1, s.ffn, 0.4f, 0.6f});
    }
    return all;
}

Tensors noise() {
    Random random(11);
    Tensors out;
    for (const Named& n : tensors_of(kShape))
        out[n.name] = random.normals(size_t(n.rows) * size_t(n.columns), n.scale, n.about);
    return out;
}

Floats transposed(const Floats& w, int rows, int columns) {
    Floats out(w.size());
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            out[size_t(j * rows + i)] = w[size_t(i * columns + j)];
    return out;
}

// The weights as they are once packed: what the library really multiplies with.
Tensors as_packed(Result& result, const Tensors& tensors, int type) {
    Tensors out = tensors;
    Pool pool(1);
    for (const Named& n : tensors_of(kShape)) {
        if (n.kind == Kind::vector || n.kind == Kind::table) continue;
        const bool lora = n.kind == Kind::lora, main = n.kind == Kind::matrix;
        const bool value = n.kind == Kind::value;
        const int of = quantised(type) && !main && !value ? int(SKN_INT8) : type;
        const Floats w = lora ? transposed(out[n.name], n.rows, n.columns) : out[n.name];
        const int rows = lora ? n.columns : n.rows, columns = lora ? n.rows : n.columns;
        Floats got(w.size());
        result.call(skn_test_round("portable", pool, of, value, w.data(), size_t(rows),
                                   size_t(columns), got.data()),
                    "skn_test_round");
        out[n.name] = lora ? transposed(got, rows, columns) : got;
    }
    return out;
}

std::vector<int32_t> prompt() {
    Random random(12);
    std::vector<int32_t> tokens(kPrompt);
    for (int32_t& token : tokens) token = random.below(kShape.vocab);
    return tokens;
}

// Logits of every step, and the state after them.
struct Truth {
    Doubles logits;
    State<double> state{kShape};
};

Truth truth_of(const Tensors& tensors, int steps) {
    const PlainModel model(kShape, tensors);
    const std::vector<int32_t> tokens = prompt();
    Truth truth;
    for (int i = 0; i < steps; i++) {
        const Doubles logits = model.step(tokens[size_t(i)], truth.state);
        truth.logits.insert(truth.logits.end(), logits.begin(), logits.end());
    }
    return truth;
}

// The largest deviation of logits and state.
double apart(const Truth& truth, const Floats& logits, const State<float>& state) {
    return std::max({deviation(truth.logits, logits),
                     deviation(truth.state.att_shift, state.att_shift),
                     deviation(truth.state.wkv, state.wkv),
                     deviation(truth.state.ffn_shift, state.ffn_shift)});
}

Floats narrow(const Doubles& x) { return Floats(x.begin(), x.end()); }
double apart(const Truth& truth, const Truth& other) {
    State<float> state(kShape);
    state.att_shift = narrow(other.state.att_shift);
    state.wkv = narrow(other.state.wkv);
    state.ffn_shift = narrow(other.state.ffn_shift);
    return apart(truth, narrow(other.logits), state);
}

struct Run {
    Floats logits;
    State<float> state{kShape};
    bool same(const Run& other) const {
        return same_bits(logits, other.logits) &&
               same_bits(state.att_shift, other.state.att_shift) &&
               same_bits(state.wkv, other.state.wkv) &&
               same_bits(state.ffn_shift, other.state.ffn_shift);
    }
};

// What skn_rows is given: weights, and how often rows may still be asked for.
struct Source {
    const Tensors* tensors = nullptr;
    int left = 1 << 30;
};

int read_rows(void* user, const int32_t* tokens, size_t count, void* rows) {
    Source& source = *static_cast<Source*>(user);
    if (source.left-- == 0) return 1;
    constexpr size_t row = size_t(kShape.deep) * size_t(kShape.deep);
    float* out = static_cast<float*>(rows);
    for (int i = 0; i < kShape.layers; i++) {
        const std::string name = "blocks." + std::to_string(i) + ".ffn.s_emb.weight";
        const float* table = source.tensors->at(name).data();
        for (size_t t = 0; t < count; t++, out += row)
            std::copy_n(table + size_t(tokens[t]) * row, row, out);
    }
    return 0;
}

class Model {
   public:
    Model(Result& result, int type, int threads) : result_(result), pool_(threads) {
        result.call(skn_model_create(&kShape, type, pool_, &model_), "skn_model_create");
    }
    // Over what another has packed.
    Model(Result& result, int type, const std::vector<uint8_t>& packed) : result_(result), pool_(2) {
        room_.resize(packed.size() + 64);
        data_ = room_.data() + (64 - reinterpret_cast<uintptr_t>(room_.data()) % 64) % 64;
        std::copy(packed.begin(), packed.end(), data_);
        result.call(skn_model_adopt(&kShape, type, data_, packed.size(), pool_, &model_),
                    "skn_model_adopt");
    }
    ~Model() { skn_model_destroy(model_); }
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;
    operator skn_model*() const { return model_; }

    void fill(const Tensors& tensors) {
        for (const auto& [name, data] : tensors) {
            if (name.find("s_emb.") != std::string::npos) continue;
            result_.call(skn_model_tensor(model_, name.c_str(), SKN_FP32, data.data(), data.size()),
                         name.c_str());
        }
        result_.call(skn_model_ready(model_), "skn_model_ready");
        give_rows(tensors);
    }
    void give_rows(const Tensors& tensors, int times = 1 << 30) {
        source_ = {&tensors, times};
        if (kShape.deep)
            result_.call(skn_model_set_rows(model_, SKN_FP32, read_rows, &source_), "set_rows");
    }
    std::vector<uint8_t> packed() {
        const void* data = nullptr;
        size_t bytes = 0;
        result_.call(skn_model_data(model_, &data, &bytes), "skn_model_data");
        const uint8_t* first = static_cast<const uint8_t*>(data);
        return std::vector<uint8_t>(first, first + bytes);
    }

    Run decode(int steps) {
        Run run;
        Floats logits(size_t(kShape.vocab), NAN);
        const std::vector<int32_t> tokens = prompt();
        for (int i = 0; i < steps; i++) {
            result_.call(skn_decode(model_, tokens[size_t(i)], run.state.att_shift.data(),
                                    run.state.wkv.data(), run.state.ffn_shift.data(),
                                    logits.data()),
                         "skn_decode");
            run.logits.insert(run.logits.end(), logits.begin(), logits.end());
        }
        return run;
    }
    Run prefill(int count) {
        Run run;
        run.logits.assign(size_t(count * kShape.vocab), NAN);
        const std::vector<int32_t> tokens = prompt();
        result_.call(skn_prefill(model_, tokens.data(), size_t(count), run.state.att_shift.data(),
                                 run.state.wkv.data(), run.state.ffn_shift.data(), nullptr,
                                 run.logits.data(), nullptr, nullptr),
                     "skn_prefill");
        return run;
    }
    // Three states that all read the same: their rows have to be the same.
    std::vector<Run> batch(int steps) {
        std::vector<Run> runs(3);
        const std::vector<int32_t> tokens = prompt();
        for (int i = 0; i < steps; i++) {
            float *att[3], *wkv[3], *ffn[3];
            int32_t now[3];
            Floats logits(size_t(3 * kShape.vocab), NAN);
            for (int n = 0; n < 3; n++) {
                State<float>& state = runs[size_t(n)].state;
                att[n] = state.att_shift.data();
                wkv[n] = state.wkv.data();
                ffn[n] = state.ffn_shift.data();
                now[n] = tokens[size_t(i)];
            }
            result_.call(skn_decode_batch(model_, 3, now, att, wkv, ffn, logits.data()),
                         "skn_decode_batch");
            for (int n = 0; n < 3; n++) {
                const auto row = logits.begin() + n * kShape.vocab;
                Floats& to = runs[size_t(n)].logits;
                to.insert(to.end(), row, row + kShape.vocab);
            }
        }
        return runs;
    }

   private:
    Result& result_;
    Pool pool_;
    std::vector<uint8_t> room_;
    uint8_t* data_ = nullptr;
    Source source_;
    skn_model* model_ = nullptr;
};

// What does not depend on the set: computed once.
struct Expected {
    Tensors tensors = noise();
    Truth steps = truth_of(tensors, kSteps), prompt = truth_of(tensors, kPrompt);
    Truth packed_steps[5], packed_prompt[5];

    explicit Expected(Result& result) {
        for (int type = SKN_FP32; type <= SKN_Q4; type++) {
            const Tensors packed = as_packed(result, tensors, type);
            packed_steps[type] = truth_of(packed, kSteps);
            packed_prompt[type] = truth_of(packed, kPrompt);
        }
    }
};

const Expected& expected(Result& result) {
    static const Expected all(result);
    return all;
}

void check_type(Result& result, const char* isa, int type) {
    const Expected& all = expected(result);
    std::unique_ptr<Run> decoded, read;
    for (int threads = 1; threads <= 3; threads++) {
        Model model(result, type, threads);
        model.fill(all.tensors);
        result.expect(std::strcmp(skn_model_cpu(model), isa) == 0, "%s was asked for, %s serves",
                      isa, skn_model_cpu(model));
        const Run steps = model.decode(kSteps), prompt = model.prefill(kPrompt);
        if (threads > 1) {
            result.expect(decoded->same(steps), "%s %s: %d threads change a step", isa,
                          kTypes[type], threads);
            result.expect(read->same(prompt), "%s %s: %d threads change a prompt", isa,
                          kTypes[type], threads);
            continue;
        }
        decoded = std::make_unique<Run>(steps);
        read = std::make_unique<Run>(prompt);
        // Besides what rounding the weights does (own), a part of it where inputs are rounded too.
        const double own = apart(all.steps, all.packed_steps[type]);
        const double lost = apart(all.packed_steps[type], steps.logits, steps.state);
        const double exact[] = {2e-5, 1e-4, 2e-5, 0.3 * own, 0.2 * own};
        result.expect(lost <= exact[type], "%s %s decode: %g apart, its weights alone %g", isa,
                      kTypes[type], lost, own);
        // Blocks read the inputs of the narrower types as bf16 or int8 where the set has those.
        const double prompt_own = apart(all.prompt, all.packed_prompt[type]);
        const double prompt_lost = apart(all.packed_prompt[type], prompt.logits, prompt.state);
        // How much that is shows in what bf16 does to the weights: with DeepEmbed it is more.
        const double of_bf16 = apart(all.steps, all.packed_steps[SKN_BF16]);
        const double rounded = CHECK_DEEP ? 1.5 * of_bf16 : 5e-2;
        const double allowed[] = {2e-5, rounded, rounded, prompt_own, 0.2 * prompt_own};
        result.expect(prompt_lost <= allowed[type],
                      "%s %s prefill: %g apart, its weights alone %g", isa, kTypes[type],
                      prompt_lost, prompt_own);
        const std::vector<Run> rows = model.batch(kSteps);
        const double row_lost = apart(all.packed_steps[type], rows[0].logits, rows[0].state);
        result.expect(row_lost <= allowed[type], "%s %s batch: %g apart", isa, kTypes[type],
                      row_lost);
        result.expect(rows[0].same(rows[1]) && rows[0].same(rows[2]),
                      "%s %s batch: rows of the same differ", isa, kTypes[type]);
        Model adopted(result, type, model.packed());
        adopted.give_rows(all.tensors);
        result.expect(adopted.decode(kSteps).same(steps), "%s %s: adopted weights differ", isa,
                      kTypes[type]);
    }
}

// Stops after the first block.
int stop(void* user, size_t done, size_t) {
    *static_cast<size_t*>(user) = done;
    return 1;
}

void check_stop(Result& result, const Tensors& tensors) {
    Model model(result, SKN_INT8, 2);
    model.fill(tensors);
    const std::vector<int32_t> tokens(600, 5);
    State<float> stopped(kShape), read(kShape);
    size_t done = 0, unused = 0;
    const auto prefill = [&](size_t count, State<float>& s, skn_progress progress, size_t* user) {
        return skn_prefill(model, tokens.data(), count, s.att_shift.data(), s.wkv.data(),
                           s.ffn_shift.data(), nullptr, nullptr, progress, user);
    };
    result.expect(prefill(tokens.size(), stopped, stop, &done) == SKN_CANCELLED && done > 0 &&
                      done < tokens.size(),
                  "a stop after %zu tokens", done);
    result.call(prefill(done, read, nullptr, &unused), "skn_prefill");
    result.expect(same_bits(stopped.wkv, read.wkv) && same_bits(stopped.ffn_shift, read.ffn_shift),
                  "a stop leaves another state than its tokens");
}

}  // namespace

#if CHECK_DEEP

void check_deep_model(Result& result, const char* isa) {
    choose(isa);
    for (int type = SKN_FP32; type <= SKN_Q4; type++) check_type(result, isa, type);
}

// Rows that stop coming: the state holds what was told.
void check_deep_refusals(Result& result) {
    choose("");
    const Tensors tensors = noise();
    Model model(result, SKN_INT8, 2);
    model.fill(tensors);
    check_stop(result, tensors);
    model.give_rows(tensors, 2);  // the first token and the first block
    const std::vector<int32_t> tokens(600, 5);
    State<float> stopped(kShape), read(kShape);
    size_t done = 0;
    const auto tell = [](void* user, size_t now, size_t) {
        *static_cast<size_t*>(user) = now;
        return 0;
    };
    const auto prefill = [&](size_t count, State<float>& s, size_t* told) {
        return skn_prefill(model, tokens.data(), count, s.att_shift.data(), s.wkv.data(),
                           s.ffn_shift.data(), nullptr, nullptr, tell, told);
    };
    result.expect(prefill(tokens.size(), stopped, &done) == SKN_NO_ROWS && done > 1 &&
                      done < tokens.size(),
                  "rows that stop coming after %zu tokens", done);
    model.give_rows(tensors);
    size_t unused = 0;
    result.call(prefill(done, read, &unused), "skn_prefill");
    result.expect(same_bits(stopped.wkv, read.wkv) && same_bits(stopped.ffn_shift, read.ffn_shift),
                  "rows that stop coming leave another state than was told");
    model.give_rows(tensors, 0);
    result.expect(skn_decode(model, 1, read.att_shift.data(), read.wkv.data(),
                             read.ffn_shift.data(), nullptr) == SKN_NO_ROWS &&
                      same_bits(stopped.wkv, read.wkv),
                  "a step without rows touches the state");
    skn_shape part = kShape;
    part.first_layer = 1;
    result.expect(skn_packed_bytes(&part, SKN_FP32) == 0, "a part of a model with DeepEmbed");
    part = kShape;
    part.deep = 65;
    result.expect(skn_packed_bytes(&part, SKN_FP32) == 0, "rows that no model has");
}

#else

void check_model(Result& result, const char* isa) {
    choose(isa);
    for (int type = SKN_FP32; type <= SKN_Q4; type++) check_type(result, isa, type);
}

void check_refusals(Result& result) {
    choose("");
    const Tensors tensors = noise();
    Model model(result, SKN_FP32, 1);
    State<float> s(kShape);
    Floats broken(size_t(kShape.width), NAN), logits(size_t(kShape.vocab));
    const auto decode = [&](int token) {
        return skn_decode(model, token, s.att_shift.data(), s.wkv.data(), s.ffn_shift.data(),
                          logits.data());
    };
    result.expect(decode(0) == SKN_NOT_READY, "an empty model runs");
    result.expect(skn_model_ready(model) == SKN_NOT_READY, "an empty model is ready");
    result.expect(skn_model_tensor(model, "ln_out.bias", SKN_FP32, broken.data(), broken.size()) ==
                      SKN_NOT_FINITE,
                  "NaN is taken");
    result.expect(skn_model_tensor(model, "no.such", SKN_FP32, broken.data(), 1) != SKN_OK,
                  "an unknown tensor is taken");
    result.expect(skn_model_tensor(model, "ln_out.bias", SKN_FP32, logits.data(), 3) != SKN_OK,
                  "a short tensor is taken");
    model.fill(tensors);
    result.expect(decode(kShape.vocab) == SKN_BAD_ARGUMENT, "a token beyond the vocabulary");
    result.expect(decode(-1) == SKN_BAD_ARGUMENT, "a token below 0");
    skn_pool* none = nullptr;
    result.expect(skn_pool_create(0, &none) != SKN_OK && !none, "a pool of no threads");
    skn_shape odd = kShape;
    odd.width = 100;
    result.expect(skn_packed_bytes(&odd, SKN_FP32) == 0, "a width that no model has");
    check_stop(result, tensors);
    choose("abacus");
    result.expect(skn_cpu() == nullptr, "SKEIN_CPU=abacus is served by %s",
                  skn_cpu() ? skn_cpu() : "none");
    choose("");
}

#endif

}  // namespace check
