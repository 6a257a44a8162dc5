#include "harness.h"

#include <algorithm>
#include <fstream>
#include <sstream>

int failures;

std::string testText(const char* file) {
  std::ifstream f(std::string(PTXMACHINE_TEST_DIR) + "/" + file);
  std::stringstream s;
  s << f.rdbuf();
  if (s.str().empty()) {
    printf("cannot read %s\n", file);
    failures++;
  }
  return s.str();
}

std::string kernelText(const std::string& body, const std::string& target, const std::string& outside) {
  const bool hopper = target == "sm_90a";
  return std::string(".version ") + (hopper ? "8.0" : "7.0") + "\n.target " + target + "\n.address_size 64\n" + outside +
         "\n.visible .entry k(.param .u64 k_out, .param .u64 k_in) {\n"
         "  .reg .pred %p<20>; .reg .b16 %h<40>; .reg .b32 %r<200>; .reg .f32 %f<200>; .reg .b64 %d<60>; .reg .f64 %e<20>;\n"
         "  .reg .b64 %out; .reg .b64 %in; .reg .b32 %t; .reg .b64 %my; .reg .b64 %off;\n"
         "  ld.param.u64 %out, [k_out]; ld.param.u64 %in, [k_in]; mov.u32 %t, %tid.x;\n"
         "  mul.wide.u32 %off, %t, 4; add.s64 %my, %out, %off;\n" +
         body + "\n  ret;\n}\n";
}

uint16_t toBfloat(float f) {
  uint32_t x;
  memcpy(&x, &f, 4);
  if (f != f) return 0x7fff;
  const uint32_t low = x & 0xffff, high = x >> 16;
  return uint16_t(high + (low > 0x8000 || (low == 0x8000 && (high & 1))));
}
float fromBfloat(uint16_t b) {
  const uint32_t x = uint32_t(b) << 16;
  float f;
  memcpy(&f, &x, 4);
  return f;
}
float fromHalf(uint16_t h) {
  const int exponent = h >> 10 & 31, fraction = h & 1023;
  float f = exponent == 31 ? (fraction ? NAN : INFINITY) : exponent ? std::ldexp(float(1024 + fraction), exponent - 25) : std::ldexp(float(fraction), -24);
  return h & 0x8000 ? -f : f;
}
// The nearest by search: slow and plain.
uint16_t toHalf(float f) {
  if (f != f) return 0x7fff;
  const uint16_t sign = std::signbit(f) ? 0x8000 : 0;
  const float a = std::fabs(f);
  if (a >= 65520) return sign | 0x7c00;
  uint16_t low = 0, high = 0x7bff;
  while (low < high) {
    const uint16_t middle = uint16_t((low + high + 1) / 2);
    if (fromHalf(middle) <= a) low = middle;
    else high = uint16_t(middle - 1);
  }
  const double below = fromHalf(low), above = low == 0x7bff ? 65536.0 : fromHalf(uint16_t(low + 1)), d = double(a) - below, u = above - double(a);
  return sign | uint16_t(d < u || (d == u && !(low & 1)) ? low : low + 1);
}

int main(int argc, char** argv) {
  const std::string only = argc > 1 ? argv[1] : "";
  void* context = nullptr;
  int device = 0;
  if (cuInit(0) || cuDeviceGet(&device, 0) || cuDevicePrimaryCtxRetain(&context, device) || cuCtxSetCurrent(context)) {
    printf("no device\n");
    return 1;
  }
  ptxmachineOption("quiet=1");
  std::vector<Test*> all;
  for (Test* t = Test::first(); t; t = t->next) all.push_back(t);
  std::reverse(all.begin(), all.end());
  int run = 0;
  for (Test* t : all) {
    if (!only.empty() && std::string(t->name).rfind(only, 0) != 0) continue;
    const int before = failures;
    ptxmachineClear();
    t->run();
    run++;
    printf("%s %s\n", failures == before ? "ok  " : "FAIL", t->name);
  }
  if (!run) printf("no test named %s\n", only.c_str());
  return failures || !run ? 1 : 0;
}
