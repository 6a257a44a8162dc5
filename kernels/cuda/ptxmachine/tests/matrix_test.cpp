// mma.sync in every shape, ldmatrix, stmatrix and movmatrix against loops over the fragments the ISA draws.
#include "harness.h"

namespace {

struct MmaCase {
  const char* shape;
  const char* types;  // d.a.b.c
  int k, each;        // each: values a 32-bit register
  bool halfSums;
};

float value(const std::string& type, uint32_t word, int e) {
  if (type == "bf16") return fromBfloat(uint16_t(word >> 16 * e));
  if (type == "f16") return fromHalf(uint16_t(word >> 16 * e));
  if (type == "s8") return float(int8_t(word >> 8 * e));
  if (type == "u8") return float(uint8_t(word >> 8 * e));
  word &= ~0x1fffu;  // tf32
  float f;
  memcpy(&f, &word, 4);
  return f;
}

void checkMma(const MmaCase& m, const std::string& type) {
  const int aRegisters = 16 * m.k / 32 / m.each, bRegisters = 8 * m.k / 32 / m.each, cRegisters = m.halfSums ? 2 : 4;
  const bool integer = type == "s8" || type == "u8";
  const int all = aRegisters + bRegisters + cRegisters;
  std::string body = "  mul.lo.s32 %r100, %t, " + std::to_string(all * 4) + "; cvt.u64.u32 %d0, %r100; add.s64 %d1, %in, %d0; mul.lo.s32 %r101, %t, " +
                     std::to_string(cRegisters * 4) + "; cvt.u64.u32 %d2, %r101; add.s64 %d3, %out, %d2;\n";
  for (int r = 0; r < all; r++) body += "  ld.global.b32 %r" + std::to_string(r) + ", [%d1+" + std::to_string(4 * r) + "];\n";
  auto list = [](const char* prefix, int first, int n) {
    std::string s = "{";
    for (int r = 0; r < n; r++) s += (r ? "," : "") + std::string(prefix) + std::to_string(first + r);
    return s + "}";
  };
  body += std::string("  mma.sync.aligned.") + m.shape + ".row.col." + m.types + " " + list("%r", 50, cRegisters) + ", " + list("%r", 0, aRegisters) + ", " +
          list("%r", aRegisters, bRegisters) + ", " + list("%r", aRegisters + bRegisters, cRegisters) + ";\n";
  for (int r = 0; r < cRegisters; r++) body += "  st.global.b32 [%d3+" + std::to_string(4 * r) + "], %r" + std::to_string(50 + r) + ";\n";
  Program p(kernelText(body));
  if (p.error) printf("    %s\n", p.log.c_str());
  CHECK_EQUAL(p.error, 0);
  if (p.error) return;
  Random random(uint64_t(m.k) * 7 + type.size());
  std::vector<uint32_t> in(size_t(32 * all));
  for (auto& x : in) {
    if (integer) {
      x = random.bits();
    } else if (type == "tf32") {
      const float f = random.uniform();
      memcpy(&x, &f, 4);
    } else {
      auto one = [&] { return uint32_t(type == "bf16" ? toBfloat(random.uniform()) : toHalf(random.uniform())); };
      x = one() | one() << 16;
    }
  }
  for (int l = 0; l < 32; l++)  // sums to start from: whole floats, or small integers
    for (int r = 0; r < cRegisters; r++) {
      uint32_t& x = in[size_t(l * all + aRegisters + bRegisters + r)];
      const float f = random.uniform() * 4;
      if (integer) x = uint32_t(int(random.bits() % 2000) - 1000);
      else if (m.halfSums) x = toHalf(f) | uint32_t(toHalf(random.uniform())) << 16;
      else memcpy(&x, &f, 4);
    }
  Buffer<uint32_t> input(in), output(size_t(32 * cRegisters));
  CHECK_EQUAL(launch(p.function("k"), {}, output.address, input.address), 0);
  CHECK(findings().empty());
  const auto out = output.get();
  std::vector<double> a(size_t(16 * m.k)), b(size_t(m.k * 8));
  const int chunk = 4 * m.each;
  for (int l = 0; l < 32; l++) {
    const int g = l / 4, q = l % 4;
    for (int r = 0; r < aRegisters; r++)
      for (int e = 0; e < m.each; e++) a[size_t((g + 8 * (r % 2)) * m.k + r / 2 * chunk + q * m.each + e)] = double(value(type, in[size_t(l * all + r)], e));
    for (int r = 0; r < bRegisters; r++)
      for (int e = 0; e < m.each; e++) b[size_t((r * chunk + q * m.each + e) * 8 + g)] = double(value(type, in[size_t(l * all + aRegisters + r)], e));
  }
  for (int l = 0; l < 32; l++)
    for (int x = 0; x < 4; x++) {
      const int row = l / 4 + 8 * (x / 2), col = l % 4 * 2 + x % 2;
      const uint32_t cWord = in[size_t(l * all + aRegisters + bRegisters + (m.halfSums ? x / 2 : x))], dWord = out[size_t(l * cRegisters + (m.halfSums ? x / 2 : x))];
      auto number = [&](uint32_t w) {
        if (integer) return double(int32_t(w));
        if (m.halfSums) return double(fromHalf(uint16_t(w >> 16 * (x % 2))));
        float f;
        memcpy(&f, &w, 4);
        return double(f);
      };
      double want = number(cWord), magnitude = std::fabs(want);
      for (int k = 0; k < m.k; k++) {
        want += a[size_t(row * m.k + k)] * b[size_t(k * 8 + col)];
        magnitude += std::fabs(a[size_t(row * m.k + k)] * b[size_t(k * 8 + col)]);
      }
      // one rounding of an exact sum
      const double tolerance = integer ? 0 : m.halfSums ? magnitude * 0x1p-11 : magnitude * 0x1p-24;
      if (!(std::fabs(number(dWord) - want) <= tolerance)) {
        printf("    %s %s lane %d value %d: %g, want %g\n", m.shape, m.types, l, x, number(dWord), want);
        failures++;
        return;
      }
    }
}

}  // namespace

TEST(matrix_mma) {
  checkMma({"m16n8k16", "f32.bf16.bf16.f32", 16, 2, false}, "bf16");
  checkMma({"m16n8k8", "f32.bf16.bf16.f32", 8, 2, false}, "bf16");
  checkMma({"m16n8k16", "f32.f16.f16.f32", 16, 2, false}, "f16");
  checkMma({"m16n8k8", "f32.f16.f16.f32", 8, 2, false}, "f16");
  checkMma({"m16n8k16", "f16.f16.f16.f16", 16, 2, true}, "f16");
  checkMma({"m16n8k8", "f16.f16.f16.f16", 8, 2, true}, "f16");
  checkMma({"m16n8k8", "f32.tf32.tf32.f32", 8, 1, false}, "tf32");
  checkMma({"m16n8k4", "f32.tf32.tf32.f32", 4, 1, false}, "tf32");
  checkMma({"m16n8k32", "s32.s8.s8.s32", 32, 4, false}, "s8");
  checkMma({"m16n8k16", "s32.u8.u8.s32", 16, 4, false}, "u8");
}

TEST(matrix_truncation_stays_within_its_bound) {
  ptxmachineOption("mma=trunc");
  // k = 16: two truncations of at most one unit in the last place each, far inside what checkMma allows for halves; for floats
  // the difference must show and must stay below 2^-22 of the magnitude.
  const std::string body = "  mov.b32 %r0, 0x3f803f80; mov.b32 %r1, 0x3b003b00; mov.f32 %f1, 0f4B800001;\n"
                           "  mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f2,%f3,%f4,%f5}, {%r0,%r0,%r0,%r0}, {%r1,%r1}, {%f1,%f1,%f1,%f1};\n"
                           "  st.global.f32 [%my], %f2;";
  Program p(kernelText(body));
  Buffer<float> out(32);
  CHECK_EQUAL(launch(p.function("k"), {}, out.address, out.address), 0);
  const float truncated = out.get()[0];
  ptxmachineOption("mma=exact");
  CHECK_EQUAL(launch(p.function("k"), {}, out.address, out.address), 0);
  const double exact = 16777218.0 + 16 * 0x1p-9;
  CHECK(std::fabs(truncated - exact) <= exact * 0x1p-22);
  CHECK(std::fabs(out.get()[0] - exact) <= exact * 0x1p-24);
}

TEST(matrix_ldmatrix) {
  for (int n : {1, 2, 4})
    for (bool transposed : {false, true}) {
      std::string registers = "{";
      for (int r = 0; r < n; r++) registers += (r ? ",%r" : "%r") + std::to_string(10 + r);
      registers += "}";
      // 32 rows of 16 bytes at a pitch of 16; lane l gives row l
      std::string body = "  .shared .align 16 .b8 v[512]; mov.u32 %r1, v; shl.b32 %r2, %t, 4; add.s32 %r3, %r1, %r2; mul.wide.u32 %d1, %t, 16; add.s64 %d2, %in, %d1;\n"
                         "  ld.global.v4.u32 {%r4,%r5,%r6,%r7}, [%d2]; st.shared.v4.u32 [%r3], {%r4,%r5,%r6,%r7}; bar.sync 0;\n"
                         "  ldmatrix.sync.aligned.m8n8.x" + std::to_string(n) + (transposed ? ".trans" : "") + ".shared.b16 " + registers + ", [%r3];\n";
      for (int r = 0; r < n; r++) body += "  st.global.u32 [%my+" + std::to_string(128 * r) + "], %r" + std::to_string(10 + r) + ";\n";
      Program p(kernelText(body));
      CHECK_EQUAL(p.error, 0);
      std::vector<uint16_t> in(256);
      for (size_t i = 0; i < 256; i++) in[i] = uint16_t(i * 257);
      Buffer<uint16_t> input(in);
      Buffer<uint32_t> output(size_t(32 * n));
      CHECK_EQUAL(launch(p.function("k"), {}, output.address, input.address), 0);
      CHECK(findings().empty());
      const auto out = output.get();
      for (int r = 0; r < n; r++)
        for (int l = 0; l < 32; l++)
          for (int e = 0; e < 2; e++) {
            const int row = l / 4, col = l % 4 * 2 + e;
            const uint16_t want = transposed ? in[size_t(r * 64 + col * 8 + row)] : in[size_t(r * 64 + row * 8 + col)];
            CHECK_EQUAL(uint16_t(out[size_t(r * 32 + l)] >> 16 * e), want);
          }
    }
}

TEST(matrix_stmatrix_and_movmatrix) {
  const std::string body = "  .shared .align 16 .b8 v[512]; mov.u32 %r1, v; and.b32 %r2, %t, 7; shl.b32 %r2, %r2, 4; add.s32 %r3, %r1, %r2;\n"
                           "  shl.b32 %r4, %t, 1; add.s32 %r5, %r4, 1; shl.b32 %r6, %r5, 16; or.b32 %r7, %r6, %r4;\n"
                           "  stmatrix.sync.aligned.m8n8.x1.trans.shared.b16 [%r3], {%r7}; bar.warp.sync -1;\n"
                           "  ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r8}, [%r3]; movmatrix.sync.aligned.m8n8.trans.b16 %r9, %r8; st.global.u32 [%my], %r9;";
  Program p(kernelText(body, "sm_90a"));
  CHECK_EQUAL(p.error, 0);
  Buffer<uint32_t> out(32);
  CHECK_EQUAL(launch(p.function("k"), {}, out.address, out.address), 0);
  CHECK(findings().empty());
  const auto v = out.get();
  for (uint32_t l = 0; l < 32; l++) CHECK_EQUAL(v[l], (2 * l + 1) << 16 | 2 * l);
}
