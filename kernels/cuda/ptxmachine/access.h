// Every access of memory by a lane passes here: bounds, alignment, never-written bytes, races. What is bad is reported and
// gives null: the load then yields zero, the store is dropped.
#pragma once
#include "machine.h"

namespace ptx {

constexpr u64 writtenPattern = 0x0101010101010101, redZonePattern = 0x0202020202020202;

inline bool allWritten(const u8* shadow, u32 n) {
  u64 x = 0, y = writtenPattern;
  switch (n) {
    case 16: std::memcpy(&y, shadow + 8, 8); [[fallthrough]];
    case 8: std::memcpy(&x, shadow, 8); return x == writtenPattern && y == writtenPattern;
    case 4: std::memcpy(&x, shadow, 4); return x == (writtenPattern & 0xffffffff);
    case 2: std::memcpy(&x, shadow, 2); return x == (writtenPattern & 0xffff);
    case 1: return *shadow == 1;
    default:
      for (u32 k = 0; k < n; k++)
        if (shadow[k] != 1) return false;
      return true;
  }
}
inline bool anyRedZone(const u8* shadow, u32 n) {
  u64 x = 0, y = 0;
  switch (n) {
    case 16: std::memcpy(&y, shadow + 8, 8); [[fallthrough]];
    case 8: std::memcpy(&x, shadow, 8); break;
    case 4: std::memcpy(&x, shadow, 4); break;
    case 2: std::memcpy(&x, shadow, 2); break;
    case 1: x = *shadow; break;
    default:
      for (u32 k = 0; k < n; k++) x |= shadow[k];
  }
  return (x | y) & redZonePattern;
}
inline void markWritten(u8* shadow, u32 n) {
  switch (n) {
    case 16: std::memcpy(shadow + 8, &writtenPattern, 8); [[fallthrough]];
    case 8: std::memcpy(shadow, &writtenPattern, 8); break;
    case 4: std::memcpy(shadow, &writtenPattern, 4); break;
    case 2: std::memcpy(shadow, &writtenPattern, 2); break;
    case 1: *shadow = 1; break;
    default: std::memset(shadow, 1, n);
  }
}

// The slow halves: find out what is wrong and report it; may find that all is well.
u8* globalSlow(Warp& w, const Instruction& i, u32 lane, u64 address, u32 bytes, Use use, u32 align);
u8* sharedSlow(Warp& w, const Instruction& i, u32 lane, u64 address, u32 bytes, Use use);
void unwritten(Warp& w, const Instruction& i, u32 lane, u64 address, const char* space);
void noteGlobal(Warp& w, const Instruction& i, u32 lane, Allocation& a, u64 offset, u32 bytes, Use use);

inline u8* globalAccess(Warp& w, const Instruction& i, u32 lane, u64 address, u32 bytes, Use use, u32 align = 0) {
  Block& b = *w.block;
  Allocation* a = b.hints[b.pcOf(i)];
  const u64 offset = a ? address - a->base : 0;
  if (!align) align = bytes;
  if (!a || bytes > a->size || offset > a->size - bytes || (address & (align - 1)) || (use != Use::Read && a->readOnly)) {
    if (!globalSlow(w, i, lane, address, bytes, use, align)) return nullptr;
    a = b.hints[b.pcOf(i)];
  }
  const u64 at = address - a->base;
  u8* shadow = a->shadow + at;
  if (use != Use::Write && b.checkInit && !allWritten(shadow, bytes)) unwritten(w, i, lane, address, "global");
  if (use != Use::Read) markWritten(shadow, bytes);
  if (b.checkGlobalRace && (a->accesses || use != Use::Read)) noteGlobal(w, i, lane, *a, at, bytes, use);
  return a->host + at;
}

// `note` false: bounds only, the caller tells the race detector itself.
inline u8* sharedAccess(Warp& w, const Instruction& i, u32 lane, u64 address, u32 bytes, Use use, bool note = true) {
  Block& b = *w.block;
  if (address < sharedBase || address + bytes > b.sharedBytes || (address & (bytes - 1)) || anyRedZone(&b.sharedInit[address], bytes))
    return sharedSlow(w, i, lane, address, bytes, use);
  u8* shadow = &b.sharedInit[address];
  if (use != Use::Write && b.checkInit && !allWritten(shadow, bytes)) unwritten(w, i, lane, address, "shared");
  if (use != Use::Read) markWritten(shadow, bytes);
  if (note && b.checkRace) b.race.access(w, i, lane, u32(address), bytes, use);
  return &b.shared[address];
}

u8* localAccess(Warp& w, const Instruction& i, u32 lane, u64 address, u32 bytes, Use use);
u8* paramAccess(Warp& w, const Instruction& i, u32 lane, u64 address, u32 bytes);

// By generic address or by a space known at load.
inline u8* anyAccess(Warp& w, const Instruction& i, u32 lane, u64 address, u32 bytes, Use use, Space space) {
  if (space == Space::Generic) {
    const u64 window = address & windowMask;
    if (window == 0) return globalAccess(w, i, lane, address, bytes, use);
    address -= window;
    space = window == sharedWindow ? Space::Shared : window == localWindow ? Space::Local : window == paramWindow ? Space::Param : Space::Global;
  }
  switch (space) {
    case Space::Shared: return sharedAccess(w, i, lane, address, bytes, use);
    case Space::Local: return localAccess(w, i, lane, address, bytes, use);
    case Space::Param: return paramAccess(w, i, lane, address, bytes);
    default: return globalAccess(w, i, lane, address, bytes, use);
  }
}

// The addresses of the active lanes: the register in `slot` plus the displacement.
inline void laneAddresses(Warp& w, u32 reference, bool narrow, s64 displacement, Lanes m, u64* a) {
  if (narrow) {
    const u32* r = w.at<u32>(reference);
    for (u32 l = 0; l < 32; l++) a[l] = u32(r[l] + u32(displacement));
  } else {
    const u64* r = w.at<u64>(reference);
    for (u32 l = 0; l < 32; l++) a[l] = r[l] + u64(displacement);
  }
  (void)m;
}

// ---- what the hardware would move for one warp's request
void countGlobal(Block& b, Traffic& t, const u64* address, Lanes m, u32 bytes, bool writes);
void countFresh(Block& b, Traffic& t, u64 firstSector, u64 lastSector, bool writes);
void countShared(Traffic& t, const u64* address, Lanes m, u32 bytes);

}  // namespace ptx
