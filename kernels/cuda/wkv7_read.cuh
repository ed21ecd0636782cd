// The WKV7 recurrence for reading: what its kernels share. Follows on device.cuh.
//
// Per head, with S the state [64, 64] (row = value index, column = key index), as in RWKV-7
// (https://arxiv.org/abs/2503.14456, section 3), a = -kk and b = kk * rate:
//
//   u_t = S_{t-1} a_t,   S_t = S_{t-1} diag(w_t) + u_t b_t^T + v_t k_t^T,   y_t = S_t r_t
//
// Over a chunk of 16 tokens, with P_t = w_1 .. w_t, a^ = a P_{t-1}, r^ = r P_t, b^ = b / P_t,
// k^ = k / P_t, the matrices [t][s] AB = a^ b^T, AK = a^ k^T (s < t), RB = r^ b^T, RK = r^ k^T
// (s <= t) and INV = (I - AB)^-1, this is (rows are tokens)
//
//   U = W S^T + E V,   Y = R S^T + Q V,   S' = S P_16 + U^T B + V^T K
//   W = INV a^,  E = INV AK,  R = r^ + (RB INV) a^,  Q = RK + (RB INV) AK,
//   B = b^ P_16,  K = k^ P_16
//
// W, E, R, Q, B, K do not depend on the state: read_chunks makes them for all chunks at once, as a
// record of fp16 operands. read_scan then goes through the chunks with the state in fp32 in
// registers, 16 rows of it a warp: rows do not depend on each other. The exponents of a^ .. k^ are
// taken from the middle of the chunk (they stay within e^4.9); those of a record are at most 0.
//
// A tile's lane 4 g + q has rows g and g + 8 and of its 64 columns 16 q .. 16 q + 15 (that is two
// vectors of memory); the tensor cores number them 8 j + 2 q + i for 16 q + 2 j + i. A sum over
// keys does not mind, and values come back as they went.

// D, RW, RA, RV, RG (multiples of 8), LORA (half or bf16: the type of the low-rank matrices) and
// STAGES (records that read_scan has on their way) are macros. `place`: [0] how many of T tokens
// are there (a graph is recorded for T; the room behind the text is left alone), [1] whose state.

constexpr int HEAD = 64;
constexpr int HEADS = D / HEAD;
constexpr int CHUNK = 16;
constexpr int RANKS = RW + RA + RV + RG;

// A record, by bytes: fragments by lane, ready to be read as vectors.
constexpr int AT_W = 0, AT_R = 2048, AT_B = 4096, AT_K = 6144;  // [4][32] uint4
constexpr int AT_E = 8192, AT_Q = 8704;                         // [32] uint4
constexpr int AT_DECAY = 9216;                                  // P_16 [64] float
constexpr int AT_V = 9472;                                      // [4][32] uint4: V^T, 16 rows each
constexpr int AT_BONUS = 11520;                                 // r . (k r_k) [16] float
constexpr int RECORD = 11648;

#define METHOD __device__ __forceinline__  // DEVICE of a struct: not static in the emulator

DEVICE int group() { return lane_index() >> 2; }
DEVICE int quarter() { return lane_index() & 3; }

// The column of a head that the tensor cores call 8 j + g.
DEVICE int column_of(int j, int g) { return 16 * (g >> 1) + 2 * j + (g & 1); }

DEVICE const uint4& fragment(const u8* record, int at, int i) {
  return reinterpret_cast<const uint4*>(record + at)[32 * i + lane_index()];
}
DEVICE uint4& fragment(u8* record, int at, int i) {
  return reinterpret_cast<uint4*>(record + at)[32 * i + lane_index()];
}

DEVICE void product(float (&sum)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  const u32 b[2] = {b0, b1};
  mma_fp16(sum, a, b);
}
// Two sums of 8 columns as the left operand of the next product.
DEVICE void as_left(u32 (&a)[4], const float (&x)[4], const float (&y)[4]) {
  a[0] = half2_of(x[0], x[1]), a[1] = half2_of(x[2], x[3]);
  a[2] = half2_of(y[0], y[1]), a[3] = half2_of(y[2], y[3]);
}
// The same as the right operand of it, transposed: columns 0 .. 7 (x, y), columns 8 .. 15 (z, w).
DEVICE uint4 as_right(const float (&x)[4], const float (&y)[4]) {
  return make_uint4(half2_of(x[0], x[1]), half2_of(y[0], y[1]), half2_of(x[2], x[3]),
                    half2_of(y[2], y[3]));
}

// Pairs of weights as halves.
DEVICE uint4 halves(const half*, uint4 v) { return v; }
DEVICE u32 halves_of_bf16(u32 pair) { return half2_of(low_bf16(pair), high_bf16(pair)); }
DEVICE uint4 halves(const bf16*, uint4 v) {
  return make_uint4(halves_of_bf16(v.x), halves_of_bf16(v.y), halves_of_bf16(v.z),
                    halves_of_bf16(v.w));
}

// sum [16][8] += x [16][rank] y^T [rank][8]: x's rows g and g + 8 and y's row g, in memory; the
// order in which the tensor cores take the ranks is the same for both.
template <int RANK, int TILES, typename X, typename Y>
DEVICE void add_ranks(float (&sum)[TILES][4], const X* x0, const X* x1,
                      const Y* const (&y)[TILES]) {
  const uint4 nothing = make_uint4(0, 0, 0, 0);
#pragma unroll 2
  for (int i = 0; i < RANK; i += 32) {
    const int at = i + 8 * quarter();
    const bool there = RANK % 32 == 0 || at < RANK;
    const uint4 up = there ? halves(x0, *reinterpret_cast<const uint4*>(x0 + at)) : nothing;
    const uint4 down = there ? halves(x1, *reinterpret_cast<const uint4*>(x1 + at)) : nothing;
    const u32 first[4] = {up.x, down.x, up.y, down.y}, second[4] = {up.z, down.z, up.w, down.w};
#pragma unroll
    for (int j = 0; j < TILES; j++) {
      const uint4 b = there ? halves(y[j], *reinterpret_cast<const uint4*>(y[j] + at)) : nothing;
      product(sum[j], first, b.x, b.y);
      product(sum[j], second, b.z, b.w);
    }
  }
}
