// A kernel's arguments, unpacked from what a launch brings, and its door to emulator.py.
#pragma once
#include "threads.h"

namespace emulated {

template <typename T> struct Kind { static constexpr char value = 's'; };  // by value: its bytes
template <typename T> struct Kind<T*> { static constexpr char value = 'p'; };
template <> struct Kind<long long> { static constexpr char value = 'i'; };
template <> struct Kind<unsigned long long> { static constexpr char value = 'i'; };
template <> struct Kind<long> { static constexpr char value = 'i'; };
template <> struct Kind<unsigned long> { static constexpr char value = 'i'; };
template <> struct Kind<int> { static constexpr char value = 'i'; };
template <> struct Kind<unsigned> { static constexpr char value = 'i'; };
template <> struct Kind<float> { static constexpr char value = 'f'; };

template <int... I> struct Indices {};
template <int N, int... I> struct MakeIndices : MakeIndices<N - 1, N - 1, I...> {};
template <int... I> struct MakeIndices<0, I...> { using type = Indices<I...>; };

template <auto kernel> struct Entry;
template <typename... A, void (*kernel)(A...)> struct Entry<kernel> {
  template <int... I> static void call(void** arguments, Indices<I...>) {
    kernel(*static_cast<A*>(arguments[I])...);
  }
  static void body(void** arguments) {
    call(arguments, typename MakeIndices<sizeof...(A)>::type());
  }
  static const char* kinds() {
    static const char of[] = {Kind<A>::value..., 0};
    return of;
  }
};

}  // namespace emulated

// What build.py puts after the sources, for each kernel.
#define EMULATED_KERNEL(name)                                                                \
  extern "C" __attribute__((visibility("default"))) int run_##name(                          \
      const emulated::Launch* launch) {                                                      \
    return emulated::run(&emulated::Entry<&name>::body, launch);                             \
  }                                                                                          \
  extern "C" __attribute__((visibility("default"))) const char* kinds_##name() {             \
    return emulated::Entry<&name>::kinds();                                                  \
  }
