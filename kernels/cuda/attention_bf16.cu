// attention_bf16: softmax attention on the tensor cores: bfloat16 q, k, v and weights, float32 scores, sums and means; the online softmax
// of FlashAttention-2 (arXiv 2307.08691), with all masks. A warp owns 16 queries; scores stay in registers, where the accumulators of q·kᵀ
// are the operands of the product with v. The next tile of keys and values comes by cp.async while this one is worked on.
// Tiles lie in shared memory in rows of the head's width; their 16-byte pieces are exchanged by the row so that ldmatrix has no conflicts.
//
// Slow twin: attention_f32 on rounded operands; engine's reference.Attention.
//   kernel              HeadDim, ValueDim up to   queries  keys a tile  threads  shared
//   attention_bf16_64   64                        64       64           128      40 KB
//   attention_bf16_128  128                       64       64           128      80 KB
//   attention_bf16_256  256                       64       32           128      96 KB
// Moved: q and dst once; k and v once for 64 queries, from the second-level cache.
#include "mask.cuh"

template <int DIM> DEVICE u32 head_offset(int row, int piece) { return (u32)(row * DIM * 2 + ((piece ^ (row & 7)) << 4)); }

// Starts the copy of one head's row; pieces from `used` on become zero, all of them where the row is not wanted.
template <int DIM> DEVICE void head_row(u32 to, const bf16 *from, int row, int piece, int used, bool wanted) {
  wanted = wanted && piece < used;
  copy_async(to + head_offset<DIM>(row, piece), wanted ? from + piece * 8 : from, wanted);
}

// Starts the copies of one head's keys and values at the positions from j0 on, of which `used_k` and `used_v` pieces of a row are there.
template <int DIM, int KEYS>
DEVICE void load_keys(u32 keys, const bf16 *k, i64 lk, const bf16 *v, i64 lv, int used_k, int used_v, const QueryTile &tile, int seen, int j0) {
  constexpr int PIECES = DIM / 8, ROWS = 128 / PIECES;
  u32 values = keys + KEYS * DIM * 2;
  int t = (int)thread_x(), first = t / PIECES, piece = t % PIECES;
  if (j0 >= seen && j0 + KEYS <= tile.total && (j0 >= tile.prefixed || j0 + KEYS <= tile.prefixed)) {
    i64 row = row_at(tile, j0) + first; // all rows lie one behind the other: an addition a copy
    bool key = piece < used_k, value = piece < used_v;
    const bf16 *from_k = k + row * lk + (key ? piece * 8 : 0), *from_v = v + row * lv + (value ? piece * 8 : 0);
    u32 at = head_offset<DIM>(first, piece);
#pragma unroll
    for (int part = 0; part < KEYS / ROWS; part++) {
      u32 to = (at + (u32)(part * ROWS * DIM * 2)) ^ (u32)(part * ROWS % 8 << 4);
      copy_async(keys + to, from_k, key), copy_async(values + to, from_v, value);
      from_k += ROWS * lk, from_v += ROWS * lv;
    }
  } else {
#pragma unroll
    for (int part = 0; part < KEYS / ROWS; part++) {
      int j = first + part * ROWS;
      bool wanted = j0 + j >= seen && j0 + j < tile.total;
      i64 row = wanted ? row_at(tile, j0 + j) : tile.start;
      head_row<DIM>(keys, k + row * lk, j, piece, used_k, wanted);
      head_row<DIM>(values, v + row * lv, j, piece, used_v, wanted);
    }
  }
  copy_commit();
}

template <int DIM, int KEYS>
DEVICE void attend_bf16(float *dst, i64 to, const bf16 *q, i64 lq, const bf16 *k, i64 lk, const bf16 *v, i64 lv, const QueryTile *tiles,
                        const float *slopes, const float *sinks, int heads, int kv_heads, int dim, int value_dim, int value_width, Mask mask) {
  constexpr int PIECES = DIM / 8, STEPS = DIM / 16, KEY_TILES = KEYS / 8;
  extern __shared__ __align__(128) u8 space[];
  u32 queries = shared_address(space), stages = queries + 64 * DIM * 2;
  QueryTile tile = tiles[block_x()];
  int t = (int)thread_x(), lane = t & 31, warp = t >> 5, head = (int)block_y(), kv_head = head / (heads / kv_heads);
  int last = tile.position + tile.rows - 1, seen = first_seen(mask, tile.position), from = seen / KEYS * KEYS;
  int end = end_seen(mask, last, tile.total);
#pragma unroll
  for (int part = 0; part < 64 * PIECES / 128; part++) {
    int i = t + part * 128, row = i / PIECES, piece = i % PIECES;
    bool wanted = row < tile.rows;
    head_row<DIM>(queries, q + (i64)(tile.row + (wanted ? row : 0)) * lq + head * dim, row, piece, dim / 8, wanted);
  }
  k += kv_head * dim, v += kv_head * value_dim;
  load_keys<DIM, KEYS>(stages, k, lk, v, lv, dim / 8, value_dim / 8, tile, seen, from);
  float slope = slopes ? slopes[head] : 0.f, most[2], sum[2], mean[DIM / 8][4] = {};
  most[0] = most[1] = sinks ? sinks[head] : -INFINITE;
  sum[0] = sum[1] = sinks && (lane & 3) == 0 ? 1.f : 0.f; // four lanes share a row; their sums are added at the end
  // Where a lane reads at step 0: the exchange makes step s the same place with s·32 exclusive-or'd in.
  u32 query_at = head_offset<DIM>(warp * 16 + (lane & 15), lane >> 4), key_at = head_offset<DIM>((lane & 7) + (lane >> 4 << 3), lane >> 3 & 1);
  u32 value_at = head_offset<DIM>((lane & 7) + (lane >> 3 & 1) * 8, lane >> 4);
  int position = tile.position + warp * 16 + (lane >> 2);
  int first = tile.position + warp * 16, final = least(first + 15, last);
#pragma unroll 1
  for (int j0 = from, n = 0; j0 < end; j0 += KEYS, n++) {
    copy_wait<0>();
    __syncthreads();
    u32 stage = (u32)((n & 1) * 2 * KEYS * DIM * 2), next = (u32)(2 * KEYS * DIM * 2) - stage;
    if (j0 + KEYS < end) load_keys<DIM, KEYS>(stages + next, k, lk, v, lv, dim / 8, value_dim / 8, tile, seen, j0 + KEYS);
    u32 keys = stages + stage, values = keys + KEYS * DIM * 2;
    float scores[KEY_TILES][4] = {};
#pragma unroll
    for (int s = 0; s < STEPS; s++) {
      u32 a[4];
      load_matrices(a, queries + (query_at ^ (u32)(s * 32)));
#pragma unroll
      for (int j = 0; j < KEY_TILES; j += 2) {
        u32 b[4];
        load_matrices(b, keys + (key_at ^ (u32)(s * 32)) + j * 8 * DIM * 2);
        multiply_add(scores[j], a, b[0], b[1]), multiply_add(scores[j + 1], a, b[2], b[3]);
      }
    }
    bool all = first <= last && sees_all(mask, first, final, j0, j0 + KEYS, tile.total);
    float top[2] = {-INFINITE, -INFINITE};
    if (all && mask.cap <= 0.f && slope == 0.f) { // the most frequent by far: a score is a product and a factor
#pragma unroll
      for (int j = 0; j < KEY_TILES; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) scores[j][e] *= mask.scale, top[e >> 1] = larger(scores[j][e], top[e >> 1]);
    } else {
#pragma unroll
      for (int j = 0; j < KEY_TILES; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
          int i = position + (e >> 1) * 8, at = j0 + j * 8 + (lane & 3) * 2 + (e & 1);
          float s = all || sees(mask, i, at, tile.total) ? score<true>(mask, scores[j][e], slope, i, at) : -INFINITE;
          scores[j][e] = s, top[e >> 1] = larger(s, top[e >> 1]);
        }
    }
    float keep[2], base[2]; // base: the greatest score, where there is one
#pragma unroll
    for (int h = 0; h < 2; h++) {
#pragma unroll
      for (int m = 1; m < 4; m <<= 1) { float o = shuffle_xor(top[h], m); top[h] = o > top[h] ? o : top[h]; }
      float now = top[h] > most[h] ? top[h] : most[h];
      keep[h] = most[h] == now ? 1.f : exponential_fast(most[h] - now);
      most[h] = now, sum[h] *= keep[h], base[h] = now == -INFINITE ? 0.f : now;
    }
#pragma unroll
    for (int j = 0; j < KEY_TILES; j++)
#pragma unroll
      for (int e = 0; e < 4; e++) {
        float w = exponential_fast(scores[j][e] - base[e >> 1]); // 0 of a score of −∞
        scores[j][e] = w, sum[e >> 1] += w;
      }
#pragma unroll
    for (int d = 0; d < DIM / 8; d++) mean[d][0] *= keep[0], mean[d][1] *= keep[0], mean[d][2] *= keep[1], mean[d][3] *= keep[1];
#pragma unroll
    for (int s = 0; s < KEYS / 16; s++) {
      u32 a[4] = {pack_bf16(scores[2 * s][0], scores[2 * s][1]), pack_bf16(scores[2 * s][2], scores[2 * s][3]),
                  pack_bf16(scores[2 * s + 1][0], scores[2 * s + 1][1]), pack_bf16(scores[2 * s + 1][2], scores[2 * s + 1][3])};
#pragma unroll
      for (int d = 0; d < DIM / 8; d += 2) {
        u32 b[4];
        load_matrices_transposed(b, values + (value_at ^ (u32)(d * 16)) + s * 16 * DIM * 2);
        multiply_add(mean[d], a, b[0], b[1]), multiply_add(mean[d + 1], a, b[2], b[3]);
      }
    }
  }
#pragma unroll
  for (int h = 0; h < 2; h++) {
#pragma unroll
    for (int m = 1; m < 4; m <<= 1) sum[h] += shuffle_xor(sum[h], m);
    int row = warp * 16 + (lane >> 2) + 8 * h;
    if (row >= tile.rows) continue;
    float *line = dst + (i64)(tile.row + row) * to + head * value_width;
    bool pairs = ((u64)line & 7) == 0;
    float by = quotient(1.f, sum[h]);
#pragma unroll
    for (int d = 0; d < DIM / 8; d++) {
      int col = d * 8 + (lane & 3) * 2;
      float v0 = mean[d][2 * h] * by, v1 = mean[d][2 * h + 1] * by;
      if (pairs && col + 1 < value_width) {
        store_pair(line + col, v0, v1);
      } else {
        if (col < value_width) line[col] = v0;
        if (col + 1 < value_width) line[col + 1] = v1;
      }
    }
  }
}

// Dim and value_dim are the heads' widths in q, k and v, padded with zeros to multiples of 8; value_width is ValueDim as dst has it.
#define ATTENTION_BF16(name, size, keys)                                                                                                        \
  KERNEL(128, 1)                                                                                                                                \
  name(float *dst, i64 to, const bf16 *q, i64 lq, const bf16 *k, i64 lk, const bf16 *v, i64 lv, const QueryTile *tiles, const float *slopes,    \
       const float *sinks, int heads, int kv_heads, int dim, int value_dim, int value_width, int causal, int window, int chunk, float scale,    \
       float cap) {                                                                                                                             \
    attend_bf16<size, keys>(dst, to, q, lq, k, lk, v, lv, tiles, slopes, sinks, heads, kv_heads, dim, value_dim, value_width,                   \
                            Mask{causal, window, chunk, scale, cap, cap > 0.f ? quotient(1.f, cap) : 0.f});                                     \
  }
ATTENTION_BF16(attention_bf16_64, 64, 64)
ATTENTION_BF16(attention_bf16_128, 128, 64)
ATTENTION_BF16(attention_bf16_256, 256, 32)
