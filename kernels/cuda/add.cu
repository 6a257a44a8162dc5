// add: dst = a + scale·b, rounded once for the product and once for the sum, as the residual stream wants it.
//
// Slow twin: engine's reference.Add. Launch: Cell blocks of 256 threads, four values a thread. Shared memory: none.
// Moved: 12 bytes a value (two reads, one write), the least possible. Registers: ptxas.txt.
#include "functions.cuh"

KERNEL(256) add(float *dst, i64 to, const float *a, i64 la, const float *b, i64 lb, float scale, int rows, int cols) {
  Cell cell = this_cell();
  if (cell.row >= rows) return;
  CELL_COLUMNS(cell, col, cols) dst[cell.row * to + col] = fused(scale, b[cell.row * lb + col], a[cell.row * la + col]);
}
