// product_f32: dst = x·Wᵀ + bias in float32, for `--compute f32`. Each result is one chain of fused multiply-adds with k ascending, so that
// its bits depend on its row of x and its row of W alone, whatever the tile.
//
// Slow twin: engine's reference.Product. Launch: 256 threads a tile of 64×64 (16×64 for few rows), 16 of k at a time through shared memory,
// the next piece being fetched to registers meanwhile; a thread has 4×4 (1×4) sums. Pieces lie k-major in shared memory, columns exchanged
// by k so that rows are stored without more than twofold conflicts and read as whole float4; results go out as float4 where dst allows it.
// _sums and _head reduce the results in registers (epilogue.cuh): a half warp holds 64 columns of a row.
// Shared memory: 8 KB (5 KB). Moved: tiles of x times column tiles, W times row tiles; 32 multiply-adds a value read.
#include "epilogue.cuh"

enum { F32_N = 64, F32_K = 16 };

DEVICE int exchanged(int k, int at) { return at ^ (k & 7) << 2; }

template <int BM, class Epilogue>
DEVICE void product_f32_tile(const Epilogue &epilogue, float *dst, i64 to, const float *x, i64 lx, const float *w, i64 lw, const float *bias,
                             int m, int n, int k) {
  constexpr int TM = BM / 16;
  __shared__ __align__(16) float xs[F32_K][BM], ws[F32_K][F32_N];
  int t = (int)thread_x(), tx = t % 16, ty = t / 16, row0 = (int)block_x() * BM, col0 = (int)block_y() * F32_N;
  float sums[TM][4] = {}, xr[TM], wr[4];
  auto fetch = [&](int k0) {
    int at = k0 + tx;
#pragma unroll
    for (int j = 0; j < TM; j++) xr[j] = row0 + ty + 16 * j < m && at < k ? x[(i64)(row0 + ty + 16 * j) * lx + at] : 0.f;
#pragma unroll
    for (int j = 0; j < 4; j++) wr[j] = col0 + ty + 16 * j < n && at < k ? w[(i64)(col0 + ty + 16 * j) * lw + at] : 0.f;
  };
  fetch(0);
  for (int k0 = 0; k0 < k; k0 += F32_K) {
    __syncthreads();
#pragma unroll
    for (int j = 0; j < TM; j++) xs[tx][TM == 4 ? exchanged(tx, ty + 16 * j) : ty] = xr[j];
#pragma unroll
    for (int j = 0; j < 4; j++) ws[tx][exchanged(tx, ty + 16 * j)] = wr[j];
    __syncthreads();
    if (k0 + F32_K < k) fetch(k0 + F32_K);
#pragma unroll
    for (int kk = 0; kk < F32_K; kk++) {
      float a[TM];
      if (TM == 4) {
        f32x4 v = load_four(shared_address(&xs[kk][exchanged(kk, ty * 4)]));
        a[0] = v.x, a[TM > 1 ? 1 : 0] = TM > 1 ? v.y : v.x, a[TM > 2 ? 2 : 0] = TM > 2 ? v.z : v.x, a[TM > 3 ? 3 : 0] = TM > 3 ? v.w : v.x;
      } else {
        a[0] = xs[kk][ty];
      }
      f32x4 b = load_four(shared_address(&ws[kk][exchanged(kk, tx * 4)]));
#pragma unroll
      for (int i = 0; i < TM; i++) {
        sums[i][0] = fused(a[i], b.x, sums[i][0]), sums[i][1] = fused(a[i], b.y, sums[i][1]);
        sums[i][2] = fused(a[i], b.z, sums[i][2]), sums[i][3] = fused(a[i], b.w, sums[i][3]);
      }
    }
  }
  int first = col0 + tx * 4;
  bool quads = ((u64)dst & 15) == 0 && (to & 3) == 0 && first + 4 <= n;
  float shift[4];
#pragma unroll
  for (int j = 0; j < 4; j++) shift[j] = bias && first + j < n ? bias[first + j] : 0.f;
#pragma unroll
  for (int i = 0; i < TM; i++) {
    int row = row0 + ty * TM + i;
    if (row >= m || !Epilogue::KEPT) continue;
    float *at = dst + row * to + first;
    if (quads) {
      store_quad(at, sums[i][0] + shift[0], sums[i][1] + shift[1], sums[i][2] + shift[2], sums[i][3] + shift[3]);
      continue;
    }
#pragma unroll
    for (int j = 0; j < 4; j++)
      if (first + j < n) at[j] = sums[i][j] + shift[j];
  }
  if constexpr (Epilogue::GROUPS) {
#pragma unroll 1
    for (int i = 0; i < TM; i++) { // a row a turn, as in tile_epilogue
      float v[4];
#pragma unroll
      for (int j = 0; j < 4; j++) v[j] = sums[0][j] + shift[j];
      epilogue.template group<4, 16>(row0 + ty * TM + i, col0, tx, v, m, n);
#pragma unroll
      for (int u = 0; u + 1 < TM; u++)
#pragma unroll
        for (int j = 0; j < 4; j++) sums[u][j] = sums[u + 1][j];
    }
  }
}

KERNEL(256) product_f32(float *dst, i64 to, const float *x, i64 lx, const float *w, i64 lw, const float *bias, int m, int n, int k) {
  product_f32_tile<64>(StoreEpilogue{}, dst, to, x, lx, w, lw, bias, m, n, k);
}
KERNEL(256) product_f32_few(float *dst, i64 to, const float *x, i64 lx, const float *w, i64 lw, const float *bias, int m, int n, int k) {
  product_f32_tile<16>(StoreEpilogue{}, dst, to, x, lx, w, lw, bias, m, n, k);
}

// Slots are [m × groups of 64 columns].
KERNEL(256)
product_f32_sums(GroupSums *slots, const float *eps, float *dst, i64 to, const float *x, i64 lx, const float *w, i64 lw, const float *bias,
                 int m, int n, int k) {
  product_f32_tile<64>(sums_epilogue(slots, eps), dst, to, x, lx, w, lw, bias, m, n, k);
}
KERNEL(256) product_f32_head(LogitGroup *slots, double *found, const int *offsets, const int *targets, float scale, float cap, const float *x, i64 lx,
                             const float *w, i64 lw, const float *bias, int m, int n, int k) {
  product_f32_tile<64>(HeadEpilogue{slots, found, offsets, targets, scale, cap}, nullptr, 0, x, lx, w, lw, bias, m, n, k);
}
