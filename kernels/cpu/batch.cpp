// One step of several chats at once: each weight is read once for all of them.
#include <new>

#include "prefill.h"

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
        skn::run_block(*model, tokens, sequences, logits ? skn::Logits::last : skn::Logits::none,
                       logits);
        return SKN_OK;
    } catch (const std::bad_alloc&) {
        return skn::fail(SKN_NO_MEMORY, "no memory for a batch of %d", n);
    }
}
