/* The non-linearities of the MLPs, times the other branch where there is one. Sources stand beside engine.ActivationKind. */
#ifndef BODY
#define BODY "activate.c"
#include "each_isa.h"
#else

/* Φ(√2·x) = (1 + erf(x))/2: erf(x) = x·P(x²) below 1, erfc(|x|) = exp(−x²)·Q(1/x²)/|x| from there on (Cephes, ndtrf.c: one polynomial
 * for 1…2, one above), taken as it is on the negative side, where 1 − erf would lose it. */
TARGET INLINE vf NAME(normal_below)(vf x) {
  vf a = v_abs(x), z = v_mul(x, x);
  vf p = v_fma(v_set(7.853861353153693e-5f), z, v_set(-8.010193625184903e-4f));
  p = v_fma(p, z, v_set(5.188327685732524e-3f));
  p = v_fma(p, z, v_set(-2.685381193529856e-2f));
  p = v_fma(p, z, v_set(1.128358514861418e-1f));
  p = v_fma(p, z, v_set(-3.761262582423300e-1f));
  p = v_fma(p, z, v_set(1.128379165726710f));
  vf small = v_mul(p, x);
  vf inverse = v_div(v_set(1.0f), v_max(v_set(1.0f), a)), y = v_mul(inverse, inverse);
  vf above = v_fma(v_set(-1.047766399936249e+1f), y, v_set(1.297719955372516e+1f));
  above = v_fma(above, y, v_set(-7.495518717768503f));
  above = v_fma(above, y, v_set(2.921019019210786f));
  above = v_fma(above, y, v_set(-1.015265279202700f));
  above = v_fma(above, y, v_set(4.218463358204948e-1f));
  above = v_fma(above, y, v_set(-2.820767439740514e-1f));
  above = v_fma(above, y, v_set(5.641895067754075e-1f));
  vf below = v_fma(v_set(2.326819970068386e-2f), y, v_set(-1.387039388740657e-1f));
  below = v_fma(below, y, v_set(3.687424674597105e-1f));
  below = v_fma(below, y, v_set(-5.824733027278666e-1f));
  below = v_fma(below, y, v_set(6.210004621745983e-1f));
  below = v_fma(below, y, v_set(-4.944515323274145e-1f));
  below = v_fma(below, y, v_set(3.404879937665872e-1f));
  below = v_fma(below, y, v_set(-2.741127028184656e-1f));
  below = v_fma(below, y, v_set(5.638259427386472e-1f));
  vf q = v_pick(v_lt(a, v_set(2.0f)), below, above);
  vf tail = v_mul(v_mul(v_exp(v_sub(v_zero(), z)), inverse), q);
  vf far = v_pick(v_lt(x, v_zero()), tail, v_sub(v_set(2.0f), tail));
  return v_mul(v_set(0.5f), v_pick(v_lt(a, v_set(1.0f)), v_add(v_set(1.0f), small), far));
}

/* x·(1 + tanh(u))/2 = x·σ(2u), which keeps the small values of the negative side. */
TARGET INLINE vf NAME(gelu_tanh)(vf x) {
  vf u = v_mul(v_set(1.5957691216057308f), v_fma(v_mul(v_set(0.044715f), v_mul(x, x)), x, x));
  return v_mul(x, v_sigmoid(u));
}

/* σ(1.702·x): what rounding takes from the product is put back, for far out the exponential makes it x times as large. */
TARGET INLINE vf NAME(quick_sigmoid)(vf x) {
  vf u = v_mul(x, v_set(1.702f)), rest = v_fma(x, v_set((float)(1.702 - (double)1.702f)), v_rest(x, v_set(1.702f), u));
  vf e = v_exp(v_sub(v_zero(), u));
  return v_div(v_set(1.0f), v_add(v_set(1.0f), v_pick(v_lt(v_abs(u), v_set(80.0f)), v_fnma(e, rest, e), e)));
}

TARGET INLINE vf NAME(activated)(const avss_activate *a, const int kind, vf x) {
  switch (kind) {
  case AVSS_SILU: return v_mul(x, v_sigmoid(x));
  case AVSS_GELU: return v_mul(x, NAME(normal_below)(v_mul(x, v_set(0.70710678118654752f))));
  case AVSS_GELU_TANH: return NAME(gelu_tanh)(x);
  case AVSS_GELU_QUICK: return v_mul(x, NAME(quick_sigmoid)(x));
  case AVSS_RELU: return v_max(v_zero(), x);
  case AVSS_RELU_SQUARED: {
    vf r = v_max(v_zero(), x);
    return v_mul(r, r);
  }
  case AVSS_SIGMOID: return v_sigmoid(x);
  case AVSS_TANH: return v_tanh(x);
  case AVSS_XIELU: {
    vf beta = v_mul(x, v_set(a->beta));
    vf up = v_fma(v_mul(x, x), v_set(a->alpha_p), beta);
    vf m = v_min(v_set(a->eps), x);
    /* exp(m) − 1 loses digits near zero: there by its series to m⁶ */
    vf t = v_fma(m, v_set(1.0f / 720), v_set(1.0f / 120));
    t = v_fma(t, m, v_set(1.0f / 24));
    t = v_fma(t, m, v_set(1.0f / 6));
    t = v_fma(t, m, v_set(0.5f));
    t = v_mul(t, v_mul(m, m)); /* exp(m) − 1 − m */
    vf far = v_sub(v_sub(v_exp(m), v_set(1.0f)), x);
    vf near = v_add(t, v_sub(m, x));
    vf down = v_fma(v_pick(v_lt(v_abs(m), v_set(0.25f)), near, far), v_set(a->alpha_n), beta);
    return v_pick(v_lt(v_zero(), x), up, down);
  }
  default: return x;
  }
}

TARGET INLINE vf NAME(swiglu_clamped)(const avss_activate *a, vf gate, vf up) {
  vf limit = v_set(a->limit), g = v_min(limit, gate);
  vf u = v_min(limit, v_max(v_sub(v_zero(), limit), up));
  return v_mul(v_mul(g, v_sigmoid(v_mul(g, v_set(a->alpha)))), v_add(u, v_set(1.0f)));
}

/* One run of n values; kind is known at compile time in each caller. */
TARGET INLINE void NAME(activate_values)(const avss_activate *a, const int kind, const float *g, const float *u, float *d, int64_t n) {
  for (int64_t i = 0; i < n; i += LANES) {
    int64_t left = least(LANES, n - i);
    int full = left == LANES;
    vf x = full ? v_load(g + i) : v_load_n(g + i, left), r;
    vf y = u ? (full ? v_load(u + i) : v_load_n(u + i, left)) : v_zero();
    if (kind == AVSS_SWIGLU_CLAMPED) r = NAME(swiglu_clamped)(a, x, y);
    else if (u) r = v_mul(NAME(activated)(a, kind, x), y);
    else r = NAME(activated)(a, kind, x);
    if (full) v_store(d + i, r);
    else v_store_n(d + i, r, left);
  }
}

TARGET static void NAME(activate_run)(const avss_activate *a, const float *g, const float *u, float *d, int64_t n) {
  switch (a->kind) {
#define KIND(k)                                                                                                                           \
  case k:                                                                                                                                 \
    NAME(activate_values)(a, k, g, u, d, n);                                                                                                       \
    break;
    KIND(AVSS_IDENTITY)
    KIND(AVSS_SILU)
    KIND(AVSS_GELU)
    KIND(AVSS_GELU_TANH)
    KIND(AVSS_GELU_QUICK)
    KIND(AVSS_RELU)
    KIND(AVSS_RELU_SQUARED)
    KIND(AVSS_SIGMOID)
    KIND(AVSS_TANH)
    KIND(AVSS_XIELU)
    KIND(AVSS_SWIGLU_CLAMPED)
#undef KIND
  }
}

TARGET void NAME(op_activate)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_activate *a = arguments;
  enum { RUN = 128 };
  (void)scratch;
  for (int64_t row = from; row < to; row++) {
    float *d = a->dst.data + row * a->dst.stride;
    const float *g = a->gate.data + row * a->gate.stride;
    if (!a->interleaved) {
      NAME(activate_run)(a, g, a->up.data ? a->up.data + row * a->up.stride : 0, d, a->dst.cols);
      continue;
    }
    for (int64_t i = 0; i < a->dst.cols; i += RUN) {
      float gate[RUN], up[RUN];
      int64_t n = least(RUN, a->dst.cols - i);
      for (int64_t j = 0; j < n; j++) {
        gate[j] = g[2 * (i + j)];
        up[j] = g[2 * (i + j) + 1];
      }
      NAME(activate_run)(a, gate, up, d + i, n);
    }
  }
}
#endif
