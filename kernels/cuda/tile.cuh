// Tiles of bfloat16 in shared memory, rows of 32 values (64 bytes, four pieces of 16 bytes). Two rows share a line of 128 bytes; the piece
// is exchanged by the row's place, so that eight rows read at one piece (ldmatrix) touch eight different groups of banks, and eight
// neighbouring pieces written touch eight, too: no conflict either way.
#pragma once
#include "prims.cuh"

enum { TILE_K = 32 };

// The place of a tile in dst, for blocks that take several. Tiles are walked in strips of 16 row tiles, column by column, so that the blocks at
// work share rows and columns in the second-level cache. rows, cols: of tiles; tall, wide: a tile's.
enum { STRIP = 16 };
struct Place {
  int row, col;
};
DEVICE Place tile_place(int tile, int rows, int cols, int tall, int wide) {
  int strip = tile / (STRIP * cols), in = tile % (STRIP * cols), high = least(STRIP, rows - strip * STRIP);
  return Place{(strip * STRIP + in % high) * tall, in / high * wide};
}

DEVICE u32 tile_offset(int row, int piece) { return (u32)(row * 64 + ((piece ^ (row >> 1 & 3)) << 4)); }

// Starts the copies of rows row0 … of a matrix [rows × k], `ld` values apart, at column k0. Rows from `rows` on and columns from k on
// (k a multiple of 8) become zero.
template <int ROWS, int THREADS> DEVICE void tile_load(u32 to, const bf16 *from, i64 ld, int row0, int rows, int k0, int k) {
#pragma unroll
  for (int j = 0; j < (ROWS * 4 + THREADS - 1) / THREADS; j++) {
    int i = (int)thread_x() + j * THREADS;
    if (ROWS * 4 % THREADS != 0 && i >= ROWS * 4) break;
    int row = i >> 2, piece = i & 3, at = k0 + piece * 8;
    bool wanted = row0 + row < rows && at < k;
    copy_async(to + tile_offset(row, piece), wanted ? from + (i64)(row0 + row) * ld + at : from, wanted);
  }
}

// The operands of multiply_add: 16 rows from `row` on at k step `step` (0 or 1) of a tile.
DEVICE void tile_rows(u32 r[4], u32 tile, int row, int step) {
  int lane = (int)(thread_x() & 31);
  load_matrices(r, tile + tile_offset(row + (lane & 15), step * 2 + (lane >> 4)));
}
// 16 columns from `col` on (rows of W): r[0], r[1] belong to the first eight, r[2], r[3] to the next.
DEVICE void tile_columns(u32 r[4], u32 tile, int col, int step) {
  int lane = (int)(thread_x() & 31);
  load_matrices(r, tile + tile_offset(col + (lane & 7) + (lane >> 4 << 3), step * 2 + (lane >> 3 & 1)));
}

// Multiplies a warp's MT·16 rows by NT·16 columns over one piece of 32 of k.
template <int MT, int NT> DEVICE void tile_multiply(float sums[MT][NT * 2][4], u32 a_tile, int row, u32 b_tile, int col) {
#pragma unroll
  for (int step = 0; step < 2; step++) {
    u32 a[MT][4], b[NT][4];
#pragma unroll
    for (int i = 0; i < MT; i++) tile_rows(a[i], a_tile, row + 16 * i, step);
#pragma unroll
    for (int j = 0; j < NT; j++) tile_columns(b[j], b_tile, col + 16 * j, step);
#pragma unroll
    for (int i = 0; i < MT; i++)
#pragma unroll
      for (int j = 0; j < NT; j++) multiply_add(sums[i][2 * j], a[i], b[j][0], b[j][1]), multiply_add(sums[i][2 * j + 1], a[i], b[j][2], b[j][3]);
  }
}

// Writes a warp's sums, plus bias where it is not null, to dst. Pairs of columns go out together where both lie inside and dst allows it.
template <int MT, int NT>
DEVICE void tile_store(float *dst, i64 to, const float *bias, float sums[MT][NT * 2][4], int row0, int col0, int m, int n) {
  int lane = (int)(thread_x() & 31);
  bool pairs = ((u64)dst & 7) == 0 && (to & 1) == 0;
#pragma unroll
  for (int j = 0; j < NT * 2; j++) {
    int col = col0 + j * 8 + (lane & 3) * 2;
    if (col >= n) continue;
    float b0 = bias ? bias[col] : 0.f, b1 = bias && col + 1 < n ? bias[col + 1] : 0.f;
#pragma unroll
    for (int i = 0; i < MT; i++)
#pragma unroll
      for (int h = 0; h < 2; h++) {
        int row = row0 + 16 * i + 8 * h + (lane >> 2);
        if (row >= m) continue;
        float *at = dst + row * to + col, v0 = sums[i][j][2 * h] + b0, v1 = sums[i][j][2 * h + 1] + b1;
        if (pairs && col + 1 < n) {
          store_pair(at, v0, v1);
        } else {
          at[0] = v0;
          if (col + 1 < n) at[1] = v1;
        }
      }
  }
}
