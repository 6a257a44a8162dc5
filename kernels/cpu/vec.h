/* The vector words in which kernels are written: float32 vectors of LANES values (vf), float64 vectors of DLANES values (vd), masks
 * (vm), for one instruction set at a time. Included by each_isa.h; the words are macros, so each inclusion starts by forgetting the last.
 * v_rest(a, b, p) is what rounding took from the product p = a·b.
 * v_bf16(a) rounds to bfloat16 as bf16_round (internal.h) does. v_max(a, b) and v_min(a, b) give b where either is no number. v_exp is within 2 units in the last place. */
#undef vf
#undef vd
#undef vm
#undef v_load
#undef v_store
#undef v_set
#undef v_zero
#undef v_add
#undef v_sub
#undef v_mul
#undef v_div
#undef v_fma
#undef v_fnma
#undef v_rest
#undef v_max
#undef v_min
#undef v_abs
#undef v_round
#undef v_bf16
#undef v_lt
#undef v_pick
#undef v_sum
#undef v_highest
#undef v_load_n
#undef v_store_n
#undef v_ldexp
#undef DLANES
#undef vd_load
#undef vd_loadd
#undef vd_set
#undef vd_zero
#undef vd_add
#undef vd_sub
#undef vd_mul
#undef vd_fma
#undef vd_abs
#undef vd_sum
#undef v_exp
#undef v_tanh
#undef v_erf
#undef v_sigmoid

#if LANES == 16
#include <immintrin.h>
#define vf __m512
#define vd __m512d
#define vm __mmask16
#define DLANES 8
#define v_load(p) _mm512_loadu_ps(p)
#define v_store(p, v) _mm512_storeu_ps(p, v)
#define v_set(x) _mm512_set1_ps(x)
#define v_zero() _mm512_setzero_ps()
#define v_add(a, b) _mm512_add_ps(a, b)
#define v_sub(a, b) _mm512_sub_ps(a, b)
#define v_mul(a, b) _mm512_mul_ps(a, b)
#define v_div(a, b) _mm512_div_ps(a, b)
#define v_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define v_fnma(a, b, c) _mm512_fnmadd_ps(a, b, c)
#define v_rest(a, b, p) _mm512_fmsub_ps(a, b, p)
#define v_max(a, b) _mm512_max_ps(a, b)
#define v_min(a, b) _mm512_min_ps(a, b)
#define v_abs(a) _mm512_abs_ps(a)
#define v_round(a) _mm512_roundscale_ps(a, 8)
#define v_bf16(a) NAME(rounded_bf16)(a)
#define v_lt(a, b) _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ)
#define v_pick(m, a, b) _mm512_mask_blend_ps(m, b, a)
#define v_sum(a) _mm512_reduce_add_ps(a)
#define v_load_n(p, n) _mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1), p)
#define v_store_n(p, v, n) _mm512_mask_storeu_ps(p, (__mmask16)((1u << (n)) - 1), v)
#define v_ldexp(a, n) _mm512_scalef_ps(a, n)
#define v_highest(a) _mm512_reduce_max_ps(a)
#define vd_load(p) _mm512_cvtps_pd(_mm256_loadu_ps(p))
#define vd_set(x) _mm512_set1_pd(x)
#define vd_zero() _mm512_setzero_pd()
#define vd_add(a, b) _mm512_add_pd(a, b)
#define vd_sub(a, b) _mm512_sub_pd(a, b)
#define vd_mul(a, b) _mm512_mul_pd(a, b)
#define vd_fma(a, b, c) _mm512_fmadd_pd(a, b, c)
#define vd_abs(a) _mm512_abs_pd(a)
#define vd_sum(a) _mm512_reduce_add_pd(a)
TARGET INLINE vf NAME(rounded_bf16)(vf a) {
  const __m512i u = _mm512_castps_si512(a), odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
  const __m512i nearest = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __m512i v = _mm512_mask_or_epi32(nearest, _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), u, _mm512_set1_epi32(0x400000));
  return _mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32((int)0xffff0000)));
}

#elif LANES == 8
#include <immintrin.h>
#define vf __m256
#define vd __m256d
#define vm __m256
#define DLANES 4
#define v_load(p) _mm256_loadu_ps(p)
#define v_store(p, v) _mm256_storeu_ps(p, v)
#define v_set(x) _mm256_set1_ps(x)
#define v_zero() _mm256_setzero_ps()
#define v_add(a, b) _mm256_add_ps(a, b)
#define v_sub(a, b) _mm256_sub_ps(a, b)
#define v_mul(a, b) _mm256_mul_ps(a, b)
#define v_div(a, b) _mm256_div_ps(a, b)
#define v_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define v_fnma(a, b, c) _mm256_fnmadd_ps(a, b, c)
#define v_rest(a, b, p) _mm256_fmsub_ps(a, b, p)
#define v_max(a, b) _mm256_max_ps(a, b)
#define v_min(a, b) _mm256_min_ps(a, b)
#define v_abs(a) _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a)
#define v_round(a) _mm256_round_ps(a, 8)
#define v_bf16(a) NAME(rounded_bf16)(a)
#define v_lt(a, b) _mm256_cmp_ps(a, b, _CMP_LT_OQ)
#define v_pick(m, a, b) _mm256_blendv_ps(b, a, m)
#define v_sum(a) NAME(sum_lanes)(a)
#define v_highest(a) NAME(highest_lane)(a)
#define v_load_n(p, n) NAME(load_part)(p, n)
#define v_store_n(p, v, n) NAME(store_part)(p, v, n)
#define v_ldexp(a, n) NAME(ldexp_lanes)(a, n)
#define vd_load(p) _mm256_cvtps_pd(_mm_loadu_ps(p))
#define vd_set(x) _mm256_set1_pd(x)
#define vd_zero() _mm256_setzero_pd()
#define vd_add(a, b) _mm256_add_pd(a, b)
#define vd_sub(a, b) _mm256_sub_pd(a, b)
#define vd_mul(a, b) _mm256_mul_pd(a, b)
#define vd_fma(a, b, c) _mm256_fmadd_pd(a, b, c)
#define vd_abs(a) _mm256_andnot_pd(_mm256_set1_pd(-0.0), a)
#define vd_sum(a) NAME(sum_doubles)(a)
TARGET INLINE vf NAME(rounded_bf16)(vf a) {
  const __m256i u = _mm256_castps_si256(a), odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
  const __m256 nearest = _mm256_castsi256_ps(_mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))));
  const __m256 quiet = _mm256_or_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(0x400000)));
  return _mm256_and_ps(v_pick(_mm256_cmp_ps(a, a, _CMP_UNORD_Q), quiet, nearest), _mm256_castsi256_ps(_mm256_set1_epi32((int)0xffff0000)));
}
TARGET INLINE vf NAME(load_part)(const float *p, int64_t n) {
  float t[8] = {0};
  memcpy(t, p, (size_t)n * 4);
  return v_load(t);
}
TARGET INLINE void NAME(store_part)(float *p, vf v, int64_t n) {
  float t[8];
  v_store(t, v);
  memcpy(p, t, (size_t)n * 4);
}
TARGET INLINE float NAME(sum_lanes)(vf a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
TARGET INLINE float NAME(highest_lane)(vf a) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
TARGET INLINE double NAME(sum_doubles)(vd a) {
  __m128d s = _mm_add_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
  return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}
/* a·2ⁿ in two steps, so that results below the normal range are rounded once and those above it overflow. */
TARGET INLINE vf NAME(ldexp_lanes)(vf a, vf n) {
  __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1), bias = _mm256_set1_epi32(127);
  __m256i p = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
  __m256i q = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23);
  return _mm256_mul_ps(_mm256_mul_ps(a, _mm256_castsi256_ps(p)), _mm256_castsi256_ps(q));
}

#elif LANES == 4
#include <arm_neon.h>
#define vf float32x4_t
#define vd float64x2_t
#define vm uint32x4_t
#define DLANES 2
#define v_load(p) vld1q_f32(p)
#define v_store(p, v) vst1q_f32(p, v)
#define v_set(x) vdupq_n_f32(x)
#define v_zero() vdupq_n_f32(0)
#define v_add(a, b) vaddq_f32(a, b)
#define v_sub(a, b) vsubq_f32(a, b)
#define v_mul(a, b) vmulq_f32(a, b)
#define v_div(a, b) vdivq_f32(a, b)
#define v_fma(a, b, c) vfmaq_f32(c, a, b)
#define v_fnma(a, b, c) vfmsq_f32(c, a, b)
#define v_rest(a, b, p) vfmaq_f32(vnegq_f32(p), a, b)
#define v_max(a, b) NAME(larger)(a, b)
#define v_min(a, b) NAME(smaller)(a, b)
#define v_abs(a) vabsq_f32(a)
#define v_round(a) vrndnq_f32(a)
#define v_bf16(a) NAME(rounded_bf16)(a)
#define v_lt(a, b) vcltq_f32(a, b)
#define v_pick(m, a, b) vbslq_f32(m, a, b)
#define v_sum(a) NAME(sum_lanes)(a)
#define v_highest(a) NAME(highest_lane)(a)
#define v_load_n(p, n) NAME(load_part)(p, n)
#define v_store_n(p, v, n) NAME(store_part)(p, v, n)
#define v_ldexp(a, n) NAME(ldexp_lanes)(a, n)
#define vd_load(p) vcvt_f64_f32(vld1_f32(p))
#define vd_set(x) vdupq_n_f64(x)
#define vd_zero() vdupq_n_f64(0)
#define vd_add(a, b) vaddq_f64(a, b)
#define vd_sub(a, b) vsubq_f64(a, b)
#define vd_mul(a, b) vmulq_f64(a, b)
#define vd_fma(a, b, c) vfmaq_f64(c, a, b)
#define vd_abs(a) vabsq_f64(a)
#define vd_sum(a) (vgetq_lane_f64(a, 0) + vgetq_lane_f64(a, 1))
INLINE vf NAME(rounded_bf16)(vf a) {
  const uint32x4_t u = vreinterpretq_u32_f32(a), odd = vandq_u32(vshrq_n_u32(u, 16), vdupq_n_u32(1));
  const uint32x4_t nearest = vaddq_u32(u, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
  const uint32x4_t v = vbslq_u32(vceqq_f32(a, a), nearest, vorrq_u32(u, vdupq_n_u32(0x400000)));
  return vreinterpretq_f32_u32(vandq_u32(v, vdupq_n_u32(0xffff0000)));
}
INLINE vf NAME(larger)(vf a, vf b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
INLINE vf NAME(smaller)(vf a, vf b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
INLINE vf NAME(load_part)(const float *p, int64_t n) {
  float t[4] = {0};
  memcpy(t, p, (size_t)n * 4);
  return v_load(t);
}
INLINE void NAME(store_part)(float *p, vf v, int64_t n) {
  float t[4];
  v_store(t, v);
  memcpy(p, t, (size_t)n * 4);
}
INLINE float NAME(sum_lanes)(vf a) {
  float32x2_t s = vadd_f32(vget_low_f32(a), vget_high_f32(a));
  return vget_lane_f32(s, 0) + vget_lane_f32(s, 1);
}
INLINE float NAME(highest_lane)(vf a) {
  float t[4], m;
  v_store(t, a);
  m = t[0];
  for (int i = 1; i < 4; i++) m = m > t[i] ? m : t[i];
  return m;
}
INLINE vf NAME(ldexp_lanes)(vf a, vf n) {
  int32x4_t whole = vcvtq_s32_f32(n), half = vshrq_n_s32(whole, 1), bias = vdupq_n_s32(127);
  int32x4_t p = vshlq_n_s32(vaddq_s32(half, bias), 23), q = vshlq_n_s32(vaddq_s32(vsubq_s32(whole, half), bias), 23);
  return vmulq_f32(vmulq_f32(a, vreinterpretq_f32_s32(p)), vreinterpretq_f32_s32(q));
}

#else
#define vf float
#define vd double
#define vm int
#define DLANES 1
#define v_load(p) (*(p))
#define v_store(p, v) ((void)(*(p) = (v)))
#define v_set(x) ((float)(x))
#define v_zero() 0.0f
#define v_add(a, b) ((a) + (b))
#define v_sub(a, b) ((a) - (b))
#define v_mul(a, b) ((a) * (b))
#define v_div(a, b) ((a) / (b))
#define v_fma(a, b, c) ((a) * (b) + (c))
#define v_fnma(a, b, c) ((c) - (a) * (b))
#define v_rest(a, b, p) ((float)((double)(a) * (double)(b) - (double)(p)))
#define v_max(a, b) NAME(larger)(a, b)
#define v_min(a, b) NAME(smaller)(a, b)
#define v_abs(a) fabsf(a)
#define v_round(a) NAME(nearest)(a)
#define v_bf16(a) bf16_round(a)
#define v_lt(a, b) ((a) < (b))
#define v_pick(m, a, b) ((m) ? (a) : (b))
#define v_sum(a) (a)
#define v_highest(a) (a)
#define v_load_n(p, n) (*(p))
#define v_store_n(p, v, n) ((void)(*(p) = (v)))
#define v_ldexp(a, n) NAME(ldexp_lanes)(a, n)
#define vd_load(p) ((double)*(p))
#define vd_set(x) ((double)(x))
#define vd_zero() 0.0
#define vd_add(a, b) ((a) + (b))
#define vd_sub(a, b) ((a) - (b))
#define vd_mul(a, b) ((a) * (b))
#define vd_fma(a, b, c) ((a) * (b) + (c))
#define vd_abs(a) fabs(a)
#define vd_sum(a) (a)
INLINE float NAME(larger)(float a, float b) { return a > b ? a : b; }
INLINE float NAME(smaller)(float a, float b) { return a < b ? a : b; }
/* Adding and subtracting 1.5·2²³ rounds to the nearest whole number, ties to even; good for |a| < 2²², all that v_exp asks. */
INLINE float NAME(nearest)(float a) {
  volatile float t = a + 12582912.0f;
  return t - 12582912.0f;
}
INLINE float NAME(power)(int n) {
  union { uint32_t u; float f; } p = {(uint32_t)(n + 127) << 23};
  return p.f;
}
INLINE float NAME(ldexp_lanes)(float a, float n) {
  if (!(n == n)) return n;
  int whole = (int)n, half = whole >> 1;
  return a * NAME(power)(half) * NAME(power)(whole - half);
}
#endif

/* exp(x): x = n·ln 2 + r, |r| ≤ ln 2 / 2, exp(r) by Cephes' polynomial of degree 7 (expf.c), then 2ⁿ. */
#define v_exp(x) NAME(exp_lanes)(x)
TARGET INLINE vf NAME(exp_lanes)(vf x) {
  x = v_min(v_set(89.0f), v_max(v_set(-104.0f), x));
  vf n = v_round(v_mul(x, v_set(1.44269504088896341f)));
  vf r = v_fnma(n, v_set(0.693359375f), x);
  r = v_fnma(n, v_set(-2.12194440e-4f), r);
  vf p = v_fma(v_set(1.9875691500e-4f), r, v_set(1.3981999507e-3f));
  p = v_fma(p, r, v_set(8.3334519073e-3f));
  p = v_fma(p, r, v_set(4.1665795894e-2f));
  p = v_fma(p, r, v_set(1.6666665459e-1f));
  p = v_fma(p, r, v_set(5.0000001201e-1f));
  p = v_add(v_fma(p, v_mul(r, r), r), v_set(1.0f));
  return v_ldexp(p, n);
}
/* tanh(x): x + x³·P(x²) below 0.625 (Cephes, tanhf.c), else 1 − 2 / (exp(2|x|) + 1) with x's sign. */
#define v_tanh(x) NAME(tanh_lanes)(x)
TARGET INLINE vf NAME(tanh_lanes)(vf x) {
  vf a = v_abs(x), z = v_mul(x, x);
  vf p = v_fma(v_set(-5.70498872745e-3f), z, v_set(2.06390887954e-2f));
  p = v_fma(p, z, v_set(-5.37397155531e-2f));
  p = v_fma(p, z, v_set(1.33314422036e-1f));
  p = v_fma(p, z, v_set(-3.33332819422e-1f));
  vf small = v_fma(v_mul(p, z), x, x);
  vf large = v_sub(v_set(1.0f), v_div(v_set(2.0f), v_add(v_exp(v_add(a, a)), v_set(1.0f))));
  large = v_pick(v_lt(x, v_zero()), v_sub(v_zero(), large), large);
  return v_pick(v_lt(a, v_set(0.625f)), small, large);
}
#define v_sigmoid(x) NAME(sigmoid_lanes)(x)
TARGET INLINE vf NAME(sigmoid_lanes)(vf x) { return v_div(v_set(1.0f), v_add(v_set(1.0f), v_exp(v_sub(v_zero(), x)))); }
