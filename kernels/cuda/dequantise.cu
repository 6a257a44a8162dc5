// dequantise: block-quantised weights of GGUF to float32 or bfloat16. The formats are ggml's (its docs and ggml-quants describe them): 32
// values with one scale (Q4_0 … Q8_0), or 256 with 6- and 4-bit scales of their own (the K types).
//
// Slow twin: engine's Weight.Float32s. Launch: Cell blocks of 256 threads. Shared memory: none.
// Moved: a block's bytes once from memory (its threads share them through the first-level cache), each value once out.
#include "quantised.cuh"

// Rows of src are `from` bytes apart. Columns from `cols` to `to` become zero. Values are multiplied by `factor`.
KERNEL(256) dequantise(void *dst, i64 to, int wide, const u8 *src, i64 from, int kind, float factor, int rows, int cols, int padded) {
  Cell cell = this_cell();
  if (cell.row >= rows) return;
  CELL_COLUMNS(cell, col, padded) {
    float v = col < cols ? factor * dequantised(src + cell.row * from, kind, col) : 0.f;
    if (wide) ((float *)dst)[cell.row * to + col] = v;
    else ((bf16 *)dst)[cell.row * to + col] = to_bf16(v);
  }
}
