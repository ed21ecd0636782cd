// What a card punishes or leaves to chance, found by the compiler's own instrumentation: the calls
// that -fsanitize puts into the code are answered here (no sanitizer's library is linked).
//
// Always: addresses that are not aligned, indices outside an array, shifts by too much, null.
// With EMULATED_MEMORY: each access must lie within a tensor of the launch, in shared memory or on
// the stack; and before wait_for_previous a dependent kernel reads only what is not being written,
// and writes nothing. Ten times as slow.
#pragma once
#include "threads.h"

namespace emulated {

struct Place {  // as the compiler lays it out
  const char* file;
  unsigned line, column;
};

__attribute__((noinline, cold)) static void fail_at(const Place& place, const char* what) {
  const char* name = place.file ? strrchr(place.file, '/') : nullptr;
  char why[200];
  snprintf(why, sizeof why, "%s at %s:%u", what, name ? name + 1 : place.file, place.line);
  fail(why);
}

}  // namespace emulated

#define EMULATED_CHECK extern "C" __attribute__((visibility("hidden"), used, no_sanitize("all")))

EMULATED_CHECK void __ubsan_handle_type_mismatch_v1_abort(emulated::Place* place, uintptr_t at) {
  emulated::fail_at(*place, at ? "an address that is not aligned" : "a null address");
}
EMULATED_CHECK void __ubsan_handle_pointer_overflow_abort(emulated::Place* place, uintptr_t,
                                                          uintptr_t) {
  emulated::fail_at(*place, "arithmetic on a null address");
}
EMULATED_CHECK void __ubsan_handle_out_of_bounds_abort(emulated::Place* place, uintptr_t index) {
  char what[80];
  snprintf(what, sizeof what, "index %lld outside its array", static_cast<long long>(index));
  emulated::fail_at(*place, what);
}
EMULATED_CHECK void __ubsan_handle_shift_out_of_bounds_abort(emulated::Place* place, uintptr_t,
                                                             uintptr_t) {
  emulated::fail_at(*place, "a shift by too much");
}
EMULATED_CHECK void __ubsan_handle_divrem_overflow_abort(emulated::Place* place, uintptr_t,
                                                         uintptr_t) {
  emulated::fail_at(*place, "a division by zero");
}
EMULATED_CHECK void __ubsan_handle_load_invalid_value_abort(emulated::Place* place, uintptr_t) {
  emulated::fail_at(*place, "a bool that is neither true nor false");
}

#ifdef EMULATED_MEMORY
extern "C" char __ehdr_start[] __attribute__((visibility("hidden")));

namespace emulated {

// None of these may be checked themselves.
static int last_touched LASTING = 0;

__attribute__((always_inline, no_sanitize("all"))) static inline bool within(const char* at, size_t size, const void* from, size_t bytes) {
  const char* begin = static_cast<const char*>(from);
  return at >= begin && at + size <= begin + bytes;
}
// Before wait_for_previous only what no kernel before may still be writing is read.
UNCHECKED static void check_early(const char* at, size_t size, bool stores) {
  if (stores) fail("a store before the wait for the kernel before");
  int from = 0, to = pending_count;  // the first part that ends after `at`: parts are in order
  while (from < to) {
    const int middle = (from + to) / 2;
    const Memory& part = pending_memory[middle];
    if (static_cast<const char*>(part.begin) + part.bytes > at) to = middle;
    else from = middle + 1;
  }
  if (from < pending_count && static_cast<const char*>(pending_memory[from].begin) < at + size)
    fail("a load, before the wait, of what a kernel before writes");
}
UNCHECKED static bool may_touch(const char* at, size_t size, bool stores) {
  const auto* here = static_cast<const char*>(__builtin_frame_address(0));
  if (!within(here, 1, stacks, MAX_THREADS * STACK_BYTES)) return true;  // not in a kernel
  if (within(at, size, stacks, MAX_THREADS * STACK_BYTES) ||
      within(at, size, __ehdr_start, static_cast<size_t>(_end - __ehdr_start)))
    return true;
  for (int i = 0; i <= known_count; i++) {
    const int tensor = i ? i - 1 : last_touched;
    if (tensor >= known_count) continue;
    Memory& m = known_memory[tensor];
    if (within(at, size, m.begin, m.bytes)) {
      last_touched = tensor;
      if (stores && m.stored) {
        const size_t offset = static_cast<size_t>(at - static_cast<const char*>(m.begin));
        m.stored[offset / STORED_BYTES] = m.stored[(offset + size - 1) / STORED_BYTES] = 1;
      }
      if (!current->waited) check_early(at, size, stores);
      return true;
    }
  }
  return within(at, size, shared_bytes, static_cast<size_t>(dynamic_bytes));
}
UNCHECKED static void check(uintptr_t address, size_t size, bool stores) {
  const char* at = reinterpret_cast<const char*>(address);
  if (may_touch(at, size, stores)) return;
  char why[200];
  long long nearest = 0;
  int tensor = -1;
  for (int i = 0; i < known_count; i++) {
    const long long past = at - static_cast<const char*>(known_memory[i].begin);
    if (past >= 0 && (tensor < 0 || past < nearest)) nearest = past, tensor = i;
  }
  snprintf(why, sizeof why, "%s of %zu bytes outside all tensors: byte %lld of tensor %d with %zu",
           stores ? "a store" : "a load", size, nearest, tensor, tensor < 0 ? 0 : known_memory[tensor].bytes);
  fail(why);
}

}  // namespace emulated

#define EMULATED_ACCESS(bytes)                                             \
  EMULATED_CHECK void __asan_load##bytes(uintptr_t at) {         \
    emulated::check(at, bytes, false);                                  \
  }                                                                        \
  EMULATED_CHECK void __asan_store##bytes(uintptr_t at) {        \
    emulated::check(at, bytes, true);                                 \
  }
EMULATED_ACCESS(1)
EMULATED_ACCESS(2)
EMULATED_ACCESS(4)
EMULATED_ACCESS(8)
EMULATED_ACCESS(16)
EMULATED_CHECK void __asan_loadN(uintptr_t at, size_t size) {
  emulated::check(at, size, false);
}
EMULATED_CHECK void __asan_storeN(uintptr_t at, size_t size) {
  emulated::check(at, size, true);
}
EMULATED_CHECK void __asan_handle_no_return() {}
#endif
