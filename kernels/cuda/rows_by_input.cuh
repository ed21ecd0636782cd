// The tiles of rows_product.cuh for weights by inputs [K, R]: follows on it.

// Weights of 8 neighbouring rows r = 64 side + 8 g .. for one k, as a lane takes them. Pieces of a
// k's rows: moved by `turn`.
template <int KIND> struct InputPiece {
  static constexpr int TURNS = 6;  // bits of `turn` that stay within the 64 rows
  uint4 word;
  __device__ __forceinline__ void take(const u8* of_k, int side, int turn, int g) {
    word = shared16(of_k + 16 * ((8 * side + g) ^ turn));
  }
};
template <> struct InputPiece<INT8> {
  static constexpr int TURNS = 2;
  uint2 word;
  __device__ __forceinline__ void take(const u8* of_k, int side, int turn, int g) {
    word = *reinterpret_cast<const uint2*>(of_k + 16 * ((4 * side + g / 2) ^ turn) + g % 2 * 8);
  }
};
template <> struct InputPiece<Q4> {
  static constexpr int TURNS = 0;
  u32 word;
  __device__ __forceinline__ void take(const u8* of_k, int side, int turn, int g) {
    word = *reinterpret_cast<const u32*>(of_k + 16 * ((2 * side + g / 4) ^ turn) + g % 4 * 4);
  }
};

// pair[r] = the weights of row r for two neighbouring k.
template <int KIND>
DEVICE void join(u32 (&pair)[8], const InputPiece<KIND>& even, const InputPiece<KIND>& odd) {
  if constexpr (KIND == FP16 || KIND == BF16) {
    const u32 x[4] = {even.word.x, even.word.y, even.word.z, even.word.w};
    const u32 y[4] = {odd.word.x, odd.word.y, odd.word.z, odd.word.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const u32 low = byte_perm(x[i], y[i], 0x5410), high = byte_perm(x[i], y[i], 0x7632);
      pair[2 * i] = KIND == BF16 ? bf16_to_halves(low) : low;
      pair[2 * i + 1] = KIND == BF16 ? bf16_to_halves(high) : high;
    }
  } else {
    u32 x[2], y[2];
    if constexpr (KIND == INT8) {
      x[0] = even.word.x, x[1] = even.word.y, y[0] = odd.word.x, y[1] = odd.word.y;
    } else {
      nibbles_to_levels(even.word, x[0], x[1]);
      nibbles_to_levels(odd.word, y[0], y[1]);
    }
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const u32 low = byte_perm(x[i], y[i], 0x5140) ^ 0x80808080u;   // rows 0 and 1, k in turn
      const u32 high = byte_perm(x[i], y[i], 0x7362) ^ 0x80808080u;  // rows 2 and 3
      pair[4 * i] = bytes_to_halves<0x4140>(low), pair[4 * i + 1] = bytes_to_halves<0x4342>(low);
      pair[4 * i + 2] = bytes_to_halves<0x4140>(high);
      pair[4 * i + 3] = bytes_to_halves<0x4342>(high);
    }
  }
}

// As TileByRows, of a matrix by inputs with COUNT rows: 64 of them (TILES 4) for each of SIDE warps
// beside each other; of a stage each of DEEP (2, 4, ...) warps has half a chunk. sum[t][n][i]: row
// 8 g + 2 t + i / 2 of the warp.
template <int KIND, int K, int COUNT, int ROWS_, typename Cut> struct TileByInputs {
  using Piece = InputPiece<KIND>;
  static constexpr int INPUTS = K, CHUNKS = Cut::DEEP / 2, THREADS = Cut::THREADS;
  static constexpr int HEIGHT = Cut::HEIGHT, NT = ROWS_ / ROW_TILE, ALL = K / GROUP;
  static constexpr int ACTIVATIONS = ROWS_ * Cut::DIGITS, AHEAD_BYTES = Cut::AHEAD_BYTES;
  static constexpr int K_BYTES = bytes_of(KIND, HEIGHT), PIECES = K_BYTES / 16;
  static constexpr int SCALE_BYTES = scaled(KIND) ? 2 * HEIGHT * CHUNKS : 0;  // after the weights
  static constexpr int SCALES = CHUNKS * GROUP * K_BYTES, WEIGHT_BYTES = SCALES + SCALE_BYTES;
  static constexpr int STAGE_BYTES = WEIGHT_BYTES + ACTIVATIONS * CHUNKS * X_BYTES;
  static constexpr int STAGES = at_most(Cut::BYTES / STAGE_BYTES, MOST_STAGES);
  static_assert(COUNT % HEIGHT == 0 && Cut::TILES == 4, "no part of a tile");

  Weights w;
  int first;
  float sum[4][NT][4];

  __device__ __forceinline__ TileByInputs(Weights w_, int first_) : w(w_), first(first_), sum{} {}
  __device__ __forceinline__ void start(int, int) {}
  static __device__ __forceinline__ int turn_of(int k) { return k / 8 % 4 * 2 & Piece::TURNS; }
  __device__ __forceinline__ void copy_weights(u8* to, int stage) const {
#pragma unroll
    for (int n = 0; n < CHUNKS * GROUP * PIECES / THREADS; n++) {
      const int i = n * THREADS + static_cast<int>(threadIdx.x);
      const int k = i / PIECES, piece = i % PIECES, at = stage * CHUNKS * GROUP + k;
      const bool valid = ALL % CHUNKS == 0 || at < K;
      cp_async_line<WEIGHT_LINE>(to + k * K_BYTES + 16 * (piece ^ turn_of(k)),
                                 w.data + static_cast<u64>(valid ? at : 0) * bytes_of(KIND, COUNT) +
                                     bytes_of(KIND, first) + 16 * piece,
                                 valid);
    }
    if constexpr (scaled(KIND)) {
      constexpr int OF_CHUNK = HEIGHT / 8;
      for (int i = threadIdx.x; i < CHUNKS * OF_CHUNK; i += THREADS) {
        const int chunk = stage * CHUNKS + i / OF_CHUNK;
        const bool valid = chunk < ALL;
        cp_async(to + SCALES + 16 * i,
                 w.scales + static_cast<u64>(valid ? chunk : 0) * COUNT + first + i % OF_CHUNK * 8,
                 valid);
      }
    }
  }
  __device__ __forceinline__ void copy_activations_of(u8* to, const half* x, int stage) const {
    copy_activations<K, ACTIVATIONS, CHUNKS, THREADS>(to, x, stage,
                                                      [](int row) { return row % 2 * 4; });
  }
  __device__ __forceinline__ void fetch_ahead(int begin, int end) const {
    for (int k = begin * CHUNKS * GROUP + threadIdx.x; k < min(end * CHUNKS * GROUP, K);
         k += THREADS)
      prefetch_l2(w.data + static_cast<u64>(k) * bytes_of(KIND, COUNT) + bytes_of(KIND, first),
                  K_BYTES);
  }
  __device__ __forceinline__ void use(const u8* from, int stage) {
    const int g = lane_index() >> 2, q = lane_index() & 3;
    const int part = warp_index() % Cut::DEEP, side = warp_index() / Cut::DEEP, chunk = part / 2;
    if (ALL % CHUNKS && stage * CHUNKS + chunk >= ALL) return;
    Piece piece[8];  // k 32 part + 8 q ..
#pragma unroll
    for (int i = 0; i < 8; i++)
      piece[i].take(from + (32 * part + 8 * q + i) * K_BYTES, side, turn_of(8 * q), g);
    u32 a[4][8];
#pragma unroll
    for (int i = 0; i < 4; i++) join<KIND>(a[i], piece[2 * i], piece[2 * i + 1]);
    u32 scales[4] = {};
    if constexpr (scaled(KIND)) {
      const uint4 all = shared16(from + SCALES + 2 * (chunk * HEIGHT + 64 * side + 8 * g));
      scales[0] = all.x, scales[1] = all.y, scales[2] = all.z, scales[3] = all.w;
    }
    const int turn = (g & 1) * 4, at = 4 * part + q;
    const u8* x = from + WEIGHT_BYTES + g * CHUNKS * X_BYTES + 16 * (at ^ turn);
#pragma unroll
    for (int n = 0; n < NT; n++) {
      float some[4][4] = {};
#pragma unroll
      for (int digit = Cut::DIGITS - 1; digit >= 0; digit--) {
        const uint4 b = shared16(x + (digit * ROWS_ + n * ROW_TILE) * CHUNKS * X_BYTES);
        const u32 pair[4] = {b.x, b.y, b.z, b.w};
#pragma unroll
        for (int j = 0; j < 4; j += 2)
#pragma unroll
          for (int t = 0; t < 4; t++)
            mma_fp16(scaled(KIND) ? some[t] : sum[t][n],
                     {a[j][2 * t], a[j][2 * t + 1], a[j + 1][2 * t], a[j + 1][2 * t + 1]},
                     {pair[j], pair[j + 1]});
      }
      if constexpr (scaled(KIND)) {
#pragma unroll
        for (int t = 0; t < 4; t++)
#pragma unroll
          for (int i = 0; i < 4; i++)
            sum[t][n][i] =
                fmaf(some[t][i], i < 2 ? low_bf16(scales[t]) : high_bf16(scales[t]), sum[t][n][i]);
      }
    }
  }
};
