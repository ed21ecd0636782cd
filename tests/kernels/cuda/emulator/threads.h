// CUDA's threads on one CPU thread: every thread of a block is a coroutine that runs until it must
// wait for others. Blocks run one after the other; so a kernel whose blocks wait for each other
// cannot be emulated. Errors (a wait that never ends, a load that is not aligned, other lanes
// missing at an exchange) end the launch with a sentence.
//
// Shared variables are plain static ones: they, and the dynamic shared memory, hold NaN (all bits
// set) at each block's beginning, so that what is read before it is written is seen.
#pragma once
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct uint3 { unsigned x, y, z; };
typedef uint3 dim3;

#define __device__
#define __host__
#define __constant__
#ifndef EMULATED_GLOBAL
#define EMULATED_GLOBAL
#endif
#define __global__ EMULATED_GLOBAL
#define __shared__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
// What must outlast a block: everything else that begins as zero is taken for shared memory.
#define UNCHECKED __attribute__((no_sanitize("all"), noinline))
#define LASTING __attribute__((section(".data.lasting")))

namespace emulated {

constexpr int MAX_THREADS = 1024;
constexpr int WARPS = MAX_THREADS / 32;
constexpr size_t STACK_BYTES = 256 * 1024;

struct Copy {
  void* to;
  const void* from;
  bool valid;
  int group;
};

struct Thread {
  uint3 index;
  int warp, lane;
  void* stack_pointer;
  Copy* copies;
  int copies_open, copies_room, groups;
  bool waited;  // for the kernel before
};

using Resolve = void (*)(unsigned lanes, void** posts);

struct Warp {
  unsigned alive, ready, waiting;  // a bit for each lane
  unsigned mask[32];
  Resolve resolve[32];
  void* post[32];
};

constexpr int STORED_BYTES = 64;  // as emulator.py's

struct Memory {  // a tensor of the launch, or what kernels before have written
  const void* begin;
  size_t bytes;
  unsigned char* stored;  // 1 for each STORED_BYTES where this launch writes, if it is checked
};

struct Barrier {
  int arrived, expected;
  unsigned waiting[WARPS];
};

static Thread threads[MAX_THREADS] LASTING = {};
static Warp warps[WARPS] LASTING = {};
static Barrier barriers[16] LASTING = {};
static Thread* current LASTING = nullptr;
static void* host_stack_pointer LASTING = nullptr;
static char* stacks LASTING = nullptr;
static void* shared_bytes LASTING = nullptr;
static int dynamic_bytes LASTING = 0;
static Memory* known_memory LASTING = nullptr;
static const Memory* pending_memory LASTING = nullptr;
static int known_count LASTING = 0, pending_count LASTING = 0, waits LASTING = 0;
static bool dependent LASTING = false;
static int block_threads LASTING = 0, alive_threads LASTING = 0, warp_count LASTING = 0;
static bool backward LASTING = false;
static char problem[400] LASTING = {};
static void (*body)(void**) LASTING = nullptr;
static void** body_arguments LASTING = nullptr;

static uint3 block_index LASTING = {};
static dim3 block_size LASTING = {}, grid_size LASTING = {};

// Save the callee's registers on this stack, keep its pointer in *from, go on with the other.
extern "C" void emulated_switch(void** from, void* to) __attribute__((visibility("hidden")));
#if defined(__x86_64__)
asm(R"(
.text
.type emulated_switch, @function
emulated_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulated_switch, .-emulated_switch
)");
constexpr int SAVED_WORDS = 6;
constexpr int RETURN_WORD = 6;
#elif defined(__aarch64__)
asm(R"(
.text
.type emulated_switch, %function
emulated_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size emulated_switch, .-emulated_switch
)");
constexpr int SAVED_WORDS = 20;
constexpr int RETURN_WORD = 11;
#else
#error "the emulator switches stacks on x86-64 and aarch64 only"
#endif

// The next thread that can run: of this warp, else of another; null where all wait or are done.
static Thread* next_thread() {
  const int warp = current->warp, lane = current->lane;
  for (int i = 0; i <= warp_count; i++) {
    const int w = backward ? (warp - i + 2 * warp_count) % warp_count : (warp + i) % warp_count;
    unsigned ready = warps[w].ready;
    if (i == 0) ready &= backward ? (1u << lane) - 1 : ~((2u << lane) - 1);
    if (ready) return &threads[32 * w + (backward ? 31 - __builtin_clz(ready)
                                                  : __builtin_ctz(ready))];
  }
  return nullptr;
}

static void describe_waiting(char* to, size_t room) {
  for (int i = 0; i < block_threads; i++) {
    const Warp& w = warps[i / 32];
    if (!(w.alive >> (i % 32) & 1)) continue;
    if (w.waiting >> (i % 32) & 1) {
      snprintf(to, room, "block %u: thread %d waits for lanes %08x of its warp, there are %08x",
               block_index.x, i, w.mask[i % 32], w.waiting);
      return;
    }
    for (int id = 0; id < 16; id++)
      if (barriers[id].waiting[i / 32] >> (i % 32) & 1) {
        snprintf(to, room, "block %u: thread %d waits at barrier %d, where %d of %d threads are",
                 block_index.x, i, id, barriers[id].arrived,
                 barriers[id].expected ? barriers[id].expected : alive_threads);
        return;
      }
  }
}

__attribute__((noinline)) static void give_way() {
  Thread* from = current;
  Thread* to = next_thread();
  if (to == from) return;
  if (to) {
    current = to;
    emulated_switch(&from->stack_pointer, to->stack_pointer);
    return;
  }
  if (alive_threads) describe_waiting(problem, sizeof problem);
  emulated_switch(&from->stack_pointer, host_stack_pointer);
}

// End this launch. Does not return.
UNCHECKED static void fail(const char* why) {
  snprintf(problem, sizeof problem, "block %u,%u, thread %u: %s", block_index.x, block_index.y,
           current->index.x, why);
  emulated_switch(&current->stack_pointer, host_stack_pointer);
}

// ------------------------------------------------------------------ exchanges within a warp

// The lanes that a lane waits for, or 0 while some are missing.
static unsigned complete(const Warp& w, int lane) {
  const unsigned lanes = w.mask[lane] & w.alive;
  if ((w.waiting & lanes) != lanes) return 0;
  for (unsigned rest = lanes; rest; rest &= rest - 1) {
    const int i = __builtin_ctz(rest);
    if (w.mask[i] != w.mask[lane] || w.resolve[i] != w.resolve[lane]) return 0;
  }
  return lanes;
}
static void release(Warp& w, int lane, unsigned lanes) {
  w.resolve[lane](lanes, w.post);
  w.waiting &= ~lanes;
  w.ready |= lanes;
}
// Leave `post`, wait for the lanes of `mask`; the last one resolves for all.
static void meet(unsigned mask, void* post, Resolve resolve) {
  const int lane = current->lane;
  Warp& w = warps[current->warp];
  if (!(mask >> lane & 1)) fail("a lane takes part in an exchange whose mask leaves it out");
  w.mask[lane] = mask, w.post[lane] = post, w.resolve[lane] = resolve;
  w.waiting |= 1u << lane;
  w.ready &= ~(1u << lane);
  const unsigned lanes = complete(w, lane);
  if (lanes) release(w, lane, lanes);
  else give_way();
}

template <typename T, typename F, typename R> struct Post {
  F* f;
  T value;
  R result;
};
template <typename T, typename F, typename R> void resolve_gather(unsigned lanes, void** posts) {
  T all[32];
  memset(static_cast<void*>(all), 0xff, sizeof all);
  for (unsigned rest = lanes; rest; rest &= rest - 1) {
    const int i = __builtin_ctz(rest);
    all[i] = static_cast<Post<T, F, R>*>(posts[i])->value;
  }
  for (unsigned rest = lanes; rest; rest &= rest - 1) {
    const int i = __builtin_ctz(rest);
    auto* post = static_cast<Post<T, F, R>*>(posts[i]);
    post->result = (*post->f)(static_cast<const T(&)[32]>(all), lanes, i);
  }
}
// f(values of all lanes, lanes that are there, own lane), for all lanes while all of them wait.
template <typename T, typename F> static inline auto gather(unsigned mask, const T& value, F f) {
  using R = decltype(f(*static_cast<const T(*)[32]>(nullptr), 0u, 0));
  Post<T, F, R> post{&f, value, {}};
  meet(mask, &post, &resolve_gather<T, F, R>);
  return post.result;
}

// ------------------------------------------------------------------ barriers of a block

static void open_if_complete(Barrier& b) {
  if (!b.arrived || b.arrived < (b.expected ? b.expected : alive_threads)) return;
  b.arrived = 0;
  for (int w = 0; w < warp_count; w++) {
    warps[w].ready |= b.waiting[w];
    b.waiting[w] = 0;
  }
}
// expected: threads, or 0 for all that have not ended.
static void barrier(int id, int expected) {
  Barrier& b = barriers[id];
  if (b.arrived && b.expected != expected) fail("a barrier that threads expect others at");
  b.expected = expected;
  b.arrived++;
  b.waiting[current->warp] |= 1u << current->lane;
  warps[current->warp].ready &= ~(1u << current->lane);
  open_if_complete(b);
  if (!(warps[current->warp].ready >> current->lane & 1)) give_way();
}

static void* dynamic_shared() {
  if (!shared_bytes) fail("dynamic shared memory that the launch did not ask for");
  return shared_bytes;
}

// ------------------------------------------------------------------ asynchronous copies

UNCHECKED static void copy_later(void* to, const void* from, bool valid) {
  Thread* t = current;
  if (t->copies_open == t->copies_room) {
    t->copies_room = t->copies_room ? 2 * t->copies_room : 16;
    t->copies = static_cast<Copy*>(realloc(t->copies, t->copies_room * sizeof(Copy)));
  }
  t->copies[t->copies_open++] = {to, from, valid, t->groups};
}
static void close_copies() { current->groups++; }
UNCHECKED static void make_copies(int groups_left) {
  Thread* t = current;
  int kept = 0;
  for (int i = 0; i < t->copies_open; i++) {
    const Copy c = t->copies[i];
    if (c.group >= t->groups - groups_left) t->copies[kept++] = c;
    else if (c.valid) memcpy(c.to, c.from, 16);
    else memset(c.to, 0, 16);
  }
  t->copies_open = kept;
}

// ------------------------------------------------------------------ a block's life

__attribute__((noreturn)) static void run_thread() {
  body(body_arguments);
  Thread* t = current;
  Warp& w = warps[t->warp];
  w.alive &= ~(1u << t->lane);
  w.ready &= ~(1u << t->lane);
  alive_threads--;
  for (unsigned rest = w.waiting; rest; rest &= rest - 1) {  // whoever waited for this lane alone
    const int lane = __builtin_ctz(rest);
    if (!(w.waiting >> lane & 1)) continue;
    const unsigned lanes = complete(w, lane);
    if (lanes) release(w, lane, lanes);
  }
  for (Barrier& b : barriers) open_if_complete(b);
  give_way();
  abort();
}

static void prepare_thread(int i) {
  Thread& t = threads[i];
  t.index = {static_cast<unsigned>(i), 0, 0};
  t.warp = i / 32, t.lane = i % 32;
  t.copies_open = t.groups = 0;
  t.waited = !dependent;
  // Tops that lie apart by more than the stacks' size fall into different sets of the cache.
  char* top = stacks + (i + 1) * STACK_BYTES - (i * 7 % 61) * 128;
  uintptr_t* words = reinterpret_cast<uintptr_t*>(reinterpret_cast<uintptr_t>(top) & ~uintptr_t{15});
#if defined(__x86_64__)
  words -= 1;  // as after a call
  *words = 0;
#endif
  words -= SAVED_WORDS + (RETURN_WORD == SAVED_WORDS);
  memset(words, 0, SAVED_WORDS * sizeof *words);
  words[RETURN_WORD] = reinterpret_cast<uintptr_t>(&run_thread);
  t.stack_pointer = words;
}

extern "C" char __bss_start[] __attribute__((visibility("hidden")));
extern "C" char _end[] __attribute__((visibility("hidden")));

static bool run_block() {
  memset(__bss_start, 0xff, static_cast<size_t>(_end - __bss_start));
  if (dynamic_bytes) memset(shared_bytes, 0xff, static_cast<size_t>(dynamic_bytes));
  memset(warps, 0, sizeof warps);
  memset(barriers, 0, sizeof barriers);
  warp_count = (block_threads + 31) / 32;
  alive_threads = block_threads;
  for (int i = 0; i < block_threads; i++) {
    prepare_thread(i);
    warps[i / 32].alive |= 1u << (i % 32);
    warps[i / 32].ready |= 1u << (i % 32);
  }
  current = &threads[backward ? block_threads - 1 : 0];
  emulated_switch(&host_stack_pointer, current->stack_pointer);
  return !problem[0];
}

struct Launch {  // as emulator.py's
  unsigned grid[3];
  int block, dynamic_bytes;
  int first, step;  // blocks first, first + step, ...
  int backward;     // threads and blocks in the opposite order
  void** arguments;
  char* problem;    // 400 bytes
  Memory* memory;
  int memory_count;
  int dependent;    // the kernel before may still be running
  const Memory* pending;  // what kernels have written since all was waited for
  int pending_count;
};

static int run(void (*kernel)(void**), const Launch* launch) {
  if (!stacks) {
    void* memory = mmap(nullptr, MAX_THREADS * STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return 2;
    stacks = static_cast<char*>(memory);
  }
  body = kernel, body_arguments = launch->arguments;
  block_threads = launch->block, backward = launch->backward;
  block_size = {static_cast<unsigned>(launch->block), 1, 1};
  grid_size = {launch->grid[0], launch->grid[1], launch->grid[2]};
  problem[0] = 0;
  known_memory = launch->memory, known_count = launch->memory_count;
  pending_memory = launch->pending, pending_count = launch->pending_count;
  dependent = launch->dependent, waits = 0;
  shared_bytes = nullptr, dynamic_bytes = launch->dynamic_bytes;
  if (dynamic_bytes && posix_memalign(&shared_bytes, 128, static_cast<size_t>(dynamic_bytes)))
    return 2;
  const long long blocks = 1LL * grid_size.x * grid_size.y * grid_size.z;
  bool well = true;
  for (long long i = launch->first; well && i < blocks; i += launch->step) {
    const unsigned at = static_cast<unsigned>(backward ? blocks - 1 - i : i);
    block_index = {at % grid_size.x, at / grid_size.x % grid_size.y,
                   at / grid_size.x / grid_size.y};
    well = run_block();
  }
  free(shared_bytes);
  if (well && dependent && !waits && launch->first < blocks) {
    snprintf(problem, sizeof problem, "a dependent kernel that waits for none before it");
    well = false;
  }
  memcpy(launch->problem, problem, sizeof problem);
  return well ? 0 : 1;
}

}  // namespace emulated

#include "builtins.h"
#include "entries.h"
