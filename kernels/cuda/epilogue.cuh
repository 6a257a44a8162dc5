// What becomes of a product's results while they are in registers, as template parameters of the products (product_bf16.cu, product_f32.cu,
// hopper/product.cu): StoreEpilogue writes them; SumsEpilogue writes them and takes their statistics; HeadEpilogue writes none, for they are
// logits, and keeps what is wanted of their distribution.
//
// The last two reduce groups of 64 columns of one row, each into a slot of its own: no atomics, and a slot's bits do not depend on the tile,
// because in every tile a group's values lie in the same lanes. LANES neighbouring lanes hold a group, each RUN neighbouring columns of every
// RUN·LANES: 2 and 4 in the accumulators of mma.sync and wgmma, 4 and 16 in product_f32. A lane adds its own values in ascending order, then
// lanes exchange by halves. Slots of a row lie side by side: [rows × groups]; who reads them goes through them in order.
//
// Slow twins: measure on stored results, head_tile on stored logits.
#pragma once
#include "moments.cuh"
#include "tile.cuh"

enum { GROUP = 64 };

// The column of value i of a lane, counted from the group's first.
template <int RUN, int LANES> DEVICE int group_column(int lane, int i) { return i / RUN * (RUN * LANES) + lane * RUN + i % RUN; }

struct StoreEpilogue {
  enum { GROUPS = false, KEPT = true };
};

struct SumsEpilogue {
  enum { GROUPS = true, KEPT = true };
  GroupSums *slots;
  float eps[8];

  // A group of row `row` that begins at column `first`; lanes with row >= m and columns >= n do not count.
  template <int RUN, int LANES> METHOD void group(int row, int first, int lane, const float (&v)[GROUP / LANES], int m, int n) const {
    Sums s = no_sums();
#pragma unroll
    for (int i = 0; i < GROUP / LANES; i++)
      if (first + group_column<RUN, LANES>(lane, i) < n) add_value(s, v[i], eps);
    u32 counts[3];
#pragma unroll
    for (int w = 0; w < 2; w++) counts[w] = (u32)(s.below[4 * w] | s.below[4 * w + 1] << 8 | s.below[4 * w + 2] << 16 | s.below[4 * w + 3] << 24);
    counts[2] = (u32)(s.nans | s.infs << 8);
#pragma unroll
    for (int mask = 1; mask < LANES; mask *= 2) {
      s.sum1 += shuffle_xor(s.sum1, mask), s.sum2 += shuffle_xor(s.sum2, mask), s.sum3 += shuffle_xor(s.sum3, mask);
      s.sum4 += shuffle_xor(s.sum4, mask), s.sum_abs += shuffle_xor(s.sum_abs, mask);
      float low = shuffle_xor(s.low, mask), high = shuffle_xor(s.high, mask);
      s.low = low < s.low ? low : s.low, s.high = high > s.high ? high : s.high;
#pragma unroll
      for (int w = 0; w < 3; w++) counts[w] += shuffle_xor(counts[w], mask);
    }
    if (row >= m || lane >= 4) return;
    Quarter q;
    if (lane < 2) {
      pack_double(q.word, lane == 0 ? s.sum1 : s.sum3), pack_double(q.word + 2, lane == 0 ? s.sum2 : s.sum4);
    } else if (lane == 2) {
      pack_double(q.word, s.sum_abs), q.word[2] = bits_of(s.low), q.word[3] = bits_of(s.high);
    } else {
      q.word[0] = counts[0], q.word[1] = counts[1], q.word[2] = counts[2], q.word[3] = 0;
    }
    store_words(&slots[(i64)row * ((n + GROUP - 1) / GROUP) + first / GROUP].quarter[lane], q.word[0], q.word[1], q.word[2], q.word[3]);
  }
};

DEVICE SumsEpilogue sums_epilogue(GroupSums *slots, const float *eps) {
  SumsEpilogue s;
  s.slots = slots;
#pragma unroll
  for (int e = 0; e < 8; e++) s.eps[e] = eps[e];
  return s;
}

// LogitGroup is what the head wants of 64 logits of a row: the greatest, Σ exp(logit − greatest), and the first place of the greatest.
struct __align__(16) LogitGroup {
  float most, sum;
  int top, unused;
};
DEVICE LogitGroup load_group(const LogitGroup *from) {
  float v[4];
  load_quad(v, from);
  return LogitGroup{v[0], v[1], (int)bits_of(v[2]), 0};
}

DEVICE float final_logit(float product, float scale, float cap) {
  float v = scale * product;
  return cap > 0.f ? cap * hyperbolic_tangent(quotient(v, cap)) : v;
}

// Reduces final logits; columns from n on do not count. Where all are −∞ the sum is 0; where one is no number, so is the sum.
template <int RUN, int LANES> DEVICE LogitGroup reduce_logits(const float (&v)[GROUP / LANES], int first, int lane, int n) {
  LogitGroup g = {-INFINITE, 0.f, 0x7fffffff, 0};
#pragma unroll
  for (int i = 0; i < GROUP / LANES; i++) {
    int col = first + group_column<RUN, LANES>(lane, i);
    if (col < n && (v[i] > g.most || (v[i] == g.most && col < g.top))) g.most = v[i], g.top = col;
  }
#pragma unroll
  for (int mask = 1; mask < LANES; mask *= 2) {
    float most = shuffle_xor(g.most, mask);
    int top = shuffle_xor(g.top, mask);
    if (most > g.most || (most == g.most && top < g.top)) g.most = most, g.top = top;
  }
  float base = g.most == -INFINITE ? 0.f : g.most;
#pragma unroll
  for (int i = 0; i < GROUP / LANES; i++)
    if (first + group_column<RUN, LANES>(lane, i) < n) g.sum += exponential(v[i] - base);
#pragma unroll
  for (int mask = 1; mask < LANES; mask *= 2) g.sum += shuffle_xor(g.sum, mask);
  return g;
}

struct HeadEpilogue {
  enum { GROUPS = true, KEPT = false };
  LogitGroup *slots;
  double *found;      // the wanted tokens' logits
  const int *offsets; // row r wants targets offsets[r] to offsets[r+1]; null: none
  const int *targets;
  float scale, cap;

  template <int RUN, int LANES> METHOD void group(int row, int first, int lane, float (&v)[GROUP / LANES], int m, int n) const {
#pragma unroll
    for (int i = 0; i < GROUP / LANES; i++) v[i] = final_logit(v[i], scale, cap);
    LogitGroup g = reduce_logits<RUN, LANES>(v, first, lane, n);
    if (row >= m) return;
    if (lane == 0) store_words(slots + (i64)row * ((n + GROUP - 1) / GROUP) + first / GROUP, bits_of(g.most), bits_of(g.sum), (u32)g.top, 0);
    if (!offsets) return;
    for (int t = offsets[row]; t < offsets[row + 1]; t++) {
      int at = targets[t] - first;
      if (at < 0 || at >= GROUP) continue;
#pragma unroll
      for (int i = 0; i < GROUP / LANES; i++)
        if (group_column<RUN, LANES>(lane, i) == at) found[t] = (double)v[i];
    }
  }
};

// The epilogue of a warp's sums: rows row0 …, columns col0 … of an [m × n] product. A turn of the loop takes one group of a lane's row, then all
// sums move up, for registers have no index: a few hundred moves instead of the code of a group 8 times over.
template <int MT, int NT, class Epilogue>
DEVICE void tile_epilogue(const Epilogue &epilogue, float *dst, i64 to, const float *bias, float (&sums)[MT][NT * 2][4], int row0, int col0,
                          int m, int n) {
  if (Epilogue::KEPT) tile_store<MT, NT>(dst, to, bias, sums, row0, col0, m, n);
  if constexpr (Epilogue::GROUPS) {
    static_assert(NT % 4 == 0, "a warp holds whole groups");
    constexpr int TURNS = NT / 4 * MT * 2;
    int lane = (int)(thread_x() & 31), quad = lane & 3;
    float waiting[TURNS][16];
#pragma unroll
    for (int t = 0; t < TURNS; t++)
#pragma unroll
      for (int j = 0; j < 16; j++) waiting[t][j] = sums[t / 2 % MT][t / (2 * MT) * 8 + j / 2][t % 2 * 2 + j % 2];
#pragma unroll 1
    for (int t = 0; t < TURNS; t++) {
      int row = row0 + 8 * (t % (2 * MT)) + (lane >> 2), first = col0 + GROUP * (t / (2 * MT));
      if (first >= n) break;
      float v[16];
#pragma unroll
      for (int j = 0; j < 16; j++) {
        int col = first + group_column<2, 4>(quad, j);
        v[j] = waiting[0][j] + (bias && col < n ? bias[col] : 0.f);
      }
      epilogue.template group<2, 4>(row, first, quad, v, m, n);
#pragma unroll
      for (int u = 0; u + 1 < TURNS; u++)
#pragma unroll
        for (int j = 0; j < 16; j++) waiting[u][j] = waiting[u + 1][j];
    }
  }
}
