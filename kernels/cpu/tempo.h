// How many threads are worth having just now. Knows nothing but times.
//
// Another program that computes takes a thread away in the middle of its piece, and all others wait
// for that one: then fewer threads are faster. Which number is, shows only by trying: windows of a
// few tokens are compared, seldom while all is well, sooner when tokens take longer than they did.
// Results do not depend on the number, so it may change at any token.
#pragma once

namespace skn {

class Tempo {
   public:
    explicit Tempo(int most) : most_(most), crew_(most) {}

    // Threads for the next token, the caller's own included.
    int crew() const { return crew_; }

    // The last token took so long.
    void took(double seconds) {
        if (most_ == 1) return;
        total_ += seconds;
        if (++tokens_ < kTokens || total_ < kSeconds) return;
        const double each = total_ / tokens_;
        total_ = 0;
        tokens_ = 0;
        trying_ ? judge(each) : consider(each);
    }

   private:
    static constexpr int kTokens = 4;          // a window has at least so many tokens
    static constexpr double kSeconds = 0.04;   // and lasts at least ten turns of the scheduler
    static constexpr double kTrouble = 1.3;    // times what a token took at best
    static constexpr double kWorthIt = 0.92;   // fewer threads must gain something
    static constexpr int kFirst = 2, kSoon = 4, kAgain = 16, kSeldom = 256, kBack = 32;  // windows

    // A window with a number that is in use: is it time to try another?
    void consider(double each) {
        usual_ = each;
        windows_++;
        if (crew_ < most_) {
            if (windows_ >= patience_) attempt(most_);
            return;
        }
        best_ = best_ > 0 && best_ * 1.01 < each ? best_ * 1.01 : each;
        const bool slow = each > best_ * kTrouble && windows_ >= kSoon;
        if (slow || windows_ >= patience_) attempt(fewer_than(crew_));
    }

    static int fewer_than(int crew) { return crew - (crew < 16 ? 1 : crew / 8); }

    void attempt(int crew) {
        before_ = crew_;
        crew_ = crew;
        trying_ = true;
        windows_ = 0;
    }

    // A window with a number on trial.
    void judge(double each) {
        trying_ = false;
        const bool fewer = crew_ < before_;
        const bool better = each < (fewer ? usual_ * kWorthIt : usual_);
        if (!better) {
            crew_ = before_;
            const int cap = crew_ < most_ ? kBack : kSeldom;
            patience_ = patience_ < kAgain ? kAgain : patience_ * 2 < cap ? patience_ * 2 : cap;
            return;
        }
        usual_ = each;
        patience_ = fewer ? kSoon : kAgain;
        if (fewer && crew_ > 1) attempt(fewer_than(crew_));
    }

    const int most_;
    int crew_, before_ = 0;
    bool trying_ = false;
    int tokens_ = 0, windows_ = 0, patience_ = kFirst;
    double total_ = 0, usual_ = 0, best_ = 0;
};

}  // namespace skn
