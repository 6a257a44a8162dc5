// scale: x ← x·factor·rows[row]; clamp: x ← the nearest value within ±limit. Both in place.
//
// Slow twins: engine's reference.Scale and Clamp. Launch: Cell blocks of 256 threads. Shared memory: none. Moved: 8 bytes a value.
#include "prims.cuh"

// Scales, if not null, holds one factor a row.
KERNEL(256) scale(float *x, i64 ld, float factor, const float *scales, int rows, int cols) {
  Cell cell = this_cell();
  if (cell.row >= rows) return;
  float by = scales ? factor * scales[cell.row] : factor;
  CELL_COLUMNS(cell, col, cols) x[cell.row * ld + col] *= by;
}

KERNEL(256) clamp(float *x, i64 ld, float limit, int rows, int cols) {
  Cell cell = this_cell();
  if (cell.row >= rows) return;
  CELL_COLUMNS(cell, col, cols) {
    float v = x[cell.row * ld + col];
    x[cell.row * ld + col] = v > limit ? limit : v < -limit ? -limit : v;
  }
}
