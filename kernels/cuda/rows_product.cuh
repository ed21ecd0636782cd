// Products of a weight matrix and 8 to 64 rows of activations (fp16; or two digits of it, whose sum
// is meant) on the tensor cores: every weight is read once, in its own type. Follows on device.cuh
// and gemv.cuh (Kind, Weights, the levels of q4). Knows no model.
//
// A block has a tile of weight rows, and goes along k by stages of some chunks (64 of k): stages of
// weights and activations are copied into shared memory, several ahead of the one in use. What is
// under way is thus as much as a stage's bytes say, not what registers are left.
//
// The order of k within a chunk does not matter to a sum, so each lane takes neighbours: lane
// 4 g + q has of a row g the 16 weights of its quarter q, and of the activations the same. Weights
// of int8 and q4 are whole numbers in fp16, exactly; their scale comes after the sum. In shared
// memory, pieces of 16 bytes change places within a row so that lanes meet no bank twice.

constexpr int ROW_TILE = 8;       // activation rows of one product of the tensor cores
constexpr int MOST_STAGES = 12;
constexpr int X_BYTES = 2 * GROUP;  // of a row's activations of a chunk

DEVICE constexpr int bytes_of(int kind, int count) {
  return kind == Q4 ? count / 2 : kind == INT8 ? count : 2 * count;
}
DEVICE constexpr int at_most(int n, int most) { return n < most ? n : most; }

// Two bytes (signed, as stored, flipped by 0x80) at `places` of a word as halves, exactly.
template <u32 PLACES> DEVICE u32 bytes_to_halves(u32 flipped) {
  return half2_add(byte_perm(flipped, 0x64646464u, PLACES), 0xe480e480u);  // 1024 + b - 1152
}
DEVICE u32 bf16_to_halves(u32 pair) { return half2_of(low_bf16(pair), high_bf16(pair)); }
DEVICE uint4 shared16(const u8* from) { return *reinterpret_cast<const uint4*>(from); }

// How a product is cut: SIDE and DEEP warps of a block beside each other and along k, TILES of 16
// weight rows a warp, BYTES of shared memory for a block's stages, and AHEAD_BYTES of its weights
// that are fetched to L2 before the wait, beyond the first stages. DIGITS of each activation.
template <int SIDE_, int DEEP_, int TILES_, int BYTES_, int AHEAD_BYTES_, int DIGITS_>
struct Shape {
  static constexpr int SIDE = SIDE_, DEEP = DEEP_, TILES = TILES_, BYTES = BYTES_;
  static constexpr int AHEAD_BYTES = AHEAD_BYTES_, DIGITS = DIGITS_;
  static constexpr int THREADS = 32 * SIDE * DEEP, HEIGHT = 16 * TILES * SIDE;
  template <int OTHER> using WithTiles = Shape<SIDE, DEEP, OTHER, BYTES, AHEAD_BYTES, DIGITS>;
};

// A number's second digit: what is left when it is rounded to fp16.
DEVICE float rest_of(float x) { return x - to_float(to_half(x)); }

// ------------------------------------------------------------------ stages

// The activations of a stage, [ROWS][CHUNKS] of 64. x [ROWS][K]; chunks beyond K are zeros.
// turn(row): how its pieces change places.
template <int K, int ROWS_, int CHUNKS, int THREADS, typename Turn>
DEVICE void copy_activations(u8* to, const half* x, int stage, Turn turn) {
  constexpr int PIECES = CHUNKS * X_BYTES / 16;
#pragma unroll
  for (int n = 0; n < quotient_up(ROWS_ * PIECES, THREADS); n++) {
    const int i = n * THREADS + static_cast<int>(threadIdx.x);
    if (ROWS_ * PIECES % THREADS && i >= ROWS_ * PIECES) break;
    const int row = i / PIECES, piece = i % PIECES;
    const int k = stage * CHUNKS * GROUP + 8 * piece;
    cp_async(to + row * CHUNKS * X_BYTES + 16 * (piece ^ turn(row)),
             x + row * K + (K / GROUP % CHUNKS == 0 || k < K ? k : 0),
             K / GROUP % CHUNKS == 0 || k < K);
  }
}

// Takes tile.use(memory of the stage, stage) through the stages of part `part` of PARTS, and ends
// with nothing under way. Waits for the kernel before once the first weights are. When all copies
// are under way, spare() may ask the memory for more.
template <int PARTS, typename Tile, typename Spare>
DEVICE void go_along(Tile& tile, u8* memory, const half* x, int part, Spare spare) {
  constexpr int STAGES = Tile::STAGES;
  constexpr int EARLY = at_most(EARLY_STAGES, STAGES - 1);  // before the wait
  constexpr int AHEAD_STAGES = quotient_up(Tile::AHEAD_BYTES, Tile::WEIGHT_BYTES);
  static_assert(STAGES >= 2, "too little shared memory");
  constexpr int ALL = quotient_up(Tile::INPUTS, GROUP * Tile::CHUNKS);
  const int begin = ALL * part / PARTS, end = ALL * (part + 1) / PARTS;
  tile.start(begin * Tile::CHUNKS, end * Tile::CHUNKS);
#pragma unroll
  for (int i = 0; i < EARLY; i++)
    if (begin + i < end) tile.copy_weights(memory + i * Tile::STAGE_BYTES, begin + i);
  if constexpr (AHEAD_STAGES > 0)
    tile.fetch_ahead(begin + EARLY, min(begin + EARLY + AHEAD_STAGES, end));
  start_next_and_wait();
  const auto copy = [&](int place, int stage, bool weights) {
    u8* to = memory + place * Tile::STAGE_BYTES;
    if (stage < end) {
      if (weights) tile.copy_weights(to, stage);
      tile.copy_activations_of(to + Tile::WEIGHT_BYTES, x, stage);
    }
    cp_async_commit();
  };
#pragma unroll
  for (int i = 0; i < STAGES - 1; i++) copy(i, begin + i, i >= EARLY);
  int now = 0, free = STAGES - 1;
#pragma unroll 1
  for (int stage = begin; stage < end; stage++) {
    cp_async_wait<STAGES - 2>();
    __syncthreads();  // all see this stage, and none uses the one before
    copy(free, stage + STAGES - 1, true);
    if (stage == max(begin, end - STAGES)) spare();
    tile.use(memory + now * Tile::STAGE_BYTES, stage);
    free = now;
    now = now == STAGES - 1 ? 0 : now + 1;
  }
  cp_async_wait<0>();
  __syncthreads();
}

// ------------------------------------------------------------------ weights by rows [R, K]

// How a warp takes a chunk out of shared memory: 16 rows of weights as a[step of 16 k], 8 rows of
// activations as b[2 step], b[2 step + 1]; each as the tensor cores have it. Pieces of a row lie
// chunk by chunk, and change places by turn_of(row) and x_turn(row).
template <int KIND, int ROW_BYTES> struct RowPiece {  // fp16, bf16
  static __device__ __forceinline__ int turn_of(int row) { return row & 7; }
  static __device__ __forceinline__ int x_turn(int row) { return row & 7; }
  static __device__ __forceinline__ void take(u32 (&a)[4][4], const u8* rows, int chunk) {
    const int row = lane_index() & 15, high = lane_index() >> 4;
#pragma unroll
    for (int step = 0; step < 4; step++) {
      const int piece = (8 * chunk + 2 * step + high) ^ turn_of(row);
      ldmatrix_x4(a[step], rows + row * ROW_BYTES + 16 * piece);
      if constexpr (KIND == BF16)
#pragma unroll
        for (int i = 0; i < 4; i++) a[step][i] = bf16_to_halves(a[step][i]);
    }
  }
  template <int X_ROW>
  static __device__ __forceinline__ void take_x(u32 (&b)[2][4], const u8* rows, int chunk) {
    const int row = lane_index() & 7, piece = 8 * chunk + (lane_index() >> 3);
    ldmatrix_x4(b[0], rows + row * X_ROW + 16 * (piece ^ x_turn(row)));
    ldmatrix_x4(b[1], rows + row * X_ROW + 16 * ((piece + 4) ^ x_turn(row)));
  }
};

// Of int8 and q4: lane 4 g + q has the k 16 q .. of its rows. SPAN: bytes of a row that four lanes
// take at once; ABREAST rows share 128 bytes, and MEET such meet in the banks.
template <int KIND, int ROW_BYTES> struct ScaledRowPiece {
  static constexpr int SPAN = KIND == INT8 ? 64 : 32, ABREAST = at_least_1(128 / ROW_BYTES);
  static constexpr int MEET = at_least_1(128 / (SPAN * ABREAST));
  static __device__ __forceinline__ int turn_of(int row) {
    return row / ABREAST % MEET * (SPAN / 16);
  }
  static __device__ __forceinline__ int x_turn(int row) { return row & 1; }
  static __device__ __forceinline__ void expand(u32 (&pair)[8], const u8* row, int at, int turn) {
    u32 bytes[4];
    if constexpr (KIND == INT8) {
      const uint4 word = shared16(row + 16 * (at / 16 ^ turn));
      bytes[0] = word.x, bytes[1] = word.y, bytes[2] = word.z, bytes[3] = word.w;
    } else {
      const uint2 word = *reinterpret_cast<const uint2*>(row + 16 * (at / 16 ^ turn) + at % 16);
      nibbles_to_levels(word.x, bytes[0], bytes[1]);
      nibbles_to_levels(word.y, bytes[2], bytes[3]);
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
      pair[2 * i] = bytes_to_halves<0x4140>(bytes[i] ^ 0x80808080u);
      pair[2 * i + 1] = bytes_to_halves<0x4342>(bytes[i] ^ 0x80808080u);
    }
  }
  static __device__ __forceinline__ void take(u32 (&a)[4][4], const u8* rows, int chunk) {
    const int g = lane_index() >> 2, q = lane_index() & 3, at = SPAN * chunk + SPAN / 4 * q;
#pragma unroll
    for (int i = 0; i < 2; i++) {
      u32 pair[8];
      expand(pair, rows + (g + 8 * i) * ROW_BYTES, at, turn_of(g));
#pragma unroll
      for (int step = 0; step < 4; step++)
        a[step][i] = pair[2 * step], a[step][i + 2] = pair[2 * step + 1];
    }
  }
  template <int X_ROW>
  static __device__ __forceinline__ void take_x(u32 (&b)[2][4], const u8* rows, int chunk) {
    const int g = lane_index() >> 2, piece = 8 * chunk + 2 * (lane_index() & 3);
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const uint4 x = shared16(rows + g * X_ROW + 16 * ((piece + i) ^ x_turn(g)));
      b[i][0] = x.x, b[i][1] = x.y, b[i][2] = x.z, b[i][3] = x.w;
    }
  }
};
template <int ROW_BYTES>
struct RowPiece<INT8, ROW_BYTES> : ScaledRowPiece<INT8, ROW_BYTES> {};
template <int ROW_BYTES> struct RowPiece<Q4, ROW_BYTES> : ScaledRowPiece<Q4, ROW_BYTES> {};

// A block's tile of 16 MT rows for each of SIDE warps beside each other; of a stage each of DEEP
// warps has a chunk. sum[m][n][i]: row 16 m + 8 (i / 2) + g of the warp, activation row
// 8 n + 2 q + i % 2. K a multiple of 64.
template <int KIND, int K, int ROWS_, int PARTS, typename Cut> struct TileByRows {
  static constexpr int INPUTS = K, CHUNKS = Cut::DEEP, THREADS = Cut::THREADS, MT = Cut::TILES;
  static constexpr int HEIGHT = Cut::HEIGHT, NT = ROWS_ / ROW_TILE, ALL = K / GROUP;
  static constexpr int ACTIVATIONS = ROWS_ * Cut::DIGITS, AHEAD_BYTES = Cut::AHEAD_BYTES;
  static constexpr int ROW_BYTES = bytes_of(KIND, GROUP) * CHUNKS, PIECES = ROW_BYTES / 16;
  static constexpr int WEIGHT_BYTES = HEIGHT * ROW_BYTES;
  static constexpr int STAGE_BYTES = WEIGHT_BYTES + ACTIVATIONS * CHUNKS * X_BYTES;
  // Scales of a tile's row: those of a part, begun at a multiple of 8; odd, for the banks.
  static constexpr int SCALE_EIGHTS =
      quotient_up(quotient_up(quotient_up(ALL, CHUNKS), PARTS) * CHUNKS + 7, 8) | 1;
  static constexpr int SCALE_BYTES = scaled(KIND) ? HEIGHT * SCALE_EIGHTS * 16 : 0;
  static constexpr int STAGES = at_most((Cut::BYTES - SCALE_BYTES) / STAGE_BYTES, MOST_STAGES);
  using Piece = RowPiece<KIND, ROW_BYTES>;

  // What a thread copies of a stage: pieces of rows that are STEP from one another.
  static constexpr int COPIES = HEIGHT * PIECES / THREADS, STEP = THREADS / PIECES;

  Weights w;
  int first, rows;  // of the matrix: rows from `rows` on are the last one's
  u32 from[COPIES];
  u16* scales;
  int first_scale;
  float sum[MT][NT][4];

  __device__ __forceinline__ TileByRows(Weights w_, int first_, int rows_, u8* memory)
      : w(w_), first(first_), rows(rows_),
        scales(reinterpret_cast<u16*>(memory + STAGES * STAGE_BYTES)), first_scale(0), sum{} {
    const int row = threadIdx.x / PIECES, piece = threadIdx.x % PIECES;
    w.data += static_cast<u64>(first) * bytes_of(KIND, K);
#pragma unroll
    for (int n = 0; n < COPIES; n++)
      from[n] = min(row + n * STEP, rows - 1 - first) * bytes_of(KIND, K) + 16 * piece;
  }
  // The scales of the chunks from `begin` to `end`; they belong to the first stage.
  __device__ __forceinline__ void start(int begin, int end) {
    if constexpr (scaled(KIND)) {
      constexpr int STEP = ALL % 8 ? 1 : 8;
      first_scale = begin / STEP * STEP;
      const int count = quotient_up(min(end, ALL) - first_scale, STEP);
      for (int i = threadIdx.x; i < HEIGHT * count; i += THREADS) {
        const int row = i / count, at = i % count * STEP;
        u16* to = scales + row * SCALE_EIGHTS * 8 + at;
        const bf16* from = w.scales + static_cast<u64>(min(first + row, rows - 1)) * ALL +
                           first_scale + at;
        if constexpr (STEP == 8) cp_async(to, from);
        else *to = load_streamed2(from);
      }
    }
  }
  __device__ __forceinline__ void copy_weights(u8* to, int stage) const {
    const int row = threadIdx.x / PIECES, piece = threadIdx.x % PIECES;
    const u32 at = stage * ROW_BYTES;
    const bool valid = ALL % CHUNKS == 0 || at + 16 * piece < bytes_of(KIND, K);
    to += row * ROW_BYTES + 16 * (piece ^ Piece::turn_of(row));
    static_assert(STEP % 8 == 0, "pieces change places alike");
#pragma unroll
    for (int n = 0; n < COPIES; n++)
      cp_async_line<WEIGHT_LINE>(to + n * STEP * ROW_BYTES,
                                 w.data + (from[n] + (valid ? at : 0)), valid);
  }
  // The stages from `begin` to `end`, to L2.
  __device__ __forceinline__ void fetch_ahead(int begin, int end) const {
    const int bytes = min(end * ROW_BYTES, bytes_of(KIND, K)) - begin * ROW_BYTES;
    if (bytes <= 0) return;
    for (int row = threadIdx.x; row < min(HEIGHT, rows - first); row += THREADS)
      prefetch_l2(w.data + static_cast<u64>(row) * bytes_of(KIND, K) + begin * ROW_BYTES, bytes);
  }
  __device__ __forceinline__ void copy_activations_of(u8* to, const half* x, int stage) const {
    copy_activations<K, ACTIVATIONS, CHUNKS, THREADS>(to, x, stage, Piece::x_turn);
  }
  __device__ __forceinline__ void use(const u8* from, int stage) {
    const int chunk = warp_index() % CHUNKS, all = stage * CHUNKS + chunk;
    if (ALL % CHUNKS && all >= ALL) return;
    const int mine = warp_index() / CHUNKS * 16 * MT;
    u32 a[MT][4][4];
    float scale[MT][2];
#pragma unroll
    for (int m = 0; m < MT; m++) {
      const int row = mine + 16 * m;
      Piece::take(a[m], from + row * ROW_BYTES, chunk);
      if constexpr (scaled(KIND)) {
        const u16* of = scales + (row + (lane_index() >> 2)) * SCALE_EIGHTS * 8 + all - first_scale;
        scale[m][0] = to_float(bf16{of[0]}), scale[m][1] = to_float(bf16{of[SCALE_EIGHTS * 64]});
      }
    }
    constexpr int TOGETHER = at_most(NT, at_least_1(4 / MT));  // so many sums grow in turn
    constexpr int X_ROW = CHUNKS * X_BYTES;
#pragma unroll
    for (int n = 0; n < NT; n += TOGETHER) {
      float part[TOGETHER][MT][4] = {};
#pragma unroll
      for (int digit = Cut::DIGITS - 1; digit >= 0; digit--) {
        const u8* x = from + WEIGHT_BYTES + (digit * ROWS_ + n * ROW_TILE) * X_ROW;
        u32 b[TOGETHER][2][4];
#pragma unroll
        for (int i = 0; i < TOGETHER; i++)
          Piece::template take_x<X_ROW>(b[i], x + i * ROW_TILE * X_ROW, chunk);
#pragma unroll
        for (int step = 0; step < 4; step++)
#pragma unroll
          for (int i = 0; i < TOGETHER; i++)
#pragma unroll
            for (int m = 0; m < MT; m++)
              mma_fp16(scaled(KIND) ? part[i][m] : sum[m][n + i], a[m][step],
                       {b[i][step / 2][step % 2 * 2], b[i][step / 2][step % 2 * 2 + 1]});
      }
      if constexpr (scaled(KIND)) {
#pragma unroll
        for (int i = 0; i < TOGETHER; i++)
#pragma unroll
          for (int m = 0; m < MT; m++)
#pragma unroll
            for (int s = 0; s < 4; s++)
              sum[m][n + i][s] = fmaf(part[i][m][s], scale[m][s / 2], sum[m][n + i][s]);
      }
    }
  }
};

// ------------------------------------------------------------------ the shares of warps

// Adds the sums of WK warps, in their order, through shared memory: from there to done(row of the
// tile, activation row, value), by these warps. Each has room [8 NT][TILE + 4] of its own, TILE =
// 16 MT, where BYTES are enough for that; else they add one after the other. BY_INPUT: how the sums
// lie. warp: which of them this is, side: which of the SIDES beside each other. The whole block
// comes here.
template <int MT, int NT, int WK, int SIDES, int BYTES, bool BY_INPUT, typename Done>
DEVICE void gather_shares(const float (&sum)[MT][NT][4], u8* memory, int side, int warp,
                          Done done) {
  constexpr int TILE = 16 * MT, STRIDE = TILE + 4, ROOM = 8 * NT * STRIDE;
  constexpr bool AT_ONCE = WK * SIDES * ROOM * 4 <= BYTES;
  constexpr int TURNS = AT_ONCE ? 1 : WK, SHARES = AT_ONCE ? WK : 1;
  static_assert(SHARES * SIDES * ROOM * 4 <= BYTES, "too little shared memory");
  const int g = lane_index() >> 2, q = lane_index() & 3;
  const auto row_of = [g](int m, int i) {
    return BY_INPUT ? 8 * g + 2 * m + i / 2 : 16 * m + 8 * (i / 2) + g;
  };
  float* mine = reinterpret_cast<float*>(memory) + side * SHARES * ROOM;
  float* to = mine + (AT_ONCE ? warp * ROOM : 0);
#pragma unroll 1
  for (int turn = 0; turn < TURNS; turn++) {
    if (AT_ONCE || warp == turn) {
#pragma unroll
      for (int m = 0; m < MT; m++)
#pragma unroll
        for (int n = 0; n < NT; n++)
#pragma unroll
          for (int i = 0; i < 4; i++) {
            float& at = to[(8 * n + 2 * q + i % 2) * STRIDE + row_of(m, i)];
            at = turn ? at + sum[m][n][i] : sum[m][n][i];
          }
    }
    __syncthreads();
  }
#pragma unroll 8
  for (int n = 0; n < TILE * NT * 8 / (WK * 32); n++) {
    const int i = (n * WK + warp) * 32 + lane_index(), at = i / TILE * STRIDE + i % TILE;
    float value = mine[at];
#pragma unroll
    for (int share = 1; share < SHARES; share++) value += mine[share * ROOM + at];
    done(i % TILE, i / TILE, value);
  }
}
