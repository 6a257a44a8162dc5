// convolve: causal depthwise convolution along each sequence, its prefix in front: dst[t][c] = bias[c] + Σ_w kernel[c][w]·x[t−width+1+w][c].
//
// Slow twin: engine's reference.Convolve. Launch: Cell blocks of 256 threads. Shared memory: none.
// Moved: 8 bytes a value; the width−1 rows before come from the caches.
#include "functions.cuh"

// Place of a row: its position in its sequence, where its sequence starts, the rows of its prefix and their number (engine.Layout).
KERNEL(256) convolve(float *dst, i64 to, const float *x, i64 from, const float *taps, i64 lt, const float *bias, const i32x4 *places, int width,
                     int rows, int channels) {
  Cell cell = this_cell();
  if (cell.row >= rows) return;
  i32x4 place = places[cell.row];
  CELL_COLUMNS(cell, col, channels) {
    float sum = bias ? bias[col] : 0.f;
    for (int w = 0; w < width; w++) {
      int at = place.x - width + 1 + w;
      if (at < 0) continue;
      int row = at < place.w ? place.z + at : place.y + at - place.w;
      sum = fused(taps[col * lt + w], x[row * from + col], sum);
    }
    dst[cell.row * to + col] = sum;
  }
}
