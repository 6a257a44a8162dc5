// product_q8_0_few, product_q4_k_few: dst = x·Wᵀ + bias for few rows, W in GGUF's blocks: a token at a time is bound by reading W, and this
// way 8.5 or 4.5 bits a value are read instead of 16. A thread fetches 16 values of a row of W as they are stored, four pieces of k ahead, in
// registers, turns them into bfloat16 in a tile of shared memory, and from there on all is as in product_bf16: the results have the bits of
// dequantise followed by product_bf16.
//
// Slow twin: those two. Launch: 64 threads a tile of 16×32. Shared memory: 8 KB (four stages of x, two of W). Moved: W once for 16 rows.
#include "quantised.cuh"
#include "tile.cuh"

// StoredPiece is what a thread needs for half of 32 values of one row: the values' bits and their block's scales.
struct StoredPiece { u32 values[4], scales[4]; };

template <int TYPE> DEVICE StoredPiece fetch_stored(const u8 *row, int k, int half) {
  StoredPiece p;
  if (TYPE == Q8_0) {
    const u16 *b = (const u16 *)(row + (i64)(k / 32) * 34);
    p.scales[0] = b[0];
#pragma unroll
    for (int i = 0; i < 4; i++) p.values[i] = b[1 + half * 8 + 2 * i] | (u32)b[2 + half * 8 + 2 * i] << 16;
  } else {
    const u32 *b = (const u32 *)(row + (i64)(k / 256) * 144);
    int at = 4 + k % 256 / 64 * 8 + half * 4;
#pragma unroll
    for (int i = 0; i < 4; i++) p.scales[i] = b[i], p.values[i] = b[at + i];
  }
  return p;
}

// Value i of the 16.
template <int TYPE> DEVICE void widen_stored(float out[16], const StoredPiece &p, int k) {
  if (TYPE == Q8_0) {
    float scale = from_f16((u16)p.scales[0]);
#pragma unroll
    for (int i = 0; i < 16; i++) out[i] = scale * (signed char)(p.values[i / 4] >> i % 4 * 8);
  } else {
    int s = k % 256 / 32;
    auto byte = [&](int i) { return (int)(((i < 4 ? p.scales[1] : i < 8 ? p.scales[2] : p.scales[3]) >> i % 4 * 8) & 255); };
    int scale = s < 4 ? byte(s) & 63 : (byte(s + 4) & 15) | byte(s - 4) >> 6 << 4,
        lowest = s < 4 ? byte(s + 4) & 63 : byte(s + 4) >> 4 | byte(s) >> 6 << 4;
    float by = from_f16((u16)p.scales[0]) * scale, under = from_f16((u16)(p.scales[0] >> 16)) * lowest;
#pragma unroll
    for (int i = 0; i < 16; i++) out[i] = fused(by, (float)(p.values[i / 4] >> (i % 4 * 8 + (s & 1) * 4) & 15), -under);
  }
}

template <int TYPE>
DEVICE void product_quantised(float *dst, i64 to, const bf16 *x, i64 lx, const u8 *w, i64 lw, const float *bias, int m, int n, int k) {
  constexpr int AHEAD = 4, X_STAGE = 16 * 64, W_STAGE = 32 * 64;
  __shared__ __align__(128) u8 scratch[4 * X_STAGE + 2 * W_STAGE];
  u32 xs = shared_address(scratch), ws = xs + 4 * X_STAGE;
  int t = (int)thread_x(), half = t & 1, line = t >> 1, row0 = (int)block_x() * 16, col0 = (int)block_y() * 32, col = (t >> 5) * 16,
      pieces = k / TILE_K;
  const u8 *mine = w + (i64)least(col0 + line, n - 1) * lw;
  float sums[1][2][4] = {};
  auto load = [&](int piece) {
    if (piece < pieces) tile_load<16, 64>(xs + piece % 4 * X_STAGE, x, lx, row0, m, piece * TILE_K, k);
    copy_commit();
  };
  StoredPiece stored[AHEAD];
#pragma unroll
  for (int u = 0; u < AHEAD; u++) stored[u] = fetch_stored<TYPE>(mine, least(u, pieces - 1) * TILE_K, half);
#pragma unroll
  for (int piece = 0; piece < 3; piece++) load(piece);
#pragma unroll 1
  for (int first = 0; first < pieces; first += AHEAD)
#pragma unroll
    for (int u = 0; u < AHEAD; u++) {
      int piece = first + u;
      if (piece < pieces) {
        float v[16];
        widen_stored<TYPE>(v, stored[u], piece * TILE_K);
        u32 stage = ws + (piece & 1) * W_STAGE;
#pragma unroll
        for (int q = 0; q < 2; q++)
          store_four(stage + tile_offset(line, half * 2 + q), pack_bf16(v[8 * q], v[8 * q + 1]), pack_bf16(v[8 * q + 2], v[8 * q + 3]),
                     pack_bf16(v[8 * q + 4], v[8 * q + 5]), pack_bf16(v[8 * q + 6], v[8 * q + 7]));
        copy_wait<2>();
        __syncthreads();
        load(piece + 3);
        if (piece + AHEAD < pieces) stored[u] = fetch_stored<TYPE>(mine, (piece + AHEAD) * TILE_K, half);
        tile_multiply<1, 1>(sums, xs + piece % 4 * X_STAGE, 0, stage, col);
      }
    }
  tile_store<1, 1>(dst, to, bias, sums, row0, col0 + col, m, n);
}

// Rows of w are `lw` bytes apart; k is a multiple of the block's 32 or 256.
KERNEL(64) product_q8_0_few(float *dst, i64 to, const bf16 *x, i64 lx, const u8 *w, i64 lw, const float *bias, int m, int n, int k) {
  product_quantised<Q8_0>(dst, to, x, lx, w, lw, bias, m, n, k);
}
KERNEL(64) product_q4_k_few(float *dst, i64 to, const bf16 *x, i64 lx, const u8 *w, i64 lw, const float *bias, int m, int n, int k) {
  product_quantised<Q4_K>(dst, to, x, lx, w, lw, bias, m, n, k);
}
