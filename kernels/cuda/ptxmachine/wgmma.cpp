// wgmma.mma_async: m64nNk16 of f16 or bf16, A from shared memory or registers, B from shared memory, both by matrix
// descriptor. Each of the four warps computes its 16 rows when it issues. Until wait_group the accumulators are in flight,
// whoever reads or writes them is reported, and so is a register written without wgmma.fence before it is used; shared
// memory counts as being read until the wait. Source: PTX ISA, "Asynchronous warpgroup level matrix instructions".
#include "access.h"
#include "decode.h"
#include "matrixproduct.h"
#include "tensormap.h"

namespace ptx {

namespace {

struct Descriptor {
  u64 start, leading, stride;
  u32 swizzleBits;  // 0 none, 1 32 bytes, 2 64 bytes, 3 128 bytes
  bool valid;
};

Descriptor descriptor(u64 d) {
  static const u32 bits[] = {0, 3, 2, 1};
  return {(d & 0x3fff) << 4, (d >> 16 & 0x3fff) << 4, (d >> 32 & 0x3fff) << 4, bits[d >> 62], (d >> 49 & 7) == 0};
}

// Where 16 bytes of a matrix lie: `row` counts along M or N, `k` along K, both in elements of 2 bytes. K-major: the 16 bytes go
// on along K, so k is a multiple of 8; M/N-major: along the row, so row is. Source: the canonical layouts of the ISA.
u64 chunkAddress(const Descriptor& d, u32 row, u32 k, bool kMajor) {
  const u32 span = 16u << d.swizzleBits;
  u64 a = d.start;
  if (kMajor) {
    if (d.swizzleBits) a += u64(row % 8) * span + u64(row / 8) * d.stride + u64(k) * 2;
    else a += u64(row % 8) * 16 + u64(row / 8) * d.stride + u64(k / 8) * d.leading;
  } else {
    const u32 across = span / 2;  // elements of a row before the next atom
    if (d.swizzleBits) a += u64(row % across) * 2 + u64(row / across) * d.leading + u64(k % 8) * span + u64(k / 8) * d.stride;
    else a += u64(row / 8) * d.stride + u64(k % 8) * 16 + u64(k / 8) * d.leading;
  }
  return swizzled(a, d.swizzleBits);
}

struct Reader {  // chunks of shared memory, noted as being read asynchronously
  Warp& w;
  const Instruction& i;
  bool counts = true;
  u64 held[2][32] = {};
  u32 waiting[2] = {};
  // Eight chunks of one half, a core matrix, are one wavefront where each lies in banks of its own.
  bool chunk(u64 address, u16 (&v)[8], u32 half) {
    if (counts) {
      held[half][waiting[half]++] = address;
      if (waiting[half] == 8) {
        countShared(w.block->counts[w.block->pcOf(i)].shared, held[half], 0xff, 16);
        waiting[half] = 0;
      }
    }
    const u8* p = sharedAccess(w, i, 0, address, 16, Use::Read, false);
    if (!p) {
      std::memset(v, 0, sizeof v);
      return false;
    }
    std::memcpy(v, p, 16);
    Block& b = *w.block;
    if (!b.checkRace) return true;
    const u32 word = u32(address / 4);
    b.race.beginAsyncRead(w, i, word, 4);
    auto& reads = w.wgmma.reads;
    if (!reads.empty() && reads.back().firstWord + reads.back().words == word && reads.back().group == w.wgmma.group &&
        reads.back().pc == b.pcOf(i))
      reads.back().words += 4;
    else reads.push_back({word, 4, b.pcOf(i), w.wgmma.group});
    return true;
  }
};

enum : u32 { AInRegisters = 1, HalfSums = 2, NegateA = 4, NegateB = 8, ARowMajorM = 16, BRowMajorN = 32, BfloatIn = 64 };

double valueOf(u16 bits, bool bfloat) { return double(bfloat ? bfloatValue(bits) : halfValue(bits)); }

// Operands: results D, then sources D, A (descriptor or 4 registers), B descriptor, scale-d.
void multiplyAsync(Warp& w, const Instruction& i, Lanes) {
  Block& b = *w.block;
  const u32 n = i.elements * 8u, o = i.option;
  const bool halfSums = o & HalfSums, bfloat = o & BfloatIn;
  const u32 sums = i.results;
  const u32* source = i.operand + sums;
  const u32* aOperand = source + sums;
  const u32* bOperand = aOperand + (o & AInRegisters ? 4 : 1);
  const Lanes scale = *w.at<u32>(bOperand[1]);
  const u32 firstRow = w.id % 4 * 16;
  Reader reader{w, i};
  double a[16][16] = {};
  u16 v[8];
  const double signA = o & NegateA ? -1 : 1, signB = o & NegateB ? -1 : 1;
  if (o & AInRegisters) {
    for (u32 r = 0; r < 4; r++) {
      const u16* s = w.at<u16>(aOperand[r]);
      for (u32 g = 0; g < 8; g++)
        for (u32 x = 0; x < 8; x++) a[g + 8 * (r & 1)][(r >> 1) * 8 + x] = signA * valueOf(s[g * 8 + x], bfloat);
    }
  } else {
    const Descriptor d = descriptor(w.at<u64>(aOperand[0])[0]);
    if (o & ARowMajorM) {
      for (u32 k = 0; k < 16; k++)
        for (u32 half = 0; half < 2; half++) {
          reader.chunk(chunkAddress(d, firstRow + half * 8, k, false), v, half);
          for (u32 x = 0; x < 8; x++) a[half * 8 + x][k] = signA * valueOf(v[x], bfloat);
        }
    } else {
      for (u32 row = 0; row < 16; row++)
        for (u32 half = 0; half < 2; half++) {
          reader.chunk(chunkAddress(d, firstRow + row, half * 8, true), v, half);
          for (u32 x = 0; x < 8; x++) a[row][half * 8 + x] = signA * valueOf(v[x], bfloat);
        }
    }
  }
  const Descriptor d = descriptor(w.at<u64>(bOperand[0])[0]);
  reader.counts = w.id % 4 == 0;  // B is read once for the warpgroup
  for (u32 block = 0; block < n / 8; block++) {
    double bb[16][8], c[16][8];
    if (o & BRowMajorN) {
      for (u32 k = 0; k < 16; k++) {
        reader.chunk(chunkAddress(d, block * 8, k, false), v, 0);
        for (u32 x = 0; x < 8; x++) bb[k][x] = signB * valueOf(v[x], bfloat);
      }
    } else {
      for (u32 row = 0; row < 8; row++)
        for (u32 half = 0; half < 2; half++) {
          reader.chunk(chunkAddress(d, block * 8 + row, half * 8, true), v, half);
          for (u32 x = 0; x < 8; x++) bb[half * 8 + x][row] = signB * valueOf(v[x], bfloat);
        }
    }
    for (u32 x = 0; x < 4; x++)
      for (u32 l = 0; l < 32; l++) {
        double& to = c[l / 4 + 8 * (x >> 1)][l % 4 * 2 + (x & 1)];
        if (!(scale >> l & 1)) to = 0;
        else if (halfSums) to = double(float(w.at<Half>(source[block * 2 + (x >> 1)])[l * 2 + (x & 1)]));
        else to = double(w.at<float>(source[block * 4 + x])[l]);
      }
    multiplyBlock<16>(a, bb, c, options().truncate);
    for (u32 x = 0; x < 4; x++)
      for (u32 l = 0; l < 32; l++) {
        const double from = c[l / 4 + 8 * (x >> 1)][l % 4 * 2 + (x & 1)];
        if (halfSums) w.at<Half>(i.operand[block * 2 + (x >> 1)])[l * 2 + (x & 1)] = Half(floatToOdd(from));
        else w.at<float>(i.operand[block * 4 + x])[l] = float(from);
      }
  }
  b.tensorOperations += 16ull * n * 16;
  WgmmaState& s = w.wgmma;
  for (u32 k = 0; k < sums; k++) s.inFlight[i.operand[k] / 64] = 1 + s.group;
  s.lastPc = b.pcOf(i);
  s.any = true;
}

void fence(Warp& w, const Instruction&, Lanes) { w.wgmma.fence = w.wgmma.now; }

void commit(Warp& w, const Instruction&, Lanes) { w.wgmma.group++; }

void wait(Warp& w, const Instruction& i, Lanes) {
  Block& b = *w.block;
  WgmmaState& s = w.wgmma;
  auto complete = [&](u32 group) { return group + u64(i.displacement) < s.group; };
  s.any = false;
  for (u32& group : s.inFlight) {
    if (group && complete(group - 1)) group = 0;
    s.any |= group != 0;
  }
  size_t kept = 0;
  for (const PendingRead& r : s.reads) {
    if (!complete(r.group)) s.reads[kept++] = r;
    else if (b.checkRace) b.race.endAsyncRead(w, r.pc, r.firstWord, r.words);
  }
  s.reads.resize(kept);
}

void decode(Decoder& d) {
  d.assembly().kernel->wgmma = true;
  d.need(d.has("sync") && d.has("aligned"));
  if (d.has("fence")) {
    d.emit(fence, Class::Barrier, {}, {}, Flow::Gather);
    return;
  }
  if (d.has("commit_group")) {
    d.emit(commit, Class::Barrier, {}, {}, Flow::Gather);
    return;
  }
  if (d.has("wait_group")) {
    d.emit(wait, Class::Barrier, {}, {}, Flow::Gather).displacement = d.immediate(0);
    return;
  }
  d.need(d.has("mma_async"));
  u32 n = 0;
  for (std::string_view m : d.statement().modifiers)
    if (m.substr(0, 4) == "m64n") {
      const std::string shape(m);
      unsigned columns = 0, k = 0;
      if (sscanf(shape.c_str(), "m64n%uk%u", &columns, &k) == 2 && k == 16) n = columns;
      d.need(n >= 8 && n <= 256 && n % 8 == 0);
      d.has(m);
    }
  d.need(n > 0);
  const Type bt = d.type(), at = d.type(), dt = d.type();
  d.need(at == bt && (at == Type::F16 || at == Type::BF16) && (dt == Type::F32 || (dt == Type::F16 && at == Type::F16)));
  u32 option = (at == Type::BF16 ? u32(BfloatIn) : 0u) | (dt == Type::F16 ? u32(HalfSums) : 0u);
  const u32 sums = dt == Type::F16 ? n / 4 : n / 2;
  d.need(d.operand(0).kind == Operand::Vector && d.operand(0).parts.size() == sums);
  std::vector<u32> results, sources;
  for (const Operand& o : d.operand(0).parts) results.push_back(d.result(o, 4));
  sources = results;
  const bool inRegisters = d.operand(1).kind == Operand::Vector;
  if (inRegisters) {
    option |= AInRegisters;
    d.need(d.operand(1).parts.size() == 4);
    for (const Operand& o : d.operand(1).parts) sources.push_back(d.source(o, 4));
  } else {
    sources.push_back(d.source(d.operand(1), 8));
  }
  sources.push_back(d.source(d.operand(2), 8));
  size_t k = 3;
  if (k < d.count() && (d.operand(3).kind == Operand::Register || d.count() > 5)) {
    sources.push_back(d.predicate(d.operand(k++)));
  } else {
    sources.push_back(d.constant(~0u, 4));
  }
  auto flag = [&](bool minus) {
    if (k >= d.count()) return false;
    const s64 v = d.immediate(k++);
    d.need(minus ? v == 1 || v == -1 : v == 0 || v == 1);
    return minus ? v == -1 : v == 1;
  };
  if (flag(true)) option |= NegateA;
  if (flag(true)) option |= NegateB;
  if (!inRegisters && flag(false)) option |= ARowMajorM;
  if (flag(false)) option |= BRowMajorN;
  d.need(k == d.count());
  Instruction& i = d.emit(multiplyAsync, Class::Tensor, results, sources, Flow::Gather);
  i.elements = u8(n / 8);
  i.option = option;
}

void inFlight(Warp& w, const Instruction& i, const char* verb) {
  Block& b = *w.block;
  b.report(Check::Race, b.pcOf(i), w.wgmma.lastPc, 0, [&] {
    return format("warp %u %s an accumulator in flight at ", w.id, verb) + b.at(b.pcOf(i)) + "; issued at " + b.at(w.wgmma.lastPc) +
           ", not waited for";
  });
}

}  // namespace

// Called before every instruction of a kernel that uses wgmma.
void trackRegisters(Warp& w, const Instruction& i, Lanes) {
  WgmmaState& s = w.wgmma;
  s.now++;
  auto place = [](u32 reference) { return reference & constantBank ? none : reference / 64; };
  if (i.run == multiplyAsync) {
    const Block& b = *w.block;
    const u32 registers = i.results + (i.option & AInRegisters ? 4 : 0);
    for (u32 k = 0; k < registers; k++) {
      const u32 p = place(i.operand[i.results + k]);
      if (p == none || s.written[p] <= s.fence) continue;
      w.block->report(Check::Race, b.pcOf(i), none, 0, [&] {
        return format("warp %u uses a register written since the last wgmma.fence, ", w.id) + b.at(b.pcOf(i));
      });
      break;
    }
    return;
  }
  if (i.flags == plainMove && i.kind == Class::Move && i.results == 1) {
    // A copy takes over the register's state: compilers write copies before asynchronous products, and assemblers remove them.
    const u32 to = place(i.operand[0]), from = place(i.operand[1]);
    s.inFlight[to] = from == none ? 0 : s.inFlight[from];
    s.written[to] = from == none ? s.now : s.written[from];
    return;
  }
  if (s.any)
    for (u32 k = i.results; k < i.operands; k++)
      if (const u32 p = place(i.operand[k]); p != none && s.inFlight[p]) {
        inFlight(w, i, "reads");
        break;
      }
  for (u32 k = 0; k < i.results; k++) {
    const u32 p = place(i.operand[k]);
    if (p == none) continue;
    if (s.any && s.inFlight[p]) {
      inFlight(w, i, "writes");
      s.inFlight[p] = 0;
    }
    s.written[p] = s.now;
  }
}

void reportPendingWgmma(Block& b) {
  for (Warp& w : b.warps)
    if (w.wgmma.any)
      b.report(Check::Sync, w.wgmma.lastPc, none, 0,
               [&] { return format("warp %u ends with an asynchronous product not waited for, ", w.id) + b.at(w.wgmma.lastPc); });
}

void resetWgmma(Warp& w, const Kernel& k) {
  w.wgmma = WgmmaState{};
  if (!k.wgmma) return;
  w.wgmma.inFlight.assign(k.registerBytes / 64 + 4, 0);
  w.wgmma.written.assign(k.registerBytes / 64 + 4, 0);
}

void addWgmma(Opcodes& o) { o.add("wgmma", decode); }

}  // namespace ptx
