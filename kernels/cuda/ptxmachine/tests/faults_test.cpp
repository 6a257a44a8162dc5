// Faults planted in a clean program, one at a time, each of which must be reported, whatever the schedule.
#include <set>
#include <sstream>

#include "harness.h"

namespace {

constexpr int n = 128;

struct Run {
  int error;
  std::vector<float> c;
  std::string findings;
};

Run product(const std::string& text, const char* options = "sched=rr") {
  ptxmachineClear();
  ptxmachineOption(options);
  Program p(text);
  if (p.error) {
    printf("    %s\n", p.log.c_str());
    failures++;
    return {p.error, {}, ""};
  }
  Random r(3);
  std::vector<uint16_t> a(n * n), b(n * n);
  for (auto& x : a) x = toBfloat(r.uniform());
  for (auto& x : b) x = toBfloat(r.uniform());
  Buffer<uint16_t> A(a), B(b);
  Buffer<float> C(size_t(n) * n);
  Run run;
  run.error = launch(p.function("product"), {n / 64, 128, 0, n / 64}, C.address, A.address, B.address, n, n, n);
  run.findings = findings();
  ptxmachineClear();
  if (!run.error) run.c = C.get();
  ptxmachineOption("sched=rr");
  return run;
}

Run rowSums(const std::string& text) {
  ptxmachineClear();
  Program p(text);
  std::vector<float> x(8 * 256, 0.5f);
  Buffer<float> X(x), Y(8);
  Run run;
  run.error = launch(p.function("rowSums"), {8, 128}, Y.address, X.address, 256);
  run.findings = findings();
  ptxmachineClear();
  if (!run.error) run.c = Y.get();
  return run;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> v;
  std::stringstream s(text);
  for (std::string l; std::getline(s, l);) v.push_back(l);
  return v;
}
std::string joined(const std::vector<std::string>& v) {
  std::string s;
  for (auto& l : v) s += l + "\n";
  return s;
}

std::set<size_t> linesThatRan(const char* kernel) {
  std::vector<ptxmachineLine> l(ptxmachineLines(kernel, nullptr, 0));
  ptxmachineLines(kernel, l.data(), l.size());
  std::set<size_t> s;
  for (auto& x : l) s.insert(x.line - 1);
  return s;
}

std::string replaced(std::vector<std::string> lines, size_t line, const char* from, const std::string& to) {
  std::string& s = lines[line];
  if (!from) {
    s = "";
  } else {
    const size_t at = s.find(from);
    CHECK(at != std::string::npos);
    if (at != std::string::npos) s.replace(at, strlen(from), to);
  }
  return joined(lines);
}

void expect(const char* what, const std::string& text, const char* kind, Run (*run)(const std::string&)) {
  const Run r = run(text);
  if (r.findings.find(kind) == std::string::npos) {
    printf("    %s: no %s; findings: %s\n", what, kind, r.findings.c_str());
    failures++;
  }
}

}  // namespace

TEST(faults_clean_program_is_silent) {
  const std::string text = testText("product.ptx");
  const Run base = product(text);
  CHECK_EQUAL(base.error, 0);
  CHECK(base.findings.empty());
  if (!base.findings.empty()) printf("%s\n", base.findings.c_str());
  Random r(3);
  std::vector<float> a(n * n), b(n * n);
  for (auto& x : a) x = fromBfloat(toBfloat(r.uniform()));
  for (auto& x : b) x = fromBfloat(toBfloat(r.uniform()));
  double worst = 0;
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) {
      double s = 0;
      for (int k = 0; k < n; k++) s += double(a[size_t(i * n + k)]) * double(b[size_t(j * n + k)]);
      worst = std::max(worst, std::fabs(s - double(base.c[size_t(i * n + j)])));
    }
  // eight roundings of partial sums below 16: 8 * 16 * 2^-24
  CHECK(worst < 8 * 16 * 0x1p-24);
  for (const char* schedule : {"sched=rand", "workers=1", "workers=4"}) {
    const Run again = product(text, schedule);
    CHECK(again.findings.empty());
    CHECK(again.c == base.c);
  }
  ptxmachineOption("workers=0");
  const Run sums = rowSums(text);
  CHECK(sums.findings.empty());
  CHECK(sums.c == std::vector<float>(8, 128.0f));
}

TEST(faults_every_barrier_and_wait_removed) {
  const std::string text = testText("product.ptx");
  const auto lines = split(text);
  struct {
    const char* kernel;
    Run (*run)(const std::string&);
  } kernels[] = {{"product", [](const std::string& t) { return product(t); }}, {"rowSums", rowSums}};
  int planted = 0;
  for (auto& k : kernels) {
    // what ran is asked before the counters are cleared
    Program p(text);
    if (std::string(k.kernel) == "product") {
      Buffer<uint16_t> A(std::vector<uint16_t>(n * n)), B(std::vector<uint16_t>(n * n));
      Buffer<float> C(size_t(n) * n);
      launch(p.function("product"), {n / 64, 128, 0, n / 64}, C.address, A.address, B.address, n, n, n);
    } else {
      Buffer<float> X(std::vector<float>(8 * 256)), Y(8);
      launch(p.function("rowSums"), {8, 128}, Y.address, X.address, 256);
    }
    const auto ran = linesThatRan(k.kernel);
    CHECK(ran.size() > 20);
    for (size_t l : ran) {
      const std::string& s = lines[l];
      if (s.find("bar.sync") == std::string::npos && s.find("bar.warp.sync") == std::string::npos && s.find("cp.async.wait") == std::string::npos) continue;
      expect(("removed: line " + std::to_string(l + 1) + s).c_str(), replaced(lines, l, nullptr, ""), "racecheck", k.run);
      planted++;
    }
  }
  CHECK_EQUAL(planted, 6);
}

TEST(faults_loosened_wait) {
  const std::string text = testText("product.ptx");
  const auto lines = split(text);
  for (size_t l = 0; l < lines.size(); l++) {
    if (lines[l].find("wait_group") == std::string::npos) continue;
    const bool one = lines[l].find("wait_group 1") != std::string::npos;
    expect("loosened wait", replaced(lines, l, one ? " 1;" : " 0;", one ? " 2;" : " 1;"), "racecheck", [](const std::string& t) { return product(t); });
  }
}

TEST(faults_accesses_shifted) {
  const std::string text = testText("product.ptx");
  const auto lines = split(text);
  product(text);  // clears; run once more for the lines
  Program p(text);
  Buffer<uint16_t> A(std::vector<uint16_t>(n * n)), B(std::vector<uint16_t>(n * n));
  Buffer<float> C(size_t(n) * n);
  launch(p.function("product"), {n / 64, 128, 0, n / 64}, C.address, A.address, B.address, n, n, n);
  const auto ran = linesThatRan("product");
  int planted = 0;
  for (size_t l : ran) {
    const std::string& s = lines[l];
    const bool copy = s.find("cp.async.cg") != std::string::npos, store = s.find("st.global") != std::string::npos;
    if (!copy && !store) continue;
    const size_t close = s.rfind(']');
    auto shifted = [&](const std::string& by) {
      auto v = lines;
      v[l].insert(close, by);
      return joined(v);
    };
    auto run = [](const std::string& t) { return product(t); };
    expect("a buffer further", shifted("+" + std::to_string(copy ? n * n * 2 : n * n * 4)), "memcheck", run);
    expect("a buffer before", shifted("+-" + std::to_string(copy ? n * n * 2 : n * n * 4)), "memcheck", run);
    expect("misaligned", shifted("+2"), "memcheck", run);
    planted++;
  }
  CHECK(planted >= 20);
  // The shared side of a copy, far out and into the red zone between the two arrays.
  for (size_t l : ran)
    if (lines[l].find("cp.async.cg") != std::string::npos) {
      auto v = lines;
      v[l].insert(v[l].find(']'), "+10240");
      expect("shared, the next array or beyond", joined(v), "check", [](const std::string& t) { return product(t); });
    }
}

TEST(faults_memory) {
  const std::string store = "  st.global.u32 [%my], %t;";
  Program p(kernelText(store));
  void* k = p.function("k");
  uint64_t freed = 0;
  CHECK_EQUAL(cuMemAlloc_v2(&freed, 4096), 0);
  CHECK_EQUAL(cuMemFree_v2(freed), 0);
  CHECK_EQUAL(launch(k, {}, freed, freed), 700);
  CHECK(findings().find("in freed memory") != std::string::npos);
  CHECK_EQUAL(cuCtxSynchronize(), 700);  // for good, and not in this context alone
  void* other = nullptr;
  CHECK_EQUAL(cuDevicePrimaryCtxRetain(&other, 0), 700);
  ptxmachineClear();
  CHECK_EQUAL(cuCtxSynchronize(), 0);
  Buffer<uint32_t> small(16);
  CHECK_EQUAL(launch(k, {}, small.address, small.address), 700);
  CHECK(findings().find("past the end of the nearest allocation (64 bytes)") != std::string::npos);
  CHECK(findings().find("thread (16,0,0)") != std::string::npos);
  CHECK(findings().find("k block (0,0,0)") != std::string::npos);
  CHECK_EQUAL(ptxmachineFindings("memcheck"), 16u);
  ptxmachineClear();
  Program c(kernelText("  mov.u64 %d1, table; cvta.const.u64 %d1, %d1; st.global.u32 [%d1], %t;", "sm_80", ".const .align 4 .u32 table[2] = {1, 2};"));
  CHECK_EQUAL(launch(c.function("k"), {}, small.address, small.address), 700);
  CHECK(findings().find(".const variable") != std::string::npos);
  ptxmachineClear();
}

TEST(faults_uninitialised) {
  Buffer<uint32_t> in(32), out(32);
  Program p(kernelText("  add.s64 %d0, %in, %off; ld.global.u32 %r0, [%d0]; st.global.u32 [%my], %r0;"));
  CHECK_EQUAL(launch(p.function("k"), {}, out.address, in.address), 0);
  CHECK_EQUAL(ptxmachineFindings("initcheck"), 32u);
  ptxmachineClear();
  Program s(kernelText("  .shared .align 4 .u32 v[32]; mov.u32 %r1, v; shl.b32 %r2, %t, 2; add.s32 %r1, %r1, %r2; setp.lt.u32 %p1, %t, 31;\n"
                       "  @%p1 st.shared.u32 [%r1], %t; ld.shared.u32 %r0, [%r1]; st.global.u32 [%my], %r0;"));
  CHECK_EQUAL(launch(s.function("k"), {}, out.address, in.address), 0);
  CHECK_EQUAL(ptxmachineFindings("initcheck"), 1u);
  CHECK(findings().find("thread (31,0,0) reads never-written shared memory") != std::string::npos);
  ptxmachineClear();
  Program l(kernelText("  .local .align 4 .b8 a[8]; mov.u64 %d1, a; st.local.u32 [%d1], %t; ld.local.u32 %r0, [%d1+4]; st.global.u32 [%my], %r0;"));
  CHECK_EQUAL(launch(l.function("k"), {}, out.address, in.address), 0);
  CHECK_EQUAL(ptxmachineFindings("initcheck"), 32u);
  ptxmachineClear();
}

TEST(faults_shared_bounds) {
  Buffer<uint32_t> out(64);
  Program p(kernelText("  .shared .align 4 .u32 v[32]; .shared .align 4 .u32 u[32]; mov.u32 %r1, v; mov.u32 %r3, u; shl.b32 %r2, %t, 2; add.s32 %r1, %r1, %r2; "
                       "st.shared.u32 [%r1+4], %t; st.shared.u32 [%r3], %t;"));
  CHECK_EQUAL(launch(p.function("k"), {}, out.address, out.address), 700);
  CHECK(findings().find("between two shared variables") != std::string::npos);
  ptxmachineClear();
  Program d(kernelText("  mov.u32 %r1, dyn; shl.b32 %r2, %t, 2; add.s32 %r1, %r1, %r2; st.shared.u32 [%r1], %t;", "sm_80", ".extern .shared .align 16 .b8 dyn[];"));
  CHECK_EQUAL(launch(d.function("k"), {1, 32, 128}, out.address, out.address), 0);
  CHECK(findings().empty());
  CHECK_EQUAL(launch(d.function("k"), {1, 32, 124}, out.address, out.address), 700);
  CHECK(findings().find("outside the block's shared memory") != std::string::npos);
  ptxmachineClear();
}

TEST(faults_stuck) {
  Buffer<uint32_t> out(64);
  Program p(kernelText("  setp.lt.u32 %p1, %t, 16; @%p1 bra A; shfl.sync.bfly.b32 %r1, %t, 1, 31, -1; ret; A: bar.sync 0;"));
  CHECK_EQUAL(launch(p.function("k"), {}, out.address, out.address), 719);
  CHECK_EQUAL(ptxmachineFindings("synccheck"), 1u);
  CHECK(findings().find("stuck") != std::string::npos);
  ptxmachineClear();
  Program b(kernelText("  setp.lt.u32 %p1, %t, 32; @%p1 bra A; bar.sync 1, 64; ret; A: bar.sync 2, 64;"));
  CHECK_EQUAL(launch(b.function("k"), {1, 64}, out.address, out.address), 719);
  CHECK(findings().find("the block is stuck") != std::string::npos);
  ptxmachineClear();
  Program t(kernelText("  trap;"));
  CHECK_EQUAL(launch(t.function("k"), {}, out.address, out.address), 715);
  ptxmachineClear();
  ptxmachineOption("budget=100000");
  Program e(kernelText("  L: bra L;"));
  CHECK_EQUAL(launch(e.function("k"), {}, out.address, out.address), 702);
  ptxmachineOption("budget=20000000000");
  ptxmachineClear();
  Program c(kernelText("  .shared .align 16 .b8 v[512]; mov.u32 %r1, v; shl.b32 %r2, %t, 4; add.s32 %r1, %r1, %r2; mul.wide.u32 %d1, %t, 16; add.s64 %d1, %in, %d1;\n"
                       "  cp.async.cg.shared.global [%r1], [%d1], 16; cp.async.commit_group;"));
  Buffer<uint32_t> in(std::vector<uint32_t>(128, 7));
  CHECK_EQUAL(launch(c.function("k"), {}, out.address, in.address), 0);
  CHECK(findings().find("exits with a copy not waited for") != std::string::npos);
  ptxmachineClear();
}

TEST(faults_global_races) {
  // Every block writes the same words; every block reads its neighbour's; warps of a block without a barrier.
  Buffer<uint32_t> out(std::vector<uint32_t>(4096));
  Program same(kernelText("  st.global.u32 [%my], %t;"));
  CHECK_EQUAL(launch(same.function("k"), {4, 32}, out.address, out.address), 0);
  CHECK(findings().find("blocks race on global") != std::string::npos);
  ptxmachineClear();
  const std::string index = "  mov.u32 %r1, %ctaid.x; mul.lo.s32 %r2, %r1, 32; add.s32 %r2, %r2, %t; mul.wide.u32 %d1, %r2, 4; add.s64 %d2, %out, %d1;\n";
  Program neighbour(kernelText(index + "  ld.global.u32 %r5, [%d2+128]; st.global.u32 [%d2], %r5;"));
  for (const char* workers : {"workers=1", "workers=4"}) {
    ptxmachineOption(workers);
    CHECK_EQUAL(launch(neighbour.function("k"), {8, 32}, out.address, out.address), 0);
    CHECK(findings().find("blocks race on global") != std::string::npos);
    ptxmachineClear();
  }
  ptxmachineOption("workers=0");
  Program own(kernelText(index + "  ld.global.u32 %r5, [%d2]; add.s32 %r5, %r5, 1; st.global.u32 [%d2], %r5;"));
  CHECK_EQUAL(launch(own.function("k"), {8, 32}, out.address, out.address), 0);
  CHECK(findings().empty());
  const std::string swap = "  st.global.u32 [%my], %t; BARRIER xor.b32 %r1, %t, 32; mul.wide.u32 %d1, %r1, 4; add.s64 %d2, %out, %d1; ld.global.u32 %r2, [%d2];";
  auto with = [&](const char* barrier) {
    std::string s = swap;
    return kernelText(s.replace(s.find("BARRIER"), 7, barrier));
  };
  Program unordered(with("")), ordered(with("bar.sync 0;"));
  CHECK_EQUAL(launch(ordered.function("k"), {1, 64}, out.address, out.address), 0);
  CHECK(findings().empty());
  CHECK_EQUAL(launch(unordered.function("k"), {1, 64}, out.address, out.address), 0);
  CHECK(findings().find("racecheck") != std::string::npos);
  ptxmachineClear();
}

TEST(faults_same_report_every_time) {
  const std::string text = testText("product.ptx");
  const auto lines = split(text);
  std::string broken;
  for (size_t l = 0; l < lines.size(); l++)
    if (lines[l].find("bar.sync") != std::string::npos && broken.empty()) broken = replaced(lines, l, nullptr, "");
  const Run one = product(broken, "workers=1"), four = product(broken, "workers=4");
  ptxmachineOption("workers=0");
  CHECK(!one.findings.empty());
  CHECK(one.findings == four.findings);
}
