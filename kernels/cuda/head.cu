// head: what is wanted of the distribution over the vocabulary. Where log-probabilities and the most likely token are wanted alone, the logits
// never leave the product (epilogue.cuh: HeadEpilogue), and head_merge adds up its slots. The divergence from variant 0 needs two variants'
// logits side by side: there a product writes the logits of a few rows and one tile of the vocabulary into a small buffer that the second-level
// cache holds, and head_tile makes of them the same slots, in shared memory, and adds them up in the same way. Both keep, a row and variant, the
// greatest logit so far and its place, Σ exp(logit − greatest), and, for the divergence, Σ exp(l₀ − greatest₀)·(l₀ − l). No
// [rows × vocabulary] buffer exists either way; the host takes the logarithm at the end.
//
// A slot is 64 tokens, a tile 64 slots. A tile's slots are added in one order, and tiles come in ascending order, so that the order of the sums
// is fixed, and both ways give the same bits.
//
// Slow twin: engine's reference.Head; head_tile is head_merge's. Launch: head_tile one block of 256 threads a row, head_merge one warp a row.
// Shared memory: head_tile 3.3 KB. Moved: head_tile 4 bytes a logit, from the second-level cache, and 32 bytes of state a row, variant and
// tile; head_merge 16 bytes for 64 logits.
#include "epilogue.cuh"

enum { TILE_SLOTS = 64 };

struct HeadState { double sum, divergence; float most; int top; };

DEVICE HeadState no_state() { return HeadState{0., 0., -INFINITE, 0x7fffffff}; }

// A warp adds the slots of one tile to a row's state: slot(i) for i < TILE_SLOTS; difference(i) is slot i's share of the divergence, relative to
// variant 0's greatest logit so far, and keep what becomes of the old divergence when it goes over to that. Every lane gets the result.
template <class Slot, class Difference> DEVICE HeadState add_tile(const HeadState &old, Slot slot, Difference difference, float keep) {
  int lane = (int)(thread_x() & 31);
  LogitGroup a = slot(lane), b = slot(lane + 32);
  float most = b.most > a.most ? b.most : a.most;
  int top = b.most > a.most ? b.top : a.top;
#pragma unroll
  for (int mask = 16; mask; mask >>= 1) {
    float other = shuffle_xor(most, mask);
    int place = shuffle_xor(top, mask);
    if (other > most || (other == most && place < top)) most = other, top = place;
  }
  HeadState next;
  next.most = old.most > most ? old.most : most, next.top = most > old.most ? top : old.top;
  float base = next.most == -INFINITE ? 0.f : next.most;
  double sum = (double)a.sum * (double)exponential(a.most - base) + (double)b.sum * (double)exponential(b.most - base);
  next.sum = old.sum * (double)exponential(old.most - base) + warp_sum(sum);
  next.divergence = old.divergence * (double)keep + warp_sum(difference(lane) + difference(lane + 32));
  return next;
}

DEVICE LogitGroup group_at(const LogitGroup *shared) {
  f32x4 v = load_four(shared_address(shared));
  return LogitGroup{v.x, v.y, (int)bits_of(v.z), 0};
}
DEVICE LogitGroup no_group() { return LogitGroup{-INFINITE, 0.f, 0x7fffffff, 0}; }

// The product's slots are [rows × groups].
KERNEL(256) head_merge(HeadState *states, const LogitGroup *slots, int groups, int rows) {
  int row = (int)(block_x() * 8 + (thread_x() >> 5));
  if (row >= rows) return;
  const LogitGroup *line = slots + (i64)row * groups;
  HeadState state = no_state();
  for (int first = 0; first < groups; first += TILE_SLOTS)
    state = add_tile(state, [&](int i) { return first + i < groups ? load_group(line + first + i) : no_group(); }, [](int) { return 0.; }, 0.f);
  if ((thread_x() & 31) == 0) states[row] = state;
}

// The final logits of RUN neighbouring columns from `col` on of one line of the buffer; those from `width` on are anything.
template <int RUN> DEVICE void load_logits(float *v, const float *line, int col, int width, const float *bias, float scale, float cap) {
  if (col + RUN <= width) {
    if constexpr (RUN == 2) load_pair(v, line + col);
    else load_quad(v, line + col);
  } else {
#pragma unroll
    for (int j = 0; j < RUN; j++) v[j] = col + j < width ? line[col + j] : 0.f;
  }
#pragma unroll
  for (int j = 0; j < RUN; j++) v[j] = final_logit(v[j] + (bias && col + j < width ? bias[col + j] : 0.f), scale, cap);
}

// Logits holds `variants` runs of `portion` rows of `ld` values, a multiple of 4: the tile of `width` tokens from `first` on, for the rows from
// row0 on of `rows`. States are [variants × rows]. Where offsets is not null, found[v·wanted + t] gets the logit of target t.
// RUN and LANES are those of the product whose slots must have the same bits.
template <int RUN, int LANES>
DEVICE void head_tile_slots(HeadState *states, double *found, const float *logits, i64 ld, int portion, const float *bias, float scale, float cap,
                            const int *offsets, const int *targets, int wanted, int variants, int diverge, int first, int width, int row0, int rows) {
  constexpr int N = GROUP / LANES, ROUNDS = LANES / 4; // 256 threads hold a tile's 4096 logits, 16 each
  __shared__ LogitGroup tile_groups[2][TILE_SLOTS];
  __shared__ double differences[2][TILE_SLOTS];
  __shared__ float most0[TILE_SLOTS];
  int self = (int)thread_x(), lane = self % LANES, row = row0 + (int)block_x();
  if (bias) bias += first;
  float v0[ROUNDS][N] = {}, base0 = 0.f, keep0 = 0.f;
  for (int v = 0; v < variants; v++) {
    const float *line = logits + ((i64)v * portion + block_x()) * ld;
#pragma unroll
    for (int round = 0; round < ROUNDS; round++) {
      int slot = round * (TILE_SLOTS / ROUNDS) + self / LANES, from = slot * GROUP;
      float l[N];
#pragma unroll
      for (int i = 0; i < N; i += RUN) load_logits<RUN>(l + i, line, from + group_column<RUN, LANES>(lane, i), width, bias, scale, cap);
      LogitGroup g = reduce_logits<RUN, LANES>(l, from, lane, width);
      if (v == 0) {
#pragma unroll
        for (int i = 0; i < N; i++) v0[round][i] = l[i];
        if (lane == 0) most0[slot] = g.most; // read from the next variant on
      }
      double difference = 0.;
      if (diverge && v > 0) {
#pragma unroll
        for (int i = 0; i < N; i++) {
          float weight = from + group_column<RUN, LANES>(lane, i) < width ? exponential(v0[round][i] - most0[slot]) : 0.f;
          if (weight > 0.f) difference += (double)weight * ((double)v0[round][i] - (double)l[i]);
        }
      }
#pragma unroll
      for (int mask = 1; mask < LANES; mask *= 2) difference += shuffle_xor(difference, mask);
      g.top += g.top == 0x7fffffff ? 0 : first;
      if (lane == 0)
        store_four(shared_address(&tile_groups[v & 1][slot]), bits_of(g.most), bits_of(g.sum), (u32)g.top, 0),
            differences[v & 1][slot] = difference;
    }
    __syncthreads(); // one a variant: the next one's slots lie elsewhere, and the next but one's wait behind the next one's barrier
    if (self < 32) {
      HeadState *at = states + (i64)v * rows + row, old = first == 0 ? no_state() : *at;
      HeadState next = add_tile(old, [&](int i) { return group_at(&tile_groups[v & 1][i]); },
                                [&](int i) { return v > 0 ? differences[v & 1][i] * (double)exponential(most0[i] - base0) : 0.; }, keep0);
      if (v == 0) base0 = next.most == -INFINITE ? 0.f : next.most, keep0 = exponential(old.most - base0);
      if (self == 0) *at = next;
    }
    if (offsets)
      for (int t = offsets[row] + self; t < offsets[row + 1]; t += 256)
        if (int col = targets[t] - first; col >= 0 && col < width)
          found[(i64)v * wanted + t] = (double)final_logit(line[col] + (bias ? bias[col] : 0.f), scale, cap);
  }
}

KERNEL(256) head_tile(HeadState *states, double *found, const float *logits, i64 ld, int portion, const float *bias, float scale, float cap,
                      const int *offsets, const int *targets, int wanted, int variants, int diverge, int first, int width, int row0, int rows) {
  head_tile_slots<2, 4>(states, found, logits, ld, portion, bias, scale, cap, offsets, targets, wanted, variants, diverge, first, width, row0, rows);
}
KERNEL(256) head_tile_f32(HeadState *states, double *found, const float *logits, i64 ld, int portion, const float *bias, float scale, float cap,
                          const int *offsets, const int *targets, int wanted, int variants, int diverge, int first, int width, int row0, int rows) {
  head_tile_slots<4, 16>(states, found, logits, ld, portion, bias, scale, cap, offsets, targets, wanted, variants, diverge, first, width, row0, rows);
}
