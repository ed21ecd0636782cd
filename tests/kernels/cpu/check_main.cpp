// Runs all native checks on every instruction set that this machine has, or on those it is told.
// Returns 0 only if all was right: `check_kernels [set ...]`.
#include "checks.h"

using namespace check;

namespace {

bool asked_for(const char* isa, int count, char** names) {
    for (int i = 1; i < count; i++)
        if (std::strcmp(names[i], isa) == 0) return true;
    return count == 1;
}

bool there_is(const char* name) {
    for (int i = 0; const char* isa = skn_cpu_available(i); i++)
        if (std::strcmp(name, isa) == 0) return true;
    return false;
}

void check_set(Result& result, const char* isa) {
    const int before = result.wrong, compared = result.compared;
    check_curves(result, isa);
    check_packing(result, isa);
    check_products(result, isa);
    check_blocks(result, isa);
    check_head(result, isa);
    check_model(result, isa);
    check_deep_model(result, isa);
    std::printf("%-14s %5d compared, %d wrong\n", isa, result.compared - compared,
                result.wrong - before);
    std::fflush(stdout);
}

}  // namespace

int main(int count, char** names) {
    Result result;
    std::printf("chosen here: %s\n", skn_cpu() ? skn_cpu() : "none");
    for (int i = 1; i < count; i++)
        result.expect(there_is(names[i]), "no instruction set %s here", names[i]);
    for (int i = 0; const char* isa = skn_cpu_available(i); i++)
        if (asked_for(isa, count, names)) check_set(result, isa);
    check_refusals(result);
    check_deep_refusals(result);
    check_tokenizer(result);
    check_sampler(result);
    check_tempo(result);
    std::printf("%d compared, %d wrong\n", result.compared, result.wrong);
    return result.wrong ? 1 : 0;
}
