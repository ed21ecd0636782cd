#include "prefill.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace skn {
namespace {

constexpr int kHeadTiles = 6;  // tiles of a run of one head: its arrays stay in the second cache
constexpr float kNormEps = 1e-5f;
constexpr int kTurned = 3 + kLoras;  // DeepEmbed's place among a layer's first products

}  // namespace

// Everything that a block needs besides the weights; cut from one piece of memory.
struct Blocks {
    Memory memory;
    int capacity = 0, threads = 0;
    float *x, *r, *k, *v, *v_first;        // [tokens, D]
    uint8_t* mixes[kMixes + 1];            // packed: one for each mix, and x_v for its lora
    uint8_t* hidden[kLoras];               // packed: between the loras' two products
    uint8_t *attended, *ffn_in, *ffn_hidden, *head_in;  // packed
    float* shift;                          // [SKN_MAX_BATCH, D] what the layer's shifts become
    // DeepEmbed's: packed are the embedded tokens, h, what is between s1 and s2, and where products
    // want nothing below zero, what would be; then rows as they come, and what is added to them.
    uint8_t *deep_x = nullptr, *deep_h = nullptr, *deep_hidden = nullptr, *below = nullptr,
            *rows = nullptr;
    float *turned = nullptr, *zeros = nullptr;  // [tokens, n, n], [D]
    std::vector<uint8_t*> workers;         // a scratch for each thread
};

namespace {

int rank_of(const skn_shape& shape, int lora) {
    const int ranks[kLoras] = {shape.rank_w, shape.rank_a, shape.rank_v, shape.rank_g};
    return ranks[lora];
}

Form main_form(const skn_model& model) {
    return model.weights.narrow ? Form::fp32 : model.kernels->blocks->form(model.weights.type);
}

Form hidden_form(const skn_model& model) {
    if (model.weights.narrow) return Form::fp32;
    return model.kernels->blocks->value_form(model.weights.type);
}

// Loras, the head and the keys of the time mix are few of the products and much of the error (a key
// enters the state twice: where it is written, and what is taken away): their tokens keep all bits.
Form fine_form(const skn_model& model, int type) {
    const Form form = model.weights.narrow ? Form::fp32 : model.kernels->blocks->form(type);
    return form == Form::bf16 ? Form::bf16_twice : form;
}

Form mix_form(const skn_model& model, int mix) {
    if (mix == kMixR || mix == kMixV) return main_form(model);
    return fine_form(model, mix == kMixK ? model.weights.type : model.weights.lora_type);
}

// The scratch of a thread: first what products expand weights into, then floats.
size_t worker_floats(const skn_shape& shape, int tokens) {
    const size_t panel = size_t(round_up(tokens, kTile)) * kPanelRows * (shape.deep ? 2 : 1);
    const size_t head = size_t(kLoras + kHeadArrays) * kHeadTiles * kTile * kHead;
    return std::max({panel, head, size_t(shape.width) * 3});
}

void cut_deep(Blocks& b, Carver& carver, const skn_model& model, int tokens) {
    const skn_shape& shape = model.weights.shape;
    const size_t count = size_t(tokens), row = size_t(shape.deep) * size_t(shape.deep);
    const Form form = fine_form(model, model.weights.lora_type), hidden = hidden_form(model);
    const auto packed = [&](Form of, int inputs) {
        return carver.take<uint8_t>(Tokens::bytes(of, tokens, inputs));
    };
    b.deep_x = packed(form, shape.width);
    b.deep_h = packed(form, shape.width);
    b.deep_hidden = packed(form, shape.deep);
    if (hidden == Form::uint8) b.below = packed(hidden, shape.ffn);
    b.rows = carver.take<uint8_t>(size_t(shape.layers) * count * row * model.rows.item_bytes());
    b.turned = carver.take<float>(count * round_up(row, size_t(kBlockRows)));
    b.zeros = carver.take<float>(size_t(shape.width));
}

void cut(Blocks& b, Carver& carver, const skn_model& model, int tokens, int threads) {
    const Weights& weights = model.weights;
    const skn_shape& shape = weights.shape;
    const size_t plane = size_t(tokens) * size_t(shape.width);
    for (float** array : {&b.x, &b.r, &b.k, &b.v, &b.v_first})
        *array = carver.take<float>(plane);
    b.shift = carver.take<float>(SKN_MAX_BATCH * size_t(shape.width));
    const auto packed = [&](Form form, int inputs) {
        return carver.take<uint8_t>(Tokens::bytes(form, tokens, inputs));
    };
    const Form main = main_form(model), lora = fine_form(model, weights.lora_type);
    for (int m = 0; m < kMixes; m++) b.mixes[m] = packed(mix_form(model, m), shape.width);
    b.mixes[kMixes] = packed(lora, shape.width);
    for (int i = 0; i < kLoras; i++) b.hidden[i] = packed(lora, rank_of(shape, i));
    b.attended = packed(main, shape.width);
    b.ffn_in = packed(main, shape.width);
    b.ffn_hidden = packed(hidden_form(model), shape.ffn);
    b.head_in = packed(fine_form(model, weights.head_type), shape.width);
    if (shape.deep) cut_deep(b, carver, model, tokens);
    b.workers.resize(size_t(threads));
    for (uint8_t*& worker : b.workers)
        worker = carver.take<uint8_t>(kScratchBytes + worker_floats(shape, tokens) * 4);
}

// The steps of a layer, and what stands before and after all layers.
enum Step { kMixAtt, kProducts, kHeads, kOutput, kMixFfn, kKey, kValue, kSteps };

// Rows of a product, as one of a step's pieces takes them.
struct Rows {
    int target;  // 0, 1, 2: r, k, v; from 3 on the loras; then what is added to DeepEmbed's rows
    int first, last;  // blocks of 16 rows
};

class BlockJob final : public Job {
   public:
    BlockJob(skn_model& model, Blocks& blocks, const int32_t* tokens, const Before& before,
             const std::vector<Sequence>& sequences, Logits wanted, float* logits)
        : weights_(model.weights), shape_(model.weights.shape), kernels_(*model.kernels),
          block_(*model.kernels->blocks), threads_(model.pool->threads()), b_(blocks),
          source_(model.rows), ids_(tokens), before_(before), sequences_(sequences), wanted_(wanted), logits_(logits) {
        for (const Sequence& s : sequences)
            sequence_of_.insert(sequence_of_.end(), size_t(s.count), int(&s - sequences.data()));
        count_ = int(sequence_of_.size());
        tiles_ = Tokens::tiles_of(count_);
        // Whoever is late holds up at most one piece: there are some for every thread.
        rows_.reserve(size_t(3 * shape_.width / kPanelRows + kLoras * 16 + kDeepMost));
        const Form main = main_form(model), lora = fine_form(model, weights_.lora_type);
        for (int m = 0; m < kMixes; m++)
            mixes_[m] = Tokens::over(b_.mixes[m], mix_form(model, m), count_, shape_.width);
        mixes_[kMixes] = Tokens::over(b_.mixes[kMixes], lora, count_, shape_.width);
        for (int i = 0; i < kLoras; i++)
            hidden_[i] = Tokens::over(b_.hidden[i], lora, count_, rank_of(shape_, i));
        attended_ = Tokens::over(b_.attended, main, count_, shape_.width);
        ffn_in_ = Tokens::over(b_.ffn_in, main, count_, shape_.width);
        ffn_hidden_ = Tokens::over(b_.ffn_hidden, hidden_form(model), count_, shape_.ffn);
        if (shape_.deep) lay_deep(lora, hidden_form(model));
        wanted_count_ = wanted == Logits::none ? 0
                        : wanted == Logits::all ? count_
                                                : int(sequences.size());
        head_in_ = Tokens::over(b_.head_in, fine_form(model, weights_.head_type),
                                std::max(wanted_count_, 1), shape_.width);
    }

    uint32_t begin(int step) override {
        splits_ = 1;
        if (step == 0) return uint32_t(tiles_);
        const int layer = (step - 1) / kSteps, kind = (step - 1) % kSteps;
        if (layer >= shape_.layers) return begin_head(step - 1 - shape_.layers * kSteps);
        switch (kind) {
            case kMixAtt: return uint32_t(tiles_);
            case kProducts: keep_shift(layer, &Sequence::att_shift); return begin_products(layer);
            case kHeads: return uint32_t(shape_.heads);
            case kOutput: return split(shape_.width / kPanelRows, tiles_);
            case kMixFfn: return uint32_t(tiles_);
            case kKey:
                keep_shift(layer, &Sequence::ffn_shift);
                return split(shape_.ffn / kPanelRows, tiles_);
            default: return split(shape_.width / 64, tiles_);
        }
    }

    void piece(int step, uint32_t piece, int worker) override {
        uint8_t* panel = b_.workers[size_t(worker)];
        float* scratch = reinterpret_cast<float*>(panel + kScratchBytes);
        if (step == 0) return embed(int(piece), scratch);
        const int index = (step - 1) / kSteps;
        if (index >= shape_.layers) {
            if (step - 1 == shape_.layers * kSteps) return norm_out(int(piece), scratch);
            return head(int(piece), scratch, panel);
        }
        const Layer& layer = weights_.layers[size_t(index)];
        switch ((step - 1) % kSteps) {
            case kMixAtt: return mix_att(index, layer, int(piece), scratch);
            case kProducts: return products(layer, int(piece), scratch, panel);
            case kHeads: return one_head(index, layer, int(piece), scratch, panel);
            case kOutput: return output(layer, int(piece), scratch, panel);
            case kMixFfn: return mix_ffn(index, layer, int(piece), scratch, panel);
            case kKey: return ffn_key(layer, int(piece), scratch, panel);
            default: return ffn_value(layer, int(piece), scratch, panel);
        }
    }

   private:
    void lay_deep(Form form, Form hidden) {
        row_ = size_t(shape_.deep) * size_t(shape_.deep);
        turned_row_ = round_up(row_, size_t(kBlockRows));
        deep_x_ = Tokens::over(b_.deep_x, form, count_, shape_.width);
        deep_h_ = Tokens::over(b_.deep_h, form, count_, shape_.width);
        deep_hidden_ = Tokens::over(b_.deep_hidden, form, count_, shape_.deep);
        if (b_.below) below_ = Tokens::over(b_.below, hidden, count_, shape_.ffn);
    }

    // Cuts the tiles too where a step has few panels; how changes no result.
    uint32_t split(int panels, int tiles) {
        const int want = (8 * threads_ + panels - 1) / panels;
        splits_ = std::max(1, std::min(want, tiles / 4));
        return uint32_t(panels * splits_);
    }
    struct Share {
        int panel, tile, last_tile;
    };
    Share share(int piece, int tiles) const {
        const int part = piece % splits_;
        return {piece / splits_, tiles * part / splits_, tiles * (part + 1) / splits_};
    }
    static int tokens_in(const Tokens& x, int tile, int last_tile) {
        return std::min(last_tile * kTile, x.count) - tile * kTile;
    }

    // The step before wrote what stands last: only now has everybody read what stood there.
    void keep_shift(int layer, float* Sequence::*which) {
        const size_t width = size_t(shape_.width);
        for (size_t i = 0; i < sequences_.size(); i++)
            std::memcpy(sequences_[i].*which + size_t(layer) * width, b_.shift + i * width,
                        width * sizeof(float));
    }

    uint32_t begin_products(int layer) {
        rows_.clear();
        const Layer& l = weights_.layers[size_t(layer)];
        const auto add = [&](int target, int blocks) {
            for (int b = 0; b < blocks; b += kPanelBlocks)
                rows_.push_back({target, b, std::min(b + kPanelBlocks, blocks)});
        };
        for (int target = 0; target < 3; target++) add(target, l.receptance.blocks);
        for (int i = 0; i < kLoras; i++)
            if (i != kLoraV || weights_.blends(layer)) add(3 + i, l.lora1[i].blocks);
        if (shape_.deep) add(kTurned, l.deep_turn.blocks);
        return split(int(rows_.size()), tiles_);
    }

    uint32_t begin_head(int step) {
        if (step > 1 || wanted_ == Logits::none) return 0;
        if (step == 0) return uint32_t(head_in_.tiles());
        return split((weights_.head.blocks + kPanelBlocks - 1) / kPanelBlocks, head_in_.tiles());
    }

    void embed(int tile, float* row) const {
        const int width = shape_.width, end = std::min((tile + 1) * kTile, count_);
        if (before_.residual) {
            const size_t at = size_t(tile) * kTile * size_t(width);
            const size_t bytes = size_t(end - tile * kTile) * size_t(width) * sizeof(float);
            std::memcpy(b_.x + at, before_.residual + at, bytes);
            std::memcpy(b_.v_first + at, before_.v_first + at, bytes);
            return;
        }
        for (int t = tile * kTile; t < end; t++) {
            const uint8_t* from = weights_.embedding + size_t(ids_[t]) * weights_.embedding_row;
            kernels_.unpack_row(weights_.head_type, from, row, width);
            float* const x = b_.x + size_t(t) * size_t(width);
            kernels_.norm(row, weights_.ln0_w, weights_.ln0_b, x, width, kNormEps);
            if (shape_.deep) block_.pack(deep_x_, t, x, width);
        }
    }

    // Norms a tile's tokens, and mixes each with the one before it.
    void mix_tile(int layer, int tile, const float* w, const float* b,
                  float* Sequence::*which, const float* const* mixes, const Tokens* const* out,
                  int outs, float* scratch) const {
        const size_t width = size_t(shape_.width);
        float *h = scratch, *other = h + width, *row = other + width;
        const auto norm = [&](int t, float* to) {
            kernels_.norm(b_.x + size_t(t) * width, w, b, to, shape_.width, kNormEps);
        };
        for (int t = tile * kTile; t < std::min((tile + 1) * kTile, count_); t++) {
            const int at = sequence_of_[size_t(t)];
            const Sequence& s = sequences_[size_t(at)];
            const float* before = other;
            if (t == s.first)
                before = s.*which + size_t(layer) * width;
            else if (t == tile * kTile)
                norm(t - 1, other);
            norm(t, h);
            block_.mix(h, before, mixes, out, outs, t, shape_.width, row);
            if (t == s.first + s.count - 1)
                std::memcpy(b_.shift + size_t(at) * width, h, width * sizeof(float));
            std::swap(h, other);
        }
    }

    void mix_att(int index, const Layer& layer, int tile, float* scratch) const {
        const float* mixes[kMixes + 1];
        const Tokens* out[kMixes + 1];
        int outs = 0;
        const auto add = [&](int mix, const Tokens& x) {
            mixes[outs] = layer.mix[mix];
            out[outs++] = &x;
        };
        for (int m = 0; m < kMixes; m++) add(m, mixes_[m]);
        if (weights_.blends(index) && mixes_[kMixes].form != mixes_[kMixV].form) add(kMixV, mixes_[kMixes]);
        mix_tile(index, tile, layer.ln1_w, layer.ln1_b, &Sequence::att_shift, mixes, out, outs,
                 scratch);
    }

    void mix_ffn(int index, const Layer& layer, int tile, float* scratch, uint8_t* panel) const {
        const Tokens* out[] = {&ffn_in_, &deep_h_};
        const float* mixes[] = {layer.ffn_mix, b_.zeros};  // the second is h as it is
        mix_tile(index, tile, layer.ln2_w, layer.ln2_b, &Sequence::ffn_shift, mixes, out,
                 shape_.deep ? 2 : 1, scratch);
        if (shape_.deep) through_rows(index, layer, tile, scratch, panel);
    }

    // What is between s1 and s2, of a tile's tokens.
    void through_rows(int index, const Layer& layer, int tile, float* scratch,
                      uint8_t* panel) const {
        float *in = scratch, *row = in + kTile * kPanelRows, *out = row + row_;
        block_.product(layer.deep_in, 0, layer.deep_in.blocks, deep_h_, tile, tile + 1, in,
                       kPanelRows, panel);
        const int first = tile * kTile;
        for (int t = first; t < std::min(first + kTile, count_); t++, in += kPanelRows) {
            const size_t at = size_t(index) * size_t(count_) + size_t(t);
            // Numbers that are none go on to the logits, where they are seen.
            kernels_.widen(source_.dtype, b_.rows + at * row_ * source_.item_bytes(), row, row_);
            through_row(in, row, b_.turned + size_t(t) * turned_row_, shape_.deep, out);
            block_.pack(deep_hidden_, t, out, shape_.deep);
        }
    }

    const Tokens& lora_input(int lora) const {
        const bool own = lora == kLoraV && mixes_[kMixes].form != mixes_[kMixV].form;
        return own ? mixes_[kMixes] : mixes_[kLoraMix[lora]];
    }

    void products(const Layer& layer, int piece, float* scratch, uint8_t* panel) const {
        const Share part = share(piece, tiles_);
        const Rows& rows = rows_[size_t(part.panel)];
        if (rows.target < 3) {
            const Matrix* from[3] = {&layer.receptance, &layer.key, &layer.value};
            const int mixes[3] = {kMixR, kMixK, kMixV};
            float* to[3] = {b_.r, b_.k, b_.v};
            const size_t width = size_t(shape_.width);
            block_.product(*from[rows.target], rows.first, rows.last, mixes_[mixes[rows.target]],
                           part.tile, part.last_tile,
                           to[rows.target] + size_t(part.tile) * kTile * width +
                               size_t(rows.first) * kBlockRows,
                           width, panel);
            return;
        }
        if (rows.target == kTurned) {
            block_.product(layer.deep_turn, rows.first, rows.last, deep_x_, part.tile,
                           part.last_tile,
                           b_.turned + size_t(part.tile) * kTile * turned_row_ +
                               size_t(rows.first) * kBlockRows,
                           turned_row_, panel);
            return;
        }
        const int lora = rows.target - 3;
        const int tokens = tokens_in(hidden_[lora], part.tile, part.last_tile);
        if (rows.last - rows.first < kPanelBlocks)
            std::memset(scratch, 0, size_t(tokens) * kPanelRows * sizeof(float));
        block_.product(layer.lora1[lora], rows.first, rows.last, lora_input(lora), part.tile,
                       part.last_tile, scratch, kPanelRows, panel);
        const Then then = lora == kLoraW   ? Then::tanh
                          : lora == kLoraG ? Then::sigmoid
                                           : Then::nothing;
        block_.finish(then, scratch, tokens, hidden_[lora], part.tile * kTile,
                      rows.first / kPanelBlocks);
    }

    void one_head(int index, const Layer& layer, int head, float* scratch, uint8_t* panel) const {
        constexpr size_t room = size_t(kHeadTiles) * kTile * kHead;
        for (int tile = 0; tile < tiles_; tile += kHeadTiles) {
            const int last_tile = std::min(tile + kHeadTiles, tiles_);
            for (int i = 0; i < kLoras; i++)
                if (i != kLoraV || weights_.blends(index))
                    block_.product(layer.lora2[i], head * kPanelBlocks, (head + 1) * kPanelBlocks,
                                   hidden_[i], tile, last_tile, scratch + size_t(i) * room, kHead,
                                   panel);
            for (int t = tile * kTile; t < std::min(last_tile * kTile, count_);) {
                const int at = sequence_of_[size_t(t)];
                const Sequence& s = sequences_[size_t(at)];
                const int end = std::min({s.first + s.count, last_tile * kTile, count_});
                run_head(index, layer, head, s, t, end, scratch, size_t(t - tile * kTile) * kHead);
                t = end;
            }
        }
    }

    // Tokens t .. end of one sequence; their loras' products begin at `from` in the scratch.
    void run_head(int index, const Layer& layer, int head, const Sequence& s, int t, int end,
                  float* scratch, size_t from) const {
        constexpr size_t room = size_t(kHeadTiles) * kTile * kHead;
        const size_t o = size_t(head) * kHead, at = size_t(t) * size_t(shape_.width) + o;
        HeadRun run{};
        run.tokens = end - t;
        run.r = b_.r + at;
        run.k = b_.k + at;
        run.v = b_.v + at;
        run.v_first = b_.v_first + at;
        run.stride = size_t(shape_.width);
        run.w_ = scratch + kLoraW * room + from;
        run.a_ = scratch + kLoraA * room + from;
        run.v_ = weights_.blends(index) ? scratch + kLoraV * room + from : nullptr;
        run.g_ = scratch + kLoraG * room + from;
        run.w0 = layer.w0 + o;
        run.a0 = layer.a0 + o;
        run.v0 = weights_.blends(index) ? layer.v0 + o : nullptr;
        run.k_k = layer.k_k + o;
        run.k_a = layer.k_a + o;
        run.r_k = layer.r_k + o;
        run.ln_w = layer.ln_x_w + o;
        run.ln_b = layer.ln_x_b + o;
        run.state = s.wkv + (size_t(index) * size_t(shape_.heads) + size_t(head)) * kHead * kHead;
        run.out = &attended_;
        run.token = t;
        run.group = head;
        run.scratch = scratch + kLoras * room;
        block_.head(run);
    }

    // x += rows of 64 outputs.
    void add_to_x(const float* y, int tile, int tokens, int first_row) const {
        const size_t width = size_t(shape_.width);
        float* x = b_.x + size_t(tile) * kTile * width + size_t(first_row);
        for (int t = 0; t < tokens; t++) block_.add(y + t * 64, x + size_t(t) * width, 64);
    }

    void output(const Layer& layer, int piece, float* scratch, uint8_t* panel) const {
        const Share part = share(piece, tiles_);
        block_.product(layer.output, part.panel * kPanelBlocks, (part.panel + 1) * kPanelBlocks,
                       attended_, part.tile, part.last_tile, scratch, kPanelRows, panel);
        add_to_x(scratch, part.tile, tokens_in(attended_, part.tile, part.last_tile),
                 part.panel * kPanelRows);
    }

    void ffn_key(const Layer& layer, int piece, float* scratch, uint8_t* panel) const {
        const Share part = share(piece, tiles_);
        block_.product(layer.ffn_key, part.panel * kPanelBlocks, (part.panel + 1) * kPanelBlocks,
                       ffn_in_, part.tile, part.last_tile, scratch, kPanelRows, panel);
        if (shape_.deep) return gate(layer, part, scratch, panel);
        block_.finish(Then::relu_squared, scratch, tokens_in(ffn_in_, part.tile, part.last_tile),
                      ffn_hidden_, part.tile * kTile, part.panel);
    }

    // relu(k)^2 times DeepEmbed's gate; as two halves where products want nothing below zero.
    void gate(const Layer& layer, const Share& part, float* k, uint8_t* panel) const {
        const int tokens = tokens_in(ffn_in_, part.tile, part.last_tile);
        float* const gates = second(part, k);
        block_.product(layer.deep_out, part.panel * kPanelBlocks, (part.panel + 1) * kPanelBlocks,
                       deep_hidden_, part.tile, part.last_tile, gates, kPanelRows, panel);
        const float* const bias = layer.deep_bias + size_t(part.panel) * kPanelRows;
        for (int t = 0; t < tokens; t++) {
            float *const here = k + t * kPanelRows, *const by = gates + t * kPanelRows;
            if (b_.below)
                halve_gated(here, by, bias, kPanelRows);
            else
                apply_gate(here, by, bias, kPanelRows);
        }
        const Then then = b_.below ? Then::relu_squared : Then::nothing;
        block_.finish(then, k, tokens, ffn_hidden_, part.tile * kTile, part.panel);
        if (b_.below) block_.finish(then, gates, tokens, below_, part.tile * kTile, part.panel);
    }
    // Behind what a share of tokens has in a scratch.
    static float* second(const Share& part, float* scratch) {
        return scratch + size_t(part.last_tile - part.tile) * kTile * kPanelRows;
    }

    void ffn_value(const Layer& layer, int piece, float* scratch, uint8_t* panel) const {
        const Share part = share(piece, tiles_);
        block_.value(layer.ffn_value, part.panel, ffn_hidden_, part.tile, part.last_tile, scratch,
                     64, panel);
        if (b_.below) {
            float* const less = second(part, scratch);
            block_.value(layer.ffn_value, part.panel, below_, part.tile, part.last_tile, less, 64,
                         panel);
            subtract(less, scratch, tokens_in(below_, part.tile, part.last_tile) * 64);
        }
        add_to_x(scratch, part.tile, tokens_in(ffn_hidden_, part.tile, part.last_tile),
                 part.panel * 64);
    }

    void norm_out(int tile, float* row) const {
        const size_t width = size_t(shape_.width);
        for (int i = tile * kTile; i < std::min((tile + 1) * kTile, wanted_count_); i++) {
            int t = i;
            if (wanted_ == Logits::last)
                t = sequences_[size_t(i)].first + sequences_[size_t(i)].count - 1;
            kernels_.norm(b_.x + size_t(t) * width, weights_.ln_out_w, weights_.ln_out_b, row,
                          shape_.width, kNormEps);
            block_.pack(head_in_, i, row, shape_.width);
        }
    }

    void head(int piece, float* scratch, uint8_t* panel) const {
        const Share part = share(piece, head_in_.tiles());
        const size_t vocab = size_t(shape_.vocab);
        const int first = part.panel * kPanelBlocks;
        const int last = std::min(first + kPanelBlocks, weights_.head.blocks);
        const size_t row = size_t(first) * kBlockRows;
        float* out = logits_ + size_t(part.tile) * kTile * vocab + row;
        if (row + kPanelRows <= vocab) {
            block_.product(weights_.head, first, last, head_in_, part.tile, part.last_tile, out,
                           vocab, panel);
            return;
        }
        block_.product(weights_.head, first, last, head_in_, part.tile, part.last_tile, scratch,
                       kPanelRows, panel);
        const int tokens = tokens_in(head_in_, part.tile, part.last_tile);
        for (int t = 0; t < tokens; t++)
            std::memcpy(out + size_t(t) * vocab, scratch + t * kPanelRows,
                        (vocab - row) * sizeof(float));
    }

    const Weights& weights_;
    const skn_shape& shape_;
    const Kernels& kernels_;
    const BlockKernels& block_;
    const int threads_;
    Blocks& b_;
    const DeepRows& source_;
    const int32_t* ids_;
    const Before before_;
    const std::vector<Sequence>& sequences_;
    const Logits wanted_;
    float* logits_;
    int count_ = 0, tiles_ = 0, wanted_count_ = 0, splits_ = 1;
    std::vector<int> sequence_of_;  // each token's
    std::vector<Rows> rows_;
    Tokens mixes_[kMixes + 1], hidden_[kLoras], attended_, ffn_in_, ffn_hidden_, head_in_;
    size_t row_ = 0, turned_row_ = 0;  // numbers of DeepEmbed's, and as products leave them
    Tokens deep_x_, deep_h_, deep_hidden_, below_;
};

}  // namespace

void reserve_blocks(skn_model& model, int tokens) {
    const int threads = model.pool->threads();
    if (!model.blocks)
        model.blocks = {new Blocks, [](Blocks* blocks) { delete blocks; }};
    Blocks& b = *model.blocks;
    if (b.capacity >= tokens && b.threads >= threads) return;
    tokens = std::max(tokens, b.capacity);
    Carver counted(nullptr);
    cut(b, counted, model, tokens, threads);
    b.capacity = 0;
    model.blocks_bytes = 0;
    b.memory = Memory();
    b.memory = Memory(counted.used());
    Carver carver(b.memory.data());
    cut(b, carver, model, tokens, threads);
    b.capacity = tokens;
    b.threads = threads;
    model.blocks_bytes = counted.used();
}

bool begins(const skn_model& model, const Sequence& sequence) {
    const float* last = sequence.att_shift;  // zero only before the first token
    return model.weights.shape.layers && main_form(model) != Form::fp32 &&
           std::all_of(last, last + model.weights.shape.width, [](float x) { return x == 0; });
}

int run_block(skn_model& model, const int32_t* tokens, const std::vector<Sequence>& sequences,
              Logits wanted, float* logits, const Before& before) {
    const Sequence& last = sequences.back();
    const int count = last.first + last.count;
    reserve_blocks(model, count);
    if (const int code = read_rows(model, tokens, size_t(count), model.blocks->rows)) return code;
    BlockJob job(model, *model.blocks, tokens, before, sequences, wanted, logits);
    model.pool->run(job);
    return SKN_OK;
}

namespace {

// What one prompt is made of, and where its logits go. tokens: null where before stands for them.
struct Prompt {
    const int32_t* tokens;
    Before before;
    size_t count;
    float *last_logits, *all_logits;

    Before from(size_t token, size_t width) const {
        if (!before.residual) return {};
        return {before.residual + token * width, before.v_first + token * width};
    }
};

// All blocks of one prompt. Blocks are of one size, so that none is left with a few tokens.
int prefill(skn_model& model, const Prompt& p, const Sequence& sequence, skn_progress progress,
            void* user) {
    const size_t vocab = size_t(model.weights.shape.vocab);
    const size_t width = size_t(model.weights.shape.width);
    size_t done = 0;
    if (begins(model, sequence)) {
        float* const to = p.all_logits ? p.all_logits : p.count == 1 ? p.last_logits : nullptr;
        const int code = decode(&model, p.tokens ? p.tokens[0] : 0, p.before, sequence.att_shift,
                                sequence.wkv, sequence.ffn_shift, to);
        if (code != SKN_OK) return code;
        done = 1;
        if (p.count == 1 && progress && progress(user, 1, 1) != 0)
            return fail(SKN_CANCELLED, "stopped after 1 of 1 tokens");
    }
    const size_t left = p.count - done, blocks = (left + kBlockTokens - 1) / kBlockTokens;
    const size_t size = left ? round_up((left + blocks - 1) / blocks, size_t(kTile)) : 0;
    std::vector<Sequence> one{sequence};
    while (done < p.count) {
        one[0].count = int(std::min(size, p.count - done));
        const size_t after = done + size_t(one[0].count);
        Logits wanted = Logits::none;
        if (p.all_logits)
            wanted = Logits::all;
        else if (p.last_logits && after == p.count)
            wanted = Logits::last;
        const int code =
            run_block(model, p.tokens ? p.tokens + done : nullptr, one, wanted,
                      p.all_logits ? p.all_logits + done * vocab : p.last_logits,
                      p.from(done, width));
        if (code != SKN_OK) {
            if (done && progress) progress(user, done, p.count);
            return code;
        }
        done = after;
        if (progress && progress(user, done, p.count) != 0)
            return fail(SKN_CANCELLED, "stopped after %zu of %zu tokens", done, p.count);
    }
    if (p.all_logits && p.last_logits)
        std::memcpy(p.last_logits, p.all_logits + (p.count - 1) * vocab, vocab * sizeof(float));
    return SKN_OK;
}

}  // namespace
}  // namespace skn

extern "C" SKN_API int skn_prefill(skn_model* model, const int32_t* tokens, size_t count,
                                   float* att_shift, float* wkv, float* ffn_shift,
                                   float* last_logits, float* all_logits, skn_progress progress,
                                   void* user) {
    if (const int code = skn::check_run(model, tokens, count)) return code;
    if (count == 0 || !att_shift || !wkv || !ffn_shift)
        return skn::fail(SKN_BAD_ARGUMENT, "a prompt needs at least one token, and a state");
    try {
        return skn::prefill(*model, {tokens, {}, count, last_logits, all_logits},
                            {0, 0, att_shift, wkv, ffn_shift}, progress, user);
    } catch (const std::bad_alloc&) {
        return skn::fail(SKN_NO_MEMORY, "no memory to read %zu tokens", count);
    }
}

extern "C" SKN_API int skn_continue(skn_model* model, const float* residual, const float* v_first,
                                    size_t count, float* att_shift, float* wkv, float* ffn_shift,
                                    float* last_logits, float* all_logits) {
    if (!model || !residual || !v_first || count == 0)
        return skn::fail(SKN_BAD_ARGUMENT, "A model and what its layers go on from are needed");
    const skn_shape& shape = model->weights.shape;
    if (!model->ready) return skn::fail(SKN_NOT_READY, "The model is not ready");
    if (!shape.first_layer)
        return skn::fail(SKN_BAD_ARGUMENT, "A whole model begins with tokens");
    if (shape.layers && (!att_shift || !wkv || !ffn_shift))
        return skn::fail(SKN_BAD_ARGUMENT, "A state is needed");
    const skn::Before before{residual, v_first};
    if (count == 1)
        return skn::decode(model, 0, before, att_shift, wkv, ffn_shift,
                           all_logits ? all_logits : last_logits);
    try {
        return skn::prefill(*model, {nullptr, before, count, last_logits, all_logits},
                            {0, 0, att_shift, wkv, ffn_shift}, nullptr, nullptr);
    } catch (const std::bad_alloc&) {
        return skn::fail(SKN_NO_MEMORY, "no memory to read %zu tokens", count);
    }
}
