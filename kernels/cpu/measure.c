/* The statistics of a block's activations. A job is a block of rows; a row is read while it is hot, site by site, and everything about
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

/* One row of one site; q, where not NULL, is taken off p, and the products of both are summed. limit < 0: relative values are counted
 * later. */
typedef struct {
  double pq, qq;
} NAME(products);

TARGET INLINE void NAME(site_row)(const avss_measure *a, const float *p, const float *q, int64_t n, float limit, avss_moments *m, double *sum2,
                                  NAME(products) * both) {
  /* two of each sum, so that the additions do not wait for one another */
  vd s1[2] = {vd_zero(), vd_zero()}, s2[2] = {vd_zero(), vd_zero()}, s3[2] = {vd_zero(), vd_zero()}, s4[2] = {vd_zero(), vd_zero()};
  vd sa[2] = {vd_zero(), vd_zero()}, pq = vd_zero(), qq = vd_zero();
  vf low = v_set(INFINITY), high = v_set(-INFINITY);
  int64_t below[AVSS_MAX_EPS] = {0}, near = 0, i = 0;
  float difference[4 * LANES];
#if LANES == 16
  const __m512i one = _mm512_set1_epi32(1);
  __m512i near_count = _mm512_setzero_si512(), counts[2] = {near_count, near_count};
  const vf top[2] = {v_set(a->eps_count > 0 ? a->eps[a->eps_count - 1] : 0), v_set(a->eps_count > 1 ? a->eps[a->eps_count - 2] : 0)};
#endif
  for (; i + 4 * LANES <= n; i += 4 * LANES) {
    const float *x = p + i;
    if (q) {
      for (int j = 0; j < 4 * LANES; j += LANES) v_store(difference + j, v_sub(v_load(p + i + j), v_load(q + i + j)));
      for (int j = 0; j < 4 * LANES; j += DLANES) {
        vd y = vd_load(p + i + j), z = vd_load(q + i + j);
        pq = vd_fma(y, z, pq);
        qq = vd_fma(z, z, qq);
      }
      x = difference;
    }
    vf v[4], magnitude[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
      v[j] = v_load(x + j * LANES);
      magnitude[j] = v_abs(v[j]);
      low = v_min(v[j], low);
      high = v_max(v[j], high);
    }
#pragma GCC unroll 8
    for (int j = 0; j < 4 * LANES; j += DLANES) {
      const int z = j / DLANES % 2;
      vd d = vd_load(x + j), d2 = vd_mul(d, d);
      s1[z] = vd_add(s1[z], d);
      s2[z] = vd_add(s2[z], d2);
      s3[z] = vd_fma(d2, d, s3[z]);
      s4[z] = vd_fma(d2, d2, s4[z]);
      sa[z] = vd_add(sa[z], vd_abs(d));
    }
#if LANES == 16
    __mmask16 any = 0xffff;
#pragma GCC unroll 2
    for (int e = 0; e < 2; e++) { /* the two highest thresholds in any case: a branch on what is often so and often not costs more */
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) counts[e] = _mm512_mask_add_epi32(counts[e], v_lt(magnitude[j], top[e]), counts[e], one);
    }
    if (a->eps_count > 2) {
      const vf t = v_set(a->eps[a->eps_count - 3]);
      any = v_lt(magnitude[0], t) | v_lt(magnitude[1], t) | v_lt(magnitude[2], t) | v_lt(magnitude[3], t);
    }
    for (int64_t e = a->eps_count - 3; e >= 0 && any; e--) { /* nothing below one threshold: nothing below the smaller ones */
      const vf t = v_set(a->eps[e]);
      for (int j = 0; j < 4; j++) below[e] += __builtin_popcount(v_lt(magnitude[j], t));
    }
    if (limit >= 0) {
      vf t = v_set(limit);
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) near_count = _mm512_mask_add_epi32(near_count, v_lt(magnitude[j], t), near_count, one);
    }
#elif LANES == 8
    for (int64_t e = 0; e < a->eps_count; e++) {
      vf t = v_set(a->eps[e]);
      for (int j = 0; j < 4; j++) below[e] += __builtin_popcount((unsigned)_mm256_movemask_ps(v_lt(magnitude[j], t)));
    }
    if (limit >= 0)
      for (int j = 0; j < 4; j++) near += __builtin_popcount((unsigned)_mm256_movemask_ps(v_lt(magnitude[j], v_set(limit))));
#else
    (void)magnitude;
    for (int j = 0; j < 4 * LANES; j++) {
      float f = fabsf(x[j]);
      for (int64_t e = 0; e < a->eps_count; e++) below[e] += f < a->eps[e];
      near += f < limit;
    }
#endif
  }
#if LANES == 16
  near = _mm512_reduce_add_epi32(near_count);
  for (int e = 0; e < 2; e++)
    if (a->eps_count > e) below[a->eps_count - 1 - e] = _mm512_reduce_add_epi32(counts[e]);
#endif
  double r1 = vd_sum(vd_add(s1[0], s1[1])), r2 = vd_sum(vd_add(s2[0], s2[1])), r3 = vd_sum(vd_add(s3[0], s3[1]));
  double r4 = vd_sum(vd_add(s4[0], s4[1])), ra = vd_sum(vd_add(sa[0], sa[1])), rpq = vd_sum(pq), rqq = vd_sum(qq);
  float lanes[LANES];
  double least_value = INFINITY, most_value = -INFINITY;
  v_store(lanes, low);
  for (int j = 0; j < LANES; j++) least_value = lanes[j] < least_value ? lanes[j] : least_value;
  v_store(lanes, high);
  for (int j = 0; j < LANES; j++) most_value = lanes[j] > most_value ? lanes[j] : most_value;
  for (; i < n; i++) {
    float x = p[i];
    if (q) {
      x -= q[i];
      rpq += (double)p[i] * q[i];
      rqq += (double)q[i] * q[i];
    }
    double d = x, d2 = d * d;
    r1 += d;
    r2 += d2;
    r3 += d2 * d;
    r4 += d2 * d2;
    ra += fabs(d);
    least_value = x < least_value ? x : least_value;
    most_value = x > most_value ? x : most_value;
    for (int64_t e = 0; e < a->eps_count; e++) below[e] += fabsf(x) < a->eps[e];
    near += fabsf(x) < limit;
  }
  m->sum += r1;
  m->sum2 += r2;
  m->sum3 += r3;
  m->sum4 += r4;
  m->sum_abs += ra;
  m->min = least_value < m->min ? least_value : m->min;
  m->max = most_value > m->max ? most_value : m->max;
  for (int64_t e = 0; e < a->eps_count; e++) m->below[e] += below[e];
  m->near += near;
  sum2[0] = r1;
  sum2[1] = r2;
  if (both) *both = (NAME(products)){rpq, rqq};
  if (!(ra < INFINITY)) { /* only then is there anything to count */
    for (int64_t j = 0; j < n; j++) {
      float x = q ? p[j] - q[j] : p[j];
      m->nan += x != x;
      m->inf += fabsf(x) == INFINITY;
    }
  }
}

/* The least float that is not below the limit: so |v| < limit in float64 and in float32 agree. */
static float NAME(limit_of)(double limit) {
  float f = (float)limit;
  return (double)f < limit ? nextafterf(f, INFINITY) : f;
}

/* Adds what is relative to a row's RMS; sums are Σv and Σv². */
static void NAME(relate)(avss_moments *m, const double *sums, double rms) {
  if (rms == 0) return;
  m->relative_sum += sums[0] / rms;
  m->relative_sum2 += sums[1] / (rms * rms);
}

TARGET static void NAME(measure_row)(const avss_measure *a, int64_t row, avss_row_sums *out) {
  double sums[2], rms;
  if (a->y.data) {
    const float *y = a->y.data + row * a->y.stride;
    const int64_t n = a->y.cols;
    NAME(site_row)(a, y, 0, n, -1, &out->site[0], sums, 0);
    const double squares = sums[1];
    rms = sqrt(squares / (double)n);
    const float limit = NAME(limit_of)((double)a->near * rms);
    out->site[0].near += rms == 0 ? n : NAME(count_below)(y, n, limit);
    NAME(relate)(&out->site[0], sums, rms);
    for (int site = 1; site <= 3; site++) {
      const avss_tensor *t = site == 1 ? &a->x : site == 2 ? &a->attn : &a->mlp;
      if (!t->data) continue;
      const float *p = t->data + row * t->stride;
      avss_moments *m = &out->site[site];
      NAME(products) both = {0, 0};
      if (site == 1) NAME(site_row)(a, y, p, n, rms == 0 ? -1 : limit, m, sums, &both);
      else NAME(site_row)(a, p, 0, n, rms == 0 ? -1 : limit, m, sums, 0);
      if (rms == 0) m->near += n;
      NAME(relate)(m, sums, rms);
      if (site > 1) continue;
      const double distance = sqrt(sums[1]), product = sqrt(squares) * sqrt(both.qq);
      out->distance += distance;
      if (product != 0) out->cosine += both.pq / product;
      if (squares != 0) out->relative += distance / sqrt(squares);
    }
  }
  if (a->act.data) {
    const float *p = a->act.data + row * a->act.stride;
    const int64_t n = a->act.cols;
    NAME(site_row)(a, p, 0, n, -1, &out->site[4], sums, 0);
    rms = sqrt(sums[1] / (double)n);
    out->site[4].near += rms == 0 ? n : NAME(count_below)(p, n, NAME(limit_of)((double)a->near * rms));
    NAME(relate)(&out->site[4], sums, rms);
  }
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
