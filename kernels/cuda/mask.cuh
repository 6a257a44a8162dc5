// Which keys a query sees, and how a product becomes a score: engine.Attention's rules, for both attention kernels.
//
// Keys stand at positions counted from the start of the sequence, the prefix included, and tiles of keys begin at multiples of their size in
// those positions: the order of a row's sums does not depend on where the sequence lies or on the rows beside it. A tile that a row does
// not see at all leaves that row's sums as they are, to the bit. Keys before the first that a tile of queries sees are not read: a cache need not
// have them any more.
#pragma once
#include "functions.cuh"

// QueryTile is a run of rows of one sequence.
struct __align__(16) QueryTile {
  int row, rows;         // first row, how many
  int position;          // of the first row
  int start;             // the sequence's first row
  int prefix, prefixed;  // the prefix's first row, its rows
  int total;             // positions of the sequence: prefixed + own rows
  int spare;
};

struct Mask {
  int causal, window, chunk;
  float scale, cap, reciprocal_cap;
};
// The first and the end of the positions that rows first to last may see.
DEVICE int first_seen(const Mask &m, int first) {
  int from = m.window > 0 && first - m.window + 1 > 0 ? first - m.window + 1 : 0;
  return m.chunk > 0 ? greatest(from, first / m.chunk * m.chunk) : from;
}
DEVICE int end_seen(const Mask &m, int last, int total) {
  int end = m.causal ? least(last + 1, total) : total;
  return m.chunk > 0 ? least(end, (last / m.chunk + 1) * m.chunk) : end;
}
DEVICE bool sees(const Mask &m, int i, int j, int total) {
  return j < total && (!m.causal || j <= i) && (m.window == 0 || i - j < m.window) && (m.chunk == 0 || i / m.chunk == j / m.chunk);
}
// Whether every row from first to last sees every position from j to end.
DEVICE bool sees_all(const Mask &m, int first, int last, int j, int end, int total) {
  return end <= total && (!m.causal || end - 1 <= first) && (m.window == 0 || last - j < m.window) &&
         (m.chunk == 0 || (first / m.chunk == (end - 1) / m.chunk && last / m.chunk == j / m.chunk));
}
// Fast: the soft cap's tanh by ex2.approx and rcp.approx, to 3e-7 of the cap.
template <bool fast> DEVICE float score(const Mask &m, float product, float slope, int i, int j) {
  float s = product * m.scale;
  if (m.cap > 0.f)
    s = m.cap *
        (fast ? 1.f - 2.f * reciprocal_fast(exponential_fast(s * (2.f * m.reciprocal_cap)) + 1.f) : hyperbolic_tangent(quotient(s, m.cap)));
  return slope != 0.f ? fused(slope, (float)(j - i), s) : s;
}
DEVICE int row_at(const QueryTile &t, int position) { return position < t.prefixed ? t.prefix + position : t.start + position - t.prefixed; }
