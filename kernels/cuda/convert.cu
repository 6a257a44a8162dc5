// convert: stored weights to the precision of the products, activations to bfloat16. Rows of the result are `to` values apart, padded with
// zeros to a multiple of 8, so that a product may read whole 16-byte pieces.
//
// Slow twin: engine's Weight.Float32s. Launch: Cell blocks of 256 threads; convert_transposed 32×8 threads a 32×32 tile.
// Shared memory: 4.1 KB for the transposed one, else none. Moved: each stored value once in, each converted once out.
#include "functions.cuh"

enum { FROM_F32, FROM_F16, FROM_BF16, FROM_F64 };

DEVICE float stored(const void *p, i64 i, int kind) {
  switch (kind) {
  case FROM_F32: return ((const float *)p)[i];
  case FROM_F16: return from_f16(((const u16 *)p)[i]);
  case FROM_BF16: return from_bf16(((const bf16 *)p)[i]);
  default: return (float)((const double *)p)[i];
  }
}
DEVICE void store(void *p, i64 i, float v, int wide) {
  if (wide) ((float *)p)[i] = v;
  else ((bf16 *)p)[i] = to_bf16(v);
}

// dst[row][col] of float32 (wide) or bfloat16; src rows are `from` values apart. Columns from `cols` to `padded` become zero.
KERNEL(256) convert(void *dst, i64 to, int wide, const void *src, i64 from, int kind, int rows, int cols, int padded) {
  Cell cell = this_cell();
  if (cell.row >= rows) return;
  CELL_COLUMNS(cell, col, padded) store(dst, cell.row * to + col, col < cols ? stored(src, cell.row * from + col, kind) : 0.f, wide);
}

// dst[row][col] = src[col][row]: src holds `cols` lines `from` values apart.
KERNEL(256) convert_transposed(void *dst, i64 to, int wide, const void *src, i64 from, int kind, int rows, int cols, int padded) {
  __shared__ float tile[32][33];
  int row0 = (int)(block_x() * 32), col0 = (int)(block_y() * 32), x = (int)thread_x(), y = (int)thread_y();
#pragma unroll
  for (int part = 0, j = y; part < 4; part++, j += 8)
    tile[j][x] = row0 + x < rows && col0 + j < cols ? stored(src, (i64)(col0 + j) * from + row0 + x, kind) : 0.f;
  __syncthreads();
#pragma unroll
  for (int part = 0, j = y; part < 4; part++, j += 8)
    if (row0 + j < rows && col0 + x < padded) store(dst, (row0 + j) * to + col0 + x, tile[x][j], wide);
}

// narrow: float32 rows of `heads` runs of `size` columns to bfloat16 rows of runs padded with zeros to `padded` columns.
KERNEL(256) narrow(bf16 *dst, i64 to, const float *src, i64 from, int size, int padded, int heads, int rows) {
  Cell cell = this_cell();
  if (cell.row >= rows) return;
  CELL_COLUMNS(cell, col, heads * padded) {
    int head = col / padded, at = col % padded;
    dst[cell.row * to + col] = to_bf16(at < size ? src[cell.row * from + head * size + at] : 0.f);
  }
}
