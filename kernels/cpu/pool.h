// Threads that work through jobs of several steps. Knows nothing of models.
//
// A job is a row of steps; a step is a number of pieces that may run in any order, on any thread.
// Pieces are claimed one at a time, so a thread that is late or taken away by the system holds up
// at most the piece it has. Whoever finishes the last piece of a step runs the serial work between
// this step and the next. Nobody waits for a thread that holds nothing.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace skn {

class Job {
   public:
    // Serial: prepares step `step` (0, 1, ...) and returns its number of pieces; 0 ends the job.
    virtual uint32_t begin(int step) = 0;
    // One piece of it, on thread `worker` (0 is the caller). Results must not depend on `worker`.
    virtual void piece(int step, uint32_t piece, int worker) = 0;

   protected:
    ~Job() = default;
};

class Pool {
   public:
    static constexpr uint32_t kMaxPieces = 0xffff;

    explicit Pool(int threads);
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    int threads() const { return threads_; }

    // Runs the job to its end on so many of the threads (0: all); one run at a time.
    void run(Job& job, int crew = 0);

    // body(piece, worker) for every piece below `pieces`, which may be any number.
    template <class Body>
    void each(uint32_t pieces, const Body& body) {
        struct Loop final : Job {
            Loop(uint32_t pieces, const Body& body) : pieces(pieces), body(body) {}
            uint32_t begin(int step) override {
                const uint32_t done = uint32_t(step) * kMaxPieces;
                if (uint32_t(step) > pieces / kMaxPieces) return 0;
                return pieces - done < kMaxPieces ? pieces - done : kMaxPieces;
            }
            void piece(int step, uint32_t piece, int worker) override {
                body(uint32_t(step) * kMaxPieces + piece, worker);
            }
            uint32_t pieces;
            const Body& body;
        } loop(pieces, body);
        run(loop);
    }

   private:
    void serve(int worker);
    void muster(int crew);
    void rest(int worker);
    bool take_one(uint64_t seen, int worker);
    void advance(uint64_t seen, int step);
    void wait(uint64_t seen);

    const int threads_;
    Job* job_ = nullptr;
    int step_ = 0;
    std::vector<std::thread> workers_;
    // tag (32 bits, grows with every step) | pieces of the step (16) | pieces claimed (16).
    // One word says it all, so a claim can never land in a step that is over.
    alignas(64) std::atomic<uint64_t> claim_{0};
    alignas(64) std::atomic<uint32_t> finished_{0};
    alignas(64) std::atomic<int> sleepers_{0};
    std::atomic<bool> stopping_{false};
    std::mutex mutex_;
    std::condition_variable woken_;
    std::atomic<int> crew_;  // threads from this number on rest
    std::condition_variable mustered_;
};

}  // namespace skn
