// PTX that nvcc made of ordinary code, optimised and not, against the same code in C++.
#include "harness.h"

namespace {

unsigned reversed(unsigned a) {
  unsigned r = 0;
  for (int i = 0; i < 32; i++) r |= (a >> i & 1) << (31 - i);
  return r;
}

unsigned integerTwin(unsigned v) {
  unsigned r = 0;
  for (unsigned k = 0; k < (v & 31); k++) {
    r = r * 1664525u + v + k;
    if (r & 4) continue;
    if ((r & 0xff0000) == 0) break;
    r ^= reversed(v) >> k;
  }
  switch (v % 7) {
    case 0: r += unsigned(__builtin_popcount(v)); break;
    case 1: r -= v ? unsigned(__builtin_clz(v)) : 32; break;
    case 2: r ^= (v & 0xffff) | r << 16; break;
    case 3: r += unsigned(uint64_t(v) * r >> 32); break;
    case 4: r = unsigned((uint64_t(r) << 32 | v) << 7 >> 32); break;
    case 5: r ^= 0x5a5a5a5a; break;
    default: r = ~r;
  }
  r += unsigned(uint64_t(v) * 1000003u * 977u % (r | 1)) + unsigned(int(v) / 7) + unsigned(int(v) % 13);
  r += unsigned(double(v >> 3) * 0.37) + unsigned(int(float(int(v)) * 0.001f));
  return r;
}

void both(void (*test)(Program&)) {
  for (const char* file : {"library.ptx", "library_debug.ptx"}) {
    Program p(testText(file));
    if (p.error) printf("    %s: %s\n", file, p.log.c_str());
    CHECK_EQUAL(p.error, 0);
    if (!p.error) test(p);
    if (!findings().empty()) printf("    %s: %s", file, findings().c_str());
    CHECK(findings().empty());
    ptxmachineClear();
  }
}

}  // namespace

TEST(library_functions) {
  both([](Program& p) {
    const int n = 500;
    Random r(4);
    std::vector<float> x(n);
    for (auto& v : x) v = r.uniform() * 4;
    Buffer<float> X(x), Y(size_t(12 * n));
    CHECK_EQUAL(launch(p.function("functions"), {4, 128}, Y.address, X.address, n), 0);
    const auto y = Y.get();
    for (int i = 0; i < n; i++) {
      const double v = double(x[size_t(i)]), a = double(std::fabs(x[size_t(i)]) + 0.01f), far = double(x[size_t(i)] * 300000.0f), f = double(x[size_t(i)] * 50.0f);
      const double want[] = {std::exp(v), std::log(a), std::tanh(v), std::erf(v), 1 / std::sqrt(a), std::sqrt(a), 1 / a, std::sin(v), std::cos(f), std::pow(a, double(1.7f)), std::sin(far), std::log1p(a)};
      for (int k = 0; k < 12; k++) {
        // the library's documented error: at most 8 units in the last place of 1 or of the value
        const double got = double(y[size_t(k * n + i)]), tolerance = 8 * 0x1p-24 * std::max(1.0, std::fabs(want[k]));
        if (!(std::fabs(got - want[k]) <= tolerance)) {
          printf("    function %d of %g: %g, want %g\n", k, v, got, want[k]);
          failures++;
          return;
        }
      }
    }
  });
}

TEST(library_integers) {
  both([](Program& p) {
    const int n = 2000;
    Random r(6);
    std::vector<unsigned> x(n);
    for (auto& v : x) v = r.bits() >> (r.bits() % 20);
    Buffer<unsigned> X(x), Y{size_t(n)};
    CHECK_EQUAL(launch(p.function("integers"), {16, 128}, Y.address, X.address, n), 0);
    const auto y = Y.get();
    for (size_t i = 0; i < x.size(); i++) CHECK_EQUAL(y[i], integerTwin(x[i]));
  });
}

TEST(library_blockwide) {
  both([](Program& p) {
    const int n = 1000;
    Random r(8);
    std::vector<float> x(n);
    for (auto& v : x) v = std::round(r.uniform() * 64) / 64;  // sums are exact
    Buffer<float> X(x), Y(4);
    Buffer<unsigned> H{std::vector<unsigned>(16)};
    CHECK_EQUAL(launch(p.function("blockwide"), {4, 256}, Y.address, H.address, X.address, n), 0);
    const auto y = Y.get();
    const auto h = H.get();
    std::vector<unsigned> want(16);
    float sums[4] = {};
    for (int i = 0; i < 1024; i++) {
      const float v = i < n ? x[size_t(i)] : 0;
      want[unsigned(std::fabs(v) * 16) & 15]++;
      sums[i / 256] += v * float((unsigned(std::fabs(v) * 100) & 7) + 1);
    }
    for (size_t i = 0; i < 16; i++) CHECK_EQUAL(h[i], want[i]);
    for (size_t i = 0; i < 4; i++) CHECK_EQUAL(y[i], sums[i]);
  });
}
