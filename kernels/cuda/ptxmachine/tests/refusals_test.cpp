// What the machine does not know it refuses when the text is loaded, by name and line.
#include "harness.h"

namespace {
void refused(const std::string& body, const char* why, const std::string& outside = "") {
  Program p(kernelText(body, "sm_80", outside));
  if (p.error != 218 || p.log.find(why) == std::string::npos || p.log.find("ptx line ") != 0) {
    printf("    `%s`: error %d, log: %s; want: %s\n", body.c_str(), p.error, p.log.c_str(), why);
    failures++;
  }
}
}  // namespace

TEST(refusals_instructions) {
  refused("  fms.rn.f32 %f0, %f1, %f2, %f3;", "unknown opcode fms.rn.f32");
  refused("  add.rn.q32 %r0, %r1, %r2;", "no type in add.rn.q32");
  refused("  ld.global.ncc.u32 %r0, [%in];", "unknown modifier .ncc of ld.global.ncc.u32");
  refused("  add.f32 %f0, %f1;", "2 operands, want 3");
  refused("  add.f64 %e0, %f1, %e2;", "register %f1 is too narrow");
  refused("  add.s32 %r0, %r1, %x9;", "unknown register '%x9'");
  refused("  bra NOWHERE;", "unknown label 'NOWHERE'");
  refused("  ld.global.u32 %r0, [nowhere];", "unknown name 'nowhere'");
  refused("  mma.sync.aligned.m16n8k64.row.col.f32.bf16.bf16.f32 {%f0,%f1,%f2,%f3}, {%r0,%r1,%r2,%r3}, {%r4,%r5}, {%f0,%f1,%f2,%f3};", "not supported");
  refused("  tex.2d.v4.f32.s32 {%f0,%f1,%f2,%f3}, [t, {%r0, %r1}];", "unknown name 't'");
  refused("  wmma.load.a.sync.aligned.row.m16n16k16.f16 {%r0}, [%in];", "unknown opcode wmma");
  refused("  call nowhere, ();", "unknown function 'nowhere'");
  refused("  mov.u32 %r0, 0x", "");
}

TEST(refusals_programs) {
  refused("", "recursive call of 'f'", ".func f() { call f, (); ret; }\n.visible .entry other() { call f, (); ret; }\n");
  refused("", "unknown directive", ".nonsense 3\n");
  refused("", "more values than the variable holds", ".global .u32 g[2] = {1,2,3};");
  refused("", "clusters of more than one block", ".visible .entry c() .reqnctapercluster 2, 1, 1 { ret; }");
  Program empty("nothing of the kind"), short_(""), cut(kernelText("  add.s32 %r0, %r1, %r2;").substr(0, 300));
  CHECK_EQUAL(empty.error, 218);
  CHECK_EQUAL(short_.error, 218);
  CHECK_EQUAL(cut.error, 218);
  CHECK(cut.log.find("the text ends in the middle") != std::string::npos);
  std::string fat = "\x50\xed\x55\xba not text";
  CHECK_EQUAL(Program(fat).error, 209);
  Program later(std::string(".version 9.0\n.target sm_120\n.address_size 64\n"));
  CHECK_EQUAL(later.error, 218);
  CHECK(later.log.find("for sm_120, the device is sm_90") != std::string::npos);
}

TEST(refusals_survive_damage) {
  // Any text, cut or with bytes changed, is refused or loaded, never more.
  const std::string text = testText("product.ptx");
  Random r(11);
  int loaded = 0;
  for (int i = 0; i < 300; i++) {
    std::string t = text;
    if (i % 3 == 0) t.resize(r.bits() % t.size());
    for (int k = 0; k < 1 + i % 4; k++)
      if (!t.empty()) t[r.bits() % t.size()] = char(32 + r.bits() % 95);
    Program p(t);
    CHECK(p.error == 0 || p.error == 218 || p.error == 1);
    loaded += p.error == 0;
  }
  CHECK(loaded < 300);
}
