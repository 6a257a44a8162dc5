// The sums of one site: what `measure` takes of a whole row and a product of the groups of its results (epilogue.cuh), in one place, so that
// both count alike. A product's part is a GroupSums of 64 bytes: 64 values of a row, in float64 but for what float32 and bytes hold exactly.
#pragma once
#include "functions.cuh"

struct Sums {
  double sum1, sum2, sum3, sum4, sum_abs;
  float low, high;
  int below[8], nans, infs;
};

DEVICE Sums no_sums() { return Sums{0., 0., 0., 0., 0., INFINITE, -INFINITE, {}, 0, 0}; }

DEVICE double magnitude_of(double v) { double r; asm("abs.f64 %0, %1;" : "=d"(r) : "d"(v)); return r; }

// Adds a value; thresholds unused are negative.
DEVICE void add_value(Sums &s, float v, const float *eps) {
  float magnitude = absolute(v);
  double d = (double)v, square = d * d;
  s.sum1 += d, s.sum2 += square, s.sum3 = fused(square, d, s.sum3), s.sum4 = fused(square, square, s.sum4), s.sum_abs += magnitude_of(d);
  s.low = v < s.low ? v : s.low, s.high = v > s.high ? v : s.high;
  s.nans += v != v, s.infs += magnitude == INFINITE; // no branch: a warp that parts here reads its next values in pieces
#pragma unroll
  for (int e = 0; e < 8; e++) s.below[e] += magnitude < eps[e];
}

// GroupSums are four quarters of 16 bytes, which four lanes write and read side by side: Σv and Σv²; Σv³ and Σv⁴; Σ|v|, least and greatest;
// the counts below thresholds 0 to 3 and 4 to 7, and of NaN and infinities, a byte each (a group has 64 values).
struct __align__(16) Quarter { u32 word[4]; };
struct GroupSums { Quarter quarter[4]; };

DEVICE Quarter load_quarter(const Quarter *from) {
  float v[4];
  load_quad(v, from);
  return Quarter{{bits_of(v[0]), bits_of(v[1]), bits_of(v[2]), bits_of(v[3])}};
}

DEVICE void pack_double(u32 *to, double v) { asm("mov.b64 {%0, %1}, %2;" : "=r"(to[0]), "=r"(to[1]) : "d"(v)); }
DEVICE double unpack_double(const u32 *from) { double v; asm("mov.b64 %0, {%1, %2};" : "=d"(v) : "r"(from[0]), "r"(from[1])); return v; }

// Adds what one quarter of a group holds.
DEVICE void add_quarter(Sums &s, int quarter, const Quarter &q) {
  if (quarter == 0) s.sum1 += unpack_double(q.word), s.sum2 += unpack_double(q.word + 2);
  if (quarter == 1) s.sum3 += unpack_double(q.word), s.sum4 += unpack_double(q.word + 2);
  if (quarter == 2) {
    float low = float_of(q.word[2]), high = float_of(q.word[3]);
    s.sum_abs += unpack_double(q.word), s.low = low < s.low ? low : s.low, s.high = high > s.high ? high : s.high;
  }
  if (quarter == 3) {
#pragma unroll
    for (int e = 0; e < 8; e++) s.below[e] += (int)(q.word[e / 4] >> e % 4 * 8 & 255);
    s.nans += (int)(q.word[2] & 255), s.infs += (int)(q.word[2] >> 8 & 255);
  }
}
