// ldmatrix, stmatrix, movmatrix and mma.sync. In every fragment the values of one row of eight lie in four neighbouring
// lanes in order, so a register of the warp, read as an array, is eight rows one after the other.
//
// mma: products are exact; sums are kept in double and rounded once. mma=trunc truncates to float after every 8 products,
// nearer to what the hardware does; results may differ by 1.5e-5 relative, so tolerances must allow both.
// Source: PTX ISA, "Warp-level matrix instructions".
#include "access.h"
#include "decode.h"
#include "matrixproduct.h"

namespace ptx {

namespace {

template <int n, bool transposed>
void loadMatrix(Warp& w, const Instruction& i, Lanes) {
  u64 a[32];
  const Lanes rows = n == 4 ? allLanes : (1u << n * 8) - 1;
  laneAddresses(w, i.operand[n], i.narrow, i.displacement, rows, a);
  for (u64& x : a) x &= ~windowMask;
  for (u32 k = 0; k < n; k++) {
    u16 v[8][8];
    for (u32 r = 0; r < 8; r++) {
      const u8* p = sharedAccess(w, i, k * 8 + r, a[k * 8 + r], 16, Use::Read);
      if (p) std::memcpy(v[r], p, 16);
      else std::memset(v[r], 0, 16);
    }
    u16* d = w.at<u16>(i.operand[k]);
    for (u32 r = 0; r < 8; r++)
      for (u32 c = 0; c < 8; c++) d[r * 8 + c] = transposed ? v[c][r] : v[r][c];
  }
  countShared(w.block->counts[w.block->pcOf(i)].shared, a, rows, 16);
}

template <int n, bool transposed>
void storeMatrix(Warp& w, const Instruction& i, Lanes) {
  u64 a[32];
  const Lanes rows = n == 4 ? allLanes : (1u << n * 8) - 1;
  laneAddresses(w, i.operand[n], i.narrow, i.displacement, rows, a);
  for (u64& x : a) x &= ~windowMask;
  for (u32 k = 0; k < n; k++) {
    const u16* s = w.at<u16>(i.operand[k]);
    for (u32 r = 0; r < 8; r++) {
      u8* p = sharedAccess(w, i, k * 8 + r, a[k * 8 + r], 16, Use::Write);
      if (!p) continue;
      u16 row[8];
      for (u32 c = 0; c < 8; c++) row[c] = transposed ? s[c * 8 + r] : s[r * 8 + c];
      std::memcpy(p, row, 16);
    }
  }
  countShared(w.block->counts[w.block->pcOf(i)].shared, a, rows, 16);
}

void moveMatrix(Warp& w, const Instruction& i, Lanes) {
  u16 v[64];
  std::memcpy(v, w.at<u16>(i.operand[1]), sizeof v);
  u16* d = w.at<u16>(i.operand[0]);
  for (u32 r = 0; r < 8; r++)
    for (u32 c = 0; c < 8; c++) d[r * 8 + c] = v[c * 8 + r];
}

void matrixMove(Decoder& d, bool isLoad) {
  d.skip({"sync", "aligned"});
  const int x = d.oneOf({"x1", "x2", "x4"});
  const bool transposed = d.has("trans");
  const bool generic = !(d.has("shared") || d.has("shared::cta"));
  (void)generic;  // generic addresses carry the window, which the access removes
  d.need(d.has("m8n8") && x >= 0 && d.type() == Type::B16);
  d.expect(2, 2);
  const Operand& registers = d.operand(isLoad ? 0 : 1);
  const size_t n = size_t(1) << x;
  std::vector<u32> values;
  if (registers.kind == Operand::Vector) {
    d.need(registers.parts.size() == n);
    for (const Operand& o : registers.parts) values.push_back(isLoad ? d.result(o, 4) : d.source(o, 4));
  } else {
    d.need(n == 1);
    values.push_back(isLoad ? d.result(registers, 4) : d.source(registers, 4));
  }
  s64 displacement = 0;
  bool narrow = false;
  const u32 base = d.addressOf(d.operand(isLoad ? 1 : 0), displacement, narrow);
  static const Execute loads[] = {loadMatrix<1, false>, loadMatrix<2, false>, loadMatrix<4, false>,
                                  loadMatrix<1, true>,  loadMatrix<2, true>,  loadMatrix<4, true>};
  static const Execute stores[] = {storeMatrix<1, false>, storeMatrix<2, false>, storeMatrix<4, false>,
                                   storeMatrix<1, true>,  storeMatrix<2, true>,  storeMatrix<4, true>};
  std::vector<u32> sources;
  if (!isLoad) sources = values;
  sources.push_back(base);
  Instruction& i = isLoad ? d.emit(loads[x + 3 * transposed], Class::Shared, values, sources, Flow::Gather)
                          : d.emit(stores[x + 3 * transposed], Class::Shared, {}, sources, Flow::Gather);
  i.displacement = displacement;
  i.narrow = narrow;
  i.space = Space::Shared;
  i.flags = isLoad ? 1 : 2;
}

struct Tf32 {
  u32 bits;
  operator float() const { return tf32Value(bits); }
};

// Operands: D (4 floats or 2 packed halves), then A, B, C.
template <class T, int k, bool halfSums>
void mma(Warp& w, const Instruction& i, Lanes) {
  constexpr int each = 4 / int(sizeof(T)), chunk = 4 * each, aRegisters = k / chunk * 2, bRegisters = k / chunk, cRegisters = halfSums ? 2 : 4;
  const u32* o = i.operand + cRegisters;
  double a[16][k], b[k][8], c[16][8];
  for (int r = 0; r < aRegisters; r++) {
    const T* s = w.at<T>(o[r]);
    for (int g = 0; g < 8; g++)
      for (int x = 0; x < chunk; x++) a[g + 8 * (r & 1)][(r >> 1) * chunk + x] = double(float(s[g * chunk + x]));
  }
  o += aRegisters;
  for (int r = 0; r < bRegisters; r++) {
    const T* s = w.at<T>(o[r]);
    for (int g = 0; g < 8; g++)
      for (int x = 0; x < chunk; x++) b[r * chunk + x][g] = double(float(s[g * chunk + x]));
  }
  o += bRegisters;
  for (int h = 0; h < 2; h++) {
    if constexpr (halfSums) {
      const Half* s = w.at<Half>(o[h]);
      for (int g = 0; g < 8; g++)
        for (int x = 0; x < 8; x++) c[g + 8 * h][x] = double(float(s[g * 8 + x]));
    } else {
      const float *s0 = w.at<float>(o[2 * h]), *s1 = w.at<float>(o[2 * h + 1]);
      for (int l = 0; l < 32; l++) c[l / 4 + 8 * h][l % 4 * 2] = s0[l], c[l / 4 + 8 * h][l % 4 * 2 + 1] = s1[l];
    }
  }
  multiplyBlock<k>(a, b, c, options().truncate);
  for (int h = 0; h < 2; h++) {
    if constexpr (halfSums) {
      Half* d = w.at<Half>(i.operand[h]);
      for (int g = 0; g < 8; g++)
        for (int x = 0; x < 8; x++) d[g * 8 + x] = Half(floatToOdd(c[g + 8 * h][x]));
    } else {
      float *d0 = w.at<float>(i.operand[2 * h]), *d1 = w.at<float>(i.operand[2 * h + 1]);
      for (int l = 0; l < 32; l++) d0[l] = float(c[l / 4 + 8 * h][l % 4 * 2]), d1[l] = float(c[l / 4 + 8 * h][l % 4 * 2 + 1]);
    }
  }
  w.block->tensorOperations += 16 * 8 * k;
}

template <class A, class B, int k>
void mmaInteger(Warp& w, const Instruction& i, Lanes) {
  constexpr int aRegisters = k / 8, bRegisters = k / 16;
  const u32* o = i.operand + 4;
  s32 a[16][k], b[k][8], c[16][8];
  for (int r = 0; r < aRegisters; r++)
    for (int g = 0; g < 8; g++)
      for (int x = 0; x < 16; x++) a[g + 8 * (r & 1)][(r >> 1) * 16 + x] = w.at<A>(o[r])[g * 16 + x];
  o += aRegisters;
  for (int r = 0; r < bRegisters; r++)
    for (int g = 0; g < 8; g++)
      for (int x = 0; x < 16; x++) b[r * 16 + x][g] = w.at<B>(o[r])[g * 16 + x];
  o += bRegisters;
  for (int x = 0; x < 4; x++)
    for (int l = 0; l < 32; l++) c[l / 4 + 8 * (x >> 1)][l % 4 * 2 + (x & 1)] = w.at<s32>(o[x])[l];
  const bool saturate = i.option;
  for (int r = 0; r < 16; r++)
    for (int j = 0; j < 8; j++) {
      s64 sum = c[r][j];
      for (int e = 0; e < k; e++) sum += s64(a[r][e]) * b[e][j];
      c[r][j] = saturate ? s32(sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : sum) : s32(u32(u64(sum)));
    }
  for (int x = 0; x < 4; x++)
    for (int l = 0; l < 32; l++) w.at<s32>(i.operand[x])[l] = c[l / 4 + 8 * (x >> 1)][l % 4 * 2 + (x & 1)];
  w.block->tensorOperations += 16 * 8 * k;
}

void mmaDouble(Warp& w, const Instruction& i, Lanes) {  // m8n8k4
  double a[8][4], b[4][8], c[8][8];
  for (int l = 0; l < 32; l++) {
    a[l / 4][l % 4] = w.at<double>(i.operand[2])[l];
    b[l % 4][l / 4] = w.at<double>(i.operand[3])[l];
    for (int h = 0; h < 2; h++) c[l / 4][l % 4 * 2 + h] = w.at<double>(i.operand[4 + u32(h)])[l];
  }
  for (auto r = 0; r < 8; r++)
    for (int j = 0; j < 8; j++)
      for (int e = 0; e < 4; e++) c[r][j] = std::fma(a[r][e], b[e][j], c[r][j]);
  for (int l = 0; l < 32; l++)
    for (int h = 0; h < 2; h++) w.at<double>(i.operand[u32(h)])[l] = c[l / 4][l % 4 * 2 + h];
  w.block->tensorOperations += 8 * 8 * 4;
}

Execute mmaFor(int shape, Type a, Type b, bool halfSums) {
  enum { K4, K8, K16, K32 };
  if (a == Type::S8 || a == Type::U8) {
    const bool sa = a == Type::S8, sb = b == Type::S8;
    if (shape == K16) return sa ? (sb ? mmaInteger<s8, s8, 16> : mmaInteger<s8, u8, 16>) : (sb ? mmaInteger<u8, s8, 16> : mmaInteger<u8, u8, 16>);
    if (shape == K32) return sa ? (sb ? mmaInteger<s8, s8, 32> : mmaInteger<s8, u8, 32>) : (sb ? mmaInteger<u8, s8, 32> : mmaInteger<u8, u8, 32>);
    return nullptr;
  }
  if (a != b) return nullptr;
  if (a == Type::F16 && shape == K8) return halfSums ? mma<Half, 8, true> : mma<Half, 8, false>;
  if (a == Type::F16 && shape == K16) return halfSums ? mma<Half, 16, true> : mma<Half, 16, false>;
  if (halfSums) return nullptr;
  if (a == Type::BF16) return shape == K8 ? mma<Bfloat, 8, false> : shape == K16 ? mma<Bfloat, 16, false> : nullptr;
  if (a == Type::TF32) return shape == K4 ? mma<Tf32, 4, false> : shape == K8 ? mma<Tf32, 8, false> : nullptr;
  return nullptr;
}

void decodeMma(Decoder& d) {
  d.need(d.has("sync") && d.has("aligned"));
  const bool saturate = d.has("satfinite");
  const int shape = d.oneOf({"m16n8k4", "m16n8k8", "m16n8k16", "m16n8k32", "m8n8k4"});
  d.need(d.has("row") && d.has("col") && shape >= 0);
  const Type c = d.type(), b = d.type(), a = d.type(), to = d.type();
  d.expect(4, 4);
  Execute e = nullptr;
  u32 bytes = 4;
  if (shape == 4) {
    if (a == Type::F64 && b == Type::F64 && c == Type::F64 && to == Type::F64) e = mmaDouble;
    bytes = 8;
  } else {
    const bool integer = a == Type::S8 || a == Type::U8, halfSums = to == Type::F16;
    d.need(c == to && (integer ? to == Type::S32 : to == Type::F32 || to == Type::F16));
    e = mmaFor(shape, a, b, halfSums);
  }
  static const size_t k[] = {4, 8, 16, 32};
  size_t counts[4] = {2, 1, 1, 2};
  if (shape != 4) {
    const size_t chunk = 16 / std::max(1u, sizeOf(a)), cRegisters = to == Type::F16 ? 2 : 4;
    counts[0] = counts[3] = cRegisters;
    counts[1] = k[shape] / chunk * 2;
    counts[2] = k[shape] / chunk;
  }
  std::vector<u32> results, sources;
  for (size_t o = 0; o < 4; o++) {
    const Operand& v = d.operand(o);
    std::vector<Operand> parts = v.kind == Operand::Vector ? v.parts : std::vector<Operand>{v};
    d.need(parts.size() == counts[o]);
    for (const Operand& p : parts)
      if (o == 0) results.push_back(d.result(p, bytes));
      else
        sources.push_back(d.source(p, bytes,
                                   p.literal == 'f' || o == 3 ? (bytes == 8        ? Type::F64
                                                                 : to == Type::F32 ? Type::F32
                                                                                   : Type::None)
                                                              : Type::None));
  }
  d.emit(e, Class::Tensor, results, sources, Flow::Gather).option = saturate;
}

}  // namespace

void addMatrix(Opcodes& o) {
  o.add("ldmatrix", [](Decoder& d) { matrixMove(d, true); });
  o.add("stmatrix", [](Decoder& d) { matrixMove(d, false); });
  o.add("movmatrix", [](Decoder& d) {
    d.expect(2, 2);
    d.need(d.has("sync") && d.has("aligned") && d.has("m8n8") && d.has("trans") && d.type() == Type::B16);
    d.emit(moveMatrix, Class::WarpWide, {d.result(d.operand(0), 4)}, {d.source(d.operand(1), 4)}, Flow::Gather);
  });
  o.add("mma", decodeMma);
}

}  // namespace ptx
