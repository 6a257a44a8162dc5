// product_hopper: dst = x·Wᵀ + bias like product_bf16, by Hopper's own means: tensor copies fill a ring of stages in shared memory, one
// thread of a producer warpgroup starts them, two consumer warpgroups multiply by wgmma, 64 rows each.
//
// A block stays for many tiles. The ring goes on across them, so that the first pieces of the next tile arrive while the consumers store the
// last. Tiles are walked in strips (tile.cuh). A stage has two mbarriers: `full` counts the copies' bytes, `empty` the eight consumer warps that
// are through with it. What lies outside x and W arrives as zeros, what lies outside dst is not stored. Every result is one chain over k in steps
// of 16, whatever the tile and the block: a row's result does not depend on how many rows stand beside it, nor on the number of blocks.
//
// Slow twin: product_bf16. Read about the structure in CUTLASS's documentation ("persistent cooperative").
//   kernel                         tile      threads  stages  shared               registers (producer, consumers)
//   product_hopper, _sums, _head   128×256   384      4       193 KB + 64 bytes    40, 232
//   product_hopper_half            128×128   384      4       129 KB + 64 bytes    40, 232
// _sums and _head reduce the results in registers as product_bf16's do (epilogue.cuh), with the same bits.
#include "../epilogue.cuh"
#include "hopper.cuh"

enum { PIECE = 64, STAGES = 4, BOX_ROWS = 128, BOX = BOX_ROWS * PIECE * 2 };

template <int BN, class Epilogue>
DEVICE void product_hopper_tiles(const Epilogue &epilogue, u64 x, u64 w, float *dst, i64 to, const float *bias, int m, int n, int k, int first) {
  constexpr int STAGE = BOX + BN / BOX_ROWS * BOX;
  extern __shared__ __align__(1024) u8 ring[];
  u32 base = shared_address(ring) + 1023 & ~1023u, full = base + STAGES * STAGE, empty = full + 8 * STAGES;
  int group = (int)(thread_x() >> 7), pieces = (k + PIECE - 1) / PIECE;
  int rows = (m + BOX_ROWS - 1) / BOX_ROWS, cols = (n + BN - 1) / BN, tiles = rows * cols;
  if (thread_x() == 0) {
#pragma unroll
    for (int stage = 0; stage < STAGES; stage++) mbarrier_make(full + 8 * stage, 1), mbarrier_make(empty + 8 * stage, 8);
    mbarrier_made();
    tensor_map_prefetch(x), tensor_map_prefetch(w);
  }
  __syncthreads();
  u32 turn = 0; // pieces so far: stage turn % STAGES for the turn / STAGES-th time
  if (group == 0) {
    registers_less<40>();
    if (thread_x() != 0) return;
#pragma unroll 1
    for (int tile = (int)block_x(); tile < tiles; tile += (int)blocks_x()) {
      Place at = tile_place(tile, rows, cols, BOX_ROWS, BN);
#pragma unroll 1
      for (int piece = 0; piece < pieces; piece++, turn++) {
        u32 stage = turn % STAGES, into = base + stage * STAGE, arrived = full + 8 * stage;
        mbarrier_wait(empty + 8 * stage, (turn / STAGES & 1) ^ 1);
        mbarrier_arrive_expect(arrived, STAGE);
        tensor_copy(into, x, piece * PIECE, at.row, arrived);
#pragma unroll
        for (int box = 0; box < BN / BOX_ROWS; box++)
          tensor_copy(into + BOX + box * BOX, w, piece * PIECE, first + at.col + box * BOX_ROWS, arrived);
      }
    }
  } else {
    registers_more<232>();
    int row = (group - 1) * 64, warp = (int)(thread_x() >> 5 & 3);
    bool speaks = (thread_x() & 31) == 0;
#pragma unroll 1
    for (int tile = (int)block_x(); tile < tiles; tile += (int)blocks_x()) {
      float sums[1][BN / 8][4] = {};
#pragma unroll 1
      for (int piece = 0; piece < pieces; piece++, turn++) {
        u32 stage = turn % STAGES, from = base + stage * STAGE;
        mbarrier_wait(full + 8 * stage, turn / STAGES & 1);
        warpgroup_multiply(sums[0], tile_descriptor(from + row * PIECE * 2), tile_descriptor(from + BOX));
        if (speaks && piece > 0) mbarrier_arrive(empty + 8 * ((turn - 1) % STAGES));
      }
      warpgroup_wait(sums[0]);
      if (speaks) mbarrier_arrive(empty + 8 * ((turn - 1) % STAGES));
      Place at = tile_place(tile, rows, cols, BOX_ROWS, BN);
      tile_epilogue<1, BN / 16>(epilogue, dst, to, bias, sums, at.row + row + 16 * warp, at.col, m, n);
    }
  }
}

// The maps describe x [rows × k] and W [… × k] of bfloat16 in boxes of 128 rows by 64 columns, swizzled in 128 bytes; W's rows from `first` on
// are multiplied. m, n and k are at least 1.
KERNEL(384, 1) product_hopper(TensorMap x_map, TensorMap w_map, float *dst, i64 to, const float *bias, int m, int n, int k, int first) {
  u64 x, w;
  PARAMETER_ADDRESS(x, product_hopper, 0);
  PARAMETER_ADDRESS(w, product_hopper, 1);
  product_hopper_tiles<256>(StoreEpilogue{}, x, w, dst, to, bias, m, n, k, first);
}
KERNEL(384, 1) product_hopper_half(TensorMap x_map, TensorMap w_map, float *dst, i64 to, const float *bias, int m, int n, int k, int first) {
  u64 x, w;
  PARAMETER_ADDRESS(x, product_hopper_half, 0);
  PARAMETER_ADDRESS(w, product_hopper_half, 1);
  product_hopper_tiles<128>(StoreEpilogue{}, x, w, dst, to, bias, m, n, k, first);
}

// Slots are [m × groups of 64 columns].
KERNEL(384, 1)
product_hopper_sums(TensorMap x_map, TensorMap w_map, GroupSums *slots, const float *eps, float *dst, i64 to, const float *bias, int m, int n,
                    int k, int first) {
  u64 x, w;
  PARAMETER_ADDRESS(x, product_hopper_sums, 0);
  PARAMETER_ADDRESS(w, product_hopper_sums, 1);
  product_hopper_tiles<256>(sums_epilogue(slots, eps), x, w, dst, to, bias, m, n, k, first);
}
KERNEL(384, 1)
product_hopper_head(TensorMap x_map, TensorMap w_map, LogitGroup *slots, double *found, const int *offsets, const int *targets, float scale,
                    float cap, const float *bias, int m, int n, int k, int first) {
  u64 x, w;
  PARAMETER_ADDRESS(x, product_hopper_head, 0);
  PARAMETER_ADDRESS(w, product_hopper_head, 1);
  product_hopper_tiles<256>(HeadEpilogue{slots, found, offsets, targets, scale, cap}, x, w, nullptr, 0, bias, m, n, k, first);
}
