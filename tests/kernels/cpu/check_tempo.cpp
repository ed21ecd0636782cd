// The number of threads under a load that comes and goes, on a machine that is a formula.
#include "checks.h"
#include "tempo.h"

namespace check {
namespace {

// Milliseconds of a token on so many of eight equal cores; busy: another program has one of them,
// and whoever shares it waits for a turn of the scheduler.
double token_ms(int crew, bool busy) { return 24.0 / crew + (busy && crew == 8 ? 5 : 0); }

// Tokens one after the other for so many seconds; returns the share of them on `crew` threads.
double share(skn::Tempo& tempo, int crew, bool busy, double seconds) {
    int tokens = 0, wanted = 0;
    for (double left = seconds; left > 0; tokens++) {
        const double took = token_ms(tempo.crew(), busy) / 1e3;
        wanted += tempo.crew() == crew;
        left -= took;
        tempo.took(took);
    }
    return double(wanted) / tokens;
}

}  // namespace

void check_tempo(Result& result) {
    skn::Tempo one(1);
    result.expect(share(one, 1, false, 1) == 1, "one thread stays one");

    skn::Tempo tempo(8);
    share(tempo, 8, false, 1);
    const double calm = share(tempo, 8, false, 30);
    result.expect(calm > 0.98, "all threads while all is well: %.3f", calm);
    share(tempo, 7, true, 2);
    const double busy = share(tempo, 7, true, 30);
    result.expect(busy > 0.9, "one fewer while a core is taken: %.3f", busy);
    share(tempo, 8, false, 4);
    const double again = share(tempo, 8, false, 30);
    result.expect(again > 0.98, "all again afterwards: %.3f", again);

    skn::Tempo late(8);  // busy from the first token on: there is nothing to compare with
    share(late, 7, true, 2);
    const double found = share(late, 7, true, 30);
    result.expect(found > 0.9, "one fewer from the beginning: %.3f", found);
}

}  // namespace check
