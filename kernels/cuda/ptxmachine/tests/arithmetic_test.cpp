// Instructions of every arithmetic class against plain C++, lane by lane.
#include <limits>

#include "harness.h"

namespace {

// Runs a body that turns %a (first word of the thread's input) and %b, %c into %r0; returns the 32 results.
std::vector<uint32_t> run(const std::string& body, const std::vector<uint32_t>& a, const std::vector<uint32_t>& b, const std::vector<uint32_t>& c) {
  std::vector<uint32_t> in;
  for (int i = 0; i < 32; i++) in.insert(in.end(), {a[size_t(i)], b[size_t(i)], c[size_t(i)]});
  Program p(kernelText("  .reg .b32 %a, %b, %c; mul.wide.u32 %d0, %t, 12; add.s64 %d1, %in, %d0;\n"
                       "  ld.global.u32 %a, [%d1]; ld.global.u32 %b, [%d1+4]; ld.global.u32 %c, [%d1+8];\n" + body + "\n  st.global.u32 [%my], %r0;\n"));
  if (p.error) {
    printf("    %s\n", p.log.c_str());
    failures++;
    return std::vector<uint32_t>(32);
  }
  Buffer<uint32_t> input(in), output(32);
  CHECK_EQUAL(launch(p.function("k"), {}, output.address, input.address), 0);
  CHECK(findings().empty());
  return output.get();
}

std::vector<uint32_t> words(uint64_t seed) {
  Random r(seed);
  std::vector<uint32_t> v(32);
  for (auto& x : v) x = r.bits();
  const uint32_t edges[] = {0, 1, ~0u, 0x80000000, 0x7fffffff, 31, 32, 33};
  for (int i = 0; i < 8; i++) v[size_t((i * 5 + int(seed)) % 32)] = edges[i];
  return v;
}
std::vector<uint32_t> floats(uint64_t seed) {
  Random r(seed);
  std::vector<uint32_t> v(32);
  for (auto& x : v) {
    const float f = r.uniform() * std::ldexp(1.0f, int(r.bits() % 20) - 10);
    memcpy(&x, &f, 4);
  }
  const float edges[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-40f, -1e-40f, 3e38f};
  for (int i = 0; i < 8; i++) memcpy(&v[size_t((i * 7 + int(seed) * 3) % 32)], &edges[i], 4);
  return v;
}
float asFloat(uint32_t x) {
  float f;
  memcpy(&f, &x, 4);
  return f;
}
uint32_t asBits(float f) {
  uint32_t x;
  memcpy(&x, &f, 4);
  return x;
}

void compare(const char* what, const std::vector<uint32_t>& got, const std::vector<uint32_t>& want) {
  for (size_t i = 0; i < 32; i++)
    if (got[i] != want[i] && !(asFloat(got[i]) != asFloat(got[i]) && asFloat(want[i]) != asFloat(want[i]))) {
      printf("    %s: lane %zu: 0x%08x, want 0x%08x\n", what, i, got[i], want[i]);
      failures++;
      return;
    }
}

uint32_t reversed(uint32_t a) {
  uint32_t r = 0;
  for (int i = 0; i < 32; i++) r |= (a >> i & 1) << (31 - i);
  return r;
}
uint32_t dot4(uint32_t a, uint32_t b) {
  uint32_t s = 0;
  for (int i = 0; i < 32; i += 8) s += uint32_t(int8_t(a >> i) * int8_t(b >> i));
  return s;
}
float flushed(float x) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }

using Word = uint32_t (*)(uint32_t, uint32_t, uint32_t);
struct Case {
  const char* text;
  Word want;
};
void table(const std::vector<Case>& cases, bool floating) {
  for (const Case& t : cases) {
    const auto a = floating ? floats(1) : words(1), b = floating ? floats(2) : words(2), c = floating ? floats(3) : words(3);
    std::vector<uint32_t> want(32);
    for (size_t i = 0; i < 32; i++) want[i] = t.want(a[i], b[i], c[i]);
    compare(t.text, run(t.text, a, b, c), want);
  }
}
#define W(expression) [](uint32_t a, uint32_t b, uint32_t c) -> uint32_t { (void)a, (void)b, (void)c; return uint32_t(expression); }
#define F(expression) \
  [](uint32_t a_, uint32_t b_, uint32_t c_) -> uint32_t { \
    const float a = asFloat(a_), b = asFloat(b_), c = asFloat(c_); (void)a, (void)b, (void)c; return asBits(float(expression)); }

}  // namespace

TEST(arithmetic_integer) {
  table({
      {"add.s32 %r0, %a, %b;", W(a + b)},
      {"sub.s32 %r0, %a, %b;", W(a - b)},
      {"mul.lo.s32 %r0, %a, %b;", W(a * b)},
      {"mul.hi.u32 %r0, %a, %b;", W(uint64_t(a) * b >> 32)},
      {"mul.hi.s32 %r0, %a, %b;", W(int64_t(int32_t(a)) * int32_t(b) >> 32)},
      {"mad.lo.s32 %r0, %a, %b, %c;", W(a * b + c)},
      {"mul.wide.s32 %d0, %a, %b; cvt.u32.u64 %r1, %d0; shr.u64 %d1, %d0, 32; cvt.u32.u64 %r2, %d1; xor.b32 %r0, %r1, %r2;",
       W(uint32_t(int64_t(int32_t(a)) * int32_t(b)) ^ uint32_t(uint64_t(int64_t(int32_t(a)) * int32_t(b)) >> 32))},
      {"mul.wide.u32 %d0, %a, %b; cvt.u64.u32 %d1, %c; mad.wide.u32 %d2, %a, %b, %d1; sub.s64 %d3, %d2, %d0; cvt.u32.u64 %r0, %d3;", W(c)},
      {"div.u32 %r0, %a, %b;", W(b ? a / b : ~0u)},
      {"div.s32 %r0, %a, %b;", W(b == 0 ? ~0u : b == ~0u ? 0u - a : uint32_t(int32_t(a) / int32_t(b)))},
      {"rem.u32 %r0, %a, %b;", W(b ? a % b : a)},
      {"min.s32 %r0, %a, %b;", W(int32_t(a) < int32_t(b) ? a : b)},
      {"max.u32 %r0, %a, %b;", W(a > b ? a : b)},
      {"abs.s32 %r0, %a;", W(int32_t(a) < 0 ? 0u - a : a)},
      {"neg.s32 %r0, %a;", W(0u - a)},
      {"add.sat.s32 %r0, %a, %b;", W(std::max<int64_t>(std::min<int64_t>(int64_t(int32_t(a)) + int32_t(b), INT32_MAX), INT32_MIN))},
      {"and.b32 %r0, %a, %b;", W(a & b)},
      {"lop3.b32 %r0, %a, %b, %c, 0xe8;", W((a & b) | (a & c) | (b & c))},
      {"lop3.b32 %r0, %a, %b, %c, 0x96;", W(a ^ b ^ c)},
      {"not.b32 %r0, %a;", W(~a)},
      {"cnot.b32 %r0, %a;", W(a == 0)},
      {"shl.b32 %r0, %a, %b;", W(b > 31 ? 0 : a << b)},
      {"shr.u32 %r0, %a, %b;", W(b > 31 ? 0 : a >> b)},
      {"shr.s32 %r0, %a, %b;", W(int32_t(a) >> (b > 31 ? 31 : b))},
      {"shf.l.wrap.b32 %r0, %a, %b, %c;", W(((uint64_t(b) << 32 | a) << (c & 31)) >> 32)},
      {"shf.r.clamp.b32 %r0, %a, %b, %c;", W(c > 31 ? b : (uint64_t(b) << 32 | a) >> c)},
      {"popc.b32 %r0, %a;", W(__builtin_popcount(a))},
      {"clz.b32 %r0, %a;", W(a ? __builtin_clz(a) : 32)},
      {"bfind.u32 %r0, %a;", W(a ? 31 - __builtin_clz(a) : ~0)},
      {"bfind.s32 %r0, %a;", W(int32_t(a) == -1 || !a ? ~0 : 31 - __builtin_clz(int32_t(a) < 0 ? ~a : a))},
      {"brev.b32 %r0, %a;", W(reversed(a))},
      {"bfe.u32 %r0, %a, 5, 9;", W(a >> 5 & 511)},
      {"bfe.s32 %r0, %a, 20, 30;", W(int32_t(a) >> 20)},
      {"bfi.b32 %r0, %a, %b, 8, 4;", W((b & ~0xf00u) | (a & 15) << 8)},
      {"prmt.b32 %r0, %a, %b, 0x5410;", W((a & 0xffff) | b << 16)},
      {"prmt.b32 %r0, %a, %b, 0x9012;", W(uint32_t(uint8_t(a >> 16)) | (a & 0xff00) | (a & 0xff) << 16 | (a & 0x8000 ? 0xff000000u : 0))},
      {"sad.u32 %r0, %a, %b, %c;", W(c + (a > b ? a - b : b - a))},
      {"dp4a.s32.s32 %r0, %a, %b, %c;", W(c + dot4(a, b))},
      {"add.cc.u32 %r1, %a, %b; addc.u32 %r0, %c, 0;", W(c + (uint64_t(a) + b > 0xffffffffu))},
      {"sub.cc.u32 %r1, %a, %b; subc.u32 %r0, %c, 0;", W(c - (a < b))},
      {"mad.lo.cc.u32 %r1, %a, %b, %c; madc.hi.u32 %r0, %a, %b, 0;", W((uint64_t(a) * b + c) >> 32)},
      {"setp.lt.s32 %p1, %a, %b; selp.b32 %r0, %a, %c, %p1;", W(int32_t(a) < int32_t(b) ? a : c)},
      {"setp.lo.u32 %p1|%p2, %a, %b; selp.b32 %r0, 1, 0, %p2;", W(!(a < b))},
      {"setp.ne.s32 %p1, %a, 0; setp.gt.and.s32 %p2, %b, 5, !%p1; selp.b32 %r0, 1, 0, %p2;", W(a == 0 && int32_t(b) > 5)},
      {"set.ge.u32.s32 %r0, %a, %b;", W(int32_t(a) >= int32_t(b) ? ~0u : 0)},
      {"slct.b32.s32 %r0, %a, %b, %c;", W(int32_t(c) >= 0 ? a : b)},
      {"mov.b32 {%h1, %h2}, %a; mov.b32 %r0, {%h2, %h1};", W(a << 16 | a >> 16)},
      {"mov.b64 %d0, {%a, %b}; mov.b64 {%r1, %r0}, %d0;", W(b)},
      {"cvt.s32.s8 %r0, %a;", W(int32_t(int8_t(a)))},
      {"cvt.u16.u32 %h1, %a; cvt.s32.s16 %r0, %h1;", W(int32_t(int16_t(a)))},
      {"cvt.sat.u8.s32 %r0, %a;", W(int32_t(a) < 0 ? 0 : int32_t(a) > 255 ? 255 : a)},
      {"cvt.u64.u32 %d0, %a; popc.b64 %r0, %d0;", W(__builtin_popcount(a))},
  }, false);
}

TEST(arithmetic_float) {
  table({
      {"mov.b32 %f1, %a; mov.b32 %f2, %b; add.f32 %f0, %f1, %f2; mov.b32 %r0, %f0;", F(a + b)},
      {"add.rn.f32 %r0, %a, %b;", F(a + b)},
      {"mul.f32 %r0, %a, %b;", F(a * b)},
      {"fma.rn.f32 %r0, %a, %b, %c;", F(std::fma(a, b, c))},
      {"div.rn.f32 %r0, %a, %b;", F(a / b)},
      {"sqrt.rn.f32 %r0, %a;", F(std::sqrt(a))},
      {"abs.f32 %r0, %a;", F(std::fabs(a))},
      {"min.f32 %r0, %a, %b;", F(a != a ? b : b != b ? a : a == b ? (std::signbit(a) ? a : b) : std::min(a, b))},
      {"max.NaN.f32 %r0, %a, %b;", F(a != a || b != b ? NAN : a == b ? (std::signbit(a) ? b : a) : std::max(a, b))},
      {"add.sat.f32 %r0, %a, %b;", F(a + b > 0 ? std::min(a + b, 1.0f) : 0.0f)},
      {"mul.ftz.f32 %r0, %a, %b;", F(flushed(flushed(a) * flushed(b)))},
      {"copysign.f32 %r0, %a, %b;", F(std::copysign(b, a))},
      {"cvt.rzi.s32.f32 %r0, %a;", [](uint32_t a, uint32_t, uint32_t) -> uint32_t {
         const float f = asFloat(a);
         return f != f ? 0 : f >= 2147483648.0f ? 0x7fffffff : f <= -2147483648.0f ? 0x80000000 : uint32_t(int32_t(f));
       }},
      {"cvt.rni.f32.f32 %r0, %a;", F(std::nearbyint(a))},
      {"cvt.rmi.f32.f32 %r0, %a;", F(std::floor(a))},
      {"cvt.rn.f32.s32 %r0, %a;", [](uint32_t a, uint32_t, uint32_t) -> uint32_t { return asBits(float(int32_t(a))); }},
      {"cvt.f64.f32 %e1, %a; cvt.f64.f32 %e2, %b; mul.f64 %e3, %e1, %e2; cvt.rn.f32.f64 %r0, %e3;", F(double(a) * double(b))},
      {"setp.leu.f32 %p1, %a, %b; selp.b32 %r0, 1, 0, %p1;", [](uint32_t a, uint32_t b, uint32_t) -> uint32_t { return !(asFloat(a) > asFloat(b)); }},
      {"setp.num.f32 %p1, %a, %b; selp.b32 %r0, 1, 0, %p1;",
       [](uint32_t a, uint32_t b, uint32_t) -> uint32_t { return asFloat(a) == asFloat(a) && asFloat(b) == asFloat(b); }},
      {"cvt.rn.bf16x2.f32 %r0, %a, %b;", [](uint32_t a, uint32_t b, uint32_t) -> uint32_t { return uint32_t(toBfloat(asFloat(a))) << 16 | toBfloat(asFloat(b)); }},
      {"cvt.rn.f16x2.f32 %r0, %a, %b;", [](uint32_t a, uint32_t b, uint32_t) -> uint32_t { return uint32_t(toHalf(asFloat(a))) << 16 | toHalf(asFloat(b)); }},
      {"cvt.rn.bf16.f32 %h1, %a; cvt.u32.u16 %r0, %h1;", [](uint32_t a, uint32_t, uint32_t) -> uint32_t { return toBfloat(asFloat(a)); }},
      {"cvt.rn.f16.f32 %h1, %a; cvt.f32.f16 %r0, %h1;", F(fromHalf(toHalf(a)))},
  }, true);
}

TEST(arithmetic_directed_rounding) {
  // 1 + 2^-24 in the four modes, and products.
  const std::vector<uint32_t> one(32, asBits(1.0f)), tiny(32, asBits(0x1p-25f)), none(32);
  CHECK_EQUAL(asFloat(run("add.rz.f32 %r0, %a, %b;", one, tiny, none)[0]), 1.0f);
  CHECK_EQUAL(asFloat(run("add.rp.f32 %r0, %a, %b;", one, tiny, none)[0]), 1.0f + 0x1p-23f);
  CHECK_EQUAL(asFloat(run("add.rm.f32 %r0, %a, %b;", one, tiny, none)[0]), 1.0f);
  CHECK_EQUAL(asFloat(run("fma.rm.f32 %r0, %a, %a, %c;", one, tiny, std::vector<uint32_t>(32, asBits(-0x1p-26f)))[0]), 1.0f - 0x1p-24f);
  CHECK_EQUAL(asFloat(run("add.rn.f32 %r0, %a, %b;", one, tiny, none)[0]), 1.0f);
}

TEST(arithmetic_halves) {
  // All pairs of 32 random halves, against one rounding of the exact value.
  Random r(5);
  for (int round = 0; round < 8; round++) {
    std::vector<uint32_t> a(32), b(32), c(32), want(32), wantFma(32);
    for (size_t i = 0; i < 32; i++) {
      const uint16_t x = toHalf(r.uniform() * 8), y = toHalf(r.uniform()), z = toHalf(r.uniform() * 0.01f);
      a[i] = x | uint32_t(x) << 16, b[i] = y | uint32_t(y) << 16, c[i] = z | uint32_t(z) << 16;
      const uint16_t s = toHalf(fromHalf(x) + fromHalf(y));
      want[i] = s | uint32_t(s) << 16;
      // exact in double: 22-bit product, 11-bit addend, exponents close
      const double exact = double(fromHalf(x)) * fromHalf(y) + fromHalf(z);
      float f = float(exact);  // rounded to odd by hand, then to nearest
      if (double(f) != exact) {
        if (std::fabs(double(f)) > std::fabs(exact)) f = std::nextafterf(f, 0.0f);
        uint32_t bits = asBits(f) | 1;
        f = asFloat(bits);
      }
      const uint16_t m = toHalf(f);
      wantFma[i] = m | uint32_t(m) << 16;
    }
    compare("add.f16x2", run("add.rn.f16x2 %r0, %a, %b;", a, b, c), want);
    compare("fma.f16x2", run("fma.rn.f16x2 %r0, %a, %b, %c;", a, b, c), wantFma);
  }
  const std::vector<uint32_t> minus(32, 0xbf80bf80), plus(32, 0x40004000), zero(32);
  CHECK_EQUAL(run("fma.rn.relu.bf16x2 %r0, %a, %b, %c;", minus, plus, zero)[0], 0u);
  CHECK_EQUAL(run("mul.rn.bf16x2 %r0, %a, %b;", minus, plus, zero)[0], 0xc000c000u);
  CHECK_EQUAL(run("max.bf16x2 %r0, %a, %b;", minus, plus, zero)[0], 0x40004000u);
  CHECK_EQUAL(run("neg.bf16x2 %r0, %a;", minus, plus, zero)[0], 0x3f803f80u);
}

TEST(arithmetic_approximations) {
  // Within the error a GPU documents.
  const auto a = floats(9);
  struct {
    const char* text;
    double (*want)(double);
    double error;
  } cases[] = {{"ex2.approx.f32 %r0, %a;", [](double x) { return std::exp2(x); }, 2e-7},
               {"lg2.approx.f32 %r0, %a;", [](double x) { return std::log2(x); }, 2e-7},
               {"rcp.approx.f32 %r0, %a;", [](double x) { return 1 / x; }, 2e-7},
               {"rsqrt.approx.f32 %r0, %a;", [](double x) { return 1 / std::sqrt(x); }, 2e-7},
               {"sin.approx.f32 %r0, %a;", [](double x) { return std::sin(x); }, 2e-6},
               {"cos.approx.f32 %r0, %a;", [](double x) { return std::cos(x); }, 2e-6},
               {"tanh.approx.f32 %r0, %a;", [](double x) { return std::tanh(x); }, 1e-3}};
  for (auto& t : cases) {
    const auto got = run(t.text, a, a, a);
    for (size_t i = 0; i < 32; i++) {
      const double want = float(t.want(asFloat(a[i]))), v = asFloat(got[i]);
      const bool same = (want != want && v != v) || want == v || std::fabs(v - want) <= t.error * std::max(1.0, std::fabs(want));
      if (!same) printf("    %s: %g of %g, want %g\n", t.text, v, asFloat(a[i]), want);
      CHECK(same);
    }
  }
}
