// rope: rotary positions in place (arXiv 2104.09864). The angle is taken in float64, where position·frequency of a long context still has
// its fraction, and the sine and cosine of what is left in float32.
//
// Slow twin: engine's reference.Rope. Launch: Cell blocks of 256 threads over heads·pairs columns. Shared memory: none.
// Moved: 16 bytes a pair.
#include "functions.cuh"

KERNEL(256) rope(float *x, i64 ld, const int *positions, const double *frequencies, int pairs, int heads, int head_dim, int offset,
                 int interleaved, float scale, int rows) {
  Cell cell = this_cell();
  if (cell.row >= rows) return;
  int position = positions[cell.row];
  CELL_COLUMNS(cell, col, heads * pairs) {
    int head = col / pairs, pair = col % pairs;
    float *first = x + cell.row * ld + head * head_dim + offset + (interleaved ? 2 * pair : pair), *second = first + (interleaved ? 1 : pairs);
    float sine, cosine, a = *first, b = *second;
    sine_cosine((double)position * frequencies[pair], &sine, &cosine);
    *first = scale * fused(a, cosine, -b * sine);
    *second = scale * fused(a, sine, b * cosine);
  }
}
