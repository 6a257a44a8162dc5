// embed: dst[i] = scale · table[ids[i]].
//
// Slow twin: engine's reference.Embed. Launch: Cell blocks of 256 threads. Shared memory: none.
// Moved: the table's bytes of every token's row and 4 bytes a value out.
#include "functions.cuh"

KERNEL(256) embed(float *dst, i64 to, const void *table, i64 from, int wide, const int *ids, float scale, int rows, int cols) {
  Cell cell = this_cell();
  if (cell.row >= rows) return;
  i64 line = ids[cell.row] * from;
  CELL_COLUMNS(cell, col, cols)
    dst[cell.row * to + col] = scale * (wide ? ((const float *)table)[line + col] : from_bf16(((const bf16 *)table)[line + col]));
}
