// gather: dst[i] = src[rows[i]]. scatter: dst[to[t]] += Σ weights[i]·src[i] over the entries i of target t, in ascending order: the host
// sorts the entries by target, so that every row of dst has one writer and its sum one order.
//
// Slow twins: engine's reference.Gather and Scatter. Launch: Cell blocks of 256 threads. Shared memory: none. Moved: 8 bytes a value
// gathered; scattered: 4 bytes a value of src, 8 a value of each target row.
#include "functions.cuh"

KERNEL(256) gather(float *dst, i64 to, const float *src, i64 from, const int *index, int rows, int cols) {
  Cell cell = this_cell();
  if (cell.row >= rows) return;
  const float *line = src + index[cell.row] * from;
  CELL_COLUMNS(cell, col, cols) dst[cell.row * to + col] = line[col];
}

// Entries first[t] to first[t+1] of `entries` (rows of src, ascending) belong to row target[t] of dst. Weights, if not null, goes by row of src.
KERNEL(256) scatter(float *dst, i64 to, const float *src, i64 from, const int *target, const int *first, const int *entries,
                    const float *weights, int targets, int cols) {
  Cell cell = this_cell();
  if (cell.row >= targets) return;
  int begin = first[cell.row], end = first[cell.row + 1];
  float *line = dst + target[cell.row] * to;
  CELL_COLUMNS(cell, col, cols) {
    float sum = line[col];
    for (int e = begin; e < end; e++) {
      int i = entries[e];
      float v = src[i * from + col];
      sum = weights ? fused(weights[i], v, sum) : sum + v;
    }
    line[col] = sum;
  }
}
