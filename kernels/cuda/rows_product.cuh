// Products of a weight matrix and 8 to 64 rows of activations (fp16) on the tensor cores of warps:
// every weight is read once, straight into the registers that the tensor cores take it from.
// Follows on device.cuh and gemv.cuh (Kind, Weights, the levels of q4). Knows no model.
//
// The order of k within 64 of them does not matter to a sum, so each lane's loads are neighbours in
// memory: lane 4 g + q has of a row g the 16 weights of its quarter q, and of the activations the
// same. Weights of int8 and q4 are whole numbers in fp16, exactly; their scale comes after the sum.

constexpr int ROW_TILE = 8;  // activation rows of one product of the tensor cores

// Two bytes (signed, as stored, flipped by 0x80) at `places` of a word as halves, exactly.
template <u32 PLACES> DEVICE u32 bytes_to_halves(u32 flipped) {
  return half2_add(byte_perm(flipped, 0x64646464u, PLACES), 0xe480e480u);  // 1024 + b - 1152
}
DEVICE u32 bf16_to_halves(u32 pair) { return half2_of(low_bf16(pair), high_bf16(pair)); }

// ------------------------------------------------------------------ weights by rows [R, K]

// What a lane loads of 64 weights of a row, and its 8 pairs of neighbours in k.
template <int KIND> struct RowPiece {  // fp16, bf16: k 8 q .. and 32 + 8 q ..
  static constexpr int NEXT = 32, QUARTER = 8;
  uint4 word[2];
  __device__ __forceinline__ void fetch(Weights w, int row, int chunk, int k, int q) {
    const u8* at = w.data + (static_cast<u64>(row) * k + chunk * GROUP + 8 * q) * 2;
    word[0] = load_streamed(at), word[1] = load_streamed(at + 64);
  }
  __device__ __forceinline__ void expand(u32 (&pair)[8]) const {
    const u32 all[8] = {word[0].x, word[0].y, word[0].z, word[0].w,
                        word[1].x, word[1].y, word[1].z, word[1].w};
#pragma unroll
    for (int i = 0; i < 8; i++) pair[i] = KIND == BF16 ? bf16_to_halves(all[i]) : all[i];
  }
  __device__ __forceinline__ float scale() const { return 1.0f; }
};
template <> struct RowPiece<INT8> {  // k 16 q ..
  static constexpr int NEXT = 8, QUARTER = 16;
  uint4 word;
  u16 scale_bits;
  __device__ __forceinline__ void fetch(Weights w, int row, int chunk, int k, int q) {
    word = load_streamed(w.data + static_cast<u64>(row) * k + chunk * GROUP + 16 * q);
    scale_bits = load_streamed2(w.scales + static_cast<u64>(row) * (k / GROUP) + chunk);
  }
  __device__ __forceinline__ void expand(u32 (&pair)[8]) const {
    const u32 all[4] = {word.x, word.y, word.z, word.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
      pair[2 * i] = bytes_to_halves<0x4140>(all[i] ^ 0x80808080u);
      pair[2 * i + 1] = bytes_to_halves<0x4342>(all[i] ^ 0x80808080u);
    }
  }
  __device__ __forceinline__ float scale() const { return to_float(bf16{scale_bits}); }
};
template <> struct RowPiece<Q4> {  // k 16 q ..
  static constexpr int NEXT = 8, QUARTER = 16;
  uint2 word;
  u16 scale_bits;
  __device__ __forceinline__ void fetch(Weights w, int row, int chunk, int k, int q) {
    word = load_streamed8(w.data + (static_cast<u64>(row) * k + chunk * GROUP) / 2 + 8 * q);
    scale_bits = load_streamed2(w.scales + static_cast<u64>(row) * (k / GROUP) + chunk);
  }
  __device__ __forceinline__ void expand(u32 (&pair)[8]) const {
    const u32 all[2] = {word.x, word.y};
#pragma unroll
    for (int i = 0; i < 2; i++) {
      u32 levels[2];
      nibbles_to_levels(all[i], levels[0], levels[1]);
#pragma unroll
      for (int j = 0; j < 2; j++) {
        pair[4 * i + 2 * j] = bytes_to_halves<0x4140>(levels[j] ^ 0x80808080u);
        pair[4 * i + 2 * j + 1] = bytes_to_halves<0x4342>(levels[j] ^ 0x80808080u);
      }
    }
  }
  __device__ __forceinline__ float scale() const { return to_float(bf16{scale_bits}); }
};

// 16 activations of a lane as the 8 pairs that belong to those of RowPiece. x: the row's chunk.
template <int KIND> DEVICE void fetch_activations(u32 (&pair)[8], const half* x) {
  const uint4 a = *reinterpret_cast<const uint4*>(x);
  const uint4 b = *reinterpret_cast<const uint4*>(x + RowPiece<KIND>::NEXT);
  pair[0] = a.x, pair[1] = a.y, pair[2] = a.z, pair[3] = a.w;
  pair[4] = b.x, pair[5] = b.y, pair[6] = b.z, pair[7] = b.w;
}

// sum += the weights' rows `first` + 16 m + g and + 8 times the activations' rows 8 n + .., over
// the chunks (64 of k) begin, begin + step, ... below end, by one warp. Rows from `rows` on are the
// last one's. x [>= 8 NT, K]. Waits for the kernel before, once the first weights are under way.
template <int KIND, int K, int MT, int NT>
DEVICE void multiply(float (&sum)[MT][NT][4], Weights w, int first, int rows, const half* x,
                     int begin, int end, int step) {
  using Piece = RowPiece<KIND>;
  const int g = lane_index() >> 2, q = lane_index() & 3;
  constexpr int DEPTH = NT > 4 || !scaled(KIND) ? 2 : KIND == Q4 ? 4 : 3;  // chunks under way
  Piece piece[DEPTH][MT][2];
  const auto fetch = [&](Piece (&to)[MT][2], int chunk) {
    if (chunk >= end) return;
#pragma unroll
    for (int m = 0; m < MT; m++)
#pragma unroll
      for (int i = 0; i < 2; i++)
        to[m][i].fetch(w, min(first + 16 * m + 8 * i + g, rows - 1), chunk, K, q);
  };
#pragma unroll
  for (int i = 0; i < DEPTH; i++) fetch(piece[i], begin + i * step);
  start_next_and_wait();
  x += g * K + Piece::QUARTER * q;
  const auto use = [&](const Piece (&from)[MT][2], int chunk) {
    u32 a[MT][2][8];
#pragma unroll
    for (int m = 0; m < MT; m++) from[m][0].expand(a[m][0]), from[m][1].expand(a[m][1]);
#pragma unroll
    for (int n = 0; n < NT; n++) {
      u32 b[8];
      fetch_activations<KIND>(b, x + n * ROW_TILE * K + chunk * GROUP);
#pragma unroll
      for (int m = 0; m < MT; m++) {
        float part[4] = {};
        float (&to)[4] = scaled(KIND) ? part : sum[m][n];
#pragma unroll
        for (int j = 0; j < 4; j++)
          mma_fp16(to, {a[m][0][2 * j], a[m][1][2 * j], a[m][0][2 * j + 1], a[m][1][2 * j + 1]},
                   {b[2 * j], b[2 * j + 1]});
        if constexpr (scaled(KIND))
#pragma unroll
          for (int i = 0; i < 4; i++)
            sum[m][n][i] = fmaf(part[i], from[m][i / 2].scale(), sum[m][n][i]);
      }
    }
  };
#pragma unroll 1
  for (int chunk = begin; chunk < end; chunk += DEPTH * step) {
#pragma unroll
    for (int i = 0; i < DEPTH; i++) {
      const int at = chunk + i * step;
      if (at < end) use(piece[i], at);
      fetch(piece[i], at + DEPTH * step);
    }
  }
}

// ------------------------------------------------------------------ weights by inputs [K, R]

// Weights of 8 neighbouring rows r for one k, as a lane loads them.
template <int KIND> struct InputPiece {
  uint4 word;
  __device__ __forceinline__ void fetch(Weights w, int k, int rows, int row) {
    word = load_streamed(w.data + (static_cast<u64>(k) * rows + row) * 2);
  }
};
template <> struct InputPiece<INT8> {
  uint2 word;
  __device__ __forceinline__ void fetch(Weights w, int k, int rows, int row) {
    word = load_streamed8(w.data + static_cast<u64>(k) * rows + row);
  }
};
template <> struct InputPiece<Q4> {
  u32 word;
  __device__ __forceinline__ void fetch(Weights w, int k, int rows, int row) {
    word = load_streamed4(w.data + (static_cast<u64>(k) * rows + row) / 2);
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

// As multiply, for the weights' rows `first` .. + 63 of a matrix by inputs: sum[t][n][i] is that of
// row `first` + 8 g + 2 t + i / 2 and of the activations' row 8 n + 2 q + i % 2.
template <int KIND, int K, int ROWS_, int NT>
DEVICE void multiply_by_input(float (&sum)[4][NT][4], Weights w, int first, const half* x,
                              int begin, int end, int step) {
  using Piece = InputPiece<KIND>;
  const int g = lane_index() >> 2, q = lane_index() & 3, row = first + 8 * g;
  Piece piece[2][8];  // of both halves of a chunk: k 32 h + 8 q ..
  const auto fetch = [&](int half_, int chunk) {
    if (chunk >= end) return;
#pragma unroll
    for (int i = 0; i < 8; i++)
      piece[half_][i].fetch(w, chunk * GROUP + 32 * half_ + 8 * q + i, ROWS_, row);
  };
  fetch(0, begin);
  fetch(1, begin);
  start_next_and_wait();
  x += g * K + 8 * q;
#pragma unroll 1
  for (int chunk = begin; chunk < end; chunk += step) {
    uint4 scale_bits = make_uint4(0, 0, 0, 0);
    if constexpr (scaled(KIND))
      scale_bits = load_streamed(w.scales + static_cast<u64>(chunk) * ROWS_ + row);
    u32 a[2][4][8];
    const auto add = [&](float (&to)[4], int half_, int t, uint4 b) {
      const u32 (&of)[4][8] = a[half_];
      mma_fp16(to, {of[0][2 * t], of[0][2 * t + 1], of[1][2 * t], of[1][2 * t + 1]}, {b.x, b.y});
      mma_fp16(to, {of[2][2 * t], of[2][2 * t + 1], of[3][2 * t], of[3][2 * t + 1]}, {b.z, b.w});
    };
    const auto expand = [&](int half_) {
#pragma unroll
      for (int i = 0; i < 4; i++)
        join<KIND>(a[half_][i], piece[half_][2 * i], piece[half_][2 * i + 1]);
      fetch(half_, chunk + step);
    };
    const half* at = x + chunk * GROUP;
    if constexpr (scaled(KIND)) {
      const u32 scales[4] = {scale_bits.x, scale_bits.y, scale_bits.z, scale_bits.w};
      expand(0), expand(1);
#pragma unroll
      for (int n = 0; n < NT; n++) {
        const uint4 b = *reinterpret_cast<const uint4*>(at + n * ROW_TILE * K);
        const uint4 c = *reinterpret_cast<const uint4*>(at + n * ROW_TILE * K + 32);
#pragma unroll
        for (int t = 0; t < 4; t++) {
          float part[4] = {};
          add(part, 0, t, b), add(part, 1, t, c);
#pragma unroll
          for (int i = 0; i < 4; i++)
            sum[t][n][i] =
                fmaf(part[i], i < 2 ? low_bf16(scales[t]) : high_bf16(scales[t]), sum[t][n][i]);
        }
      }
    } else {
#pragma unroll
      for (int half_ = 0; half_ < 2; half_++) {
        expand(half_);
#pragma unroll
        for (int n = 0; n < NT; n++) {
          const uint4 b = *reinterpret_cast<const uint4*>(at + n * ROW_TILE * K + 32 * half_);
#pragma unroll
          for (int t = 0; t < 4; t++) add(sum[t][n], half_, t, b);
        }
      }
    }
  }
}

// ------------------------------------------------------------------ the shares of warps

// Adds the sums of WK warps, one after the other, in shared memory [8 NT][TILE + 4], TILE = 16 MT:
// from there to done(row of the tile, activation row, value), by these warps. BY_INPUT: how the
// sums lie. warp: which of them this is. The whole block comes here, each side with its memory.
template <int MT, int NT, int WK, bool BY_INPUT, typename Done>
DEVICE void gather_shares(const float (&sum)[MT][NT][4], float* memory, int warp, Done done) {
  constexpr int TILE = 16 * MT, STRIDE = TILE + 4;
  const int g = lane_index() >> 2, q = lane_index() & 3;
#pragma unroll 1
  for (int turn = 0; turn < WK; turn++) {
    if (warp == turn) {
#pragma unroll
      for (int m = 0; m < MT; m++)
#pragma unroll
        for (int n = 0; n < NT; n++)
#pragma unroll
          for (int i = 0; i < 4; i++) {
            const int row = BY_INPUT ? 8 * g + 2 * m + i / 2 : 16 * m + 8 * (i / 2) + g;
            float& to = memory[(8 * n + 2 * q + i % 2) * STRIDE + row];
            to = turn ? to + sum[m][n][i] : sum[m][n][i];
          }
    }
    __syncthreads();
  }
  for (int i = warp * 32 + lane_index(); i < TILE * NT * 8; i += WK * 32)
    done(i % TILE, i / TILE, memory[i / TILE * STRIDE + i % TILE]);
}
