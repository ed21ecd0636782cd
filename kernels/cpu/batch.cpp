// One step of several chats at once: each weight is read once for all of them.
#include <new>

#include "prefill.h"

namespace skn {
namespace {

// Rows side by side that have read something run as one block; others begin one by one.
int run_rows(skn_model& model, const int32_t* tokens, const std::vector<Sequence>& rows,
             float* logits) {
    const size_t vocab = size_t(model.weights.shape.vocab);
    const auto at = [&](size_t row) { return logits ? logits + row * vocab : nullptr; };
    for (size_t i = 0; i < rows.size();) {
        if (begins(model, rows[i])) {
            const Sequence& s = rows[i];
            const int code =
                skn_decode(&model, tokens[i], s.att_shift, s.wkv, s.ffn_shift, at(i));
            if (code != SKN_OK) return code;
            i++;
            continue;
        }
        const size_t first = i;
        std::vector<Sequence> together;
        for (; i < rows.size() && !begins(model, rows[i]); i++) {
            together.push_back(rows[i]);
            together.back().first = int(i - first);
        }
        const int code = run_block(model, tokens + first, together,
                                   logits ? Logits::last : Logits::none, at(first));
        if (code != SKN_OK) return code;
    }
    return SKN_OK;
}

}  // namespace
}  // namespace skn

extern "C" SKN_API int skn_decode_batch(skn_model* model, int32_t n, const int32_t* tokens,
                                        float* const* att_shift, float* const* wkv,
                                        float* const* ffn_shift, float* logits) {
    if (n < 1 || n > SKN_MAX_BATCH || !att_shift || !wkv || !ffn_shift)
        return skn::fail(SKN_BAD_ARGUMENT, "a batch is of 1 to %d states", SKN_MAX_BATCH);
    if (const int code = skn::check_run(model, tokens, size_t(n))) return code;
    for (int i = 0; i < n; i++)
        if (!att_shift[i] || !wkv[i] || !ffn_shift[i])
            return skn::fail(SKN_BAD_ARGUMENT, "state %d of the batch is missing", i);
    try {
        std::vector<skn::Sequence> sequences;
        for (int i = 0; i < n; i++)
            sequences.push_back({i, 1, att_shift[i], wkv[i], ffn_shift[i]});
        return skn::run_rows(*model, tokens, sequences, logits);
    } catch (const std::bad_alloc&) {
        return skn::fail(SKN_NO_MEMORY, "no memory for a batch of %d", n);
    }
}
