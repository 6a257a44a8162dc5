// c += a · b for one 16 × 8 block of a matrix instruction. Products of the narrow types are exact in double, so a fused
// multiply-add rounds as a separate sum would.
#pragma once
#include "number.h"

namespace ptx {

inline double truncatedToFloat(double x) {
  const float f = float(x);
  return std::fabs(double(f)) > std::fabs(x) ? std::nextafterf(f, 0.0f) : f;
}

// a [16 × k], b [k × 8], c [16 × 8]. truncate: to float after every 8 products, nearer to the hardware.
template <int k>
inline void multiplyBlock(const double (&a)[16][k], const double (&b)[k][8], double (&c)[16][8], bool truncate) {
  for (int r = 0; r < 16; r += 4) {
    double sum[4][8];
    std::memcpy(sum, c[r], sizeof sum);
    for (int e = 0; e < k; e++) {
      for (int s = 0; s < 4; s++)
        for (int j = 0; j < 8; j++) sum[s][j] = __builtin_fma(a[r + s][e], b[e][j], sum[s][j]);
      if (truncate && (e & 7) == 7)
        for (auto& row : sum)
          for (double& x : row) x = truncatedToFloat(x);
    }
    std::memcpy(c[r], sum, sizeof sum);
  }
}

}  // namespace ptx
