// Exponential, hyperbolic tangent, error function, sine and cosine in float32, none from a library. Polynomials are our own weighted
// least-squares fits on Chebyshev nodes, reweighted towards the least greatest error; the error named beside each is the polynomial's.
#pragma once
#include "prims.cuh"

#define INFINITE float_of(0x7f800000u)

DEVICE float fused(float a, float b, float c) { float r; asm("fma.rn.f32 %0, %1, %2, %3;" : "=f"(r) : "f"(a), "f"(b), "f"(c)); return r; }
DEVICE double fused(double a, double b, double c) { double r; asm("fma.rn.f64 %0, %1, %2, %3;" : "=d"(r) : "d"(a), "d"(b), "d"(c)); return r; }
DEVICE float nearest(float a) { float r; asm("cvt.rni.f32.f32 %0, %1;" : "=f"(r) : "f"(a)); return r; }
DEVICE float absolute(float a) { return float_of(bits_of(a) & 0x7fffffffu); }
// larger is the other one where a is no number.
DEVICE float larger(float a, float b) { float r; asm("max.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b)); return r; }
DEVICE float with_sign(float magnitude, float sign) { return float_of(bits_of(magnitude) | (bits_of(sign) & 0x80000000u)); }
DEVICE float root(float a) { float r; asm("sqrt.rn.f32 %0, %1;" : "=f"(r) : "f"(a)); return r; }
DEVICE double root(double a) { double r; asm("sqrt.rn.f64 %0, %1;" : "=d"(r) : "d"(a)); return r; }
DEVICE float quotient(float a, float b) { float r; asm("div.rn.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b)); return r; }
DEVICE float reciprocal_fast(float a) { float r; asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(a)); return r; }
DEVICE float power_of_two(float a) { float r; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(a)); return r; }

// exponential is eˣ to 2 ulp: x = n·ln 2 + r, |r| ≤ ln 2 / 2, eʳ by a polynomial (1.9e-9), 2ⁿ in two steps so that small results fade
// out through the denormal numbers. NaN stays NaN.
DEVICE float exponential(float x) {
  float n = nearest(x * 1.44269504f);
  n = n > 200.f ? 200.f : n < -200.f ? -200.f : n;
  float r = fused(n, -0.693145752f, x); // 15 bits: n·0.693145752 is exact
  r = fused(n, -1.42860677e-6f, r);
  r = x > 104.f ? 0.f : x < -104.f ? 0.f : r;
  float p = 1.383682214e-03f;
  p = fused(p, r, 8.374822003e-03f), p = fused(p, r, 4.166822633e-02f), p = fused(p, r, 1.666642010e-01f);
  p = fused(p, r, 4.999999207e-01f), p = fused(p, r, 1.000000036e+00f), p = fused(p, r, 1.f);
  int whole = (int)n, half = whole / 2;
  return p * float_of((u32)(half + 127) << 23) * float_of((u32)(whole - half + 127) << 23);
}

// exponential_fast is eˣ with the error of ex2.approx (2 ulp) and of rounding x·log₂e (|x|·2⁻²⁴): for weights that become bfloat16.
DEVICE float exponential_fast(float x) { return power_of_two(x * 1.44269504f); }

// less_one_and_x is eˣ − 1 − x for x ≤ 0: by its series where the terms would cancel (2.4e-11).
DEVICE float less_one_and_x(float x) {
  if (x < -0.7f) return exponential(x) - 1.f - x;
  float p = 1.904339181e-05f;
  p = fused(p, x, 1.932520751e-04f), p = fused(p, x, 1.386559929e-03f), p = fused(p, x, 8.332798004e-03f);
  p = fused(p, x, 4.166661015e-02f), p = fused(p, x, 1.666666647e-01f), p = fused(p, x, 0.5f);
  return p * x * x;
}

DEVICE float sigmoid(float x) { return quotient(1.f, 1.f + exponential(-x)); }

// sigmoid_quick is σ(1.702·x); what rounding takes from the product, which the exponential would magnify, is put back.
DEVICE float sigmoid_quick(float x) {
  float high = 1.702f * x, low = fused(1.702f, x, -high) + -2.193450932e-08f * x;
  low = absolute(high) < 200.f ? low : 0.f;
  return quotient(1.f, 1.f + exponential(-high) * (1.f - low));
}

// hyperbolic_tangent: odd polynomial near zero (2.4e-9 relative), else 1 − 2/(e²ˣ + 1).
DEVICE float hyperbolic_tangent(float x) {
  float a = absolute(x), t = a * a;
  if (a < 0.6f) {
    float p = -5.863205012e-03f;
    p = fused(p, t, 2.076357492e-02f), p = fused(p, t, -5.377184314e-02f), p = fused(p, t, 1.333172941e-01f);
    p = fused(p, t, -3.333328508e-01f), p = fused(p, t, 1.f);
    return p * x;
  }
  return with_sign(1.f - quotient(2.f, exponential(2.f * a) + 1.f), x);
}

// normal_share is Φ(x), the normal distribution's share below x: ½ + ½·erf(x/√2) near zero (3e-10), and in the tails ½·e^(−z²)·q(u) with
// z = |x|/√2, u = (z − 3)/(z + 3), where q is a fit of e^(z²)·erfc(z) for z from 0.89 to 14 (3.5e-10 relative).
DEVICE float normal_share(float x) {
  float z = absolute(x) * 0.707106781f;
  if (z < 0.9f) {
    float t = 0.5f * x * x, p = 8.538831649e-05f;
    p = fused(p, t, -8.181925464e-04f), p = fused(p, t, 5.204435861e-03f), p = fused(p, t, -2.686075274e-02f);
    p = fused(p, t, 1.128371972e-01f), p = fused(p, t, -3.761263531e-01f), p = fused(p, t, 1.128379167e+00f);
    return fused(0.353553391f * x, p, 0.5f);
  }
  z = z > 14.f ? 14.f : z;
  float u = quotient(z - 3.f, z + 3.f), q = 4.352555896e-05f;
  q = fused(q, u, 3.959555407e-05f), q = fused(q, u, -5.848987523e-04f), q = fused(q, u, 7.079432238e-04f);
  q = fused(q, u, 4.266314178e-03f), q = fused(q, u, -2.439229992e-02f), q = fused(q, u, 7.166611003e-02f);
  q = fused(q, u, -1.501159616e-01f), q = fused(q, u, 2.456037926e-01f), q = fused(q, u, -3.262335594e-01f);
  q = fused(q, u, 1.790011512e-01f);
  float square = x * x * 0.5f, lost = fused(x, x, -x * x) * 0.5f; // e^(−z²) loses nothing to the rounding of z²
  square = square > 196.f ? 196.f : square, lost = square < 190.f ? lost : 0.f;
  float tail = 0.5f * q * exponential(-square) * (1.f - lost);
  return x < 0.f ? tail : x >= 0.f ? 1.f - tail : x;
}

// sine_cosine of an angle in radians, given in float64: reduced to |r| ≤ π/4 there, then by polynomials in r² (4e-12, 5e-11).
DEVICE void sine_cosine(double angle, float *sine, float *cosine) {
  double n;
  asm("cvt.rni.f64.f64 %0, %1;" : "=d"(n) : "d"(angle * 0.63661977236758134308));
  float r = (float)fused(n, -6.123233995736766e-17, fused(n, -1.5707963267948966, angle));
  i64 quadrant = (i64)n;
  float t = r * r, s = 2.717255839e-06f, c = 2.437886330e-05f;
  s = fused(s, t, -1.983919261e-04f), s = fused(s, t, 8.333328751e-03f), s = fused(s, t, -1.666666663e-01f);
  s = fused(s * t, r, r);
  c = fused(c, t, -1.388660769e-03f), c = fused(c, t, 4.166661636e-02f), c = fused(c, t, -0.5f), c = fused(c, t, 1.f);
  float first = quadrant & 1 ? c : s, second = quadrant & 1 ? s : c;
  *sine = quadrant & 2 ? -first : first;
  *cosine = (quadrant + 1) & 2 ? -second : second;
}
