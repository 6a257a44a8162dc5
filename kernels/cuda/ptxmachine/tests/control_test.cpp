// Branches, divergence, tables of targets, calls of functions, local and constant memory, generic addresses.
#include "harness.h"

namespace {
std::vector<uint32_t> run(const std::string& text, unsigned threads = 32, unsigned shared = 0) {
  Program p(text);
  if (p.error) printf("    %s\n", p.log.c_str());
  CHECK_EQUAL(p.error, 0);
  Buffer<uint32_t> out{std::vector<uint32_t>(threads)};
  if (!p.error) CHECK_EQUAL(launch(p.function("k"), {1, threads, shared}, out.address, out.address), 0);
  if (!findings().empty()) printf("    %s", findings().c_str());
  CHECK(findings().empty());
  return out.get();
}
}  // namespace

TEST(control_loops_of_different_length) {
  auto v = run(kernelText("  mov.u32 %r0, 0; mov.u32 %r1, 0;\nL: setp.ge.u32 %p1, %r1, %t; @%p1 bra E; add.s32 %r0, %r0, %r1; add.s32 %r1, %r1, 1; bra L;\nE: st.global.u32 [%my], %r0;"));
  for (uint32_t t = 0; t < 32; t++) CHECK_EQUAL(v[t], t * (t - 1) / 2);
}

TEST(control_join_before_its_arms) {
  auto v = run(kernelText("  setp.lt.u32 %p1, %t, 16; @%p1 bra A; bra B;\nJ: shfl.sync.bfly.b32 %r3, %r2, 16, 31, -1; st.global.u32 [%my], %r3; ret;\n"
                          "A: add.s32 %r2, %t, 100; bra J;\nB: add.s32 %r2, %t, 200; bra J;"));
  for (uint32_t t = 0; t < 32; t++) CHECK_EQUAL(v[t], (t ^ 16) + ((t ^ 16) < 16 ? 100 : 200));
}

TEST(control_a_lane_waits_for_another) {
  // Lane 0 spins on what lane 1 writes later in the program.
  auto v = run(kernelText("  .shared .align 4 .u32 flag; mov.u32 %r1, flag; setp.eq.u32 %p1, %t, 0; @%p1 st.shared.u32 [%r1], 0; bar.warp.sync -1;\n"
                          "  @!%p1 bra O;\nS: atom.shared.add.u32 %r2, [%r1], 0; setp.eq.u32 %p2, %r2, 0; @%p2 bra S; bra E;\nO: setp.eq.u32 %p3, %t, 1; @%p3 atom.shared.exch.b32 %r3, [%r1], 5;\nE: st.global.u32 [%my], 9;"));
  CHECK_EQUAL(v[0], 9u);
}

TEST(control_tables_of_targets) {
  auto v = run(kernelText("  and.b32 %r1, %t, 3;\n  T: .branchtargets A, B, C, D;\n  brx.idx %r1, T;\nA: mov.u32 %r0, 10; bra E;\nB: mov.u32 %r0, 20; bra E;\nC: mov.u32 %r0, 30; bra E;\nD: mov.u32 %r0, 40;\nE: st.global.u32 [%my], %r0;"));
  for (uint32_t t = 0; t < 32; t++) CHECK_EQUAL(v[t], (t & 3) * 10 + 10);
}

TEST(control_functions) {
  const std::string functions =
      ".func (.param .b32 twice_r) twice(.param .b32 twice_a);\n"
      ".func (.param .b32 f_r) f(.param .b64 f_p, .param .b32 f_x) {\n"
      "  .reg .b32 %r<5>; .reg .pred %p<2>; .reg .b64 %d<2>; ld.param.b32 %r1, [f_x]; setp.lt.u32 %p1, %r1, 8; @%p1 bra S;\n"
      "  { .param .b32 a; st.param.b32 [a], %r1; .param .b32 b; call.uni (b), twice, (a); ld.param.b32 %r2, [b]; }\n"
      "  st.param.b32 [f_r], %r2; ret;\nS: ld.param.b64 %d1, [f_p]; add.s32 %r3, %r1, 1000; st.param.b32 [f_r], %r3; ret;\n}\n"
      ".func (.param .b32 twice_r) twice(.param .b32 twice_a) { .reg .b32 %r<3>; ld.param.b32 %r1, [twice_a]; add.s32 %r2, %r1, %r1; st.param.b32 [twice_r], %r2; ret; }\n";
  auto v = run(kernelText("  { .param .b64 p; st.param.b64 [p], %out; .param .b32 x; st.param.b32 [x], %t; .param .b32 r; call (r), f, (p, x); ld.param.b32 %r0, [r]; }\n"
                          "  st.global.u32 [%my], %r0;", "sm_80", functions));
  for (uint32_t t = 0; t < 32; t++) CHECK_EQUAL(v[t], t < 8 ? t + 1000 : 2 * t);
}

TEST(control_generic_addresses) {
  auto v = run(kernelText("  .shared .align 4 .u32 s[32]; .local .align 8 .b8 l[16]; mov.u64 %d1, s; cvta.shared.u64 %d1, %d1; add.s64 %d1, %d1, %off; st.u32 [%d1], %t;\n"
                          "  mov.u64 %d2, l; cvta.local.u64 %d2, %d2; st.u32 [%d2+8], %t; ld.u32 %r1, [%d1]; ld.u32 %r2, [%d2+8]; isspacep.shared %p1, %d1; isspacep.global %p2, %d2; isspacep.global %p3, %out;\n"
                          "  cvta.to.shared.u64 %d3, %d1; cvt.u32.u64 %r5, %d3; ld.shared.u32 %r6, [%r5]; mov.u64 %d4, c; ld.const.u32 %r7, [%d4+4]; ld.global.u32 %r8, [g];\n"
                          "  add.s32 %r0, %r1, %r2; add.s32 %r0, %r0, %r6; selp.u32 %r9, 1000, 0, %p1; selp.u32 %r10, 5000, 0, %p2; selp.u32 %r11, 100, 0, %p3; add.s32 %r0, %r0, %r9; add.s32 %r0, %r0, %r10; add.s32 %r0, %r0, %r11;\n"
                          "  add.s32 %r0, %r0, %r7; add.s32 %r0, %r0, %r8; st.u32 [%my], %r0;",
                          "sm_80", ".const .align 4 .u32 c[3] = {1, 200000, 3};\n.global .align 4 .u32 g = 0x100000;"));
  for (uint32_t t = 0; t < 32; t++) CHECK_EQUAL(v[t], 3 * t + 1100 + 200000 + 0x100000);
}

TEST(control_vectors_and_narrow_types) {
  auto v = run(kernelText("  .shared .align 16 .b8 s[1024]; mov.u32 %r1, s; mad.lo.s32 %r1, %t, 16, %r1; add.s32 %r2, %t, 1; st.shared.v4.u32 [%r1], {%t, %r2, %t, %r2};\n"
                          "  ld.shared.v2.u64 {%d1, %d2}, [%r1]; ld.shared.u8 %r3, [%r1+4]; ld.shared.s16 %r4, [%r1+8]; ld.shared.v4.b16 {%h1, %h2, %h3, _}, [%r1]; cvt.u32.u16 %r5, %h3; cvt.u32.u64 %r6, %d2;\n"
                          "  st.shared.u8 [%r1+15], 0xff; ld.shared.s8 %r7, [%r1+15]; add.s32 %r0, %r3, %r4; add.s32 %r0, %r0, %r5; add.s32 %r0, %r0, %r6; add.s32 %r0, %r0, %r7; st.global.u32 [%my], %r0;"));
  for (uint32_t t = 0; t < 32; t++) CHECK_EQUAL(v[t], 4 * t + 2 - 1);
}

TEST(control_special_registers_and_dynamic_shared) {
  auto v = run(kernelText("  mov.u32 %r1, %laneid; mov.u32 %r2, %warpid; mov.u32 %r3, %ntid.x; mov.u32 %r4, %lanemask_lt; popc.b32 %r4, %r4; mov.u32 %r5, %nctaid.x; mov.u32 %r6, %dynamic_smem_size;\n"
                          "  mad.lo.s32 %r0, %r2, 32, %r1; add.s32 %r0, %r0, %r3; add.s32 %r0, %r0, %r4; add.s32 %r0, %r0, %r5; add.s32 %r0, %r0, %r6; st.global.u32 [%my], %r0;"), 64, 4096);
  for (uint32_t t = 0; t < 64; t++) CHECK_EQUAL(v[t], t + 64 + t % 32 + 1 + 4096);
}
