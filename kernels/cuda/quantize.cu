// Weights into groups of 64 with a scale: the rules of kernels/cpu/packing.h, so that a model holds
// the same numbers on a card and on a processor. Layouts: matrices.py. Follows on device.cuh. A warp
// has a group, each lane two neighbours of it.

constexpr int GROUP = 64;

enum Source { FROM_FP32 = 0, FROM_FP16 = 1, FROM_BF16 = 2 };

DEVICE float number_at(const void* p, u64 i, int source) {
  if (source == FROM_FP32) return static_cast<const float*>(p)[i];
  if (source == FROM_FP16) return to_float(static_cast<const half*>(p)[i]);
  return to_float(static_cast<const bf16*>(p)[i]);
}

// The scale that is not below x >= 0, so that nothing is cut off.
DEVICE bf16 bf16_above(float x) {
  return {static_cast<u16>((__float_as_uint(x) + 0xffffu) >> 16)};
}

struct Quantised {
  int first, second;  // int8: -127 .. 127; q4: a level's number
  bf16 scale;
};

struct ToInt8 {
  static METHOD Quantised of(float x, float y) {
    const float top = warp_max(fmaxf(fabsf(x), fabsf(y)));
    if (!(top > 1e-30f)) return {0, 0, {0}};
    const bf16 scale = bf16_above(top / 127.0f);
    const float by = 1.0f / to_float(scale);
    return {__float2int_rn(x * by), __float2int_rn(y * by), scale};
  }
};

// ------------------------------------------------------------------ q4

DEVICE int level(int i) {
  constexpr int LEVELS[16] = {-127, -97, -77, -60, -46, -33, -21, -9,
                              2,    13,  24,  36,  49,  64,  82,  107};
  return LEVELS[i];
}

// The nearest level's number, and the level.
DEVICE int nearest(float x, float& at) {
  int number = 0;
  at = -127.0f;
#pragma unroll
  for (int i = 0; i < 15; i++)
    if (x > 0.5f * static_cast<float>(level(i) + level(i + 1))) {
      number = i + 1;
      at = static_cast<float>(level(i + 1));
    }
  return number;
}

// Fitted by least squares to the levels that another scale led to; explained, of the numbers'
// squares: more is better.
struct Fit {
  float scale, explained;
};
DEVICE Fit fit(float x, float y, float scale, float sign) {
  const float by = 1.0f / scale;
  float a, b;
  nearest(x * by, a);
  nearest(y * by, b);
  const float up = warp_sum(fmaf(y, b, x * a)), down = warp_sum(fmaf(b, b, a * a));
  if (!(down > 0.0f) || !(up * sign > 0.0f)) return {0.0f, -1.0f};
  return {up / down, up * (up / down)};
}

struct ToQ4 {
  static METHOD Quantised of(float x, float y) {
    const float highest = warp_max(fmaxf(x, y)), lowest = -warp_max(fmaxf(-x, -y));
    bf16 scale = {0};
    if (fmaxf(highest, -lowest) > 1e-30f) {
      float best = -1.0f, found = 0.0f;
      for (int plus = 0; plus < 2; plus++) {
        // The longest scale at which both ends are inside the table, and shorter ones.
        const float longest = fmaxf((plus ? highest : -lowest) / 107.0f,
                                    (plus ? -lowest : highest) / 127.0f);
        for (int start = 0; start < 3; start++) {
          float s = (plus ? longest : -longest) *
                    (start == 0 ? 0.98f : start == 1 ? 0.88f : 0.78f);
          for (int round = 0; round < 2; round++) {
            const Fit made = fit(x, y, s, plus ? 1.0f : -1.0f);
            if (made.explained > 0.0f) s = made.scale;
            if (made.explained > best) best = made.explained, found = made.scale;
          }
        }
      }
      scale = to_bf16(found);
    }
    const float s = to_float(scale);
    if (s == 0.0f) return {8, 8, {0}};
    const float by = 1.0f / s;
    float a;
    const int first = nearest(x * by, a), second = nearest(y * by, a);
    return {first, second, scale};
  }
};

// ------------------------------------------------------------------ layouts

// x [groups * 64] -> data, scales [groups].
template <typename To, bool NIBBLES>
DEVICE void quantise_rows(const void* x, u8* data, bf16* scales, long long groups, int source) {
  const u64 group = static_cast<u64>(blockIdx.x) * 8 + warp_index();
  if (group >= static_cast<u64>(groups)) return;
  const u64 i = group * GROUP + 2 * lane_index();
  const Quantised q = To::of(number_at(x, i, source), number_at(x, i + 1, source));
  if (lane_index() == 0) scales[group] = q.scale;
  if (NIBBLES) {
    data[i / 2] = static_cast<u8>(q.first | q.second << 4);
  } else {
    reinterpret_cast<u16*>(data)[i / 2] =
        static_cast<u16>((q.first & 255) | (q.second & 255) << 8);
  }
}

// x [rows][k] -> data [k][width], scales [k / 64][width]: its columns first .. first + rows. A
// block has 64 rows and a group of k.
template <typename To, bool NIBBLES>
DEVICE void quantise_by_input(const void* x, u8* data, bf16* scales, long long k, long long width,
                              long long first, int source) {
  __shared__ u8 tile[GROUP][GROUP + 4];  // [input][row]
  const u64 row0 = static_cast<u64>(blockIdx.x) * GROUP, group = blockIdx.y;
  const int lane = lane_index();
  for (int r = warp_index(); r < GROUP; r += 8) {
    const u64 i = (row0 + r) * k + group * GROUP + 2 * lane;
    const Quantised q = To::of(number_at(x, i, source), number_at(x, i + 1, source));
    if (lane == 0) scales[group * width + first + row0 + r] = q.scale;
    tile[2 * lane][r] = static_cast<u8>(q.first), tile[2 * lane + 1][r] = static_cast<u8>(q.second);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < GROUP * (NIBBLES ? 32 : 64); i += 256) {
    const int input = i / (NIBBLES ? 32 : 64), at = i % (NIBBLES ? 32 : 64);
    const u64 to = (group * GROUP + input) * width + first + row0;
    if (NIBBLES)
      data[to / 2 + at] =
          static_cast<u8>(tile[input][2 * at] | tile[input][2 * at + 1] << 4);
    else
      data[to + at] = tile[input][at];
  }
}

KERNEL(256)
int8_rows(const void* x, u8* data, bf16* scales, long long groups, long long source) {
  quantise_rows<ToInt8, false>(x, data, scales, groups, static_cast<int>(source));
}
KERNEL(256)
q4_rows(const void* x, u8* data, bf16* scales, long long groups, long long source) {
  quantise_rows<ToQ4, true>(x, data, scales, groups, static_cast<int>(source));
}
KERNEL(256)
int8_by_input(const void* x, u8* data, bf16* scales, long long k, long long width, long long first,
              long long source) {
  quantise_by_input<ToInt8, false>(x, data, scales, k, width, first, static_cast<int>(source));
}
KERNEL(256)
q4_by_input(const void* x, u8* data, bf16* scales, long long k, long long width, long long first,
            long long source) {
  quantise_by_input<ToQ4, true>(x, data, scales, k, width, first, static_cast<int>(source));
}
