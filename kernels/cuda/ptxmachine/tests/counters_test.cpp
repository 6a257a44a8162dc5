// Counters on patterns whose traffic is known, and line coverage.
#include "harness.h"

namespace {
ptxmachineKernelCounters count(const std::string& body, unsigned threads = 32) {
  ptxmachineClear();
  Program p(kernelText(body));
  if (p.error) printf("    %s\n", p.log.c_str());
  Buffer<uint32_t> in(std::vector<uint32_t>(8192)), out(std::vector<uint32_t>(8192));
  CHECK_EQUAL(launch(p.function("k"), {1, threads}, out.address, in.address), 0);
  CHECK(findings().empty());
  ptxmachineKernelCounters c;
  CHECK_EQUAL(ptxmachineCounters("k", &c), 0);
  return c;
}
// A load of `bytes` by lane t from in + t * stride.
ptxmachineTraffic load(int stride, const char* instruction) {
  return count("  mul.wide.u32 %d0, %t, " + std::to_string(stride) + "; add.s64 %d1, %in, %d0; " + instruction).globalLoad;
}
uint64_t conflicts(int stride, const char* instruction) {
  const auto c = count("  .shared .align 16 .b8 v[8192]; mov.u32 %r1, v; mad.lo.s32 %r2, %t, " + std::to_string(stride) + ", %r1; " + instruction);
  CHECK_EQUAL(c.sharedStore.requests, 1u);
  return c.sharedStore.units - c.sharedStore.least;
}
}  // namespace

TEST(counters_global_sectors) {
  const auto packed = load(4, "ld.global.u32 %r0, [%d1];");
  CHECK_EQUAL(packed.requests, 1u);
  CHECK_EQUAL(packed.bytes, 128u);
  CHECK_EQUAL(packed.units, 4u);
  CHECK_EQUAL(packed.least, 4u);
  CHECK_EQUAL(load(4, "ld.global.u32 %r0, [%d1+4];").units, 5u);  // not at a sector's beginning
  CHECK_EQUAL(load(32, "ld.global.u32 %r0, [%d1];").units, 32u);
  CHECK_EQUAL(load(32, "ld.global.u32 %r0, [%d1];").least, 4u);
  CHECK_EQUAL(load(0, "ld.global.u32 %r0, [%d1];").units, 1u);
  CHECK_EQUAL(load(16, "ld.global.v4.u32 {%r0,%r1,%r2,%r3}, [%d1];").units, 16u);
  CHECK_EQUAL(load(64, "ld.global.v4.u32 {%r0,%r1,%r2,%r3}, [%d1];").units, 32u);
  CHECK_EQUAL(load(2, "ld.global.u16 %h0, [%d1];").units, 2u);
}

TEST(counters_fresh_sectors) {
  const char* twice = "ld.global.u32 %r0, [%d1]; ld.global.u32 %r1, [%d1]; st.global.u32 [%d1], %r0; ld.global.u32 %r1, [%d1];";
  CHECK_EQUAL(load(4, twice).fresh, 0u);
  ptxmachineOption("fresh=1");
  CHECK_EQUAL(load(4, twice).units, 12u);
  CHECK_EQUAL(load(4, twice).fresh, 4u);
  CHECK_EQUAL(load(32, twice).fresh, 32u);
  ptxmachineOption("fresh=0");
}

TEST(counters_bank_conflicts) {
  CHECK_EQUAL(conflicts(4, "st.shared.u32 [%r2], %t;"), 0u);
  CHECK_EQUAL(conflicts(8, "st.shared.u32 [%r2], %t;"), 1u);
  CHECK_EQUAL(conflicts(128, "st.shared.u32 [%r2], %t;"), 31u);
  CHECK_EQUAL(conflicts(132, "st.shared.u32 [%r2], %t;"), 0u);
  CHECK_EQUAL(conflicts(16, "st.shared.v4.u32 [%r2], {%t,%t,%t,%t};"), 0u);   // four quarter warps
  CHECK_EQUAL(conflicts(128, "st.shared.v4.u32 [%r2], {%t,%t,%t,%t};"), 28u);
  CHECK_EQUAL(conflicts(80, "st.shared.v4.u32 [%r2], {%t,%t,%t,%t};"), 0u);   // the pad of ldmatrix
  CHECK_EQUAL(conflicts(8, "st.shared.v2.u32 [%r2], {%t,%t};"), 0u);
}

TEST(counters_instructions_and_lines) {
  const auto c = count("  setp.lt.u32 %p1, %t, 8;\n  @%p1 bra A;\n  fma.rn.f32 %f1, %f0, %f0, %f0;\n  bra E;\nA: ex2.approx.f32 %f1, %f0;\nE: bar.sync 0;\n  st.global.f32 [%my], %f1;", 64);
  CHECK_EQUAL(c.launches, 1u);
  CHECK_EQUAL(c.blocks, 1u);
  CHECK_EQUAL(c.byClass[1], 2u);   // fma: both warps
  CHECK_EQUAL(c.byClass[3], 1u);   // special: the first warp
  CHECK_EQUAL(c.byClass[12], 2u);  // barrier
  CHECK_EQUAL(c.barriers, 1u);
  CHECK_EQUAL(c.executedInstructions, c.instructions);
  ptxmachineLine lines[64];
  const size_t n = ptxmachineLines("k", lines, 64);
  CHECK(n > 8 && n <= 64);
  uint64_t lanes = 0;
  for (size_t i = 0; i < n && i < 64; i++)
    if (lines[i].kind == 1) lanes = lines[i].lanes;
  CHECK_EQUAL(lanes, 56u);
  const auto skipped = count("  bra E;\n  add.s32 %r0, %r0, 1;\nE:\n");
  CHECK_EQUAL(skipped.executedInstructions + 1, skipped.instructions);
  ptxmachineKernelCounters none;
  CHECK_EQUAL(ptxmachineCounters("no such kernel", &none), 1);
  char text[4096];
  CHECK(ptxmachineReport(text, sizeof text) > 0);
  CHECK(std::string(text).find("kernel k: 1 launches") != std::string::npos);
}

TEST(counters_of_a_product) {
  ptxmachineClear();
  Program p(testText("product.ptx"));
  Buffer<uint16_t> A(std::vector<uint16_t>(128 * 128)), B(std::vector<uint16_t>(128 * 128));
  Buffer<float> C(128 * 128);
  CHECK_EQUAL(launch(p.function("product"), {2, 128, 0, 2}, C.address, A.address, B.address, 128, 128, 128), 0);
  ptxmachineKernelCounters c;
  CHECK_EQUAL(ptxmachineCounters("product", &c), 0);
  CHECK_EQUAL(c.tensorMultiplyAdds, 128u * 128 * 128);
  CHECK_EQUAL(c.globalAsync.bytes, 4u * 2 * 64 * 128 * 2);
  CHECK_EQUAL(c.globalAsync.units, c.globalAsync.least);
  CHECK_EQUAL(c.sharedLoad.units, c.sharedLoad.least);  // ldmatrix over the padded pitch
  CHECK_EQUAL(c.globalStore.bytes, 128u * 128 * 4);
  CHECK_EQUAL(c.barriers, 4u * 4 * 2);
}
