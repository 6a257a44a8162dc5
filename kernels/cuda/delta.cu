// delta: the gated delta rule (arXiv 2412.06464) along each sequence, its prefix first:
//   S ← e^g·S;  S ← S + k ⊗ β·(v − Sᵀk);  out = Sᵀq
// The columns of S do not touch each other, so that one warp takes 32 of them through the whole sequence, S in shared memory. A sequence's
// prefix is walked again by each that continues it, without output. Where states are given a sequence begins with its own, which is left where
// the sequence ends: a row of S [key_dim × value_dim], head by head.
//
// Slow twin: engine's reference.DeltaRule. Launch: one warp a (sequence, head, 32 value columns). Shared memory: (32 + 2)·KeyDim floats.
// Moved: q, k once a warp, v and dst once, states twice; three multiply-adds a state value and token: bound by the sequence's length.
#include "functions.cuh"

KERNEL(32) delta(float *dst, i64 to, const float *q, i64 lq, const float *k, i64 lk, const float *v, i64 lv, const float *gate, i64 lg,
                 const float *beta, i64 lb, float *states, i64 ls, const i32x4 *spans, int key_dim, int value_dim, int heads, int key_heads) {
  extern __shared__ __align__(16) float state[]; // S [key_dim × 32], then k and q of the token
  float *key = state + key_dim * 32, *query = key + key_dim;
  int lane = (int)thread_x(), head = (int)block_y() % heads, col = (int)block_y() / heads * 32 + lane, key_at = head / (heads / key_heads) * key_dim;
  bool inside = col < value_dim;
  i32x4 span = spans[block_x()]; // first row, rows, first row of the prefix, rows of the prefix
  float *kept = states ? states + block_x() * ls + head * key_dim * value_dim + col : nullptr;
  for (int a = 0; a < key_dim; a++) state[a * 32 + lane] = kept && inside ? kept[a * value_dim] : 0.f;
  for (int t = 0; t < span.w + span.y; t++) {
    i64 row = t < span.w ? span.z + t : span.x + t - span.w;
    warp_barrier();
    for (int a = lane; a < key_dim; a += 32) key[a] = k[row * lk + key_at + a], query[a] = q[row * lq + key_at + a];
    warp_barrier();
    float decay = exponential(gate[row * lg + head]), recalled = 0.f;
#pragma unroll 4
    for (int a = 0; a < key_dim; a++) {
      float s = state[a * 32 + lane] * decay;
      state[a * 32 + lane] = s;
      recalled = fused(s, key[a], recalled);
    }
    float by = inside ? beta[row * lb + head] * (v[row * lv + head * value_dim + col] - recalled) : 0.f, out = 0.f;
#pragma unroll 4
    for (int a = 0; a < key_dim; a++) {
      float s = fused(key[a], by, state[a * 32 + lane]);
      state[a * 32 + lane] = s;
      out = fused(s, query[a], out);
    }
    if (inside && t >= span.w) dst[row * to + head * value_dim + col] = out;
  }
  if (kept && inside)
    for (int a = 0; a < key_dim; a++) kept[a * value_dim] = state[a * 32 + lane];
}
