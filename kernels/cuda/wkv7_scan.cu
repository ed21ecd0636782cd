// The WKV7 recurrence for reading: through the chunks, whose records wkv7_read.cu has made. Follows
// on wkv7_read.cuh.

constexpr int LOADERS = 64;  // threads that bring records into shared memory

// 16 rows of a head's state, and how a record moves them on.
struct Rows {
  float s[8][4];

  METHOD float* place(float* state, int slice, int p) const {
    return state + (column_of(2 * slice + p, group()) * HEAD + 16 * quarter());
  }
  METHOD void read(float* state, int slice) {
#pragma unroll
    for (int p = 0; p < 2; p++)
#pragma unroll
      for (int j = 0; j < 8; j += 2) {
        const float4 x = *reinterpret_cast<const float4*>(place(state, slice, p) + 2 * j);
        s[j][2 * p] = x.x, s[j][2 * p + 1] = x.y;
        s[j + 1][2 * p] = x.z, s[j + 1][2 * p + 1] = x.w;
      }
  }
  METHOD void write(float* state, int slice) const {
#pragma unroll
    for (int p = 0; p < 2; p++)
#pragma unroll
      for (int j = 0; j < 8; j += 2)
        *reinterpret_cast<float4*>(place(state, slice, p) + 2 * j) = make_float4(
            s[j][2 * p], s[j][2 * p + 1], s[j + 1][2 * p], s[j + 1][2 * p + 1]);
  }

  // Returns Y^T of the chunk, 16 values x 16 tokens. values: where V's part of the slice lies.
  METHOD uint4 advance(const u8* record, int values) {
    float u[2][4] = {}, more[2][4] = {}, y[2][4] = {};
    const uint4 raw = fragment(record, AT_V + 512 * values, 0);
    const u32 v[4] = {raw.x, raw.y, raw.z, raw.w};
    const uint4 e = fragment(record, AT_E, 0), own = fragment(record, AT_Q, 0);
    product(u[0], v, e.x, e.y), product(u[1], v, e.z, e.w);
#pragma unroll
    for (int i = 0; i < 4; i++) {
      u32 left[4];
      as_left(left, s[2 * i], s[2 * i + 1]);
      const uint4 w = fragment(record, AT_W, i), r = fragment(record, AT_R, i);
      if (i & 1) product(more[0], left, w.x, w.y), product(more[1], left, w.z, w.w);
      else product(u[0], left, w.x, w.y), product(u[1], left, w.z, w.w);
      product(y[0], left, r.x, r.y), product(y[1], left, r.z, r.w);
    }
    product(y[0], v, own.x, own.y), product(y[1], v, own.z, own.w);
    const float* decay = reinterpret_cast<const float*>(record + AT_DECAY) + 16 * quarter();
#pragma unroll
    for (int j = 0; j < 8; j += 2) {
      const float4 by = *reinterpret_cast<const float4*>(decay + 2 * j);
#pragma unroll
      for (int p = 0; p < 4; p += 2) {
        s[j][p] *= by.x, s[j][p + 1] *= by.y;
        s[j + 1][p] *= by.z, s[j + 1][p + 1] *= by.w;
      }
      const uint4 k = fragment(record, AT_K, j / 2);
      product(s[j], v, k.x, k.y), product(s[j + 1], v, k.z, k.w);
    }
#pragma unroll
    for (int j = 0; j < 2; j++)
#pragma unroll
      for (int i = 0; i < 4; i++) u[j][i] += more[j][i];
    u32 removed[4];
    as_left(removed, u[0], u[1]);
#pragma unroll
    for (int j = 0; j < 8; j += 2) {
      const uint4 b = fragment(record, AT_B, j / 2);
      product(s[j], removed, b.x, b.y), product(s[j + 1], removed, b.z, b.w);
    }
    return make_uint4(half2_of(y[0][0], y[0][1]), half2_of(y[0][2], y[0][3]),
                      half2_of(y[1][0], y[1][1]), half2_of(y[1][2], y[1][3]));
  }
};

// The loaders' part: STAGES - 1 records ahead of the others.
template <int WARPS> DEVICE void bring(u8* stages, const u8* records, int chunks, int slice) {
  constexpr int STAGE = AT_V + 512 * WARPS;
  const int me = threadIdx.x - 32 * WARPS;
  for (int n = 1 - STAGES; n < chunks; n++) {  // in step with scan's loop from 0 on
    const int next = n + STAGES - 1;
    if (next < chunks) {
      const u8* from = records + static_cast<long long>(next) * HEADS * RECORD;
      u8* to = stages + next % STAGES * STAGE;
      for (int i = 16 * me; i < STAGE; i += 16 * LOADERS)
        cp_async(to + i, from + (i < AT_V ? i : i + 512 * slice));
    }
    cp_async_commit();
    if (n < -1) continue;
    cp_async_wait<STAGES - 2>();
    __syncthreads();
  }
}

// grid (heads, 4 / WARPS). wkv [slots, .., heads, 64, 64], a slot `slot_step` after the other:
// before and after; y [T / 16, heads, 4, 32] uint4: of 16 values each, as V lies in a record.
template <int WARPS>
DEVICE void scan(const int* place, const u8* records, float* wkv, long long slot_step, uint4* y) {
  u8* stages = dynamic_shared<u8>();
  const int head = blockIdx.x, first = blockIdx.y * WARPS, warp = warp_index();
  start_next_and_wait();
  const int chunks = (place[0] + CHUNK - 1) / CHUNK;
  records += head * RECORD;
  wkv += place[1] * slot_step + head * HEAD * HEAD;
  if (warp >= WARPS) {
    bring<WARPS>(stages, records, chunks, first);
    return;
  }
  Rows rows;
  rows.read(wkv, first + warp);
  y += (head * 4 + first + warp) * 32 + lane_index();
  __syncthreads();
  for (int n = 0; n < chunks; n++) {
    y[static_cast<long long>(n) * HEADS * 4 * 32] =
        rows.advance(stages + n % STAGES * (AT_V + 512 * WARPS), warp);
    __syncthreads();
  }
  rows.write(wkv, first + warp);
}

#define SCAN(WARPS)                                                                          \
  KERNEL(32 * WARPS + LOADERS)                                                               \
  read_scan_##WARPS(const int* place, const u8* records, float* wkv, long long slot_step,    \
                    uint4* y) {                                                            \
    scan<WARPS>(place, records, wkv, slot_step, y);                                        \
  }
SCAN(1)
SCAN(2)
SCAN(4)
