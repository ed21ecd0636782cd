// The tiles of rows_product.cuh for weights by inputs [K, R]: follows on it.

// How lanes take weights out of shared memory: of int8 and q4 those of 8 neighbouring rows
// r = 64 side + 8 g .. for one k (InputPiece), of 16 bits whole tiles. Pieces of a k's rows: moved
// by `turn`, within the 64 rows.
template <int KIND> struct InputPiece;
template <> struct InputPiece<INT8> {
  static constexpr int TURNS = 2;
  uint2 word;
  __device__ __forceinline__ void take(const u8* of_k, int side, int turn, int g) {
    word = *reinterpret_cast<const uint2*>(of_k + 16 * ((4 * side + g / 2) ^ turn) + g % 2 * 8);
  }
  __device__ __forceinline__ void bytes(u32 (&x)[2]) const { x[0] = word.x, x[1] = word.y; }
};
template <> struct InputPiece<Q4> {
  static constexpr int TURNS = 0;
  u32 word;
  __device__ __forceinline__ void take(const u8* of_k, int side, int turn, int g) {
    word = *reinterpret_cast<const u32*>(of_k + 16 * ((2 * side + g / 4) ^ turn) + g % 4 * 4);
  }
  __device__ __forceinline__ void bytes(u32 (&x)[2]) const { nibbles_to_levels(word, x[0], x[1]); }
};

// pair[r] = the weights of row r for two neighbouring k.
template <int KIND>
DEVICE void join(u32 (&pair)[8], const InputPiece<KIND>& even, const InputPiece<KIND>& odd) {
  u32 x[2], y[2];
  even.bytes(x), odd.bytes(y);
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const u32 low = byte_perm(x[i], y[i], 0x5140) ^ 0x80808080u;   // rows 0 and 1, k in turn
    const u32 high = byte_perm(x[i], y[i], 0x7362) ^ 0x80808080u;  // rows 2 and 3
    pair[4 * i] = bytes_to_halves<0x4140>(low), pair[4 * i + 1] = bytes_to_halves<0x4342>(low);
    pair[4 * i + 2] = bytes_to_halves<0x4140>(high);
    pair[4 * i + 3] = bytes_to_halves<0x4342>(high);
  }
}

// A warp's half of a chunk: 16 MT rows and 32 of k. a[step][t]: 16 rows and 16 of k, as the tensor
// cores have them. MT: 4 of int8 and q4, 2 or 4 of 16 bits.
template <int KIND, int K_BYTES, int MT> struct InputTake {
  using Piece = InputPiece<KIND>;
  static __device__ __forceinline__ int turn_of(int k) { return k / 8 % 4 * 2 & Piece::TURNS; }
  static __device__ __forceinline__ int x_turn(int row) { return row % 2 * 4; }
  static __device__ __forceinline__ void take(u32 (&a)[2][MT][4], const u8* from, int k, int side) {
    static_assert(MT == 4, "pieces of 64 rows");
    const int g = lane_index() >> 2, first = k + 8 * (lane_index() & 3);
#pragma unroll
    for (int i = 0; i < 4; i++) {
      Piece even, odd;
      even.take(from + (first + 2 * i) * K_BYTES, side, turn_of(first), g);
      odd.take(from + (first + 2 * i + 1) * K_BYTES, side, turn_of(first), g);
      u32 pair[8];
      join<KIND>(pair, even, odd);
#pragma unroll
      for (int t = 0; t < 4; t++)
        a[i / 2][t][i % 2 * 2] = pair[2 * t], a[i / 2][t][i % 2 * 2 + 1] = pair[2 * t + 1];
    }
  }
  // 8 rows of activations, from `row` on, whose 16 bytes number `piece` begin these 32 of k.
  static __device__ __forceinline__ void take_x(u32 (&b)[4], const u8* row, int stride, int piece) {
    const int g = lane_index() >> 2, q = lane_index() & 3;
    const uint4 x = shared16(row + g * stride + 16 * ((piece + q) ^ x_turn(g)));
    b[0] = x.x, b[1] = x.y, b[2] = x.z, b[3] = x.w;
  }
};
template <int KIND, int K_BYTES, int MT> struct InputTiles {  // fp16, bf16
  static __device__ __forceinline__ int turn_of(int k) { return k & 7; }
  static __device__ __forceinline__ int x_turn(int row) { return row & 7; }
  static __device__ __forceinline__ void take(u32 (&a)[2][MT][4], const u8* from, int k, int side) {
    const int tile = lane_index() >> 3, mine = k + tile / 2 * 8 + (lane_index() & 7);
#pragma unroll
    for (int step = 0; step < 2; step++)
#pragma unroll
      for (int t = 0; t < MT; t++) {
        const int piece = (2 * (MT * side + t) + tile % 2) ^ turn_of(mine);
        ldmatrix_x4_transposed(a[step][t], from + (mine + 16 * step) * K_BYTES + 16 * piece);
        if constexpr (KIND == BF16)
#pragma unroll
          for (int i = 0; i < 4; i++) a[step][t][i] = bf16_to_halves(a[step][t][i]);
      }
  }
  static __device__ __forceinline__ void take_x(u32 (&b)[4], const u8* row, int stride, int piece) {
    const int mine = lane_index() & 7, at = piece + (lane_index() >> 3);
    ldmatrix_x4(b, row + mine * stride + 16 * (at ^ x_turn(mine)));
  }
};
template <int K_BYTES, int MT>
struct InputTake<FP16, K_BYTES, MT> : InputTiles<FP16, K_BYTES, MT> {};
template <int K_BYTES, int MT>
struct InputTake<BF16, K_BYTES, MT> : InputTiles<BF16, K_BYTES, MT> {};

// As TileByRows, of a matrix by inputs with COUNT rows: 16 TILES of them for each of SIDE warps
// beside each other, 64 or more together; of a stage each of DEEP (2, 4, ...) warps has half a
// chunk. sum[t][n][i]: of int8 and q4 row 8 g + 2 t + i / 2 of the warp, else as of TileByRows.
template <int KIND, int K, int COUNT, int ROWS_, typename Cut> struct TileByInputs {
  static constexpr int INPUTS = K, CHUNKS = Cut::DEEP / 2, THREADS = Cut::THREADS;
  static constexpr int HEIGHT = Cut::HEIGHT, NT = ROWS_ / ROW_TILE, ALL = K / GROUP;
  static constexpr int ACTIVATIONS = ROWS_ * Cut::DIGITS, AHEAD_BYTES = Cut::AHEAD_BYTES;
  static constexpr int K_BYTES = bytes_of(KIND, HEIGHT), PIECES = K_BYTES / 16;
  static constexpr int SCALE_BYTES = scaled(KIND) ? 2 * HEIGHT * CHUNKS : 0;  // after the weights
  static constexpr int SCALES = CHUNKS * GROUP * K_BYTES, WEIGHT_BYTES = SCALES + SCALE_BYTES;
  static constexpr int STAGE_BYTES = WEIGHT_BYTES + ACTIVATIONS * CHUNKS * X_BYTES;
  static constexpr int STAGES = at_most(Cut::BYTES / STAGE_BYTES, MOST_STAGES);
  static constexpr int MT = Cut::TILES;
  using Take = InputTake<KIND, K_BYTES, MT>;
  static_assert(COUNT % HEIGHT == 0 && HEIGHT % 64 == 0, "no part of a tile");

  Weights w;
  int first;
  float sum[MT][NT][4];

  __device__ __forceinline__ TileByInputs(Weights w_, int first_) : w(w_), first(first_), sum{} {}
  __device__ __forceinline__ void start(int, int) {}
  __device__ __forceinline__ void copy_weights(u8* to, int stage) const {
#pragma unroll
    for (int n = 0; n < CHUNKS * GROUP * PIECES / THREADS; n++) {
      const int i = n * THREADS + static_cast<int>(threadIdx.x);
      const int k = i / PIECES, piece = i % PIECES, at = stage * CHUNKS * GROUP + k;
      const bool valid = ALL % CHUNKS == 0 || at < K;
      cp_async_line<WEIGHT_LINE>(to + k * K_BYTES + 16 * (piece ^ Take::turn_of(k)),
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
    copy_activations<K, ACTIVATIONS, CHUNKS, THREADS>(to, x, stage, Take::x_turn);
  }
  __device__ __forceinline__ void fetch_ahead(int begin, int end) const {
    for (int k = begin * CHUNKS * GROUP + threadIdx.x; k < min(end * CHUNKS * GROUP, K);
         k += THREADS)
      prefetch_l2(w.data + static_cast<u64>(k) * bytes_of(KIND, COUNT) + bytes_of(KIND, first),
                  K_BYTES);
  }
  __device__ __forceinline__ void use(const u8* from, int stage) {
    const int part = warp_index() % Cut::DEEP, side = warp_index() / Cut::DEEP, chunk = part / 2;
    if (ALL % CHUNKS && stage * CHUNKS + chunk >= ALL) return;
    u32 a[2][MT][4];
    Take::take(a, from, 32 * part, side);
    u32 scales[4] = {};
    if constexpr (scaled(KIND)) {
      const uint4 all =
          shared16(from + SCALES + 2 * (chunk * HEIGHT + 64 * side + 8 * (lane_index() >> 2)));
      scales[0] = all.x, scales[1] = all.y, scales[2] = all.z, scales[3] = all.w;
    }
    constexpr int X_ROW = CHUNKS * X_BYTES;
#pragma unroll
    for (int n = 0; n < NT; n++) {
      float some[MT][4] = {};
#pragma unroll
      for (int digit = Cut::DIGITS - 1; digit >= 0; digit--) {
        u32 b[4];
        Take::take_x(b, from + WEIGHT_BYTES + (digit * ROWS_ + n * ROW_TILE) * X_ROW, X_ROW,
                     4 * part);
#pragma unroll
        for (int step = 0; step < 2; step++)
#pragma unroll
          for (int t = 0; t < MT; t++)
            mma_fp16(scaled(KIND) ? some[t] : sum[t][n], a[step][t],
                     {b[2 * step], b[2 * step + 1]});
      }
      if constexpr (scaled(KIND)) {
#pragma unroll
        for (int t = 0; t < MT; t++)
#pragma unroll
          for (int i = 0; i < 4; i++)
            sum[t][n][i] =
                fmaf(some[t][i], i < 2 ? low_bf16(scales[t]) : high_bf16(scales[t]), sum[t][n][i]);
      }
    }
  }
};
