// normalise: RMS, layer and L2 normalisation of every group of every row, times (weight + offset), plus bias; and the same with the residual
// addition in front (y = x + scale·f, stored, then normalised): one read of x and f and one write of y and of the normalised row. The
// sums run in float64, so that Σx² − n·mean² loses nothing that float32 values had. The bfloat16 copy that the next product reads is
// written in the same go.
//
// Slow twin: engine's reference.Norm (and Add before it). Launch: one block of 256 threads a row where groups are wider than 256, else
// one warp a group. A group's sums depend on its width alone. A group's values, up to 4,096, wait in shared memory, each where the thread that
// read it reads it again; those of wider groups beyond are read a second time. Shared memory: 16.1 KB.
// Moved: 8 bytes a value, 2 more for the copy; with the addition 16 and 2; weight and bias once a row, from the second-level cache.
#include "functions.cuh"

enum { NORM_KEPT = 4096 };
enum { NORM_NONE, NORM_RMS, NORM_LAYER, NORM_L2 }; // engine.NormKind

struct Normaliser { double mean; float factor; };

DEVICE Normaliser normaliser(int kind, double sum, double squares, int size, double eps) {
  Normaliser n;
  n.mean = 0.;
  double mean = sum / size, under = squares + eps;
  if (kind == NORM_RMS) under = squares / size + eps;
  if (kind == NORM_LAYER) {
    double variance = squares / size - mean * mean;
    under = (variance < 0. ? 0. : variance) + eps;
    n.mean = mean;
  }
  n.factor = (float)(1. / root(under));
  return n;
}

// A block or a warp (step threads, `lane` among them) normalises one group of `size` columns. If f is not null, y = x + scale·f comes first.
template <bool whole_block>
DEVICE void norm_group(float *dst, float *y, const float *x, const float *f, float scale, bf16 *copy, int pad, const float *weight, const float *bias,
                       float offset, int kind, double eps, int size, int lane, int step, double *shared, float *kept) {
  double sum = 0., squares = 0.;
#pragma unroll 4
  for (int col = lane; col < size; col += step) {
    float v = x[col];
    if (f) {
      v = fused(scale, f[col], v);
      y[col] = v;
    }
    if (col < NORM_KEPT) kept[col] = v;
    sum += v, squares = fused((double)v, (double)v, squares);
  }
  sum = warp_sum(sum), squares = warp_sum(squares);
  if (whole_block) {
    int warp = lane >> 5;
    if ((lane & 31) == 0) shared[warp] = sum, shared[8 + warp] = squares;
    __syncthreads();
    sum = 0., squares = 0.;
#pragma unroll
    for (int w = 0; w < 8; w++) sum += shared[w], squares += shared[8 + w];
  }
  Normaliser n = normaliser(kind, sum, squares, size, eps);
  const float *line = f ? y : x;
#pragma unroll 4
  for (int col = lane; col < size; col += step) {
    float v = col < NORM_KEPT ? kept[col] : line[col];
    if (kind == NORM_LAYER) v = (float)((double)v - n.mean);
    v *= n.factor;
    if (weight) v *= weight[col] + offset;
    if (bias) v += bias[col];
    dst[col] = v;
    if (copy) copy[col] = to_bf16(v);
  }
  if (copy && lane < pad) copy[size + lane] = 0;
}

// Weight and bias are [cols], or [cols / groups] where shared_weight and shared_bias say so.
KERNEL(256)
normalise(float *dst, i64 to, float *y, i64 ly, const float *x, i64 from, const float *f, i64 lf, float scale, bf16 *copy, i64 lc, int padded,
          const float *weight, int shared_weight, const float *bias, int shared_bias, float offset, int kind, float eps, int groups, int rows,
          int cols) {
  __shared__ double shared[16];
  __shared__ float kept[NORM_KEPT];
  int size = cols / groups;
  if (size > 256) {
    i64 row = block_x();
    int group = (int)block_y(), at = group * size;
    norm_group<true>(dst + row * to + at, f ? y + row * ly + at : nullptr, x + row * from + at, f ? f + row * lf + at : nullptr, scale,
                     copy ? copy + row * lc + at : nullptr, group == groups - 1 ? padded - cols : 0,
                     weight ? weight + (shared_weight ? 0 : at) : nullptr, bias ? bias + (shared_bias ? 0 : at) : nullptr, offset, kind, eps, size,
                     (int)thread_x(), 256, shared, kept);
    return;
  }
  i64 unit = (i64)block_x() * 8 + (thread_x() >> 5), row = unit / groups;
  int group = (int)(unit % groups), at = group * size;
  if (row >= rows) return;
  norm_group<false>(dst + row * to + at, f ? y + row * ly + at : nullptr, x + row * from + at, f ? f + row * lf + at : nullptr, scale,
                    copy ? copy + row * lc + at : nullptr, group == groups - 1 ? padded - cols : 0,
                    weight ? weight + (shared_weight ? 0 : at) : nullptr, bias ? bias + (shared_bias ? 0 : at) : nullptr, offset, kind, eps, size,
                    (int)(thread_x() & 31), 32, shared, kept + 256 * (thread_x() >> 5));
}
