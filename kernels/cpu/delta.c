/* The gated delta rule (arXiv 2412.06464), one (sequence, value head) a job: the state S [keyDim × valueDim] stands in scratch; a token
 * decays it, reads what its key holds, writes the corrected value, and reads the answer of its query, in two sweeps over S. */
#ifndef BODY
#include "internal.h"
int64_t scratch_delta(const void *arguments) {
  const avss_delta *a = arguments;
  return (a->key_dim * a->value_dim + 2 * a->value_dim) * (int64_t)sizeof(float);
}

#define BODY "delta.c"
#include "each_isa.h"
#else

TARGET static void NAME(step)(const avss_delta *a, int64_t head, int64_t row, float *state, float *held, float *answer) {
  const int64_t keys = a->key_dim, values = a->value_dim, key_head = head / (a->heads / a->key_heads);
  const float *q = a->q.data + row * a->q.stride + key_head * keys, *k = a->k.data + row * a->k.stride + key_head * keys;
  const float *v = a->v.data + row * a->v.stride + head * values;
  const float decay = expf(a->gate.data[row * a->gate.stride + head]), beta = a->beta.data[row * a->beta.stride + head];
  memset(held, 0, (size_t)values * sizeof(float));
  memset(answer, 0, (size_t)values * sizeof(float));
  for (int64_t i = 0; i < keys; i++) {
    float *restrict s = state + i * values, *restrict h = held;
    const float ki = k[i];
    for (int64_t j = 0; j < values; j++) {
      s[j] *= decay;
      h[j] += ki * s[j];
    }
  }
  for (int64_t j = 0; j < values; j++) held[j] = beta * (v[j] - held[j]);
  for (int64_t i = 0; i < keys; i++) {
    float *restrict s = state + i * values, *restrict o = answer;
    const float *restrict h = held;
    const float ki = k[i], qi = q[i];
    for (int64_t j = 0; j < values; j++) {
      s[j] += ki * h[j];
      o[j] += qi * s[j];
    }
  }
}

TARGET void NAME(op_delta)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_delta *a = arguments;
  float *state = scratch, *held = state + a->key_dim * a->value_dim, *answer = held + a->value_dim;
  for (int64_t job = from; job < to; job++) {
    const int64_t *rows = a->sequences + 4 * (job / a->heads), head = job % a->heads;
    const int64_t size = a->key_dim * a->value_dim;
    float *kept = a->kept.data ? a->kept.data + job / a->heads * a->kept.stride + head * size : 0;
    if (kept)
      memcpy(state, kept, (size_t)size * sizeof(float));
    else
      memset(state, 0, (size_t)size * sizeof(float));
    for (int64_t row = rows[2]; row < rows[3]; row++) NAME(step)(a, head, row, state, held, answer);
    for (int64_t row = rows[0]; row < rows[1]; row++) {
      NAME(step)(a, head, row, state, held, answer);
      memcpy(a->dst.data + row * a->dst.stride + head * a->value_dim, answer, (size_t)a->value_dim * sizeof(float));
    }
    if (kept) memcpy(kept, state, (size_t)size * sizeof(float));
  }
}
#endif
