// mbarrier, TMA and wgmma: a product with a producer thread and a consumer warpgroup, checked against plain loops, and every
// wait, arrival and fence of it taken away in turn.
#include <algorithm>
#include <sstream>

#include "harness.h"

namespace {

constexpr int tiles = 4, rows = 64, k = tiles * 64;

// One accumulator list of 32 registers.
std::string accumulators(int n) {
  std::string s = "{";
  for (int i = 0; i < n; i++) s += (i ? ",%s" : "%s") + std::to_string(i);
  return s + "}";
}

// transposed: B lies as [k × n] and wgmma takes it so.
std::string productText(bool transposed = false) {
  std::string s = R"(.version 8.0
.target sm_90a
.address_size 64
.visible .entry product(.param .u64 mapA, .param .u64 mapB, .param .u64 to, .param .u32 count) {
  .reg .pred %p<10>; .reg .b32 %r<40>; .reg .b64 %d<40>; .reg .f32 %s<32>;
  .shared .align 1024 .b8 buffer[32768]; .shared .align 8 .b64 full[2]; .shared .align 8 .b64 empty[2];
  mov.u32 %r0, %tid.x; ld.param.u32 %r1, [count]; mov.u32 %r2, buffer; mov.u32 %r3, full; mov.u32 %r4, empty; mov.u32 %r5, 0;
  setp.ne.u32 %p0, %r0, 0; @%p0 bra READY;
  mbarrier.init.shared::cta.b64 [%r3], 1;
  mbarrier.init.shared::cta.b64 [%r3+8], 1;
  mbarrier.init.shared::cta.b64 [%r4], 128;
  mbarrier.init.shared::cta.b64 [%r4+8], 128;
  fence.mbarrier_init.release.cluster;
READY:
  bar.sync 0;
  setp.ge.u32 %p1, %r0, 128; @%p1 bra PRODUCER;
)";
  for (int i = 0; i < 32; i++) s += "  mov.f32 %s" + std::to_string(i) + ", 0f00000000;\n";
  s += R"(
LOOP:
  and.b32 %r6, %r5, 1; shr.u32 %r7, %r5, 1; and.b32 %r7, %r7, 1;
  shl.b32 %r8, %r6, 3; add.s32 %r9, %r3, %r8; add.s32 %r10, %r4, %r8; shl.b32 %r11, %r6, 14; add.s32 %r11, %r2, %r11;
WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r9], %r7; @!%p2 bra WAIT;
  shr.u32 %r12, %r11, 4; cvt.u64.u32 %d0, %r12; or.b64 %d0, %d0, 0x4000004000010000; add.s64 %d1, %d0, 512;
  wgmma.fence.sync.aligned;
)";
  for (int q = 0; q < 4; q++)
    s += "  add.s64 %d2, %d0, " + std::to_string(2 * q) + "; add.s64 %d3, %d1, " + std::to_string((transposed ? 128 : 2) * q) + ";\n  wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 " +
         accumulators(32) + ", %d2, %d3, 1, 1, 1, 0, " + (transposed ? "1" : "0") + ";\n";
  s += R"(
  wgmma.commit_group.sync.aligned;
  wgmma.wait_group.sync.aligned 0;
  mbarrier.arrive.shared::cta.b64 _, [%r10];
  add.s32 %r5, %r5, 1; setp.lt.u32 %p3, %r5, %r1; @%p3 bra LOOP;
  ld.param.u64 %d10, [to]; shr.u32 %r20, %r0, 5; shl.b32 %r20, %r20, 4; and.b32 %r21, %r0, 31; shr.u32 %r22, %r21, 2; add.s32 %r20, %r20, %r22;
  and.b32 %r23, %r21, 3; shl.b32 %r23, %r23, 3; shl.b32 %r24, %r20, 8; add.s32 %r24, %r24, %r23; cvt.u64.u32 %d11, %r24; add.s64 %d10, %d10, %d11;
)";
  for (int n = 0; n < 8; n++)
    for (int x = 0; x < 2; x++)
      s += "  st.global.v2.f32 [%d10+" + std::to_string(n * 32 + x * 8 * 256) + "], {%s" + std::to_string(n * 4 + x * 2) + ",%s" + std::to_string(n * 4 + x * 2 + 1) + "};\n";
  s += R"(
  ret;
PRODUCER:
  setp.ne.u32 %p4, %r0, 128; @%p4 bra END;
  ld.param.u64 %d20, [mapA]; ld.param.u64 %d21, [mapB];
AGAIN:
  and.b32 %r6, %r5, 1; shr.u32 %r7, %r5, 1; and.b32 %r7, %r7, 1; xor.b32 %r7, %r7, 1;
  shl.b32 %r8, %r6, 3; add.s32 %r9, %r3, %r8; add.s32 %r10, %r4, %r8; shl.b32 %r11, %r6, 14; add.s32 %r11, %r2, %r11; add.s32 %r13, %r11, 8192; shl.b32 %r14, %r5, 6; mov.u32 %r15, 0;
FREE: mbarrier.try_wait.parity.shared::cta.b64 %p5, [%r10], %r7; @!%p5 bra FREE;
  mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r9], 16384;
  cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%r11], [%d20, {%r14, %r15}], [%r9];
  cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%r13], [%d21, {%r14, %r15}], [%r9];
  add.s32 %r5, %r5, 1; setp.lt.u32 %p6, %r5, %r1; @%p6 bra AGAIN;
END:
  ret;
}
)";
  if (transposed) s.replace(s.find("[%d21, {%r14, %r15}]"), 20, "[%d21, {%r15, %r14}]");
  return s;
}

struct alignas(64) Map {
  char bytes[128];
};

struct Problem {
  std::vector<uint16_t> a, b;
  Buffer<uint16_t> A, B;
  Buffer<char> mapA, mapB;
  static std::vector<uint16_t> random(uint64_t seed) {
    Random r(seed);
    std::vector<uint16_t> v(size_t(rows) * k);
    for (auto& x : v) x = toBfloat(r.uniform());
    return v;
  }
  static void describe(Buffer<char>& to, uint64_t address, int swizzle, unsigned boxRows) {
    Map m;
    const uint64_t sizes[] = {k, rows}, strides[] = {k * 2};
    const unsigned box[] = {64, boxRows}, ones[] = {1, 1};
    CHECK_EQUAL(cuTensorMapEncodeTiled(&m, 9, 2, reinterpret_cast<void*>(address), sizes, strides, box, ones, 0, swizzle, 0, 0), 0);
    CHECK_EQUAL(cuMemcpyHtoD_v2(to.address, &m, 128), 0);
  }
  Problem() : a(random(1)), b(random(2)), A(a), B(b), mapA(128), mapB(128) {
    describe(mapA, A.address, 3, 64);
    describe(mapB, B.address, 3, 64);
  }
};

struct Run {
  int error;
  std::vector<float> c;
  std::string findings;
};

Run product(Problem& q, const std::string& text) {
  ptxmachineClear();
  Program p(text);
  if (p.error) {
    printf("    %s\n", p.log.c_str());
    failures++;
    return {p.error, {}, ""};
  }
  Buffer<float> C(size_t(rows) * 64);
  Run r;
  r.error = launch(p.function("product"), {1, 160}, q.mapA.address, q.mapB.address, C.address, tiles);
  r.findings = findings();
  ptxmachineClear();
  if (!r.error) r.c = C.get();
  ptxmachineClear();
  return r;
}

std::string without(const std::string& text, const std::string& part, int which = 0) {
  size_t at = text.find(part);
  while (which-- && at != std::string::npos) at = text.find(part, at + 1);
  CHECK(at != std::string::npos);
  if (at == std::string::npos) return text;
  const size_t end = text.find('\n', at);
  return text.substr(0, at) + text.substr(end);
}

}  // namespace

TEST(hopper_product) {
  Problem q;
  const Run r = product(q, productText());
  CHECK_EQUAL(r.error, 0);
  CHECK(r.findings.empty());
  if (!r.findings.empty()) printf("%s", r.findings.c_str());
  if (r.error) return;
  double worst = 0;
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < 64; j++) {
      double s = 0;
      for (int x = 0; x < k; x++) s += double(fromBfloat(q.a[size_t(i * k + x)])) * double(fromBfloat(q.b[size_t(j * k + x)]));
      worst = std::max(worst, std::fabs(s - double(r.c[size_t(i * 64 + j)])));
    }
  CHECK(worst < 16 * 32 * 0x1p-24);  // sixteen roundings of sums below 32
  for (const char* s : {"seed=1", "seed=2", "seed=3"}) {
    ptxmachineOption("sched=rand");
    ptxmachineOption(s);
    const Run again = product(q, productText());
    CHECK(again.findings.empty());
    CHECK(again.c == r.c);
  }
  ptxmachineOption("sched=rr");
}

TEST(hopper_product_transposed) {
  Problem q;
  const Run plain = product(q, productText());
  std::vector<uint16_t> turned(size_t(rows) * k);
  for (int n = 0; n < rows; n++)
    for (int x = 0; x < k; x++) turned[size_t(x * rows + n)] = q.b[size_t(n * k + x)];
  q.B.put(turned);
  Map m;
  const uint64_t sizes[] = {rows, k}, strides[] = {rows * 2};
  const unsigned box[] = {64, 64}, ones[] = {1, 1};
  CHECK_EQUAL(cuTensorMapEncodeTiled(&m, 9, 2, reinterpret_cast<void*>(q.B.address), sizes, strides, box, ones, 0, 3, 0, 0), 0);
  CHECK_EQUAL(cuMemcpyHtoD_v2(q.mapB.address, &m, 128), 0);
  const Run r = product(q, productText(true));
  CHECK(r.findings.empty());
  CHECK(!r.c.empty() && r.c == plain.c);
}

TEST(hopper_wgmma_registers) {
  // A[i][k] = i + k from registers, B[n][k] = (k == n) + 2 (k == n + 8) in shared memory without swizzle.
  const std::string body = R"(
  .shared .align 128 .b8 v[256]; .reg .f32 %sum<4>; mov.u32 %r1, v;
  setp.ge.u32 %p1, %t, 64; @%p1 bra READY;
  and.b32 %r2, %t, 31; shr.u32 %r2, %r2, 2; and.b32 %r3, %t, 3; shl.b32 %r3, %r3, 1; shr.u32 %r4, %t, 5; shl.b32 %r4, %r4, 3; add.s32 %r3, %r3, %r4;
  add.s32 %r5, %r2, 8; add.s32 %r6, %r3, 1;
  setp.eq.u32 %p2, %r3, %r2; selp.f32 %f1, 0f3F800000, 0f00000000, %p2; setp.eq.u32 %p3, %r3, %r5; selp.f32 %f2, 0f40000000, 0f00000000, %p3; add.f32 %f1, %f1, %f2;
  setp.eq.u32 %p2, %r6, %r2; selp.f32 %f3, 0f3F800000, 0f00000000, %p2; setp.eq.u32 %p3, %r6, %r5; selp.f32 %f4, 0f40000000, 0f00000000, %p3; add.f32 %f3, %f3, %f4;
  cvt.rn.bf16x2.f32 %r7, %f3, %f1; shl.b32 %r8, %t, 2; add.s32 %r8, %r8, %r1; st.shared.b32 [%r8], %r7;
  fence.proxy.async;
READY: bar.sync 0;
  shr.u32 %r10, %t, 5; shl.b32 %r10, %r10, 4; and.b32 %r11, %t, 31; shr.u32 %r12, %r11, 2; add.s32 %r10, %r10, %r12; and.b32 %r13, %r11, 3; shl.b32 %r13, %r13, 1;
  add.s32 %r14, %r10, %r13; cvt.rn.f32.s32 %f5, %r14; add.f32 %f6, %f5, 0f3F800000; cvt.rn.bf16x2.f32 %r20, %f6, %f5;
  add.f32 %f5, %f5, 0f41000000; add.f32 %f6, %f6, 0f41000000; cvt.rn.bf16x2.f32 %r21, %f6, %f5; mov.b32 %r22, %r21;
  add.f32 %f5, %f5, 0f41000000; add.f32 %f6, %f6, 0f41000000; cvt.rn.bf16x2.f32 %r23, %f6, %f5;
  shr.u32 %r15, %r1, 4; cvt.u64.u32 %d1, %r15; or.b64 %d1, %d1, 0x80000; mov.f32 %sum0, 0f7F800000; mov.f32 %sum1, %sum0; mov.f32 %sum2, %sum0; mov.f32 %sum3, %sum0;
  setp.ne.u32 %p4, %t, %t;
  wgmma.fence.sync.aligned;
  wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%sum0,%sum1,%sum2,%sum3}, {%r20,%r21,%r22,%r23}, %d1, %p4, 1, 1, 0;
  wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0;
  shl.b32 %r16, %r10, 3; add.s32 %r16, %r16, %r13; mul.wide.u32 %d2, %r16, 4; add.s64 %d3, %out, %d2;
  st.global.v2.f32 [%d3], {%sum0, %sum1}; st.global.v2.f32 [%d3+256], {%sum2, %sum3};
)";
  Program p(kernelText(body, "sm_90a"));
  if (p.error) printf("    %s\n", p.log.c_str());
  CHECK_EQUAL(p.error, 0);
  if (p.error) return;
  Buffer<float> out(64 * 8);
  CHECK_EQUAL(launch(p.function("k"), {1, 128}, out.address, out.address), 0);
  if (!findings().empty()) printf("%s", findings().c_str());
  CHECK(findings().empty());
  const auto d = out.get();
  for (int i = 0; i < 64; i++)
    for (int n = 0; n < 8; n++) CHECK_EQUAL(d[size_t(i * 8 + n)], float(i + n + 2 * (i + n + 8)));
}

TEST(hopper_planted_faults) {
  Problem q;
  const std::string text = productText();
  struct {
    const char* what;
    std::string text;
    const char* kind;
  } faults[] = {
      {"the consumer's wait for a full stage", without(text, "WAIT: mbarrier.try_wait"), "check"},
      {"the producer's wait for an empty stage", without(text, "FREE: mbarrier.try_wait"), "racecheck"},
      {"the consumer's arrival", without(text, "mbarrier.arrive.shared::cta.b64"), "synccheck"},
      {"expect_tx", without(text, "mbarrier.arrive.expect_tx"), "synccheck"},
      {"bar.sync after the barriers were made", without(text, "bar.sync 0"), "racecheck"},
      {"wgmma.fence", without(text, "wgmma.fence"), "racecheck"},
      {"wgmma.commit_group", without(text, "wgmma.commit_group"), "racecheck"},
      {"wgmma.wait_group", without(text, "wgmma.wait_group"), "racecheck"},
      {"one of the copies", without(text, "cp.async.bulk.tensor.2d"), "check"},
      {"an mbarrier's init", without(text, "mbarrier.init"), "check"},
  };
  for (auto& f : faults) {
    const Run r = product(q, f.text);
    if (r.findings.find(f.kind) == std::string::npos) {
      printf("    removed %s: no %s; findings: %s\n", f.what, f.kind, r.findings.c_str());
      failures++;
    }
  }
  // Fewer bytes expected than come, and more.
  for (const char* bytes : {"16368", "16400"}) {
    std::string wrong = text;
    wrong.replace(wrong.find("16384;"), 5, bytes);
    CHECK(product(q, wrong).error == 719);
  }
}

TEST(hopper_swizzles_and_edges) {
  // A tile of 8 rows by 64 bytes (32 values), read back by plain loads, at the edge of the tensor: rows and columns beyond are 0.
  for (int swizzle = 0; swizzle <= 3; swizzle++) {
    const int inner = swizzle == 1 ? 16 : 32;
    std::vector<uint16_t> in(20 * 48);
    for (size_t i = 0; i < in.size(); i++) in[i] = uint16_t(i + 1);
    Buffer<uint16_t> A(in);
    Map m;
    const uint64_t sizes[] = {48, 20}, strides[] = {96};
    const unsigned box[] = {unsigned(inner), 8}, ones[] = {1, 1};
    CHECK_EQUAL(cuTensorMapEncodeTiled(&m, 9, 2, reinterpret_cast<void*>(A.address), sizes, strides, box, ones, 0, swizzle, 0, 0), 0);
    Buffer<char> map(128);
    CHECK_EQUAL(cuMemcpyHtoD_v2(map.address, &m, 128), 0);
    const std::string body = "  .shared .align 1024 .b8 v[1024]; .shared .align 8 .b64 bar; mov.u32 %r1, v; mov.u32 %r2, bar; setp.ne.u32 %p1, %t, 0; @%p1 bra GO;\n"
                             "  mbarrier.init.shared.b64 [%r2], 1; fence.proxy.async; mbarrier.arrive.expect_tx.shared.b64 %d0, [%r2], " + std::to_string(inner * 16) + "; mov.u32 %r3, 24; mov.u32 %r4, 16;\n"
                             "  cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%in, {%r3, %r4}], [%r2];\n"
                             "GO: bar.sync 0;\nW: mbarrier.try_wait.parity.shared.b64 %p2, [%r2], 0; @!%p2 bra W;\n"
                             "  shl.b32 %r5, %t, 2; add.s32 %r6, %r1, %r5; setp.ge.u32 %p3, %t, " + std::to_string(inner * 4) + "; @%p3 bra D; ld.shared.u32 %r7, [%r6]; st.global.u32 [%my], %r7;\nD:\n";
    Program p(kernelText(body, "sm_90a"));
    if (p.error) printf("    %s\n", p.log.c_str());
    CHECK_EQUAL(p.error, 0);
    if (p.error) return;
    Buffer<uint16_t> out(size_t(inner * 8));
    CHECK_EQUAL(launch(p.function("k"), {1, 128}, out.address, map.address), 0);
    CHECK(findings().empty());
    if (!findings().empty()) printf("%s", findings().c_str());
    const auto v = out.get();
    for (int row = 0; row < 8; row++)
      for (int col = 0; col < inner; col++) {
        int chunk = (row * inner * 2 + col * 2) / 16;
        const int line = chunk / 8;  // of 128 bytes
        chunk ^= line & ((1 << swizzle) - 1);
        const int y = 16 + row, x = 24 + col;
        const uint16_t want = y < 20 && x < 48 ? in[size_t(y * 48 + x)] : 0;
        CHECK_EQUAL(v[size_t(chunk * 8 + col % 8)], want);
      }
  }
}

TEST(hopper_bulk_copies_and_stores) {
  // In by a plain bulk copy, doubled in place, out by a bulk store; then the fences and waits removed.
  const std::string body = "  .shared .align 128 .b8 v[512]; .shared .align 8 .b64 bar; mov.u32 %r1, v; mov.u32 %r2, bar; setp.ne.u32 %p1, %t, 0; @%p1 bra GO;\n"
                           "  mbarrier.init.shared.b64 [%r2], 1;\n"
                           "  fence.proxy.async;\n"
                           "  mbarrier.arrive.expect_tx.shared.b64 %d0, [%r2], 512; cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%in], 512, [%r2];\n"
                           "GO:\n  bar.sync 0;\n"
                           "W: mbarrier.try_wait.parity.shared.b64 %p2, [%r2], 0; @!%p2 bra W;\n"
                           "  shl.b32 %r5, %t, 2; add.s32 %r6, %r1, %r5; ld.shared.u32 %r7, [%r6]; add.s32 %r7, %r7, %r7; st.shared.u32 [%r6], %r7;\n"
                           "  fence.proxy.async.shared::cta;\n"
                           "  barrier.sync 0;\n"
                           "  @%p1 bra D; cp.async.bulk.global.shared::cta.bulk_group [%out], [%r1], 512; cp.async.bulk.commit_group;\n"
                           "  cp.async.bulk.wait_group.read 0;\n"
                           "D:\n";
  const std::string text = kernelText(body, "sm_90a");
  std::vector<uint32_t> in(128);
  for (uint32_t i = 0; i < 128; i++) in[i] = i * i;
  Buffer<uint32_t> A(in), out(128);
  auto run = [&](const std::string& t) {
    ptxmachineClear();
    Program p(t);
    if (p.error) printf("    %s\n", p.log.c_str());
    CHECK_EQUAL(p.error, 0);
    launch(p.function("k"), {1, 128}, out.address, A.address);
    return findings();
  };
  const std::string clean = run(text);
  CHECK(clean.empty());
  if (!clean.empty()) printf("%s", clean.c_str());
  const auto v = out.get();
  for (uint32_t i = 0; i < 128; i++) CHECK_EQUAL(v[i], 2 * i * i);
  for (const char* part : {"bar.sync 0", "W: mbarrier.try_wait", "fence.proxy.async.shared::cta", "barrier.sync 0", "cp.async.bulk.wait_group"}) {
    const std::string f = run(without(text, part));
    if (f.empty()) {
      printf("    removed %s: no finding\n", part);
      failures++;
    }
  }
  ptxmachineClear();
}

TEST(hopper_tensor_maps_refused) {
  Map m;
  Buffer<uint16_t> A(4096);
  void* address = reinterpret_cast<void*>(A.address);
  const uint64_t sizes[] = {64, 64}, strides[] = {128}, odd[] = {120};
  const unsigned box[] = {64, 64}, wide[] = {128, 8}, big[] = {64, 512}, ones[] = {1, 1};
  CHECK_EQUAL(cuTensorMapEncodeTiled(&m, 9, 2, address, sizes, strides, box, ones, 0, 3, 0, 0), 0);
  CHECK_EQUAL(cuTensorMapEncodeTiled(&m, 9, 2, address, sizes, odd, box, ones, 0, 3, 0, 0), 1);
  CHECK_EQUAL(cuTensorMapEncodeTiled(&m, 9, 2, address, sizes, strides, wide, ones, 0, 3, 0, 0), 1);
  CHECK_EQUAL(cuTensorMapEncodeTiled(&m, 9, 2, address, sizes, strides, big, ones, 0, 0, 0, 0), 1);
  CHECK_EQUAL(cuTensorMapEncodeTiled(&m, 9, 6, address, sizes, strides, box, ones, 0, 0, 0, 0), 1);
  CHECK_EQUAL(cuTensorMapEncodeTiled(&m, 9, 2, reinterpret_cast<void*>(A.address + 8), sizes, strides, box, ones, 0, 0, 0, 0), 1);
}
