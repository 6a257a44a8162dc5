// The driver's interface: errors, handles, memory, streams and events, launches that must be refused.
#include <thread>

#include "harness.h"

extern "C" {
int cuDriverGetVersion(int*);
int cuDeviceGetCount(int*);
int cuDeviceGetName(char*, int, int);
int cuDeviceGetAttribute(int*, int, int);
int cuDeviceTotalMem_v2(size_t*, int);
int cuDeviceComputeCapability(int*, int*, int);
int cuDevicePrimaryCtxRelease_v2(int);
int cuCtxGetCurrent(void**);
int cuCtxCreate_v2(void**, unsigned, int);
int cuCtxDestroy_v2(void*);
int cuCtxGetDevice(int*);
int cuMemGetInfo_v2(size_t*, size_t*);
int cuMemAllocAsync(uint64_t*, size_t, void*);
int cuMemFreeAsync(uint64_t, void*);
int cuMemsetD32_v2(uint64_t, unsigned, size_t);
int cuMemsetD32Async(uint64_t, unsigned, size_t, void*);
int cuMemcpyHtoDAsync_v2(uint64_t, const void*, size_t, void*);
int cuMemcpyDtoHAsync_v2(void*, uint64_t, size_t, void*);
int cuMemAllocHost_v2(void**, size_t);
int cuMemFreeHost(void*);
int cuMemHostRegister_v2(void*, size_t, unsigned);
int cuMemHostUnregister(void*);
int cuStreamCreate(void**, unsigned);
int cuStreamDestroy_v2(void*);
int cuStreamSynchronize(void*);
int cuStreamQuery(void*);
int cuStreamWaitEvent(void*, void*, unsigned);
int cuEventCreate(void**, unsigned);
int cuEventDestroy_v2(void*);
int cuEventRecord(void*, void*);
int cuEventSynchronize(void*);
int cuEventElapsedTime(float*, void*, void*);
int cuFuncGetAttribute(int*, int, void*);
int cuLaunchKernelEx(const void*, void*, void**, void**);
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int*, void*, int, size_t);
int cuGetErrorName(int, const char**);
int cuGetErrorString(int, const char**);
int cuGetProcAddress_v2(const char*, void**, int, uint64_t, int*);
int cuGraphCreate(void);
}

TEST(driver_devices) {
  int n = 0, version = 0, value = 0, minor = 0;
  char name[64];
  size_t bytes = 0;
  CHECK_EQUAL(cuDeviceGetCount(&n), 0);
  CHECK_EQUAL(n, 2);
  CHECK_EQUAL(cuDriverGetVersion(&version), 0);
  CHECK(version >= 12000);
  CHECK_EQUAL(cuDeviceGetName(name, sizeof name, 1), 0);
  CHECK(std::string(name).find("sm_90") != std::string::npos);
  CHECK_EQUAL(cuDeviceGet(&value, 2), 101);
  CHECK_EQUAL(cuDeviceGetAttribute(&value, 97, 0), 0);
  CHECK_EQUAL(value, 227 * 1024);
  CHECK_EQUAL(cuDeviceComputeCapability(&value, &minor, 0), 0);
  CHECK(value == 9 && minor == 0);
  CHECK_EQUAL(cuDeviceTotalMem_v2(&bytes, 0), 0);
  CHECK_EQUAL(bytes, size_t(16) << 30);
}

TEST(driver_contexts) {
  void *before = nullptr, *second = nullptr, *now = nullptr;
  CHECK_EQUAL(cuCtxGetCurrent(&before), 0);
  CHECK(before);
  CHECK_EQUAL(cuDevicePrimaryCtxRetain(&second, 1), 0);
  CHECK_EQUAL(cuCtxSetCurrent(second), 0);
  int device = 0;
  CHECK_EQUAL(cuCtxGetDevice(&device), 0);
  CHECK_EQUAL(device, 1);
  uint64_t p = 0;
  CHECK_EQUAL(cuMemAlloc_v2(&p, 256), 0);
  CHECK_EQUAL(cuCtxSetCurrent(before), 0);
  // Device 0 must not touch device 1's memory.
  Program k(kernelText("  st.global.u32 [%my], %t;"));
  CHECK_EQUAL(launch(k.function("k"), {}, p, p), 700);
  CHECK(findings().find("memory of device 1 from device 0") != std::string::npos);
  ptxmachineClear();
  CHECK_EQUAL(cuDevicePrimaryCtxRelease_v2(1), 0);
  CHECK_EQUAL(cuCtxSetCurrent(second), 201);
  CHECK_EQUAL(cuMemFree_v2(p), 1);  // went with its context
  std::thread([] {
    uint64_t q = 0;
    CHECK_EQUAL(cuMemAlloc_v2(&q, 16), 201);  // no context in this thread
  }).join();
  CHECK_EQUAL(cuCtxCreate_v2(&now, 0, 1), 0);
  CHECK_EQUAL(cuCtxDestroy_v2(now), 0);
  CHECK_EQUAL(cuCtxSetCurrent(before), 0);
}

TEST(driver_memory) {
  size_t free0 = 0, free1 = 0, total = 0;
  uint64_t p = 0;
  CHECK_EQUAL(cuMemGetInfo_v2(&free0, &total), 0);
  CHECK_EQUAL(cuMemAlloc_v2(&p, 1 << 20), 0);
  CHECK_EQUAL(p % 256, 0u);
  CHECK_EQUAL(cuMemGetInfo_v2(&free1, &total), 0);
  CHECK_EQUAL(free0 - free1, size_t(1) << 20);
  char host[16] = {};
  CHECK_EQUAL(cuMemcpyHtoD_v2(p + (1 << 20) - 8, host, 16), 1);
  CHECK_EQUAL(cuMemcpyDtoH_v2(host, p + 100, 16), 0);
  CHECK_EQUAL(ptxmachineFindings("initcheck"), 1u);
  ptxmachineClear();
  CHECK_EQUAL(cuMemsetD32_v2(p, 0x01020304, 4), 0);
  CHECK_EQUAL(cuMemcpyDtoH_v2(host, p, 16), 0);
  CHECK(host[0] == 4 && host[15] == 1);
  CHECK_EQUAL(ptxmachineFindings(nullptr), 0u);
  CHECK_EQUAL(cuMemsetD32_v2(p + 2, 0, 1), 1);
  CHECK_EQUAL(cuMemFree_v2(p), 0);
  CHECK_EQUAL(cuMemFree_v2(p), 1);
  CHECK_EQUAL(cuMemcpyHtoD_v2(p, host, 1), 1);
  CHECK_EQUAL(cuMemAlloc_v2(&p, 0), 1);
  CHECK_EQUAL(cuMemAlloc_v2(&p, size_t(17) << 30), 2);
  CHECK_EQUAL(cuMemAlloc_v2(nullptr, 4), 1);
  void* pinned = nullptr;
  CHECK_EQUAL(cuMemAllocHost_v2(&pinned, 4096), 0);
  Program k(kernelText("  st.global.u32 [%my], %t;"));
  uint64_t seen = reinterpret_cast<uint64_t>(pinned);
  CHECK_EQUAL(launch(k.function("k"), {}, seen, seen), 0);  // unified addressing
  CHECK_EQUAL(static_cast<uint32_t*>(pinned)[31], 31u);
  CHECK_EQUAL(cuMemFreeHost(pinned), 0);
  CHECK_EQUAL(cuMemFreeHost(pinned), 1);
  std::vector<char> mine(4096);
  CHECK_EQUAL(cuMemHostRegister_v2(mine.data(), 4096, 0), 0);
  CHECK_EQUAL(cuMemHostRegister_v2(mine.data(), 4096, 0), 712);
  CHECK_EQUAL(cuMemHostUnregister(mine.data()), 0);
  CHECK_EQUAL(cuMemHostUnregister(mine.data()), 713);
}

TEST(driver_streams_and_events) {
  void *s = nullptr, *a = nullptr, *b = nullptr;
  CHECK_EQUAL(cuStreamCreate(&s, 1), 0);
  CHECK_EQUAL(cuEventCreate(&a, 0), 0);
  CHECK_EQUAL(cuEventCreate(&b, 0), 0);
  float ms = -1;
  CHECK_EQUAL(cuEventElapsedTime(&ms, a, b), 400);  // not recorded
  CHECK_EQUAL(cuEventRecord(a, s), 0);
  uint64_t p = 0;
  uint32_t word = 0;
  CHECK_EQUAL(cuMemAllocAsync(&p, 64, s), 0);
  CHECK_EQUAL(cuMemsetD32Async(p, 7, 16, s), 0);
  CHECK_EQUAL(cuMemcpyDtoHAsync_v2(&word, p + 60, 4, s), 0);
  CHECK_EQUAL(cuEventRecord(b, s), 0);
  CHECK_EQUAL(cuStreamWaitEvent(nullptr, b, 0), 0);
  CHECK_EQUAL(cuStreamSynchronize(s), 0);
  CHECK_EQUAL(cuStreamQuery(s), 0);
  CHECK_EQUAL(word, 7u);
  CHECK_EQUAL(cuEventSynchronize(b), 0);
  CHECK_EQUAL(cuEventElapsedTime(&ms, a, b), 0);
  CHECK(ms >= 0);
  CHECK_EQUAL(cuMemFreeAsync(p, s), 0);
  CHECK_EQUAL(cuStreamDestroy_v2(s), 0);
  CHECK_EQUAL(cuStreamDestroy_v2(s), 400);
  CHECK_EQUAL(cuStreamSynchronize(s), 400);
  CHECK_EQUAL(cuMemcpyHtoDAsync_v2(p, &word, 4, s), 400);
  CHECK_EQUAL(cuEventDestroy_v2(a), 0);
  CHECK_EQUAL(cuEventRecord(a, nullptr), 400);
  CHECK_EQUAL(cuEventDestroy_v2(b), 0);
}

TEST(driver_launches_refused) {
  Program p(kernelText("  mov.u32 %r1, dyn; st.shared.u32 [%r1], %t; bar.sync 0;", "sm_80", ".extern .shared .align 16 .b8 dyn[];\n.global .align 8 .u64 g[3];"));
  void *f = p.function("k"), *missing = nullptr;
  CHECK_EQUAL(cuModuleGetFunction(&missing, p.module, "no"), 500);
  CHECK_EQUAL(cuModuleGetFunction(&missing, &p, "k"), 400);
  uint64_t address = 0;
  size_t bytes = 0;
  CHECK_EQUAL(cuModuleGetGlobal_v2(&address, &bytes, p.module, "g"), 0);
  CHECK_EQUAL(bytes, 24u);
  CHECK_EQUAL(cuModuleGetGlobal_v2(&address, &bytes, p.module, "h"), 500);
  uint64_t o = 0;
  void* arguments[] = {&o, &o};
  auto go = [&](unsigned gx, unsigned gy, unsigned bx, unsigned shared) { return cuLaunchKernel(f, gx, gy, 1, bx, 1, 1, shared, nullptr, arguments, nullptr); };
  CHECK_EQUAL(go(0, 1, 32, 64), 1);
  CHECK_EQUAL(go(1, 70000, 32, 64), 1);
  CHECK_EQUAL(go(1, 1, 1025, 64), 1);
  CHECK_EQUAL(go(1, 1, 32, 48 * 1024 + 4), 1);
  CHECK_EQUAL(cuFuncSetAttribute(f, 8, 100 * 1024), 0);
  CHECK_EQUAL(go(1, 1, 1, 100 * 1024), 0);
  CHECK_EQUAL(cuFuncSetAttribute(f, 8, 228 * 1024), 1);
  int value = 0;
  CHECK_EQUAL(cuFuncGetAttribute(&value, 8, f), 0);
  CHECK_EQUAL(value, 100 * 1024);
  CHECK_EQUAL(cuOccupancyMaxActiveBlocksPerMultiprocessor(&value, f, 128, 100 * 1024), 0);
  CHECK_EQUAL(value, 2);
  CHECK_EQUAL(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 64, &o, arguments, nullptr), 400);
  CHECK_EQUAL(cuModuleUnload(&p), 400);
  struct {
    unsigned gx = 1, gy = 1, gz = 1, bx = 1, by = 1, bz = 1, shared = 64;
    void* stream = nullptr;
    void* attributes = nullptr;
    unsigned count = 0;
  } config;
  CHECK_EQUAL(cuLaunchKernelEx(&config, f, arguments, nullptr), 0);
  // Arguments packed in a buffer.
  uint64_t packed[] = {0, 0};
  size_t size = sizeof packed;
  void* extra[] = {reinterpret_cast<void*>(1), packed, reinterpret_cast<void*>(2), &size, nullptr};
  CHECK_EQUAL(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 64, nullptr, nullptr, extra), 0);
  CHECK_EQUAL(cuCtxSynchronize(), 0);
}

TEST(driver_names) {
  const char* s = nullptr;
  CHECK_EQUAL(cuGetErrorName(700, &s), 0);
  CHECK(s && std::string(s) == "CUDA_ERROR_ILLEGAL_ADDRESS");
  CHECK_EQUAL(cuGetErrorString(2, &s), 0);
  CHECK(s && std::string(s) == "out of memory");
  CHECK_EQUAL(cuGetErrorName(12345, &s), 1);
  void* f = nullptr;
  int status = -1;
  CHECK_EQUAL(cuGetProcAddress_v2("cuMemAlloc", &f, 12000, 0, &status), 0);
  CHECK(f == reinterpret_cast<void*>(&cuMemAlloc_v2));
  CHECK_EQUAL(cuGetProcAddress_v2("cuNoSuchThing", &f, 12000, 0, &status), 500);
  CHECK_EQUAL(status, 1);
  CHECK_EQUAL(cuGraphCreate(), 801);
  CHECK_EQUAL(ptxmachineOption("nonsense=1"), 1);
  CHECK_EQUAL(ptxmachineOption("race=7"), 1);
}

TEST(driver_fail_switch) {
  ptxmachineOption("fail=1");
  Buffer<uint32_t> in(32), out(32);
  Program p(kernelText("  ld.global.u32 %r0, [%in]; st.global.u32 [%my], %r0;"));
  CHECK_EQUAL(launch(p.function("k"), {}, out.address, in.address), 719);
  ptxmachineOption("fail=0");
  ptxmachineClear();
}
