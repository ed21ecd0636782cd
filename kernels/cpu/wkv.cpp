// One head of the time mix over a run of tokens, for tests: no model needed.
#include <new>
#include <vector>

#include "gemm.h"
#include "model.h"

namespace skn {
namespace {

// The planes in the header's order; each [tokens, N].
HeadRun run_over(const float* planes, const float* vectors, size_t tokens, bool first_layer) {
    const size_t plane = tokens * kHead;
    HeadRun run{};
    run.tokens = int(tokens);
    run.stride = kHead;
    const float** arrays[] = {&run.r, &run.k, &run.v, &run.w_, &run.a_, &run.v_, &run.g_};
    for (size_t i = 0; i < 7; i++) *arrays[i] = planes + i * plane;
    if (first_layer) run.v_ = nullptr;
    const float** own[] = {&run.w0,  &run.a0,  &run.v0,   &run.k_k,
                           &run.k_a, &run.r_k, &run.ln_w, &run.ln_b};
    for (size_t i = 0; i < 8; i++) *own[i] = vectors + i * kHead;
    return run;
}

}  // namespace
}  // namespace skn

extern "C" SKN_API int skn_test_head(const char* isa, const float* planes, const float* vectors,
                                     size_t tokens, int32_t first_layer, float* v_first,
                                     float* state, float* y) {
    using namespace skn;
    const Kernels* kernels = choose_kernels(isa);
    if (!kernels) return fail(SKN_UNSUPPORTED, "no such instruction set");
    if (!planes || !vectors || !v_first || !state || !y || tokens == 0)
        return fail(SKN_BAD_ARGUMENT, "a head needs all of its arrays");
    try {
        HeadRun run = run_over(planes, vectors, tokens, first_layer != 0);
        run.v_first = v_first;
        run.state = state;
        std::vector<float> scratch(size_t(kHeadArrays) * tokens * kHead);
        run.scratch = scratch.data();
        Memory memory(Tokens::bytes(Form::fp32, int(tokens), kHead));
        const Tokens out = Tokens::over(memory.data(), Form::fp32, int(tokens), kHead);
        run.out = &out;
        kernels->blocks->head(run);
        for (int t = 0; t < run.tokens; t++)
            for (int i = 0; i < kHead; i++)
                y[t * kHead + i] =
                    reinterpret_cast<const float*>(out.at(t / kTile, i))[t % kTile];
        return SKN_OK;
    } catch (const std::bad_alloc&) {
        return fail(SKN_NO_MEMORY, "no memory for a head");
    }
}
