/* The statistics of a block's activations. A job is a block of rows; a row is read site by site while it is in the first cache, and everything about
 * a site comes out of one reading: power sums to the fourth, Σ|v|, extremes, counts below each threshold, and with the difference of
 * input and output also their products. Sums are float64 lanes inside a row, rows are added in ascending order: the bits depend on
 * the row's width and the block's rows alone. Thresholds come in ascending order: where no value of a run lies below one, the smaller ones
 * are not asked. */
#ifndef BODY
#include "internal.h"
int64_t scratch_pool(const void *arguments) { return ((const avss_pool *)arguments)->x.cols * (int64_t)sizeof(double); }

#define BODY "measure.c"
#include "each_isa.h"
#else

enum { NAME(RUN) = 4 * LANES };

/* Values in magnitude below limit. */
TARGET static int64_t NAME(count_below)(const float *x, int64_t n, float limit) {
  int64_t count = 0, i = 0;
#if LANES == 16
  const __m512i one = _mm512_set1_epi32(1);
  __m512i c = _mm512_setzero_si512();
  for (; i + 16 <= n; i += 16) c = _mm512_mask_add_epi32(c, _mm512_cmp_ps_mask(v_abs(v_load(x + i)), v_set(limit), _CMP_LT_OQ), c, one);
  count = _mm512_reduce_add_epi32(c);
#elif LANES == 8
  for (; i + 8 <= n; i += 8) count += __builtin_popcount((unsigned)_mm256_movemask_ps(v_lt(v_abs(v_load(x + i)), v_set(limit))));
#endif
  for (; i < n; i++) count += fabsf(x[i]) < limit;
  return count;
}

/* The sums of a row's runs, in lanes: two of each, so that the additions do not wait for one another. p·q and q·q are those of the two
 * tensors whose difference a site is. */
typedef struct {
  vd sum[2], sum2[2], sum3[2], sum4[2], sum_abs[2], pq, qq;
  vf low, high;
} NAME(lane_sums);

/* How many values of a row lie below each threshold, and below a limit. With AVX-512 the two highest thresholds and the limit are counted
 * in lanes, in any case: a branch on what is often so and often not costs more. */
typedef struct {
  int64_t below[AVSS_MAX_EPS], near;
#if LANES == 16
  __m512i below_lanes[2], near_lanes;
  vf top[2];
#endif
} NAME(row_counts);

/* The sums of a whole row. */
typedef struct {
  double sum, sum2, sum3, sum4, sum_abs, pq, qq, low, high;
} NAME(row_sums);

/* The difference of a run of p and of q, and their products. */
TARGET INLINE void NAME(subtract_run)(NAME(lane_sums) *s, const float *p, const float *q, float *difference) {
  for (int j = 0; j < NAME(RUN); j += LANES) v_store(difference + j, v_sub(v_load(p + j), v_load(q + j)));
  for (int j = 0; j < NAME(RUN); j += DLANES) {
    vd y = vd_load(p + j), z = vd_load(q + j);
    s->pq = vd_fma(y, z, s->pq);
    s->qq = vd_fma(z, z, s->qq);
  }
}

/* Adds a run's powers and extremes. */
TARGET INLINE void NAME(add_run)(NAME(lane_sums) *s, const float *x) {
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    vf v = v_load(x + j * LANES);
    s->low = v_min(v, s->low);
    s->high = v_max(v, s->high);
  }
#pragma GCC unroll 8
  for (int j = 0; j < NAME(RUN); j += DLANES) {
    const int z = j / DLANES % 2;
    vd d = vd_load(x + j), d2 = vd_mul(d, d);
    s->sum[z] = vd_add(s->sum[z], d);
    s->sum2[z] = vd_add(s->sum2[z], d2);
    s->sum3[z] = vd_fma(d2, d, s->sum3[z]);
    s->sum4[z] = vd_fma(d2, d2, s->sum4[z]);
    s->sum_abs[z] = vd_add(s->sum_abs[z], vd_abs(d));
  }
}

/* Counts a run's values; limit < 0: none are near. */
#if LANES == 16
TARGET INLINE void NAME(count_run)(NAME(row_counts) *c, const avss_measure *a, const float *x, float limit) {
  const __m512i one = _mm512_set1_epi32(1);
  vf magnitude[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) magnitude[j] = v_abs(v_load(x + j * LANES));
#pragma GCC unroll 2
  for (int e = 0; e < 2; e++) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) c->below_lanes[e] = _mm512_mask_add_epi32(c->below_lanes[e], v_lt(magnitude[j], c->top[e]), c->below_lanes[e], one);
  }
  __mmask16 any = 0xffff;
  if (a->eps_count > 2) {
    const vf t = v_set(a->eps[a->eps_count - 3]);
    any = v_lt(magnitude[0], t) | v_lt(magnitude[1], t) | v_lt(magnitude[2], t) | v_lt(magnitude[3], t);
  }
  for (int64_t e = a->eps_count - 3; e >= 0 && any; e--) { /* nothing below one threshold: nothing below the smaller ones */
    const vf t = v_set(a->eps[e]);
    for (int j = 0; j < 4; j++) c->below[e] += __builtin_popcount(v_lt(magnitude[j], t));
  }
  if (limit >= 0) {
    const vf t = v_set(limit);
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) c->near_lanes = _mm512_mask_add_epi32(c->near_lanes, v_lt(magnitude[j], t), c->near_lanes, one);
  }
}
#elif LANES == 8
TARGET INLINE void NAME(count_run)(NAME(row_counts) *c, const avss_measure *a, const float *x, float limit) {
  vf magnitude[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) magnitude[j] = v_abs(v_load(x + j * LANES));
  for (int64_t e = 0; e < a->eps_count; e++) {
    const vf t = v_set(a->eps[e]);
    for (int j = 0; j < 4; j++) c->below[e] += __builtin_popcount((unsigned)_mm256_movemask_ps(v_lt(magnitude[j], t)));
  }
  if (limit >= 0)
    for (int j = 0; j < 4; j++) c->near += __builtin_popcount((unsigned)_mm256_movemask_ps(v_lt(magnitude[j], v_set(limit))));
}
#else
TARGET INLINE void NAME(count_run)(NAME(row_counts) *c, const avss_measure *a, const float *x, float limit) {
  for (int j = 0; j < NAME(RUN); j++) {
    float f = fabsf(x[j]);
    for (int64_t e = 0; e < a->eps_count; e++) c->below[e] += f < a->eps[e];
    c->near += f < limit;
  }
}
#endif

/* The lanes of the runs, brought together. */
TARGET INLINE NAME(row_sums) NAME(collect_lanes)(const NAME(lane_sums) *s) {
  NAME(row_sums) r = {vd_sum(vd_add(s->sum[0], s->sum[1])),   vd_sum(vd_add(s->sum2[0], s->sum2[1])),
                      vd_sum(vd_add(s->sum3[0], s->sum3[1])), vd_sum(vd_add(s->sum4[0], s->sum4[1])),
                      vd_sum(vd_add(s->sum_abs[0], s->sum_abs[1])), vd_sum(s->pq), vd_sum(s->qq), INFINITY, -INFINITY};
  float lanes[LANES];
  v_store(lanes, s->low);
  for (int j = 0; j < LANES; j++) r.low = lanes[j] < r.low ? lanes[j] : r.low;
  v_store(lanes, s->high);
  for (int j = 0; j < LANES; j++) r.high = lanes[j] > r.high ? lanes[j] : r.high;
  return r;
}

/* The n values behind a row's last run. */
TARGET INLINE void NAME(add_rest)(NAME(row_sums) *r, NAME(row_counts) *c, const avss_measure *a, const float *p, const float *q, int64_t n,
                                  float limit) {
  for (int64_t i = 0; i < n; i++) {
    float x = p[i];
    if (q) {
      x -= q[i];
      r->pq += (double)p[i] * q[i];
      r->qq += (double)q[i] * q[i];
    }
    double d = x, d2 = d * d;
    r->sum += d;
    r->sum2 += d2;
    r->sum3 += d2 * d;
    r->sum4 += d2 * d2;
    r->sum_abs += fabs(d);
    r->low = x < r->low ? x : r->low;
    r->high = x > r->high ? x : r->high;
    for (int64_t e = 0; e < a->eps_count; e++) c->below[e] += fabsf(x) < a->eps[e];
    c->near += fabsf(x) < limit;
  }
}

/* Adds a row's sums and counts to its site's. */
static void NAME(add_row)(avss_moments *m, const NAME(row_sums) *r, const NAME(row_counts) *c, int64_t eps_count) {
  m->sum += r->sum;
  m->sum2 += r->sum2;
  m->sum3 += r->sum3;
  m->sum4 += r->sum4;
  m->sum_abs += r->sum_abs;
  m->min = r->low < m->min ? r->low : m->min;
  m->max = r->high > m->max ? r->high : m->max;
  for (int64_t e = 0; e < eps_count; e++) m->below[e] += c->below[e];
  m->near += c->near;
}

static void NAME(count_non_finite)(avss_moments *m, const float *p, const float *q, int64_t n) {
  for (int64_t j = 0; j < n; j++) {
    float x = q ? p[j] - q[j] : p[j];
    m->nan += x != x;
    m->inf += fabsf(x) == INFINITY;
  }
}

/* One row of one site; q, where not NULL, is taken off p. limit < 0: values near zero are counted later. */
TARGET INLINE NAME(row_sums) NAME(site_row)(const avss_measure *a, const float *p, const float *q, int64_t n, float limit, avss_moments *m) {
  const vd zero = vd_zero();
  NAME(lane_sums) s = {{zero, zero}, {zero, zero}, {zero, zero}, {zero, zero}, {zero, zero}, zero, zero, v_set(INFINITY), v_set(-INFINITY)};
  NAME(row_counts) c = {0};
  float difference[NAME(RUN)];
  int64_t i = 0;
#if LANES == 16
  for (int e = 0; e < 2; e++) c.top[e] = v_set(a->eps_count > e ? a->eps[a->eps_count - 1 - e] : 0);
#endif
  for (; i + NAME(RUN) <= n; i += NAME(RUN)) {
    if (q) NAME(subtract_run)(&s, p + i, q + i, difference);
    const float *x = q ? difference : p + i;
    NAME(add_run)(&s, x);
    NAME(count_run)(&c, a, x, limit);
  }
#if LANES == 16
  c.near = _mm512_reduce_add_epi32(c.near_lanes);
  for (int e = 0; e < 2; e++)
    if (a->eps_count > e) c.below[a->eps_count - 1 - e] = _mm512_reduce_add_epi32(c.below_lanes[e]);
#endif
  NAME(row_sums) r = NAME(collect_lanes)(&s);
  NAME(add_rest)(&r, &c, a, p + i, q ? q + i : 0, n - i, limit);
  NAME(add_row)(m, &r, &c, a->eps_count);
  if (!(r.sum_abs < INFINITY)) NAME(count_non_finite)(m, p, q, n); /* only then is there anything to count */
  return r;
}

/* The least float that is not below the limit: so |v| < limit in float64 and in float32 agree. */
static float NAME(limit_of)(double limit) {
  float f = (float)limit;
  return (double)f < limit ? nextafterf(f, INFINITY) : f;
}

/* Adds what is relative to a row's RMS. */
static void NAME(add_relative)(avss_moments *m, const NAME(row_sums) *r, double rms) {
  if (rms == 0) return;
  m->relative_sum += r->sum / rms;
  m->relative_sum2 += r->sum2 / (rms * rms);
}

/* A site that is measured against its own RMS, which is returned: what is near zero takes a second reading. */
TARGET static NAME(row_sums) NAME(own_site)(const avss_measure *a, const float *x, int64_t n, avss_moments *m, double *rms) {
  NAME(row_sums) r = NAME(site_row)(a, x, 0, n, -1, m);
  *rms = sqrt(r.sum2 / (double)n);
  m->near += *rms == 0 ? n : NAME(count_below)(x, n, NAME(limit_of)((double)a->near * *rms));
  NAME(add_relative)(m, &r, *rms);
  return r;
}

TARGET static void NAME(measure_row)(const avss_measure *a, int64_t row, avss_row_sums *out) {
  double rms;
  if (a->y.data) {
    const float *y = a->y.data + row * a->y.stride;
    const int64_t n = a->y.cols;
    const double squares = NAME(own_site)(a, y, n, &out->site[0], &rms).sum2;
    const float limit = rms == 0 ? -1 : NAME(limit_of)((double)a->near * rms);
    for (int site = 1; site <= 3; site++) {
      const avss_tensor *t = site == 1 ? &a->x : site == 2 ? &a->attn : &a->mlp;
      if (!t->data) continue;
      const float *p = t->data + row * t->stride;
      avss_moments *m = &out->site[site];
      NAME(row_sums) r;
      if (site == 1) r = NAME(site_row)(a, y, p, n, limit, m);
      else r = NAME(site_row)(a, p, 0, n, limit, m);
      if (rms == 0) m->near += n;
      NAME(add_relative)(m, &r, rms);
      if (site > 1) continue;
      const double distance = sqrt(r.sum2), product = sqrt(squares) * sqrt(r.qq);
      out->distance += distance;
      if (product != 0) out->cosine += r.pq / product;
      if (squares != 0) out->relative += distance / sqrt(squares);
    }
  }
  if (a->act.data) NAME(own_site)(a, a->act.data + row * a->act.stride, a->act.cols, &out->site[4], &rms);
}

TARGET void NAME(op_measure)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_measure *a = arguments;
  (void)scratch;
  for (int64_t block = from; block < to; block++) {
    avss_row_sums *out = a->out + block;
    memset(out, 0, sizeof *out);
    for (int s = 0; s < AVSS_SITE_COUNT; s++) {
      out->site[s].min = INFINITY;
      out->site[s].max = -INFINITY;
    }
    for (int64_t row = a->blocks[2 * block]; row < a->blocks[2 * block + 1]; row++) NAME(measure_row)(a, row, out);
  }
}

TARGET void NAME(op_pool)(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_pool *a = arguments;
  const int64_t n = a->x.cols;
  double *restrict mean = scratch;
  for (int64_t i = from; i < to; i++) {
    const int64_t first = a->sequences[2 * i], end = a->sequences[2 * i + 1];
    memset(mean, 0, (size_t)n * sizeof(double));
    for (int64_t row = first; row < end; row++) {
      const float *x = a->x.data + row * a->x.stride, *minus = a->minus.data ? a->minus.data + row * a->minus.stride : 0;
      if (minus)
        for (int64_t c = 0; c < n; c++) mean[c] += x[c] - minus[c];
      else
        for (int64_t c = 0; c < n; c++) mean[c] += x[c];
    }
    double total = 0, squares = 0;
    for (int64_t c = 0; c < n; c++) {
      mean[c] /= (double)(end - first);
      total += mean[c];
    }
    total /= (double)n;
    for (int64_t c = 0; c < n; c++) squares += (mean[c] - total) * (mean[c] - total);
    a->out[i] = n > 1 && end > first ? squares / (double)(n - 1) : 0;
  }
}
#endif
