// c += a · b for one 16 × 8 block of a matrix instruction. Products of the narrow types are exact in double, so a fused
// multiply-add rounds as a separate sum would.
#pragma once
#if defined(__FMA__)
#include <immintrin.h>
#endif

#include "number.h"

namespace ptx {

inline double truncatedToFloat(double x) {
  const float f = float(x);
  return std::fabs(double(f)) > std::fabs(x) ? std::nextafterf(f, 0.0f) : f;
}

// One row of eight sums.
struct Row8 {
#if defined(__AVX512F__)
  __m512d v;
  static Row8 load(const double* p) { return {_mm512_loadu_pd(p)}; }
  void store(double* p) const { _mm512_storeu_pd(p, v); }
  void add(double a, const Row8& b) { v = _mm512_fmadd_pd(_mm512_set1_pd(a), b.v, v); }
#elif defined(__FMA__)
  __m256d v, w;
  static Row8 load(const double* p) { return {_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4)}; }
  void store(double* p) const { _mm256_storeu_pd(p, v), _mm256_storeu_pd(p + 4, w); }
  void add(double a, const Row8& b) {
    const __m256d x = _mm256_set1_pd(a);
    v = _mm256_fmadd_pd(x, b.v, v);
    w = _mm256_fmadd_pd(x, b.w, w);
  }
#else
  double v[8];
  static Row8 load(const double* p) {
    Row8 r;
    std::memcpy(r.v, p, sizeof r.v);
    return r;
  }
  void store(double* p) const { std::memcpy(p, v, sizeof v); }
  void add(double a, const Row8& b) {
    for (int j = 0; j < 8; j++) v[j] += a * b.v[j];
  }
#endif
};

// a [16 × k], b [k × 8], c [16 × 8]. truncate: to float after every 8 products, nearer to the hardware.
template <int k>
inline void multiplyBlock(const double (&a)[16][k], const double (&b)[k][8], double (&c)[16][8], bool truncate) {
  constexpr int step = k < 8 ? k : 8;
  for (int r = 0; r < 16; r += 4) {
    Row8 s0 = Row8::load(c[r]), s1 = Row8::load(c[r + 1]), s2 = Row8::load(c[r + 2]), s3 = Row8::load(c[r + 3]);
    for (int begin = 0; begin < k; begin += step) {
      for (int e = begin; e < begin + step; e++) {
        const Row8 row = Row8::load(b[e]);
        s0.add(a[r][e], row);
        s1.add(a[r + 1][e], row);
        s2.add(a[r + 2][e], row);
        s3.add(a[r + 3][e], row);
      }
      if (!truncate) continue;
      double v[4][8];
      s0.store(v[0]), s1.store(v[1]), s2.store(v[2]), s3.store(v[3]);
      for (auto& row : v)
        for (double& x : row) x = truncatedToFloat(x);
      s0 = Row8::load(v[0]), s1 = Row8::load(v[1]), s2 = Row8::load(v[2]), s3 = Row8::load(v[3]);
    }
    s0.store(c[r]), s1.store(c[r + 1]), s2.store(c[r + 2]), s3.store(c[r + 3]);
  }
}

}  // namespace ptx
