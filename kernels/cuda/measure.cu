// measure: the statistics of one block, one read of every row. Per row and site: the first four power sums, Σ|v|, extremes, the sums of
// values relative to the row's RMS, counts below thresholds, NaN and Inf; per row the cosine and distance of the block's input and output.
// merge then adds the rows of each sequence (of long ones, those of each run of 64 rows and then the runs), pooled the means over tokens of each
// column, pooled_variance their variance.
// Every sum is float64, in a slot of its own and in an order that the row's width and the row's place in its sequence fix; no atomics.
//
// measure can do the residual addition y = a + scale·f on the way, so that statistics cost no pass over the residual stream of their own. Of
// attn and mlp it takes a product's slots (epilogue.cuh) instead of the rows where there are some: one byte a value instead of four, and no
// arithmetic of a value. What is counted relative to the row is not in them.
//
// Slow twin: engine's reference.Measure. Launch: measure one block of 256 threads a row, merge one block of 256 a sequence and site,
// pooled 256 columns a block and sequence. Shared memory: measure 18.9 KB, merge 2 KB. Moved: 4 bytes a value of every site once from memory
// (act is read twice, the second time from the first-level cache, and y, which may just have been written, from shared memory), 0.8 KB a
// row of records. Float64 is what takes the time where a GPU has few units for it (compute capability 8.6, 8.9, 12.0): seven operations and a
// conversion a value of each site that is read, three and two more a value of x.
#include "epilogue.cuh"

enum { SITE_BLOCK, SITE_DELTA, SITE_ATTN, SITE_MLP, SITE_ACT, SITES };
enum { SUM1, SUM2, SUM3, SUM4, SUM_ABS, LEAST, MOST, RELATIVE1, RELATIVE2, RELATIVE_BELOW, BELOW, NANS = BELOW + 8, INFS, SLOTS };
enum { MEASURE_KEPT = 4096 };
enum { RECORD = SITES * SLOTS + 4, COSINE = SITES * SLOTS, DISTANCE, RELATIVE }; // doubles a row; one is spare

// Sums of several values over the block in a fixed order; every thread gets them. Shared is used for nothing else.
template <int n> DEVICE void block_sums(double (&values)[n], double (*shared)[8]) {
#pragma unroll
  for (int i = 0; i < n; i++) {
    values[i] = warp_sum(values[i]);
    if ((thread_x() & 31) == 0) shared[i][thread_x() >> 5] = values[i];
  }
  __syncthreads();
#pragma unroll
  for (int i = 0; i < n; i++) {
    values[i] = 0.;
#pragma unroll
    for (int w = 0; w < 8; w++) values[i] += shared[i][w];
  }
}

// Adds up what the block's threads have of one site of one row and writes its SLOTS doubles of the record; gives the row's Σv². Rms is
// what values are relative to, negative where it is this site's own. Two sites in a row use different shared memory, so that the barrier between a
// site's writing and reading also keeps the next but one from writing too early.
DEVICE double reduce_site(double *record, Sums s, int below_relative, double rms, int cols, double (*shared)[SLOTS]) {
  int lane = (int)(thread_x() & 31), warp = (int)(thread_x() >> 5);
  s.sum1 = warp_sum(s.sum1), s.sum2 = warp_sum(s.sum2), s.sum3 = warp_sum(s.sum3), s.sum4 = warp_sum(s.sum4), s.sum_abs = warp_sum(s.sum_abs);
  s.low = warp_min(s.low), s.high = warp_max(s.high), below_relative = warp_sum(below_relative), s.nans = warp_sum(s.nans), s.infs = warp_sum(s.infs);
#pragma unroll
  for (int e = 0; e < 8; e++) s.below[e] = warp_sum(s.below[e]);
  if (lane == 0) {
    double *to = shared[warp];
    to[SUM1] = s.sum1, to[SUM2] = s.sum2, to[SUM3] = s.sum3, to[SUM4] = s.sum4, to[SUM_ABS] = s.sum_abs, to[LEAST] = s.low, to[MOST] = s.high;
    to[RELATIVE_BELOW] = below_relative, to[RELATIVE1] = 0., to[RELATIVE2] = 0., to[NANS] = s.nans, to[INFS] = s.infs;
#pragma unroll
    for (int e = 0; e < 8; e++) to[BELOW + e] = s.below[e];
  }
  __syncthreads();
  double squares = shared[0][SUM2];
#pragma unroll
  for (int w = 1; w < 8; w++) squares += shared[w][SUM2];
  int slot = (int)thread_x();
  if (slot >= SLOTS) return squares;
  if (rms < 0.) rms = root(squares / cols);
  int from = slot == RELATIVE1 ? SUM1 : slot == RELATIVE2 ? SUM2 : slot;
  double v = shared[0][from];
#pragma unroll
  for (int w = 1; w < 8; w++) {
    double o = shared[w][from];
    v = slot == LEAST ? (o < v ? o : v) : slot == MOST ? (o > v ? o : v) : v + o;
  }
  if (slot == RELATIVE1) v = rms == 0. ? 0. : v / rms;
  if (slot == RELATIVE2) v = rms == 0. ? 0. : v / rms / rms;
  record[slot] = v;
  return squares;
}

// Small tells values whose magnitude relative to `rms` is below a threshold: in float32, where |v| < limit says the same of the next float32 above
// the limit, and costs no float64.
struct Small {
  float limit;
  bool all; // relative values are zero where rms is
};
DEVICE Small small_values(float relative, double rms) {
  Small s;
  asm("cvt.rp.f32.f64 %0, %1;" : "=f"(s.limit) : "d"((double)relative * rms));
  s.all = rms == 0. && relative > 0.f;
  return s;
}
DEVICE int is_small(const Small &s, float v) { return s.all | (absolute(v) < s.limit); }

// One site of one row, whose values are relative to a rms that is known: value(col) for col < cols. Gives Σv².
template <class Value>
DEVICE double measure_site(double *record, Value value, int cols, double rms, float relative, const float *eps, double (*shared)[SLOTS]) {
  Sums s = no_sums();
  int below_relative = 0;
  Small small = small_values(relative, rms);
  for (int col = (int)thread_x(); col < cols; col += 256) {
    float v = value(col);
    add_value(s, v, eps);
    below_relative += is_small(small, v);
  }
  return reduce_site(record, s, below_relative, rms, cols, shared);
}

// One site of one row whose values are relative to their own rms. Gives Σv².
template <class Value>
DEVICE double measure_own(double *record, Value value, int cols, const float *eps, double (*shared)[SLOTS]) {
  Sums s = no_sums();
  for (int col = (int)thread_x(); col < cols; col += 256) add_value(s, value(col), eps);
  return reduce_site(record, s, 0, -1., cols, shared);
}
// And its count of small values, for which that had to be known; it takes the place of the record's 0.
template <class Value> DEVICE int count_small(Value value, int cols, float relative, double rms) {
  int below = 0;
  Small small = small_values(relative, rms);
  for (int col = (int)thread_x(); col < cols; col += 256) below += is_small(small, value(col));
  return warp_sum(below);
}

// One site of one row from a product's slots: four lanes take one, a quarter each.
DEVICE void merge_site(double *record, const GroupSums *slots, int groups, double rms, double (*shared)[SLOTS]) {
  Sums s = no_sums();
  int quarter = (int)(thread_x() & 3);
  for (int group = (int)(thread_x() >> 2); group < groups; group += 64) add_quarter(s, quarter, load_quarter(&slots[group].quarter[quarter]));
  reduce_site(record, s, 0, rms, 1, shared);
}

// Any of x, y, attn, mlp, act may be null; their rows are lx, ly … apart. Where the products behind attn and mlp have left slots, those are
// attn_slots and mlp_slots, [rows × groups of 64]. Thresholds unused are negative. Where f is not null, y is first set to a + scale·f.
KERNEL(256)
measure(double *records, const float *x, i64 lx, float *y, i64 ly, const float *attn, i64 la, const GroupSums *attn_slots, const float *mlp,
        i64 lm, const GroupSums *mlp_slots, const float *act, i64 lt, const float *a, i64 l0, const float *f, i64 lf, float scale,
        const float *eps, float relative, int cols, int act_cols) {
  __shared__ double shared[2][8][SLOTS], pairs[2][8];
  __shared__ int small[2][8];
  __shared__ float limits[8], kept[MEASURE_KEPT]; // values of y, each where the thread that read it reads it again
  i64 row = block_x();
  int self = (int)thread_x(), turn = 0;
  double *record = records + row * RECORD, squares_y = 0., squares_act = 0., rms = 0.;
  if (self < 8) limits[self] = eps[self];
  __syncthreads();
  auto output = [&](int col) { return col < MEASURE_KEPT ? kept[col] : y[row * ly + col]; };
  auto activated = [&](int col) { return act[row * lt + col]; };
  if (y) {
    float *line = y + row * ly;
    auto added = [&](int col) {
      float v = f ? fused(scale, f[row * lf + col], a[row * l0 + col]) : line[col];
      if (f) line[col] = v;
      if (col < MEASURE_KEPT) kept[col] = v;
      return v;
    };
    squares_y = measure_own(record + SITE_BLOCK * SLOTS, added, cols, limits, shared[turn++ & 1]);
    rms = root(squares_y / cols);
  }
  if (x && y) {
    double all[2] = {0., 0.}; // Σx², Σx·y
    auto moved = [&](int col) {
      float u = x[row * lx + col], v = output(col);
      all[0] = fused((double)u, (double)u, all[0]), all[1] = fused((double)u, (double)v, all[1]);
      return v - u;
    };
    double squares = measure_site(record + SITE_DELTA * SLOTS, moved, cols, rms, relative, limits, shared[turn++ & 1]);
    block_sums(all, pairs);
    if (self == 0) {
      double length_x = root(all[0]), length_y = root(squares_y), distance = root(squares);
      record[COSINE] = length_x == 0. || length_y == 0. ? 0. : all[1] / (length_x * length_y);
      record[DISTANCE] = distance, record[RELATIVE] = length_y == 0. ? 0. : distance / length_y;
    }
  }
  int groups = (cols + GROUP - 1) / GROUP;
  if (attn_slots) merge_site(record + SITE_ATTN * SLOTS, attn_slots + row * groups, groups, rms, shared[turn++ & 1]);
  else if (attn)
    measure_site(record + SITE_ATTN * SLOTS, [&](int col) { return attn[row * la + col]; }, cols, rms, relative, limits, shared[turn++ & 1]);
  if (mlp_slots) merge_site(record + SITE_MLP * SLOTS, mlp_slots + row * groups, groups, rms, shared[turn++ & 1]);
  else if (mlp)
    measure_site(record + SITE_MLP * SLOTS, [&](int col) { return mlp[row * lm + col]; }, cols, rms, relative, limits, shared[turn++ & 1]);
  if (act) squares_act = measure_own(record + SITE_ACT * SLOTS, activated, act_cols, limits, shared[turn++ & 1]);
  double rms_act = root(squares_act / act_cols);
  int counts[2] = {y ? count_small(output, cols, relative, rms) : 0, act ? count_small(activated, act_cols, relative, rms_act) : 0};
  if ((self & 31) == 0) small[0][self >> 5] = counts[0], small[1][self >> 5] = counts[1];
  __syncthreads();
  if ((self != 0 || !y) && (self != 32 || !act)) return; // of two warps: one's store would touch two sectors
  int below = 0, own = self >> 5;
#pragma unroll
  for (int w = 0; w < 8; w++) below += small[own][w];
  record[(own == 0 ? SITE_BLOCK : SITE_ACT) * SLOTS + RELATIVE_BELOW] = below;
}

// A choice that is no branch, whatever the compiler makes of the sources: lanes of a warp have different kinds.
DEVICE double chosen(int first, double a, double b) {
  double r;
  asm("{ .reg .pred p; setp.ne.s32 p, %3, 0; selp.f64 %0, %1, %2, p; }" : "=d"(r) : "d"(a), "d"(b), "r"(first));
  return r;
}
DEVICE double joined(int kind, double v, double o) {
  double low = o < v ? o : v, high = o > v ? o : v;
  return chosen(kind == LEAST, low, chosen(kind == MOST, high, v + o));
}

// merge adds the records start[s] to start[s+1], of rows or of runs: block (s, group of 32 slots), eight rows at a time, then the eight in order.
KERNEL(256) merge(double *out, const double *records, const int *start, u32 sites) {
  __shared__ double part[8][32];
  int sequence = (int)block_x(), slot = (int)(block_y() * 32 + (thread_x() & 31)), lane = (int)(thread_x() >> 5), site = slot / SLOTS;
  bool used = slot < SITES * SLOTS ? sites >> site & 1 : slot < RECORD - 1 && (sites >> SITE_DELTA & 1);
  int kind = slot < SITES * SLOTS ? slot % SLOTS : SUM1;
  double v = kind == LEAST ? (double)INFINITE : kind == MOST ? (double)-INFINITE : 0.;
  if (used)
#pragma unroll 4
    for (int row = start[sequence] + lane; row < start[sequence + 1]; row += 8) {
      double o = records[(i64)row * RECORD + slot];
      v = joined(kind, v, o);
    }
  part[lane][thread_x() & 31] = v;
  __syncthreads();
  if (lane != 0 || slot >= RECORD) return;
#pragma unroll
  for (int l = 1; l < 8; l++) {
    v = joined(kind, v, part[l][thread_x() & 31]);
  }
  out[(i64)sequence * RECORD + slot] = v;
}

// pooled: out[s][col] = mean over the rows of sequence s of value − minus, where minus may be null.
KERNEL(256) pooled(double *out, const float *value, i64 ld, const float *minus, i64 lm, const int *start, int cols) {
  int sequence = (int)block_x(), col = (int)(block_y() * 256 + thread_x());
  if (col >= cols) return;
  double sum = 0.;
  int first = start[sequence], end = start[sequence + 1];
#pragma unroll 4
  for (int row = first; row < end; row++) {
    float v = value[row * ld + col];
    if (minus) v -= minus[row * lm + col];
    sum += (double)v;
  }
  out[(i64)sequence * cols + col] = first == end ? 0. : sum / (end - first);
}

// pooled_variance: out[s] = the unbiased variance of the cols means of sequence s; 0 for fewer than two.
KERNEL(256) pooled_variance(double *out, const double *means, int cols) {
  __shared__ double first[1][8], second[1][8];
  const double *line = means + (i64)block_x() * cols;
  double sum[1] = {0.}, squares[1] = {0.};
  for (int col = (int)thread_x(); col < cols; col += 256) sum[0] += line[col];
  block_sums(sum, first);
  double mean = sum[0] / cols;
  for (int col = (int)thread_x(); col < cols; col += 256) squares[0] = fused(line[col] - mean, line[col] - mean, squares[0]);
  block_sums(squares, second);
  if (thread_x() == 0) out[block_x()] = cols < 2 ? 0. : squares[0] / (cols - 1);
}
