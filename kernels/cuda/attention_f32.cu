// attention_f32: softmax attention in float32 for `--compute f32`, with all masks, by the online softmax (arXiv 1805.02867) over tiles of
// 16 keys. Eight threads share a query: each takes two of the scores and every eighth column of the mean.
//
// Slow twin: engine's reference.Attention. Launch: 256 threads a tile of 32 queries and a head. Shared memory: queries, one tile of keys and
// of values with a pitch one above the width (no conflicts): 4·(32·(HeadDim+1) + 16·(HeadDim+ValueDim+2) + 544) bytes, 69 KB at 256.
// Moved: q and dst once; k and v once for 32 queries, from the second-level cache.
#include "mask.cuh"

template <int PARTS> // eighths of ValueDim, rounded up
DEVICE void attend_f32(float *dst, i64 to, const float *q, i64 lq, const float *k, i64 lk, const float *v, i64 lv, const QueryTile *tiles,
                       const float *slopes, const float *sinks, int heads, int kv_heads, int dim, int value_dim, Mask mask) {
  extern __shared__ __align__(16) float scratch[];
  float *queries = scratch, *keys = queries + 32 * (dim + 1), *values = keys + 16 * (dim + 1), *weights = values + 16 * (value_dim + 1);
  QueryTile tile = tiles[block_x()];
  int t = (int)thread_x(), head = (int)block_y(), kv_head = head / (heads / kv_heads), mine = t / 8, part = t % 8;
  for (int i = t; i < 32 * dim; i += 256) {
    int row = i / dim, col = i % dim;
    queries[row * (dim + 1) + col] = row < tile.rows ? q[(i64)(tile.row + row) * lq + head * dim + col] : 0.f;
  }
  int last = tile.position + tile.rows - 1, seen = first_seen(mask, tile.position), end = end_seen(mask, last, tile.total);
  float slope = slopes ? slopes[head] : 0.f, most = sinks ? sinks[head] : -INFINITE, sum = sinks ? 1.f : 0.f, mean[PARTS] = {};
  int position = tile.position + mine;
  const float *query = queries + mine * (dim + 1);
  for (int j0 = seen / 16 * 16; j0 < end; j0 += 16) {
    __syncthreads();
    for (int i = t; i < 16 * dim; i += 256) {
      int j = i / dim, col = i % dim;
      bool held = j0 + j >= seen && j0 + j < tile.total;
      keys[j * (dim + 1) + col] = held ? k[(i64)row_at(tile, j0 + j) * lk + kv_head * dim + col] : 0.f;
    }
    for (int i = t; i < 16 * value_dim; i += 256) {
      int j = i / value_dim, col = i % value_dim;
      bool held = j0 + j >= seen && j0 + j < tile.total;
      values[j * (value_dim + 1) + col] = held ? v[(i64)row_at(tile, j0 + j) * lv + kv_head * value_dim + col] : 0.f;
    }
    __syncthreads();
    float s0 = 0.f, s1 = 0.f;
    const float *key0 = keys + part * (dim + 1), *key1 = key0 + 8 * (dim + 1);
#pragma unroll 4
    for (int d = 0; d < dim; d++) s0 = fused(query[d], key0[d], s0), s1 = fused(query[d], key1[d], s1);
    s0 = mine < tile.rows && sees(mask, position, j0 + part, tile.total) ? score<false>(mask, s0, slope, position, j0 + part) : -INFINITE;
    s1 = mine < tile.rows && sees(mask, position, j0 + part + 8, tile.total) ? score<false>(mask, s1, slope, position, j0 + part + 8) : -INFINITE;
    float top = s0 > s1 ? s0 : s1;
#pragma unroll
    for (int m = 1; m < 8; m <<= 1) { float o = shuffle_xor(top, m); top = o > top ? o : top; }
    float now = top > most ? top : most;
    float keep = most == now ? 1.f : exponential(most - now);
    float w0 = s0 == -INFINITE ? 0.f : exponential(s0 - now), w1 = s1 == -INFINITE ? 0.f : exponential(s1 - now), added = w0 + w1;
#pragma unroll
    for (int m = 1; m < 8; m <<= 1) added += shuffle_xor(added, m);
    sum = fused(sum, keep, added), most = now;
    weights[mine * 17 + part] = w0, weights[mine * 17 + part + 8] = w1;
    warp_barrier();
    if (keep != 1.f)
#pragma unroll
      for (int p = 0; p < PARTS; p++) mean[p] *= keep;
    for (int j = 0; j < 16; j++) {
      float w = weights[mine * 17 + j];
      if (w == 0.f) continue;
#pragma unroll
      for (int p = 0; p < PARTS; p++)
        if (int col = p * 8 + part; col < value_dim) mean[p] = fused(w, values[j * (value_dim + 1) + col], mean[p]);
    }
  }
  if (mine >= tile.rows) return;
#pragma unroll
  for (int p = 0; p < PARTS; p++)
    if (int col = p * 8 + part; col < value_dim) dst[(i64)(tile.row + mine) * to + head * value_dim + col] = quotient(mean[p], sum);
}

#define ATTENTION_F32(name, parts)                                                                                                              \
  KERNEL(256)                                                                                                                                   \
  name(float *dst, i64 to, const float *q, i64 lq, const float *k, i64 lk, const float *v, i64 lv, const QueryTile *tiles, const float *slopes, \
       const float *sinks, int heads, int kv_heads, int dim, int value_dim, int causal, int window, int chunk, float scale, float cap) {        \
    attend_f32<parts>(dst, to, q, lq, k, lk, v, lv, tiles, slopes, sinks, heads, kv_heads, dim, value_dim,                                      \
                      Mask{causal, window, chunk, scale, cap, cap > 0.f ? quotient(1.f, cap) : 0.f});                                           \
  }
ATTENTION_F32(attention_f32_64, 8)
ATTENTION_F32(attention_f32_128, 16)
ATTENTION_F32(attention_f32_256, 32)
