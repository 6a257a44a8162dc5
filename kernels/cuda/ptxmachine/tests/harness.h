// What the tests share: the driver's functions, buffers, kernels loaded from text, and checks that count failures.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "../ptxmachine.h"

extern "C" {
int cuInit(unsigned);
int cuDeviceGet(int*, int);
int cuDevicePrimaryCtxRetain(void**, int);
int cuCtxSetCurrent(void*);
int cuCtxSynchronize(void);
int cuModuleLoadDataEx(void**, const void*, unsigned, int*, void**);
int cuModuleUnload(void*);
int cuModuleGetFunction(void**, void*, const char*);
int cuModuleGetGlobal_v2(uint64_t*, size_t*, void*, const char*);
int cuMemAlloc_v2(uint64_t*, size_t);
int cuMemFree_v2(uint64_t);
int cuMemcpyHtoD_v2(uint64_t, const void*, size_t);
int cuMemcpyDtoH_v2(void*, uint64_t, size_t);
int cuMemcpyDtoD_v2(uint64_t, uint64_t, size_t);
int cuMemsetD8_v2(uint64_t, unsigned char, size_t);
int cuFuncSetAttribute(void*, int, int);
int cuLaunchKernel(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, void**);
int cuTensorMapEncodeTiled(void*, int, unsigned, void*, const uint64_t*, const uint64_t*, const unsigned*, const unsigned*, int, int, int, int);
}

struct Test {
  const char* name;
  void (*run)();
  Test* next;
  static Test*& first() {
    static Test* t = nullptr;
    return t;
  }
  Test(const char* n, void (*r)()) : name(n), run(r), next(first()) { first() = this; }
};
#define TEST(name)                          \
  static void name();                       \
  static Test name##_registered(#name, name); \
  static void name()

extern int failures;
#define CHECK(condition)                                                          \
  do {                                                                            \
    if (!(condition)) {                                                           \
      failures++;                                                                 \
      printf("    %s:%d: %s\n", __FILE__, __LINE__, #condition);                  \
    }                                                                             \
  } while (0)
#define CHECK_EQUAL(a, b)                                                                                   \
  do {                                                                                                      \
    const auto a_ = (a);                                                                                    \
    const auto b_ = (b);                                                                                    \
    if (!(a_ == b_)) {                                                                                      \
      failures++;                                                                                           \
      printf("    %s:%d: %s is %.17g, want %.17g\n", __FILE__, __LINE__, #a, double(a_), double(b_));       \
    }                                                                                                       \
  } while (0)

template <class T>
struct Buffer {
  uint64_t address = 0;
  size_t count;
  explicit Buffer(size_t n) : count(n) { CHECK(cuMemAlloc_v2(&address, n * sizeof(T)) == 0); }
  explicit Buffer(const std::vector<T>& v) : Buffer(v.size()) { put(v); }
  Buffer(const Buffer&) = delete;
  ~Buffer() { cuMemFree_v2(address); }
  void put(const std::vector<T>& v) { CHECK(cuMemcpyHtoD_v2(address, v.data(), v.size() * sizeof(T)) == 0); }
  std::vector<T> get() const {
    std::vector<T> v(count);
    CHECK(cuMemcpyDtoH_v2(v.data(), address, count * sizeof(T)) == 0);
    return v;
  }
};

struct Program {
  void* module = nullptr;
  std::string log;
  int error;
  explicit Program(const std::string& text) {
    char buffer[2048] = "";
    int option[] = {5, 6};
    void* value[] = {buffer, reinterpret_cast<void*>(sizeof buffer)};
    error = cuModuleLoadDataEx(&module, text.c_str(), 2, option, value);
    log = buffer;
  }
  Program(const Program&) = delete;
  ~Program() {
    if (module) cuModuleUnload(module);
  }
  void* function(const char* name) {
    void* f = nullptr;
    CHECK(cuModuleGetFunction(&f, module, name) == 0);
    return f;
  }
};

struct Shape {
  unsigned blocks = 1, threads = 32, shared = 0, blocksY = 1;
};

// Launches and waits; the error of either.
template <class... A>
int launch(void* f, Shape s, A... arguments) {
  void* parameters[] = {static_cast<void*>(&arguments)..., nullptr};
  if (s.shared > 48 * 1024) cuFuncSetAttribute(f, 8, int(s.shared));
  const int e = cuLaunchKernel(f, s.blocks, s.blocksY, 1, s.threads, 1, 1, s.shared, nullptr, parameters, nullptr);
  return e ? e : cuCtxSynchronize();
}

inline std::string findings() {
  std::string s(ptxmachineFindingsText(nullptr, 0) + 1, 0);
  ptxmachineFindingsText(&s[0], s.size());
  s.pop_back();
  return s;
}

std::string testText(const char* file);  // a text beside the tests

// PTX around a body: header and one entry `k` with a pointer parameter `out` in %out and thread in %t.
std::string kernelText(const std::string& body, const std::string& target = "sm_80", const std::string& outside = "");

// Small helpers of arithmetic, independent of the machine's own.
uint16_t toBfloat(float);
float fromBfloat(uint16_t);
uint16_t toHalf(float);
float fromHalf(uint16_t);
struct Random {
  uint64_t state;
  explicit Random(uint64_t seed) : state(seed * 2 + 1) {}
  uint32_t bits() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return uint32_t(state >> 32);
  }
  float uniform() { return float(bits() >> 8) * 0x1p-23f - 1.0f; }  // [-1, 1)
};
