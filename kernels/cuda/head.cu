// head: what is wanted of the distribution over the vocabulary, tile by tile. A product writes the logits of a few rows and one tile of the
// vocabulary into a small buffer that the second-level cache holds; head_tile folds it into the state of each row and variant: the greatest
// logit so far and its place, Σ exp(logit − greatest), and, for the divergence from variant 0, Σ exp(l₀ − greatest₀)·(l₀ − l). Logits of
// wanted tokens go out. No [rows × vocabulary] buffer exists; the host takes the logarithm at the end.
// Tiles have one width and come in ascending order, so that the sums' order is fixed.
//
// Slow twin: engine's reference.Head. Launch: one block of 256 threads a row. Shared memory: 256 bytes.
// Moved: 4 bytes a logit, from the second-level cache; 32 bytes of state a row, variant and tile.
#include "functions.cuh"

struct HeadState { double sum, divergence; float most; int top; };

DEVICE float finished_logit(float product, const float *bias, int col, float scale, float cap) {
  float v = scale * (product + (bias ? bias[col] : 0.f));
  return cap > 0.f ? cap * hyperbolic_tangent(quotient(v, cap)) : v;
}

// These three use shared memory of their own each. One round's barriers stand between its reads and the next round's writes.
// The greatest of the block's values and the least place where it stands.
DEVICE void block_most(float *most, int *place, float *values, int *places) {
#pragma unroll
  for (int mask = 16; mask; mask >>= 1) {
    float v = shuffle_xor(*most, mask);
    int p = shuffle_xor(*place, mask);
    if (v > *most || (v == *most && p < *place)) *most = v, *place = p;
  }
  if ((thread_x() & 31) == 0) values[thread_x() >> 5] = *most, places[thread_x() >> 5] = *place;
  __syncthreads();
  *most = values[0], *place = places[0];
#pragma unroll
  for (int w = 1; w < 8; w++)
    if (values[w] > *most || (values[w] == *most && places[w] < *place)) *most = values[w], *place = places[w];
}
DEVICE double head_block_sum(double v, double *shared) {
  v = warp_sum(v);
  if ((thread_x() & 31) == 0) shared[thread_x() >> 5] = v;
  __syncthreads();
  double sum = 0.;
#pragma unroll
  for (int w = 0; w < 8; w++) sum += shared[w];
  return sum;
}

// Logits holds `variants` runs of `room` rows of `ld` values: the tile of `width` tokens from `first` on, for the rows from row0 on of
// `rows`. States are [variants × rows]. Where offsets is not null, found[v·wanted + t] gets the logit of target t.
KERNEL(256) head_tile(HeadState *states, double *found, const float *logits, i64 ld, int room, const float *bias, float scale, float cap,
                      const int *offsets, const int *targets, int wanted, int variants, int diverge, int first, int width, int row0, int rows) {
  __shared__ float values[8];
  __shared__ int places[8];
  __shared__ double sums[8], differences[8];
  int self = (int)thread_x(), row = row0 + (int)block_x();
  const float *line0 = logits + (i64)block_x() * ld;
  float most0 = 0.f, keep0 = 0.f, scale0 = 0.f;
  for (int v = 0; v < variants; v++) {
    const float *line = line0 + (i64)v * room * ld;
    HeadState *state = states + (i64)v * rows + row;
    float most = -INFINITE;
    int top = 0x7fffffff;
    for (int col = self; col < width; col += 256) {
      float l = finished_logit(line[col], bias, first + col, scale, cap);
      if (l > most || top == 0x7fffffff) most = l, top = first + col;
    }
    block_most(&most, &top, values, places);
    HeadState old = first == 0 ? HeadState{0., 0., -INFINITE, top} : *state;
    float greatest = old.most > most ? old.most : most, sum = 0.f;
    if (v == 0) most0 = most, keep0 = old.most == -INFINITE ? 0.f : exponential(old.most - greatest), scale0 = exponential(most - greatest);
    double difference = 0.;
    for (int col = self; col < width; col += 256) {
      float l = finished_logit(line[col], bias, first + col, scale, cap);
      sum += exponential(l - most);
      if (diverge && v > 0) {
        float l0 = finished_logit(line0[col], bias, first + col, scale, cap), weight = exponential(l0 - most0);
        if (weight > 0.f) difference += (double)weight * ((double)l0 - (double)l);
      }
    }
    double total = head_block_sum((double)sum, sums);
    if (diverge && v > 0) difference = head_block_sum(difference, differences);
    if (self == 0) {
      HeadState next;
      next.sum = (old.most == -INFINITE ? 0. : old.sum * (double)exponential(old.most - greatest)) + total * (double)exponential(most - greatest);
      next.divergence = old.divergence * (double)keep0 + difference * (double)scale0;
      next.most = greatest, next.top = most > old.most ? top : old.top;
      *state = next;
    }
    if (offsets)
      for (int t = offsets[row] + self; t < offsets[row + 1]; t += 256)
        if (int col = targets[t] - first; col >= 0 && col < width)
          found[(i64)v * wanted + t] = (double)finished_logit(line[col], bias, first + col, scale, cap);
  }
}
