// columns copies columns: index[j] says for column j of dst's span which column of src it takes, or −1.
//
// Slow twin: engine's reference.Columns. Launch: Cell blocks of 256 threads. Shared memory: none. Moved: 8 bytes a value.
#include "prims.cuh"

KERNEL(256) columns(float *dst, i64 to, const float *src, i64 from, const int *index, int rows, int span) {
  Cell cell = this_cell();
  if (cell.row >= rows) return;
  CELL_COLUMNS(cell, col, span) if (int take = index[col]; take >= 0) dst[cell.row * to + col] = src[cell.row * from + take];
}
