// cvt in all its forms, and cvt.pack. Source: PTX ISA, "Data movement and conversion: cvt".
#include <algorithm>
#include <cfenv>

#include "lanewise.h"

namespace ptx {

namespace {

enum Mode : u8 { Nearest, Zero, Down, Up };
struct Options_ {  // packed into Instruction::option
  u8 rounding, integral;  // Mode; integral: 0 none, 1 + Mode
  bool ftz, sat, relu;
  u32 pack() const { return rounding | u32(integral) << 4 | u32(ftz) << 8 | u32(sat) << 9 | u32(relu) << 10; }
  static Options_ unpack(u32 v) { return {u8(v & 15), u8(v >> 4 & 15), bool(v >> 8 & 1), bool(v >> 9 & 1), bool(v >> 10 & 1)}; }
};

double roundIntegral(double x, int mode) {
  return mode == Nearest ? std::nearbyint(x) : mode == Zero ? std::trunc(x) : mode == Down ? std::floor(x) : std::ceil(x);
}

// A narrow float of a wide one, rounded as asked.
template <class T>
T narrow(double x, int mode) {
  T r = T(floatToOdd(x));
  if (mode == Nearest || x != x) return r;
  const double v = float(r);
  const bool away = std::fabs(v) > std::fabs(x), inexact = v != x;
  if (!inexact) return r;
  const bool wantAway = mode == Up ? x > 0 : mode == Down ? x < 0 : false;
  if (away && !wantAway) r.bits--;
  else if (!away && wantAway) r.bits++;
  return r;
}

template <class D, class A>
D one(A a, const Options_& o) {
  if constexpr (isFloating<A>) {
    double x;
    if constexpr (std::is_same_v<A, double>) x = a;
    else x = double(o.ftz && std::is_same_v<A, float> ? flush(float(a)) : float(a));
    if (o.integral) x = roundIntegral(x, o.integral - 1);
    if constexpr (!isFloating<D>) {
      if (x != x) return std::is_same_v<A, double> || sizeof(D) == 8 ? D(u64(1) << (bitsOf<D> - 1)) : D(0);
      const double low = double(std::numeric_limits<D>::min()), high = std::ldexp(1.0, int(bitsOf<D>) - (std::is_signed_v<D> ? 1 : 0));
      return x <= low ? std::numeric_limits<D>::min() : x >= high ? std::numeric_limits<D>::max() : D(x);
    } else {
      if (o.sat) x = x > 0 ? std::min(x, 1.0) : 0.0;
      if (o.relu && x == x) x = x > 0 ? x : 0.0;
      if constexpr (isNarrowFloat<D>) {
        if (std::is_same_v<A, D> && x == x) return D(float(x));
        return narrow<D>(x, o.rounding);
      } else {
        const D r = D(x);
        if constexpr (std::is_same_v<D, float>)
          if (o.ftz) return flush(r);
        return r;
      }
    }
  } else if constexpr (isFloating<D>) {
    double x = double(a);
    if constexpr (isNarrowFloat<D>) return narrow<D>(o.sat ? std::clamp(x, 0.0, 1.0) : x, o.rounding);
    else return o.sat ? D(std::clamp(x, 0.0, 1.0)) : D(a);
  } else if (o.sat) {
    if constexpr (std::is_signed_v<A> == std::is_signed_v<D>)
      return D(std::clamp<std::conditional_t<std::is_signed_v<A>, s64, u64>>(a, std::numeric_limits<D>::min(), std::numeric_limits<D>::max()));
    else if constexpr (std::is_signed_v<A>) return a < 0 ? D(0) : D(std::min<u64>(u64(a), std::numeric_limits<D>::max()));
    else return D(std::min<u64>(u64(a), u64(std::numeric_limits<D>::max())));
  } else {
    return D(a);
  }
}

template <class D, class A>
struct Plain {  // no rounding asked for beyond to nearest, no flushing: the forms in hot loops
  D operator()(A a) const {
    if constexpr (std::is_same_v<D, A>) return a;
    else if constexpr (isNarrowFloat<D> && std::is_same_v<A, float>) return D(a);
    else if constexpr (isNarrowFloat<A> && std::is_same_v<D, float>) return float(a);
    else if constexpr (std::is_same_v<D, double> && isFloating<A>) return double(float(a));
    else return D(a);
  }
};
template <class D, class A>
constexpr bool hasPlain = (std::is_same_v<D, A>) || (isNarrowFloat<D> && std::is_same_v<A, float>) ||
                          (isNarrowFloat<A> && (std::is_same_v<D, float>)) || (std::is_same_v<D, double> && std::is_same_v<A, float>) ||
                          (std::is_same_v<D, float> && std::is_same_v<A, double>) || (!isFloating<A> && !isNarrowFloat<D>);

template <class D, class A>
void convert(Warp& w, const Instruction& i, Lanes m) {
  const Options_ o = Options_::unpack(i.option);
  D* d = w.at<D>(i.operand[0]);
  const A* a = w.at<A>(i.operand[1]);
  static const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
  if (o.rounding) std::fesetround(modes[o.rounding]);
  eachLane(m, [&](u32 l) { d[l] = one<D, A>(a[l], o); });
  if (o.rounding) std::fesetround(FE_TONEAREST);
}

template <class D, class A>
Execute pick(const Options_& o) {
  if constexpr (hasPlain<D, A>)
    if (!o.rounding && !o.integral && !o.ftz && !o.sat && !o.relu) return lanewise<Plain<D, A>, D, A>;
  return convert<D, A>;
}
template <class D>
Execute from(Type t, const Options_& o) {
  switch (t) {
    case Type::U8: case Type::B8: return pick<D, u8>(o);
    case Type::S8: return pick<D, s8>(o);
    case Type::U16: case Type::B16: return pick<D, u16>(o);
    case Type::S16: return pick<D, s16>(o);
    case Type::U32: case Type::B32: return pick<D, u32>(o);
    case Type::S32: return pick<D, s32>(o);
    case Type::U64: case Type::B64: return pick<D, u64>(o);
    case Type::S64: return pick<D, s64>(o);
    case Type::F16: return pick<D, Half>(o);
    case Type::BF16: return pick<D, Bfloat>(o);
    case Type::F32: return pick<D, float>(o);
    case Type::F64: return pick<D, double>(o);
    default: return nullptr;
  }
}
Execute conversion(Type to, Type t, const Options_& o) {
  switch (to) {
    case Type::U8: case Type::B8: return from<u8>(t, o);
    case Type::S8: return from<s8>(t, o);
    case Type::U16: case Type::B16: return from<u16>(t, o);
    case Type::S16: return from<s16>(t, o);
    case Type::U32: case Type::B32: return from<u32>(t, o);
    case Type::S32: return from<s32>(t, o);
    case Type::U64: case Type::B64: return from<u64>(t, o);
    case Type::S64: return from<s64>(t, o);
    case Type::F16: return from<Half>(t, o);
    case Type::BF16: return from<Bfloat>(t, o);
    case Type::F32: return from<float>(t, o);
    case Type::F64: return from<double>(t, o);
    default: return nullptr;
  }
}

// Two floats to one register: the first operand is the upper half.
template <class T, int mode, bool relu>
struct Pack {
  u32 operator()(float high, float low) const {
    if (relu) high = high > 0 || high != high ? high : 0.0f, low = low > 0 || low != low ? low : 0.0f;
    const T h = mode == Nearest ? T(high) : narrow<T>(high, mode), l = mode == Nearest ? T(low) : narrow<T>(low, mode);
    return u32(h.bits) << 16 | l.bits;
  }
};
template <class T>
Execute packing(int mode, bool relu) {
  if (mode == Nearest) return relu ? lanewise<Pack<T, Nearest, true>, u32, float, float> : lanewise<Pack<T, Nearest, false>, u32, float, float>;
  if (mode == Zero) return relu ? lanewise<Pack<T, Zero, true>, u32, float, float> : lanewise<Pack<T, Zero, false>, u32, float, float>;
  return nullptr;
}

// 8-bit floats, saturating to the largest finite value.
template <bool e4m3>
u8 eightBits(float f) {
  if (f != f) return 0x7f;
  const u8 sign = std::signbit(f) ? 0x80 : 0;
  const float a = std::fabs(f);
  const float largest = e4m3 ? 448.0f : 57344.0f;
  if (a >= largest) return u8(sign | (e4m3 ? 0x7e : 0x7b));
  u8 best = 0;
  float bestError = a;
  for (int v = 1; v <= (e4m3 ? 0x7e : 0x7b); v++) {
    const float error = std::fabs((e4m3 ? e4m3Value(u8(v)) : e5m2Value(u8(v))) - a);
    if (error < bestError || (error == bestError && !(v & 1))) best = u8(v), bestError = error;
  }
  return u8(sign | best);
}
template <bool e4m3>
struct Pack8 { u16 operator()(float high, float low) const { return u16(eightBits<e4m3>(high) << 8 | eightBits<e4m3>(low)); } };
template <bool e4m3>
struct Unpack8 {
  u32 operator()(u16 v) const {
    const u8 h = u8(v >> 8), l = u8(v);
    return u32(halfBits(e4m3 ? e4m3Value(h) : e5m2Value(h))) << 16 | halfBits(e4m3 ? e4m3Value(l) : e5m2Value(l));
  }
};

struct ToTf32Away {
  u32 operator()(float a) const {
    const u32 x = bitsAs<u32>(a);
    return std::isfinite(a) ? (x + 0x1000) & ~0x1fffu : a != a ? 0x7fffffff : x;
  }
};
struct ToTf32Even {
  u32 operator()(float a) const {
    const u32 x = bitsAs<u32>(a);
    return std::isfinite(a) ? (x + 0xfff + (x >> 13 & 1)) & ~0x1fffu : a != a ? 0x7fffffff : x;
  }
};
struct ToTf32Zero { u32 operator()(float a) const { const u32 x = bitsAs<u32>(a); return a != a ? 0x7fffffff : x & ~0x1fffu; } };

void cvt(Decoder& d) {
  if (d.has("pack")) {  // d = sat(a) : sat(b) : lower bytes of c
    d.need(d.has("sat"));
    const bool withC = d.has("b32");
    const Type source = d.type(), to = d.type();
    d.need(source == Type::S32 && (to == Type::S8 || to == Type::U8 || to == Type::S16 || to == Type::U16) && (withC == (sizeOf(to) == 1)));
    struct S8 {
      u32 operator()(s32 a, s32 b, u32 c) const { return c << 16 | u32(u8(std::clamp(a, -128, 127))) << 8 | u8(std::clamp(b, -128, 127)); }
    };
    struct U8_ { u32 operator()(s32 a, s32 b, u32 c) const { return c << 16 | u32(u8(std::clamp(a, 0, 255))) << 8 | u8(std::clamp(b, 0, 255)); } };
    struct S16 { u32 operator()(s32 a, s32 b) const { return u32(u16(std::clamp(a, -32768, 32767))) << 16 | u16(std::clamp(b, -32768, 32767)); } };
    struct U16_ { u32 operator()(s32 a, s32 b) const { return u32(u16(std::clamp(a, 0, 65535))) << 16 | u16(std::clamp(b, 0, 65535)); } };
    std::vector<u32> sources = {d.source(1, Type::S32), d.source(2, Type::S32)};
    if (withC) sources.push_back(d.source(3, Type::B32));
    Execute e = to == Type::S8    ? lanewise<S8, u32, s32, s32, u32>
                : to == Type::U8  ? lanewise<U8_, u32, s32, s32, u32>
                : to == Type::S16 ? lanewise<S16, u32, s32, s32>
                                  : lanewise<U16_, u32, s32, s32>;
    d.emit(e, Class::Move, {d.result(0, Type::B32)}, sources);
    return;
  }
  const bool away = d.has("rna"), finite = d.has("satfinite");
  const Type source = d.type(), to = d.type();
  Options_ o{};
  const int integral = d.oneOf({"rni", "rzi", "rmi", "rpi"}), rounding = d.oneOf({"rn", "rz", "rm", "rp"});
  o.integral = u8(integral + 1);
  o.rounding = u8(rounding < 0 ? 0 : rounding);
  o.ftz = d.has("ftz");
  o.sat = d.has("sat");
  o.relu = d.has("relu");
  if (to == Type::F16x2 || to == Type::BF16x2) {
    if (source == Type::E4M3x2 || source == Type::E5M2x2) {
      d.need(to == Type::F16x2 && !o.relu && d.count() == 2);
      d.emit(source == Type::E4M3x2 ? lanewise<Unpack8<true>, u32, u16> : lanewise<Unpack8<false>, u32, u16>, Class::Move,
             {d.result(d.operand(0), 4)}, {d.source(d.operand(1), 2)});
      return;
    }
    d.expect(3, 3);
    d.need(source == Type::F32 && !o.sat && !finite);
    d.emit(to == Type::F16x2 ? packing<Half>(o.rounding, o.relu) : packing<Bfloat>(o.rounding, o.relu), Class::Move, {d.result(d.operand(0), 4)},
           {d.source(1, Type::F32), d.source(2, Type::F32)});
    return;
  }
  if (to == Type::E4M3x2 || to == Type::E5M2x2) {
    d.expect(3, 3);
    d.need(source == Type::F32 && finite && !o.relu);
    d.emit(to == Type::E4M3x2 ? lanewise<Pack8<true>, u16, float, float> : lanewise<Pack8<false>, u16, float, float>, Class::Move,
           {d.result(d.operand(0), 2)}, {d.source(1, Type::F32), d.source(2, Type::F32)});
    return;
  }
  d.expect(2, 2);
  d.need(!finite);
  if (to == Type::TF32) {
    d.need(source == Type::F32 && !o.relu);
    d.emit(away                 ? lanewise<ToTf32Away, u32, float>
           : o.rounding == Zero ? lanewise<ToTf32Zero, u32, float>
                                : lanewise<ToTf32Even, u32, float>,
           Class::Move, {d.result(0, Type::B32)}, {d.source(1, Type::F32)});
    return;
  }
  d.need(!away && !(isFloat(source) && !isFloat(to) && integral < 0));
  const Class c = isFloat(source) || isFloat(to) ? Class::Move : Class::Integer;
  d.emit(conversion(to, source, o), c, {d.result(0, to)}, {d.source(1, source)}).option = o.pack();
}

}  // namespace

void addConvert(Opcodes& o) { o.add("cvt", cvt); }

}  // namespace ptx
