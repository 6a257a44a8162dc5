#include "access.h"

#include <algorithm>

namespace ptx {

namespace {
const char* verbOf(Use use) { return use == Use::Read ? "read" : use == Use::Write ? "write" : "atomic"; }

u8* bad(Warp& w, const Instruction& i, u32 lane, u64 address, u32 bytes, Use use, const char* space, int code, const std::string& why) {
  Block& b = *w.block;
  b.report(Check::Memory, b.pcOf(i), none, code, [&] {
    return b.thread(w.id * 32 + lane) + format(" %s %s of %u bytes at 0x%llx, ", space, verbOf(use), bytes, ull(address)) + why + ", " +
           b.at(b.pcOf(i));
  });
  return nullptr;
}
constexpr int illegalAddress = 700, misaligned = 716;
}  // namespace

u8* globalSlow(Warp& w, const Instruction& i, u32 lane, u64 address, u32 bytes, Use use, u32 align) {
  Block& b = *w.block;
  Allocation* a = memory().containing(address, bytes);
  if (!a) return bad(w, i, lane, address, bytes, use, "global", illegalAddress, memory().describe(address, bytes));
  if (a->device >= 0 && a->device != b.launch->device)
    return bad(w, i, lane, address, bytes, use, "global", illegalAddress, format("memory of device %d from device %d", a->device, b.launch->device));
  if (address & (align - 1)) return bad(w, i, lane, address, bytes, use, "global", misaligned, "misaligned");
  if (use != Use::Read && a->readOnly) return bad(w, i, lane, address, bytes, use, "global", illegalAddress, "in a .const variable");
  b.hints[b.pcOf(i)] = a;
  return a->host + (address - a->base);
}

u8* sharedSlow(Warp& w, const Instruction& i, u32 lane, u64 address, u32 bytes, Use use) {
  Block& b = *w.block;
  if (address < sharedBase || address > b.sharedBytes || address + bytes > b.sharedBytes)
    return bad(w, i, lane, address, bytes, use, "shared", illegalAddress,
               address < sharedBase ? "below the block's shared memory (it begins at 0x400)"
                                    : format("outside the block's shared memory (it ends at 0x%x)", b.sharedBytes));
  if (address & (bytes - 1)) return bad(w, i, lane, address, bytes, use, "shared", misaligned, "misaligned");
  return bad(w, i, lane, address, bytes, use, "shared", illegalAddress, "between two shared variables");
}

void unwritten(Warp& w, const Instruction& i, u32 lane, u64 address, const char* space) {
  Block& b = *w.block;
  b.report(Check::Init, b.pcOf(i), none, 0, [&] {
    return b.thread(w.id * 32 + lane) + format(" reads never-written %s memory at 0x%llx, ", space, ull(address)) + b.at(b.pcOf(i));
  });
}

u8* localAccess(Warp& w, const Instruction& i, u32 lane, u64 address, u32 bytes, Use use) {
  Block& b = *w.block;
  const u32 size = b.kernel->localBytes;
  if (address > size || address + bytes > size)
    return bad(w, i, lane, address, bytes, use, "local", illegalAddress, "outside the thread's local memory");
  if (address & (bytes - 1)) return bad(w, i, lane, address, bytes, use, "local", misaligned, "misaligned");
  const u64 place = u64(w.id * 32 + lane) * size + address;
  u8* shadow = &b.localInit[place];
  if (use != Use::Write && b.checkInit && !allWritten(shadow, bytes)) unwritten(w, i, lane, address, "local");
  if (use != Use::Read) std::memset(shadow, 1, bytes);
  return &b.local[place];
}

u8* paramAccess(Warp& w, const Instruction& i, u32 lane, u64 address, u32 bytes) {
  Block& b = *w.block;
  if (address > b.kernel->parameterBytes || address + bytes > b.kernel->parameterBytes)
    return bad(w, i, lane, address, bytes, Use::Read, "parameter", illegalAddress, "outside the kernel's parameters");
  return const_cast<u8*>(b.launch->parameters.data()) + address;
}

// Sectors that the block has not read, or not written, before: what it asks of the memory behind a first-level cache that holds all it touches.
void countFresh(Block& b, Traffic& t, u64 firstSector, u64 lastSector, bool writes) {
  if (!b.countsFresh) return;
  for (u64 sector = firstSector; sector <= lastSector; sector++) t.fresh += b.touched.insert(sector * 2 + writes).second;
}

void countGlobal(Block& b, Traffic& t, const u64* address, Lanes m, u32 bytes, bool writes) {
  if (!m || !bytes) return;
  u64 a[32];
  u32 n = 0;
  bool ascending = true;
  eachLane(m, [&](u32 l) {
    ascending &= !n || address[l] >= a[n - 1];
    a[n++] = address[l];
  });
  if (!ascending) std::sort(a, a + n);
  u64 last = ~0ull, previous = ~0ull, sectors = 0, distinct = 0;
  for (u32 k = 0; k < n; k++) {
    if (a[k] == previous) continue;
    previous = a[k];
    distinct++;
    u64 first = a[k] >> 5;
    const u64 end = (a[k] + bytes - 1) >> 5;
    if (first == last) first++;
    if (first <= end) {
      sectors += end - first + 1;
      countFresh(b, t, first, end, writes);
      last = end;
    }
  }
  t.requests++;
  t.bytes += u64(bytes) * n;
  t.units += sectors;
  t.least += (distinct * bytes + 31) / 32;
}

// 4-byte accesses of a warp are one phase, 8-byte ones two half warps, 16-byte ones four quarters; in each phase every bank
// serves one word, and equal words once.
void countShared(Traffic& t, const u64* address, Lanes m, u32 bytes) {
  if (!m || !bytes) return;
  const u32 phaseLanes = bytes <= 4 ? 32 : bytes <= 8 ? 16 : 8, words = bytes <= 4 ? 1 : bytes / 4;
  t.requests++;
  t.bytes += u64(bytes) * u32(__builtin_popcount(m));
  const u64 one = address[__builtin_ctz(m)];
  bool same = true;
  for (u32 l = 0; l < 32; l++) same &= address[l] == one || !(m >> l & 1);
  for (u32 begin = 0; begin < 32; begin += phaseLanes) {
    const Lanes phase = m & (phaseLanes == 32 ? allLanes : ((1u << phaseLanes) - 1) << begin);
    if (!phase) continue;
    if (same) {
      t.units++;
      t.least++;
      continue;
    }
    u32 held[32], taken = 0, others = 0;
    u32 other[32 * 4];
    eachLane(phase, [&](u32 l) {
      for (u32 k = 0; k < words; k++) {
        const u32 word = u32(address[l] / 4) + k, bank = word & 31;
        if (!(taken >> bank & 1)) {
          taken |= 1u << bank;
          held[bank] = word;
        } else if (held[bank] != word) {
          other[others++] = word;
        }
      }
    });
    u32 most = 1;
    if (others) {
      std::sort(other, other + others, [](u32 x, u32 y) { return std::make_pair(x & 31, x) < std::make_pair(y & 31, y); });
      u32 count = 0;
      for (u32 k = 0; k < others; k++) {
        if (k && other[k] == other[k - 1]) continue;
        count = k && (other[k] & 31) == (other[k - 1] & 31) ? count + 1 : 1;
        most = std::max(most, count + 1);
      }
    }
    t.units += most;
    t.least++;
  }
}

}  // namespace ptx
