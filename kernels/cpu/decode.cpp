// One token through a model: five steps a layer and one for the head, all on one pool.
//
//   mixes     r, k, v, the loras' first halves, what DeepEmbed turns   pieces of rows
//   heads     the loras' second halves, gates, recurrence      one head each
//   output    Wo, added to the residual                        pieces of rows
//   key       Wk of the channel mix, relu^2, what is active    pieces of rows, whole groups
//   value     the active rows of Wv, added to the residual     one tile each
//
// Norms, mixes and the quantising of activations happen once between two steps, on whichever
// thread ended the first. Every number is computed in one order, so threads do not change it.
#include <atomic>
#include <chrono>
#include <cstring>
#include <new>

#include "model.h"
#include "tempo.h"

namespace skn {
namespace {

enum Phase { kPhaseMixes, kPhaseHeads, kPhaseOutput, kPhaseKey, kPhaseValue, kPhases };

// Some blocks of rows of one matrix; which: its place among those of the step.
struct Piece {
    int which, first, last;
};
constexpr int kTurned = 3 + kLoras;  // DeepEmbed's place among the mixes

using Plan = std::vector<Piece>;

// Pieces are large enough to stream and small enough that nobody waits long for the last.
size_t piece_bytes(size_t all, int threads) {
    const size_t wanted = all / (size_t(threads) * 6);
    return wanted < (size_t(8) << 10) ? size_t(8) << 10
           : wanted > (size_t(64) << 10) ? size_t(64) << 10 : wanted;
}

void split(Plan& plan, int which, const Matrix& m, size_t bytes, int multiple = 1) {
    int together = int(bytes / m.block_bytes) / multiple * multiple;
    if (together < multiple) together = multiple;
    for (int b = 0; b < m.blocks; b += together)
        plan.push_back({which, b, b + together < m.blocks ? b + together : m.blocks});
}

// A step has at most Pool::kMaxPieces; nothing that is met in practice comes near.
void fit(Plan& plan) {
    while (plan.size() > Pool::kMaxPieces) {
        Plan half;
        for (size_t i = 0; i < plan.size(); i++) {
            const bool joins = i % 2 && half.back().which == plan[i].which;
            if (joins)
                half.back().last = plan[i].last;
            else
                half.push_back(plan[i]);
        }
        plan.swap(half);
    }
}

}  // namespace

// Buffers and plans; made when first needed, and again when the pool changes.
struct Decoder {
    explicit Decoder(const skn_model& model);

    const Pool* pool;
    Memory memory;
    float *x, *h, *r, *k, *v, *v_first, *lora[kLoras], *product, *ffn_k, *logits;  // [D], [F], [V]
    Activation mixed[kMixes], hidden[kLoras], y, ffn_x, last;
    Active active;
    Plan mixes[2];  // of the file's layer 0, which has no lora of v, and of the others
    Plan output, key, head;
    // DeepEmbed's: the embedded token, h, what is between s1 and s2, numbers below zero.
    Activation deep_x, deep_h, deep_hidden;
    float *deep_in, *deep_turned, *deep_row, *gate, *product_below;  // [n], [n, n] twice, [F], [D]
    uint8_t* rows;                                                   // [L, n, n] as they come
    Active below;
    uint64_t active_rows = 0;
    Tempo tempo;

   private:
    void take(Carver& carver, const skn_model& model);
    void take_deep(Carver& carver, const skn_model& model);
};

void Decoder::take_deep(Carver& carver, const skn_model& model) {
    const skn_shape& s = model.weights.shape;
    const size_t row = size_t(s.deep) * size_t(s.deep);
    deep_x = take_activation(carver, s.width);
    deep_h = take_activation(carver, s.width);
    deep_hidden = take_activation(carver, s.deep);
    deep_in = carver.take<float>(size_t(round_up(s.deep, kBlockRows)));
    deep_turned = carver.take<float>(round_up(row, size_t(kBlockRows)));
    deep_row = carver.take<float>(row);
    gate = carver.take<float>(size_t(s.ffn));
    product_below = carver.take<float>(size_t(round_up(s.width, 128)));
    rows = carver.take<uint8_t>(size_t(s.layers) * row * model.rows.item_bytes());
    below = take_active(carver, s.ffn);
}

void Decoder::take(Carver& carver, const skn_model& model) {
    const Weights& w = model.weights;
    const size_t D = size_t(round_up(w.shape.width, 128));  // q4 writes whole tiles of 128
    for (float** vector : {&x, &h, &r, &k, &v, &v_first, &lora[kLoraW], &lora[kLoraA],
                           &lora[kLoraV], &lora[kLoraG], &product})
        *vector = carver.take<float>(D);
    ffn_k = carver.take<float>(size_t(w.shape.ffn));
    // Only a vocabulary that is no multiple of 16 needs room of its own.
    logits = carver.take<float>(w.shape.vocab % kBlockRows ? size_t(w.head.blocks) * kBlockRows : 0);
    for (auto& one : mixed) one = take_activation(carver, w.shape.width);
    const int ranks[kLoras] = {w.shape.rank_w, w.shape.rank_a, w.shape.rank_v, w.shape.rank_g};
    for (int n = 0; n < kLoras; n++) hidden[n] = take_activation(carver, ranks[n]);
    y = take_activation(carver, w.shape.width);
    ffn_x = take_activation(carver, w.shape.width);
    last = take_activation(carver, w.shape.width);
    active = take_active(carver, w.shape.ffn);
    if (w.shape.deep) take_deep(carver, model);
}

Decoder::Decoder(const skn_model& model) : pool(model.pool), tempo(model.pool->threads()) {
    const Weights& w = model.weights;
    Carver counting(nullptr);
    take(counting, model);
    memory = Memory(counting.used());
    Carver cutting(memory.data());
    take(cutting, model);

    const int threads = pool->threads();
    split(head, 0, w.head, piece_bytes(w.head.bytes(), threads));
    fit(head);
    if (w.layers.empty()) return;  // the head alone
    for (int i = 0; i < 2; i++) {
        const Layer& l = w.layers[w.layers.size() > 1 ? size_t(i) : 0];
        const Matrix* all[] = {&l.receptance, &l.key, &l.value, &l.lora1[kLoraW],
                               &l.lora1[kLoraA], &l.lora1[kLoraV], &l.lora1[kLoraG],
                               &l.deep_turn};
        size_t bytes = 0;
        for (const Matrix* m : all) bytes += m->bytes();
        for (int which = 0; which <= kTurned; which++)
            if (all[which]->blocks) split(mixes[i], which, *all[which], piece_bytes(bytes, threads));
        fit(mixes[i]);
    }
    const Layer& l = w.layers[0];
    split(output, 0, l.output, piece_bytes(l.output.bytes(), threads));
    split(key, 0, l.ffn_key, piece_bytes(l.ffn_key.bytes(), threads), kGroup / kBlockRows);
    for (Plan* plan : {&output, &key}) fit(*plan);
}

namespace {

class DecodeJob final : public Job {
   public:
    DecodeJob(skn_model& model, int token, const Before& before, float* att_shift, float* wkv,
              float* ffn_shift, float* logits)
        : w_(model.weights), kernels_(*model.kernels), d_(*model.decoder), source_(model.rows),
          token_(token), before_(before), att_shift_(att_shift), wkv_(wkv), ffn_shift_(ffn_shift), logits_(logits) {}

    uint32_t begin(int step) override {
        const int layers = w_.shape.layers;
        if (step == 0) begin_token();
        if (step == layers * kPhases) return logits_ ? begin_head() : 0;
        if (step > layers * kPhases) return 0;
        const int layer = step / kPhases;
        const Layer& l = w_.layers[size_t(layer)];
        switch (step % kPhases) {
            case kPhaseMixes: return begin_mixes(l, layer);
            case kPhaseHeads: return begin_heads(layer);
            case kPhaseOutput:
                kernels_.prepare(w_.type, d_.y, w_.shape.width);
                return uint32_t(d_.output.size());
            case kPhaseKey: return begin_key(l, layer);
            default: return begin_value(l);
        }
    }

    void piece(int step, uint32_t piece, int) override {
        const int layer = step / kPhases;
        if (layer == w_.shape.layers) {
            const Piece& p = d_.head[piece];
            kernels_.product(w_.head, d_.last, direct() ? logits_ : d_.logits, p.first, p.last);
            return;
        }
        const Layer& l = w_.layers[size_t(layer)];
        switch (step % kPhases) {
            case kPhaseMixes: run_mixes(l, d_.mixes[w_.blends(layer)][piece]); break;
            case kPhaseHeads: run_head(l, layer, int(piece)); break;
            case kPhaseOutput: run_output(l, d_.output[piece]); break;
            case kPhaseKey: run_key(l, d_.key[piece]); break;
            default: run_value(l, int(piece));
        }
    }

    bool direct() const { return w_.shape.vocab % kBlockRows == 0; }

   private:
    void begin_token() {
        d_.active_rows = 0;
        if (before_.residual) {
            std::memcpy(d_.x, before_.residual, size_t(w_.shape.width) * sizeof(float));
            std::memcpy(d_.v_first, before_.v_first, size_t(w_.shape.width) * sizeof(float));
            return;
        }
        kernels_.unpack_row(w_.head_type, w_.embedding + size_t(token_) * w_.embedding_row, d_.h,
                            w_.shape.width);
        kernels_.norm(d_.h, w_.ln0_w, w_.ln0_b, d_.x, w_.shape.width, 1e-5f);
        if (!w_.shape.deep) return;
        std::memcpy(d_.deep_x.f, d_.x, size_t(w_.shape.width) * sizeof(float));
        kernels_.prepare(w_.lora_type, d_.deep_x, w_.shape.width);
    }

    uint32_t begin_mixes(const Layer& l, int layer) {
        const int D = w_.shape.width;
        kernels_.norm(d_.x, l.ln1_w, l.ln1_b, d_.h, D, 1e-5f);
        float* out[kMixes];
        for (int m = 0; m < kMixes; m++) out[m] = d_.mixed[m].f;
        kernels_.mix(d_.h, att_shift_ + size_t(layer) * size_t(D), l.mix, out, kMixes, D);
        // The loras' type wants of an activation what the model's own type wants.
        for (auto& one : d_.mixed) kernels_.prepare(w_.type, one, D);
        return uint32_t(d_.mixes[w_.blends(layer)].size());
    }

    void run_mixes(const Layer& l, const Piece& p) {
        const auto run = [&](const Matrix& m, const Activation& x, float* y) {
            kernels_.product(m, x, y, p.first, p.last);
        };
        switch (p.which) {
            case 0: run(l.receptance, d_.mixed[kMixR], d_.r); break;
            case 1: run(l.key, d_.mixed[kMixK], d_.k); break;
            case 2: run(l.value, d_.mixed[kMixV], d_.v); break;
            case kTurned: run(l.deep_turn, d_.deep_x, d_.deep_turned); break;
            default: {
                const int n = p.which - 3;
                run(l.lora1[n], d_.mixed[kLoraMix[n]], d_.hidden[n].f);
            }
        }
    }

    uint32_t begin_heads(int layer) {
        const int ranks[kLoras] = {w_.shape.rank_w, w_.shape.rank_a, w_.shape.rank_v,
                                   w_.shape.rank_g};
        for (int n = 0; n < kLoras; n++) {
            if (n == kLoraV && !w_.blends(layer)) continue;
            float* f = d_.hidden[n].f;
            const int rows = round_up(ranks[n], kBlockRows);
            if (n == kLoraW) kernels_.tanh(f, f, rows);
            if (n == kLoraG) {
                kernels_.sigmoid(f, f, rows);
                for (int i = ranks[n]; i < rows; i++) f[i] = 0;
            }
            kernels_.prepare(w_.lora_type, d_.hidden[n], round_up(ranks[n], kGroup));
        }
        return uint32_t(w_.shape.heads);
    }

    void run_head(const Layer& l, int layer, int head) {
        constexpr int blocks = kHead / kBlockRows;
        for (int n = 0; n < kLoras; n++)
            if (n != kLoraV || w_.blends(layer))
                kernels_.product(l.lora2[n], d_.hidden[n], d_.lora[n], head * blocks,
                                 (head + 1) * blocks);
        const size_t at = size_t(head) * kHead;
        HeadInput in;
        in.r = d_.r + at;
        in.k = d_.k + at;
        in.v = d_.v + at;
        in.w2 = d_.lora[kLoraW] + at;
        in.a2 = d_.lora[kLoraA] + at;
        in.v2 = w_.blends(layer) ? d_.lora[kLoraV] + at : nullptr;
        in.g2 = d_.lora[kLoraG] + at;
        in.v_first = d_.v_first + at;
        in.w0 = l.w0 + at;
        in.a0 = l.a0 + at;
        in.v0 = l.v0 + at;
        in.k_k = l.k_k + at;
        in.k_a = l.k_a + at;
        in.r_k = l.r_k + at;
        in.ln_w = l.ln_x_w + at;
        in.ln_b = l.ln_x_b + at;
        const size_t number = size_t(layer) * size_t(w_.shape.heads) + size_t(head);
        kernels_.head(in, wkv_ + number * kHead * kHead, d_.y.f + at);
    }

    void run_output(const Layer& l, const Piece& p) {
        kernels_.product(l.output, d_.y, d_.product, p.first, p.last);
        const int at = p.first * kBlockRows;
        kernels_.add(d_.product + at, d_.x + at, (p.last - p.first) * kBlockRows);
    }

    uint32_t begin_key(const Layer& l, int layer) {
        const int D = w_.shape.width;
        kernels_.norm(d_.x, l.ln2_w, l.ln2_b, d_.h, D, 1e-5f);
        kernels_.mix(d_.h, ffn_shift_ + size_t(layer) * size_t(D), &l.ffn_mix, &d_.ffn_x.f, 1, D);
        kernels_.prepare(w_.type, d_.ffn_x, D);
        if (w_.shape.deep) begin_gate(l, layer);
        return uint32_t(d_.key.size());
    }

    // What is between s1 and s2: little, so whoever ended the step before does it alone.
    void begin_gate(const Layer& l, int layer) {
        const int D = w_.shape.width, n = w_.shape.deep;
        const size_t row = size_t(n) * size_t(n);
        std::memcpy(d_.deep_h.f, d_.h, size_t(D) * sizeof(float));
        kernels_.prepare(w_.lora_type, d_.deep_h, D);
        kernels_.product(l.deep_in, d_.deep_h, d_.deep_in, 0, l.deep_in.blocks);
        // Numbers that are none go on to the logits, where they are seen.
        kernels_.widen(source_.dtype, d_.rows + size_t(layer) * row * source_.item_bytes(),
                       d_.deep_row, row);
        through_row(d_.deep_in, d_.deep_row, d_.deep_turned, n, d_.deep_hidden.f);
        kernels_.prepare(w_.lora_type, d_.deep_hidden, round_up(n, kGroup));
    }

    void run_key(const Layer& l, const Piece& p) {
        constexpr int blocks = kGroup / kBlockRows;
        kernels_.product(l.ffn_key, d_.ffn_x, d_.ffn_k, p.first, p.last);
        if (w_.shape.deep) {
            const int at = p.first * kBlockRows;
            kernels_.product(l.deep_out, d_.deep_hidden, d_.gate, p.first, p.last);
            halve_gated(d_.ffn_k + at, d_.gate + at, l.deep_bias + at,
                        (p.last - p.first) * kBlockRows);
        }
        for (int g = p.first / blocks; g < p.last / blocks; g++) {
            kernels_.activate(w_.type, d_.ffn_k, d_.active, g);
            if (w_.shape.deep) kernels_.activate(w_.type, d_.gate, d_.below, g);
        }
    }

    uint32_t begin_value(const Layer& l) {
        for (int g = 0; g < l.ffn_value.groups(); g++) {
            d_.active_rows += d_.active.count[g];
            if (w_.shape.deep) d_.active_rows += d_.below.count[g];
        }
        return uint32_t(l.ffn_value.tiles);
    }

    void run_value(const Layer& l, int tile) {
        const int width = l.ffn_value.tile_columns, at = tile * width;
        kernels_.value(l.ffn_value, d_.active, tile, d_.product + at);
        if (w_.shape.deep) {
            kernels_.value(l.ffn_value, d_.below, tile, d_.product_below + at);
            subtract(d_.product_below + at, d_.product + at, width);
        }
        const int left = w_.shape.width - at;
        kernels_.add(d_.product + at, d_.x + at, left < width ? left : width);
    }

    uint32_t begin_head() {
        kernels_.norm(d_.x, w_.ln_out_w, w_.ln_out_b, d_.last.f, w_.shape.width, 1e-5f);
        kernels_.prepare(w_.head_type, d_.last, w_.shape.width);
        return uint32_t(d_.head.size());
    }

    const Weights& w_;
    const Kernels& kernels_;
    Decoder& d_;
    const DeepRows& source_;
    const int token_;
    const Before before_;
    float *const att_shift_, *const wkv_, *const ffn_shift_, *const logits_;
};

}  // namespace

int decode(skn_model* model, int token, const Before& before, float* att_shift, float* wkv,
           float* ffn_shift, float* logits) {
    try {
        if (!model->decoder)
            model->decoder = {new Decoder(*model), [](Decoder* old) { delete old; }};
    } catch (const std::bad_alloc&) {
        return fail(SKN_NO_MEMORY, "Not enough memory for the buffers of a token");
    }
    const int32_t id = token;
    if (const int code = read_rows(*model, &id, 1, model->decoder->rows)) return code;
    DecodeJob job(*model, token, before, att_shift, wkv, ffn_shift, logits);
    Tempo& tempo = model->decoder->tempo;
    const auto began = std::chrono::steady_clock::now();
    model->pool->run(job, tempo.crew());
    tempo.took(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
    if (logits && !job.direct())
        std::memcpy(logits, model->decoder->logits, size_t(model->weights.shape.vocab) * 4);
    return SKN_OK;
}

}  // namespace skn

using namespace skn;

extern "C" {

int skn_decode(skn_model* model, int32_t token, float* att_shift, float* wkv, float* ffn_shift,
               float* logits) {
    const int code = check_run(model, &token, 1);
    if (code != SKN_OK) return code;
    if (!att_shift || !wkv || !ffn_shift) return fail(SKN_BAD_ARGUMENT, "A state is needed");
    return decode(model, token, {}, att_shift, wkv, ffn_shift, logits);
}

int skn_model_set_pool(skn_model* model, skn_pool* pool) {
    if (!model || !pool) return fail(SKN_BAD_ARGUMENT, "A model and a pool are needed");
    model->pool = &pool->pool;
    model->decoder.reset();  // its plans are made for a number of threads
    return SKN_OK;
}

size_t skn_model_scratch_bytes(const skn_model* model) {
    if (!model) return 0;
    return model->blocks_bytes + (model->decoder ? model->decoder->memory.bytes() : 0);
}

int skn_model_active_rows(const skn_model* model, uint64_t* active, uint64_t* rows) {
    if (!model || !active || !rows) return fail(SKN_BAD_ARGUMENT, "A model is needed");
    if (!model->decoder) return fail(SKN_NOT_READY, "Nothing was decoded yet");
    *active = model->decoder->active_rows;
    *rows = uint64_t(model->weights.shape.layers) * uint64_t(model->weights.shape.ffn);
    return SKN_OK;
}

}  // extern "C"
