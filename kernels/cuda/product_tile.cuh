// A tile of dst = x·Wᵀ by mma.sync, as product_bf16.cu and product_split.cu take it: pieces of 32 of k stream through a ring of stages in shared
// memory by cp.async, one barrier a piece; WM × WN warps multiply their parts out of swizzled tiles (tile.cuh). A result is one chain over k in
// steps of 16, in whatever tile and however many goes: sums that are put away between two pieces and taken up again are the same float32.
#pragma once
#include "epilogue.cuh"

struct Operands {
  const bf16 *x;
  i64 lx;
  const bf16 *w;
  i64 lw;
  int m, n, k;
};

template <int BM, int BN, int WM, int WN, int STAGES> struct ProductTile {
  static constexpr int THREADS = WM * WN * 32, MT = BM / WM / 16, NT = BN / WN / 16, X_BYTES = BM * 64, STAGE = X_BYTES + BN * 64;
  using Sums = float[MT][NT * 2][4];

  static METHOD int pieces(int k) { return (k + TILE_K - 1) / TILE_K; }
  // Where a warp's part begins in the tile.
  static METHOD Place part() {
    int warp = (int)(thread_x() >> 5);
    return Place{warp / WN * (BM / WM), warp % WN * (BN / WN)};
  }

  // Adds the pieces from `begin` to `end` to sums, which `ready` may set once the first copies are under way. A block that multiplies again puts
  // a barrier between: the ring's stages may still be read.
  template <class Ready> static METHOD void multiply(Sums &sums, Place at, const Operands &o, int begin, int end, Ready ready) {
    extern __shared__ __align__(128) u8 ring[];
    u32 base = shared_address(ring);
    Place own = part();
    auto load = [&](int piece) {
      if (piece < end) {
        u32 stage = base + (u32)(piece % STAGES * STAGE);
        tile_load<BM, THREADS>(stage, o.x, o.lx, at.row, o.m, piece * TILE_K, o.k);
        tile_load<BN, THREADS>(stage + X_BYTES, o.w, o.lw, at.col, o.n, piece * TILE_K, o.k);
      }
      copy_commit();
    };
#pragma unroll
    for (int ahead = 0; ahead < STAGES - 1; ahead++) load(begin + ahead);
    ready();
#pragma unroll 1
    for (int piece = begin; piece < end; piece++) {
      copy_wait<STAGES - 2>(); // this thread's part of the piece has arrived …
      __syncthreads();         // … and everybody's; and everybody is done with the stage that the next load overwrites
      load(piece + STAGES - 1);
      u32 stage = base + (u32)(piece % STAGES * STAGE);
      tile_multiply<MT, NT>(sums, stage, own.row, stage + X_BYTES, own.col);
    }
  }

  template <class Epilogue>
  static METHOD void finish(const Epilogue &epilogue, float *dst, i64 to, const float *bias, Sums &sums, Place at, int m, int n) {
    Place own = part();
    tile_epilogue<MT, NT>(epilogue, dst, to, bias, sums, at.row + own.row, at.col + own.col, m, n);
  }
};
