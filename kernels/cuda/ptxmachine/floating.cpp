// Floating-point arithmetic of f32, f64, f16, bf16 and the packed halves. Directed rounding sets the processor's mode;
// .ftz flushes operands and results. Approximate functions are the C library's: closer than a GPU's, never farther.
// Source: PTX ISA, "Floating point", "Half precision floating point".
#include <cfenv>

#include "lanewise.h"

namespace ptx {

void integerBinary(Decoder&, const char* name, Type);
void integerUnary(Decoder&, const char* name, Type);
void integerMultiply(Decoder&, Type, bool add);
bool decodeChain(Decoder&, const char* name);

namespace {

struct Add { template <class T> T operator()(T a, T b) const { return T(a + b); } };
struct Subtract { template <class T> T operator()(T a, T b) const { return T(a - b); } };
struct Multiply { template <class T> T operator()(T a, T b) const { return T(a * b); } };
struct Divide { template <class T> T operator()(T a, T b) const { return T(a / b); } };
struct Fused { template <class T> T operator()(T a, T b, T c) const { return fusedMultiplyAdd(a, b, c); } };
struct Negate {
  float operator()(float a) const { return -a; }
  double operator()(double a) const { return -a; }
  Half operator()(Half a) const { a.bits ^= 0x8000; return a; }
  Bfloat operator()(Bfloat a) const { a.bits ^= 0x8000; return a; }
};
struct Absolute {
  float operator()(float a) const { return std::fabs(a); }
  double operator()(double a) const { return std::fabs(a); }
  Half operator()(Half a) const { a.bits &= 0x7fff; return a; }
  Bfloat operator()(Bfloat a) const { a.bits &= 0x7fff; return a; }
};
template <bool least, bool keepNan>
struct Extreme {
  template <class T> T operator()(T a, T b) const {
    if (a != a || b != b) {
      if (keepNan || (a != a && b != b)) return T(bitsAs<float>(0x7fffffffu));
      return a != a ? b : a;
    }
    if (float(a) == 0 && float(b) == 0) return std::signbit(float(a)) == least ? a : b;
    return least ? (b < a ? b : a) : (a < b ? b : a);
  }
};
struct SquareRoot { template <class T> T operator()(T a) const { return std::sqrt(a); } };
struct Reciprocal { template <class T> T operator()(T a) const { return T(1) / a; } };
struct ReciprocalRoot { template <class T> T operator()(T a) const { return T(1.0 / std::sqrt(double(a))); } };
struct Exponential2 { template <class T> T operator()(T a) const { return T(std::exp2(float(a))); } };
struct Logarithm2 { float operator()(float a) const { return std::log2(a); } };
struct Sine { float operator()(float a) const { return std::sin(a); } };
struct Cosine { float operator()(float a) const { return std::cos(a); } };
struct HyperbolicTangent { template <class T> T operator()(T a) const { return T(std::tanh(float(a))); } };
struct CopySign { template <class T> T operator()(T a, T b) const { return std::copysign(b, a); } };

// .ftz, .sat and .relu around another operation
template <class Op>
struct Flushed {
  template <class... T> float operator()(T... a) const { return flush(Op{}(flush(a)...)); }
};
template <class Op>
struct Saturated {
  template <class... T> auto operator()(T... a) const {
    auto r = Op{}(a...);
    using R = decltype(r);
    return float(r) > 0 ? (float(r) < 1 ? r : R(1.0f)) : R(0.0f);  // NaN becomes 0
  }
};
template <class Op>
struct Rectified {
  template <class... T> auto operator()(T... a) const {
    auto r = Op{}(a...);
    using R = decltype(r);
    return r != r ? R(bitsAs<float>(0x7fffffffu)) : float(r) > 0 ? r : R(0.0f);
  }
};

template <Execute inner>
void directed(Warp& w, const Instruction& i, Lanes m) {
  static const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
  std::fesetround(modes[i.flags & 3]);
  inner(w, i, m);
  std::fesetround(FE_TONEAREST);
}

template <class Op, class T, int n>
constexpr Execute lanes() {
  if constexpr (n == 1) return lanewise<Op, T, T>;
  else if constexpr (n == 2) return lanewise<Op, T, T, T>;
  else return lanewise<Op, T, T, T, T>;
}
template <class Op, class T, int n>
constexpr Execute pairs() {
  if constexpr (n == 1) return lanewise2<Op, T, T>;
  else if constexpr (n == 2) return lanewise2<Op, T, T, T>;
  else return lanewise2<Op, T, T, T, T>;
}

struct Form {
  bool ftz = false, sat = false, relu = false;
  int rounding = 0;  // 0 rn, 1 rz, 2 rm, 3 rp
};

template <class Op, int n>
Execute choose(Type t, const Form& f) {
  switch (t) {
    case Type::F32:
      if (f.relu) return nullptr;
      if (f.rounding) {
        if (f.sat) return f.ftz ? directed<lanes<Saturated<Flushed<Op>>, float, n>()> : directed<lanes<Saturated<Op>, float, n>()>;
        return f.ftz ? directed<lanes<Flushed<Op>, float, n>()> : directed<lanes<Op, float, n>()>;
      }
      if (f.sat) return f.ftz ? lanes<Saturated<Flushed<Op>>, float, n>() : lanes<Saturated<Op>, float, n>();
      return f.ftz ? lanes<Flushed<Op>, float, n>() : lanes<Op, float, n>();
    case Type::F64:
      if (f.ftz || f.sat || f.relu) return nullptr;
      return f.rounding ? directed<lanes<Op, double, n>()> : lanes<Op, double, n>();
    case Type::F16:
      return f.rounding ? nullptr : f.sat ? lanes<Saturated<Op>, Half, n>() : f.relu ? lanes<Rectified<Op>, Half, n>() : lanes<Op, Half, n>();
    case Type::BF16:
      return f.rounding ? nullptr
             : f.sat    ? lanes<Saturated<Op>, Bfloat, n>()
             : f.relu   ? lanes<Rectified<Op>, Bfloat, n>()
                        : lanes<Op, Bfloat, n>();
    case Type::F16x2:
      return f.rounding ? nullptr : f.sat ? pairs<Saturated<Op>, Half, n>() : f.relu ? pairs<Rectified<Op>, Half, n>() : pairs<Op, Half, n>();
    case Type::BF16x2:
      return f.rounding ? nullptr
             : f.sat    ? pairs<Saturated<Op>, Bfloat, n>()
             : f.relu   ? pairs<Rectified<Op>, Bfloat, n>()
                        : pairs<Op, Bfloat, n>();
    default: return nullptr;
  }
}

Form form(Decoder& d) {
  Form f;
  f.ftz = d.has("ftz");
  f.sat = d.has("sat");
  f.relu = d.has("relu");
  d.skip({"noftz"});
  const int r = d.oneOf({"rn", "rz", "rm", "rp"});
  f.rounding = r < 0 ? 0 : r;
  return f;
}

template <class Op, int n>
void emitFloat(Decoder& d, Type t, const Form& f, Class c) {
  d.expect(n + 1, n + 1);
  std::vector<u32> from;
  for (int k = 1; k <= n; k++) from.push_back(d.source(size_t(k), t));
  d.emit(choose<Op, n>(t, f), c, {d.result(0, t)}, from).flags = u8(f.rounding);
}

// Functions whose approximations exist in f32, some in f64 or the halves.
template <class Op>
void emitFunction(Decoder& d, Class c, bool wide, bool halves) {
  d.expect(2, 2);
  d.skip({"approx", "full"});
  const Form f = form(d);
  const Type t = d.type();
  Execute e = nullptr;
  if (t == Type::F32) e = f.ftz ? lanewise<Flushed<Op>, float, float> : lanewise<Op, float, float>;
  if constexpr (std::is_invocable_r_v<double, Op, double> && !std::is_same_v<Op, Logarithm2> && !std::is_same_v<Op, Sine> &&
                !std::is_same_v<Op, Cosine>)
    if (t == Type::F64 && wide) e = lanewise<Op, double, double>;
  if constexpr (std::is_same_v<Op, Exponential2> || std::is_same_v<Op, HyperbolicTangent>)
    if (halves)
      e = t == Type::F16      ? lanewise<Op, Half, Half>
          : t == Type::BF16   ? lanewise<Op, Bfloat, Bfloat>
          : t == Type::F16x2  ? lanewise2<Op, Half, Half>
          : t == Type::BF16x2 ? lanewise2<Op, Bfloat, Bfloat>
                              : e;
  if constexpr (std::is_same_v<Op, SquareRoot> || std::is_same_v<Op, Reciprocal>)
    if (f.rounding) e = t == Type::F32 ? directed<lanewise<Op, float, float>> : directed<lanewise<Op, double, double>>;
  d.emit(e, c, {d.result(0, t)}, {d.source(1, t)}).flags = u8(f.rounding);
}

template <class Op>
void sumLike(Decoder& d, const char* name) {
  if (decodeChain(d, name)) return;
  const Type t = d.type();
  if (!isFloat(t)) return integerBinary(d, name, t);
  emitFloat<Op, 2>(d, t, form(d), Class::Float);
}

template <bool least>
void extreme(Decoder& d) {
  const Type t = d.type();
  if (!isFloat(t)) return integerBinary(d, least ? "min" : "max", t);
  const bool nan = d.has("NaN");
  d.need(!d.has("xorsign"));
  const Form f = form(d);
  nan ? emitFloat<Extreme<least, true>, 2>(d, t, f, Class::Float) : emitFloat<Extreme<least, false>, 2>(d, t, f, Class::Float);
}

}  // namespace

void addFloating(Opcodes& o) {
  o.add("add", [](Decoder& d) { sumLike<Add>(d, "add"); });
  o.add("sub", [](Decoder& d) { sumLike<Subtract>(d, "sub"); });
  o.add("mul", [](Decoder& d) {
    const Type t = d.type();
    if (!isFloat(t)) return integerMultiply(d, t, false);
    emitFloat<Multiply, 2>(d, t, form(d), Class::Float);
  });
  auto fused = [](Decoder& d) {
    const Type t = d.type();
    if (!isFloat(t)) return integerMultiply(d, t, true);
    emitFloat<Fused, 3>(d, t, form(d), Class::Fma);
  };
  o.add("fma", fused);
  o.add("mad", [](Decoder& d) {
    if (decodeChain(d, "mad")) return;
    const Type t = d.type();
    if (!isFloat(t)) return integerMultiply(d, t, true);
    emitFloat<Fused, 3>(d, t, form(d), Class::Fma);
  });
  o.add("div", [](Decoder& d) {
    const Type t = d.type();
    if (!isFloat(t)) return integerBinary(d, "div", t);
    d.skip({"approx", "full"});
    emitFloat<Divide, 2>(d, t, form(d), Class::Special);
  });
  o.add("min", extreme<true>);
  o.add("max", extreme<false>);
  o.add("neg", [](Decoder& d) {
    const Type t = d.type();
    isFloat(t) ? emitFloat<Negate, 1>(d, t, form(d), Class::Float) : integerUnary(d, "neg", t);
  });
  o.add("abs", [](Decoder& d) {
    const Type t = d.type();
    isFloat(t) ? emitFloat<Absolute, 1>(d, t, form(d), Class::Float) : integerUnary(d, "abs", t);
  });
  o.add("copysign", [](Decoder& d) {
    d.expect(3, 3);
    const Type t = d.type();
    d.need(t == Type::F32 || t == Type::F64);
    d.emit(t == Type::F32 ? lanewise<CopySign, float, float, float> : lanewise<CopySign, double, double, double>, Class::Float, {d.result(0, t)},
           {d.source(1, t), d.source(2, t)});
  });
  o.add("sqrt", [](Decoder& d) { emitFunction<SquareRoot>(d, Class::Special, true, false); });
  o.add("rcp", [](Decoder& d) { emitFunction<Reciprocal>(d, Class::Special, true, false); });
  o.add("rsqrt", [](Decoder& d) { emitFunction<ReciprocalRoot>(d, Class::Special, true, false); });
  o.add("ex2", [](Decoder& d) { emitFunction<Exponential2>(d, Class::Special, false, true); });
  o.add("lg2", [](Decoder& d) { emitFunction<Logarithm2>(d, Class::Special, false, false); });
  o.add("sin", [](Decoder& d) { emitFunction<Sine>(d, Class::Special, false, false); });
  o.add("cos", [](Decoder& d) { emitFunction<Cosine>(d, Class::Special, false, false); });
  o.add("tanh", [](Decoder& d) { emitFunction<HyperbolicTangent>(d, Class::Special, false, true); });
}

}  // namespace ptx
