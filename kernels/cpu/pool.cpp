#include "pool.h"

#include <chrono>

#if defined(__linux__)
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if defined(__x86_64__) || defined(_M_X64) || defined(__i386__)
#include <immintrin.h>
#endif

namespace skn {
namespace {

// Longer than a step of a small model, far shorter than a turn of the system's scheduler.
constexpr auto kSpin = std::chrono::microseconds(60);

void relax() {
#if defined(__x86_64__) || defined(_M_X64) || defined(__i386__)
    _mm_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
    asm volatile("yield");
#endif
}

// Whoever draws a window goes first: that takes a millisecond, and a piece can wait so long. Other
// systems see to it themselves. Only the number of this thread changes, not that of the process.
void give_way() {
#if defined(__linux__)
    constexpr int kNice = 4;
    const auto thread = id_t(syscall(SYS_gettid));
    if (getpriority(PRIO_PROCESS, thread) < kNice) setpriority(PRIO_PROCESS, thread, kNice);
#endif
}

uint32_t pieces_of(uint64_t claim) { return uint32_t(claim >> 16) & 0xffff; }
uint32_t claimed_of(uint64_t claim) { return uint32_t(claim) & 0xffff; }

}  // namespace

Pool::Pool(int threads) : threads_(threads), crew_(threads) {
    workers_.reserve(size_t(threads - 1));
    try {
        for (int i = 1; i < threads; i++) workers_.emplace_back([this, i] { serve(i); });
    } catch (...) {  // the system gives no more threads: end those that run
        stopping_ = true;
        { std::lock_guard<std::mutex> lock(mutex_); }
        woken_.notify_all();
        mustered_.notify_all();
        for (auto& worker : workers_) worker.join();
        throw;
    }
}

Pool::~Pool() {
    stopping_ = true;
    { std::lock_guard<std::mutex> lock(mutex_); }
    woken_.notify_all();
    mustered_.notify_all();
    for (auto& worker : workers_) worker.join();
}

void Pool::run(Job& job, int crew) {
    muster(crew ? crew : threads_);
    job_ = &job;
    advance(claim_.load(std::memory_order_relaxed), 0);
    for (;;) {
        const uint64_t seen = claim_.load(std::memory_order_acquire);
        if (pieces_of(seen) == 0) return;
        if (!take_one(seen, 0)) wait(seen);
    }
}

void Pool::serve(int worker) {
    give_way();
    while (!stopping_.load(std::memory_order_relaxed)) {
        if (worker >= crew_.load(std::memory_order_relaxed)) rest(worker);
        const uint64_t seen = claim_.load(std::memory_order_acquire);
        if (!take_one(seen, worker)) wait(seen);
    }
}

// A thread that ends its wait between two jobs may still take a piece with the next crew: harmless.
void Pool::muster(int crew) {
    if (crew == crew_.load(std::memory_order_relaxed)) return;
    {
        std::lock_guard<std::mutex> lock(mutex_);
        crew_ = crew;
    }
    mustered_.notify_all();
}

void Pool::rest(int worker) {
    std::unique_lock<std::mutex> lock(mutex_);
    mustered_.wait(lock, [&] { return worker < crew_.load() || stopping_.load(); });
}

// False: there is nothing to claim.
bool Pool::take_one(uint64_t seen, int worker) {
    const uint32_t pieces = pieces_of(seen), mine = claimed_of(seen);
    if (mine >= pieces) return false;
    // 0xffff pieces claimed must not carry into the count: mine < pieces <= 0xffff, so it cannot.
    if (!claim_.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel,
                                      std::memory_order_relaxed))
        return true;
    // The step cannot end before this piece does, so job_ and step_ stay what they are.
    const int step = step_;
    job_->piece(step, mine, worker);
    if (finished_.fetch_add(1, std::memory_order_acq_rel) + 1 == pieces) advance(seen, step + 1);
    return true;
}

void Pool::advance(uint64_t seen, int step) {
    const uint32_t pieces = job_->begin(step);
    step_ = step;
    finished_.store(0, std::memory_order_relaxed);
    claim_.store(((seen >> 32) + 1) << 32 | uint64_t(pieces) << 16);
    if (sleepers_.load() > 0) {
        { std::lock_guard<std::mutex> lock(mutex_); }
        woken_.notify_all();
    }
}

void Pool::wait(uint64_t seen) {
    const auto until = std::chrono::steady_clock::now() + kSpin;
    do {
        for (int i = 0; i < 32; i++) {
            if (claim_.load(std::memory_order_relaxed) != seen) return;
            relax();
        }
    } while (std::chrono::steady_clock::now() < until && !stopping_.load(std::memory_order_relaxed));
    std::unique_lock<std::mutex> lock(mutex_);
    sleepers_.fetch_add(1);
    woken_.wait(lock, [&] { return claim_.load() != seen || stopping_.load(); });
    sleepers_.fetch_sub(1);
}

}  // namespace skn
