// The number types of PTX that C++ lacks: half, bfloat16, and rounding that never rounds twice.
//
// A half or bfloat16 sum, product or quotient formed in float and rounded once more is exact rounding (24 >= 2p+2 bits);
// a fused multiply-add is not, so it is formed in double, rounded to odd on the way down, and only then to nearest.
// Source: IEEE 754-2019; Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums", 2008.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

namespace ptx {

using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using s8 = int8_t;
using s16 = int16_t;
using s32 = int32_t;
using s64 = int64_t;

template <class To, class From>
inline To bitsAs(From from) {
  static_assert(sizeof(To) == sizeof(From), "bitsAs keeps the size");
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

inline u16 halfBits(float f) {
  u32 x = bitsAs<u32>(f);
  const u32 sign = x >> 16 & 0x8000;
  x &= 0x7fffffff;
  if (x >= 0x47800000) return u16(sign | (x > 0x7f800000 ? 0x7fff : 0x7c00));
  if (x < 0x38800000) {  // a subnormal half: floats in [0.5, 1) are multiples of 2^-24, as subnormal halves are
    const float rounded = bitsAs<float>(x) + 0.5f;
    return u16(sign | (bitsAs<u32>(rounded) - 0x3f000000));
  }
  x += 0xfff + (x >> 13 & 1);
  return u16(sign | (x - 0x38000000) >> 13);
}

inline float halfValue(u16 h) {
  const u32 sign = u32(h & 0x8000) << 16, rest = u32(h & 0x7fff) << 13;
  const float scaled = bitsAs<float>(rest) * 0x1p112f;
  const u32 magnitude = (h & 0x7c00) == 0x7c00 ? rest | 0x7f800000 : bitsAs<u32>(scaled);
  return bitsAs<float>(sign | magnitude);
}

inline u16 bfloatBits(float f) {
  const u32 x = bitsAs<u32>(f);
  const u32 rounded = (x + 0x7fff + (x >> 16 & 1)) >> 16;
  return u16((x & 0x7fffffff) > 0x7f800000 ? 0x7fff : rounded);
}

inline float bfloatValue(u16 b) { return bitsAs<float>(u32(b) << 16); }

struct Half {
  u16 bits;
  Half() = default;
  Half(float f) : bits(halfBits(f)) {}
  operator float() const { return halfValue(bits); }
};

struct Bfloat {
  u16 bits;
  Bfloat() = default;
  Bfloat(float f) : bits(bfloatBits(f)) {}
  operator float() const { return bfloatValue(bits); }
};

template <class T>
constexpr bool isFloating = std::is_same_v<T, Half> || std::is_same_v<T, Bfloat> || std::is_floating_point_v<T>;
template <class T>
constexpr bool isNarrowFloat = std::is_same_v<T, Half> || std::is_same_v<T, Bfloat>;
template <class T>
constexpr u32 bitsOf = sizeof(T) * 8;

// product + addend, the product exact in double; inexact results have their last bit set.
inline double sumToOdd(double product, double addend) {
  const double sum = product + addend;
  if (!std::isfinite(sum)) return sum;
  const double back = sum - product, error = (product - (sum - back)) + (addend - back);
  if (error == 0) return sum;
  u64 x = bitsAs<u64>(sum);
  if (x & 1) return sum;
  x = (error > 0) == (sum > 0) ? x | 1 : x - 1;
  return bitsAs<double>(x);
}

inline float floatToOdd(double d) {
  const float f = float(d);
  if (double(f) == d || d != d) return f;
  u32 x = bitsAs<u32>(f);
  if (std::fabs(double(f)) > std::fabs(d)) x--;
  return bitsAs<float>(x | 1);
}

template <class T>
inline T fusedMultiplyAdd(T a, T b, T c) {
  if constexpr (isNarrowFloat<T>) return T(floatToOdd(sumToOdd(double(float(a)) * double(float(b)), float(c))));
  else return std::fma(a, b, c);
}

// PTX replaces a subnormal by a zero of its sign where .ftz is written.
inline float flush(float f) { return std::fabs(f) < std::numeric_limits<float>::min() ? std::copysign(0.0f, f) : f; }

// tf32 operands keep 10 bits of the fraction; the hardware ignores the rest.
inline float tf32Value(u32 bits) { return bitsAs<float>(bits & ~0x1fffu); }

// 8-bit floats: e4m3 (bias 7, no infinity) and e5m2 (the upper byte of a half).
inline float e4m3Value(u8 v) {
  const int exponent = v >> 3 & 15, fraction = v & 7;
  float f = exponent ? std::ldexp(float(8 + fraction), exponent - 10) : std::ldexp(float(fraction), -9);
  if ((v & 0x7f) == 0x7f) f = std::numeric_limits<float>::quiet_NaN();
  return v & 0x80 ? -f : f;
}
inline float e5m2Value(u8 v) { return halfValue(u16(v << 8)); }

}  // namespace ptx
