// product_bf16: dst = x·Wᵀ + bias, bfloat16 operands on the tensor cores (mma.sync m16n8k16), float32 sums.
//
// A block owns a tile of dst (product_tile.cuh). Every result is one chain over k in steps of 16, whatever the tile, so that the
// three shapes give the same bits: a row's result does not depend on how many rows stand beside it.
//
// The same product with an epilogue that works on the results in registers (epilogue.cuh): `_sums` stores them and takes their statistics,
// `_head` keeps what the head wants of the logits and stores none. A warp of these has 64 columns, or several times 64.
//
// Slow twin: product_f32 on rounded operands; engine's reference.Product.
//   kernel                         tile      threads  stages  shared   W read once for   x read once for
//   product_bf16, _sums, _head     128×256   256      4       96 KB    128 rows          256 columns
//   product_bf16_mid               64×64     128      4       32 KB    64 rows           64 columns
//   product_bf16_mid_sums, _head   64×64     128      4       32 KB    64 rows           64 columns
//   product_bf16_few               16×32     64       12      36 KB    16 rows: bound by reading W, 33 KB on the way a block
// StoreEpilogue besides: 1 byte a result by _sums; 1/4 byte a logit by _head, instead of the logit's 4.
#include "product_tile.cuh"

template <int BM, int BN, int WM, int WN, int STAGES, class Epilogue>
DEVICE void product_bf16_tile(const Epilogue &epilogue, float *dst, i64 to, const bf16 *x, i64 lx, const bf16 *w, i64 lw, const float *bias,
                              int m, int n, int k) {
  using Tile = ProductTile<BM, BN, WM, WN, STAGES>;
  Place at = {(int)block_x() * BM, (int)block_y() * BN};
  typename Tile::Sums sums = {};
  Tile::multiply(sums, at, Operands{x, lx, w, lw, m, n, k}, 0, Tile::pieces(k), [] {});
  Tile::finish(epilogue, dst, to, bias, sums, at, m, n);
}

// K is the padded length: a multiple of 8 up to which x and w hold zeros beyond their values.
KERNEL(256) product_bf16(float *dst, i64 to, const bf16 *x, i64 lx, const bf16 *w, i64 lw, const float *bias, int m, int n, int k) {
  product_bf16_tile<128, 256, 2, 4, 4>(StoreEpilogue{}, dst, to, x, lx, w, lw, bias, m, n, k);
}
KERNEL(128) product_bf16_mid(float *dst, i64 to, const bf16 *x, i64 lx, const bf16 *w, i64 lw, const float *bias, int m, int n, int k) {
  product_bf16_tile<64, 64, 2, 2, 4>(StoreEpilogue{}, dst, to, x, lx, w, lw, bias, m, n, k);
}
KERNEL(64) product_bf16_few(float *dst, i64 to, const bf16 *x, i64 lx, const bf16 *w, i64 lw, const float *bias, int m, int n, int k) {
  product_bf16_tile<16, 32, 1, 2, 12>(StoreEpilogue{}, dst, to, x, lx, w, lw, bias, m, n, k);
}

// Slots are [m × groups of 64 columns].
KERNEL(256) product_bf16_sums(GroupSums *slots, const float *eps, float *dst, i64 to, const bf16 *x, i64 lx, const bf16 *w, i64 lw, const float *bias,
                              int m, int n, int k) {
  product_bf16_tile<128, 256, 2, 4, 4>(sums_epilogue(slots, eps), dst, to, x, lx, w, lw, bias, m, n, k);
}
KERNEL(128) product_bf16_mid_sums(GroupSums *slots, const float *eps, float *dst, i64 to, const bf16 *x, i64 lx, const bf16 *w, i64 lw,
                                  const float *bias, int m, int n, int k) {
  product_bf16_tile<64, 64, 4, 1, 4>(sums_epilogue(slots, eps), dst, to, x, lx, w, lw, bias, m, n, k);
}
KERNEL(256) product_bf16_head(LogitGroup *slots, double *found, const int *offsets, const int *targets, float scale, float cap, const bf16 *x, i64 lx,
                              const bf16 *w, i64 lw, const float *bias, int m, int n, int k) {
  product_bf16_tile<128, 256, 2, 4, 4>(HeadEpilogue{slots, found, offsets, targets, scale, cap}, nullptr, 0, x, lx, w, lw, bias, m, n, k);
}
KERNEL(128) product_bf16_mid_head(LogitGroup *slots, double *found, const int *offsets, const int *targets, float scale, float cap, const bf16 *x,
                                  i64 lx, const bf16 *w, i64 lw, const float *bias, int m, int n, int k) {
  product_bf16_tile<64, 64, 4, 1, 4>(HeadEpilogue{slots, found, offsets, targets, scale, cap}, nullptr, 0, x, lx, w, lw, bias, m, n, k);
}
