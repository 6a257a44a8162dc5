// Shuffles, votes, matches, reductions, atomics and cooperative waiting.
#include "harness.h"

namespace {
std::vector<uint32_t> run(const std::string& body, unsigned threads = 32, std::vector<uint32_t> start = {}) {
  Program p(kernelText(body));
  if (p.error) printf("    %s\n", p.log.c_str());
  CHECK_EQUAL(p.error, 0);
  if (start.empty()) start.assign(threads, 0);
  Buffer<uint32_t> out(start);
  if (!p.error) CHECK_EQUAL(launch(p.function("k"), {1, threads}, out.address, out.address), 0);
  if (!findings().empty()) printf("    %s", findings().c_str());
  CHECK(findings().empty());
  return out.get();
}
}  // namespace

TEST(warpwide_shuffles) {
  auto up = run("  shfl.sync.up.b32 %r0, %t, 3, 0, -1; st.global.u32 [%my], %r0;");
  auto down = run("  shfl.sync.down.b32 %r0|%p1, %t, 5, 31, -1; selp.b32 %r1, 100, 0, %p1; add.s32 %r0, %r0, %r1; st.global.u32 [%my], %r0;");
  auto butterfly = run("  shfl.sync.bfly.b32 %r0, %t, 9, 31, -1; st.global.u32 [%my], %r0;");
  auto index = run("  shfl.sync.idx.b32 %r0, %t, 2, 6175, -1; st.global.u32 [%my], %r0;");  // segments of 8
  for (uint32_t l = 0; l < 32; l++) {
    CHECK_EQUAL(up[l], l < 3 ? l : l - 3);
    CHECK_EQUAL(down[l], l + 5 < 32 ? l + 105 : l);
    CHECK_EQUAL(butterfly[l], l ^ 9);
    CHECK_EQUAL(index[l], (l & 24) | 2);
  }
}

TEST(warpwide_votes) {
  auto v = run("  setp.lt.u32 %p1, %t, 5; vote.sync.ballot.b32 %r0, %p1, -1; vote.sync.any.pred %p2, %p1, -1; vote.sync.all.pred %p3, !%p1, -1;\n"
               "  selp.b32 %r1, 0x100, 0, %p2; selp.b32 %r2, 0x200, 0, %p3; or.b32 %r0, %r0, %r1; or.b32 %r0, %r0, %r2; activemask.b32 %r3; xor.b32 %r0, %r0, %r3; st.global.u32 [%my], %r0;");
  CHECK_EQUAL(v[7], ~(31u | 0x100u));
  auto m = run("  and.b32 %r1, %t, 3; match.any.sync.b32 %r0, %r1, -1; st.global.u32 [%my], %r0;");
  for (uint32_t l = 0; l < 32; l++) CHECK_EQUAL(m[l], 0x11111111u << (l & 3));
  auto r = run("  redux.sync.add.u32 %r0, %t, -1; redux.sync.max.s32 %r1, %t, -1; redux.sync.xor.b32 %r2, %t, -1; mad.lo.s32 %r0, %r1, 1000, %r0; add.s32 %r0, %r0, %r2; st.global.u32 [%my], %r0;");
  CHECK_EQUAL(r[0], 31u * 1000 + 496);
  auto e = run("  elect.sync %r1|%p1, -1; selp.b32 %r0, 1, 0, %p1; add.s32 %r0, %r0, %r1; st.global.u32 [%my], %r0;");
  CHECK_EQUAL(e[0], 1u);
  CHECK_EQUAL(e[1], 0u);
}

TEST(warpwide_parts_of_a_warp) {
  // Each half shuffles among itself in its own branch, then all meet.
  auto v = run("  setp.lt.u32 %p1, %t, 16; mov.u32 %r0, 0; @%p1 bra A; shfl.sync.bfly.b32 %r0, %t, 1, 31, 0xffff0000; bra J;\n"
               "A: shfl.sync.bfly.b32 %r0, %t, 2, 31, 0x0000ffff;\nJ: bar.warp.sync -1; shfl.sync.bfly.b32 %r1, %r0, 16, 31, -1; st.global.u32 [%my], %r1;");
  for (uint32_t l = 0; l < 32; l++) CHECK_EQUAL(v[l], (l ^ 16) ^ ((l ^ 16) < 16 ? 2u : 1u));
}

TEST(warpwide_atomics) {
  auto v = run("  atom.global.add.u32 %r0, [%out+256], 2; atom.global.max.s32 %r1, [%out+260], %t; red.global.add.f32 [%out+264], 0f3F000000;\n"
               "  atom.global.cas.b32 %r2, [%out+268], 0, 77; atom.global.exch.b32 %r3, [%out+272], %t; atom.global.inc.u32 %r4, [%out+276], 9; st.global.u32 [%my], %r0;", 64, std::vector<uint32_t>(128));
  CHECK_EQUAL(v[64], 128u);
  CHECK_EQUAL(v[65], 63u);
  CHECK_EQUAL(v[66], 0x42000000u);  // 32.0
  CHECK_EQUAL(v[67], 77u);
  CHECK_EQUAL(v[69], 4u);
  auto s = run("  .shared .align 4 .u32 c; setp.eq.u32 %p1, %t, 0; mov.u32 %r1, c; @%p1 st.shared.u32 [%r1], 0; bar.sync 0; atom.shared.add.u32 %r2, [%r1], 1; bar.sync 0;\n"
               "  ld.shared.u32 %r3, [%r1]; st.global.u32 [%my], %r3;", 96);
  CHECK_EQUAL(s[95], 96u);
}

TEST(warpwide_named_barriers) {
  // Warp 0 hands a value to warp 1 by arrive and sync on one name, warp 2 to warp 3 on another.
  auto v = run("  .shared .align 4 .b8 v[512]; mov.u32 %r1, v; shl.b32 %r2, %t, 2; add.s32 %r3, %r1, %r2; shr.u32 %r4, %t, 6; add.s32 %r4, %r4, 2; and.b32 %r6, %t, 32; setp.eq.u32 %p1, %r6, 0;\n"
               "  @%p1 bra A; bar.sync %r4, 64; ld.shared.u32 %r5, [%r3+-128]; st.global.u32 [%my], %r5; ret;\n"
               "A: st.shared.u32 [%r3], %t; bar.arrive %r4, 64; st.global.u32 [%my], 7;", 128);
  for (uint32_t t = 0; t < 128; t++) CHECK_EQUAL(v[t], t & 32 ? t - 32 : 7u);
}

TEST(warpwide_barrier_reductions) {
  auto v = run("  setp.lt.u32 %p1, %t, 10; bar.red.popc.u32 %r0, 0, %p1; setp.lt.u32 %p2, %t, 100; bar.red.and.pred %p3, 0, %p2; bar.red.or.pred %p4, 0, !%p2;\n"
               "  selp.b32 %r1, 1000, 0, %p3; selp.b32 %r2, 5000, 0, %p4; add.s32 %r0, %r0, %r1; add.s32 %r0, %r0, %r2; st.global.u32 [%my], %r0;", 64);
  for (uint32_t x : v) CHECK_EQUAL(x, 1010u);
}
