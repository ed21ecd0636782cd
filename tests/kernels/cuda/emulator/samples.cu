// Kernels of test_emulator.py: what the emulator must do right, and what it must find.

KERNEL(256) sums(const float* x, float* y, long long n) {
  __shared__ float part[8];
  float sum = 0;
  for (long long i = blockIdx.x * 256 + threadIdx.x; i < n; i += 256LL * gridDim.x) sum += x[i];
  sum = warp_sum(sum);
  if (lane_index() == 0) part[warp_index()] = sum;
  __syncthreads();
  if (warp_index() == 0) {
    const float all = warp_sum(lane_index() < 8 ? part[lane_index()] : 0.0f);
    if (threadIdx.x == 0) y[blockIdx.x] = all;
  }
}
KERNEL(64) exchanges(int* y) {
  const int t = threadIdx.x, lane = t & 31;
  int* to = y + 8 * t;
  to[0] = __shfl_sync(ALL_LANES, t, 5);
  to[1] = __shfl_xor_sync(ALL_LANES, t, 3);
  to[2] = __shfl_down_sync(ALL_LANES, t, 4);
  to[3] = __shfl_up_sync(ALL_LANES, t, 4);
  to[4] = __shfl_sync(ALL_LANES, t, 1, 8);
  to[5] = static_cast<int>(__ballot_sync(ALL_LANES, t % 3 == 0));
  if (lane < 16) to[6] = __shfl_xor_sync(0xffffu, t, 1);  // half a warp, by itself
  else to[6] = __shfl_xor_sync(0xffff0000u, t, 2);
  to[7] = __syncthreads_count(t % 3 == 0);
}
KERNEL(128) named(float* y) {
  __shared__ float s[128];
  s[threadIdx.x] = threadIdx.x;
  if (threadIdx.x < 64) {
    named_barrier(1, 64);
    y[threadIdx.x] = s[63 - threadIdx.x];
  } else {
    named_barrier(2, 64);
    y[threadIdx.x] = s[191 - threadIdx.x];
  }
}
KERNEL(256) from_halves(const half* x, const bf16* z, float* y, float* u) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  y[i] = to_float(x[i]), u[i] = to_float(z[i]);
}
KERNEL(256) to_halves(const float* x, half* y, bf16* z) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  y[i] = to_half(x[i]), z[i] = from_float<bf16>(x[i]);
}
KERNEL(64) pairs(const u32* x, const u32* y, const u32* z, u32* sums) {
  const int i = threadIdx.x;
  sums[i] = half2_fma(x[i], y[i], z[i]);
  sums[64 + i] = half2_add(x[i], y[i]);
  sums[128 + i] = half2_mul(x[i], y[i]);
}
// out [16][8] = a [16][16] b^T, b [8][16]; or by the transposed ones.
template <typename T, bool TRANSPOSED> DEVICE void product(const u16* a, const u16* b, float* out) {
  __shared__ __align__(16) u16 sa[256];
  __shared__ __align__(16) u16 sb[128];
  const int lane = threadIdx.x, g = lane >> 2, q = lane & 3;
  cp_async(sa + 8 * lane, a + 8 * lane);
  if (lane < 16) cp_async(sb + 8 * lane, b + 8 * lane);
  cp_async_commit();
  cp_async_wait<0>();
  __syncwarp();
  u32 ra[4], rb[2];
  if (TRANSPOSED) {
    ldmatrix_x4_transposed(ra, sa + (lane % 8 + lane / 16 * 8) * 16 + (lane / 8 % 2) * 8);
    ldmatrix_x2_transposed(rb, sb + (lane % 16) * 8);
  } else {
    ldmatrix_x4(ra, sa + (lane % 16) * 16 + lane / 16 * 8);
    ldmatrix_x2(rb, sb + (lane % 8) * 16 + (lane / 8 % 2) * 8);
  }
  float d[4] = {1.0f, 1.0f, 1.0f, 1.0f};
  mma_16x8x16<T>(d, ra, rb);
  for (int i = 0; i < 4; i++) out[(g + 8 * (i >> 1)) * 8 + 2 * q + (i & 1)] = d[i];
}
KERNEL(32) product_half(const u16* a, const u16* b, float* out) {
  product<half, false>(a, b, out);
}
KERNEL(32) product_bf16(const u16* a, const u16* b, float* out) {
  product<bf16, true>(a, b, out);
}
KERNEL(32) words(const u32* x, int* y) {
  const int i = threadIdx.x;
  y[i] = static_cast<int>(byte_perm(x[i], 0x64646464u, 0x4140));
  y[32 + i] = dp4a(static_cast<int>(x[i]), 0x01ff0203, 5);
}
KERNEL(64) dynamic(float* y) {
  float* s = dynamic_shared<float>();
  s[threadIdx.x] = threadIdx.x;
  __syncthreads();
  y[threadIdx.x] = s[63 - threadIdx.x];
}

// ------------------------------------------------------------------ what must be found

KERNEL(64) lost_barrier() {
  if (threadIdx.x < 40) __syncthreads();
  warp_sum(1.0f);
}
KERNEL(64) race(float* y) {
  __shared__ float s[64];
  s[threadIdx.x] = 1.0f;
  y[threadIdx.x] = s[threadIdx.x ^ 33];
}
KERNEL(32) early_copy(const float* x, float* y) {
  __shared__ __align__(16) float s[128];
  cp_async(s + 4 * threadIdx.x, x + 4 * threadIdx.x);
  cp_async_commit();
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];
}
KERNEL(32) unaligned(const float* x, float* y) {
  y[threadIdx.x] = reinterpret_cast<const float4*>(x + 1 + 4 * threadIdx.x)->x;
}
KERNEL(32) outside_array(float* y) {
  __shared__ float s[16];
  s[threadIdx.x] = 1.0f;
  y[threadIdx.x] = s[threadIdx.x & 15];
}
KERNEL(32) outside_tensor(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x + 1]; }
KERNEL(32) dependent(const float* w, const float* x, float* y, long long how) {
  float sum = w[threadIdx.x];
  if (how == 1) sum += x[threadIdx.x];
  if (how == 2) y[threadIdx.x] = 0.0f;
  if (how == 3) return;
  start_next_and_wait();
  y[threadIdx.x] = sum + x[threadIdx.x];
}
