// Bulk and tensor copies (TMA), and cuTensorMapEncodeTiled that describes their tensors. The data move at issue; for the race
// detector they are written by an asynchronous agent that only those have seen who waited for the mbarrier's phase. Stores
// read shared memory until the thread's wait_group. Source: PTX ISA, "cp.async.bulk", "cp.async.bulk.tensor", "Tensors".
#include "tensormap.h"

#include "access.h"
#include "decode.h"
#include "driver.h"
#include "mbarrier.h"

namespace ptx {

void decodeCopyAsync(Decoder& d);
void decodeCopyArrive(Decoder& d);

namespace {

void badCopy(Warp& w, const Instruction& i, u32 lane, int code, const std::string& why) {
  Block& b = *w.block;
  b.report(Check::Memory, b.pcOf(i), none, code, [&] { return b.thread(w.id * 32 + lane) + " " + why + ", " + b.at(b.pcOf(i)); });
}

// Bounds and shadow of a stretch of shared memory; null where it is bad.
u8* sharedStretch(Warp& w, const Instruction& i, u32 lane, u64 address, u64 bytes, bool writes) {
  Block& b = *w.block;
  if (address < sharedBase || bytes > b.sharedBytes || address > b.sharedBytes - bytes) {
    badCopy(w, i, lane, 700,
            format("copies %llu bytes at shared 0x%llx, outside the block's shared memory (0x400 to 0x%x)", ull(bytes), ull(address),
                   b.sharedBytes));
    return nullptr;
  }
  u8* shadow = &b.sharedInit[address];
  for (u64 k = 0; k < bytes; k++)
    if (shadow[k] == 2) {
      badCopy(w, i, lane, 700, format("copies between two shared variables at 0x%llx", ull(address + k)));
      return nullptr;
    }
  if (writes) std::memset(shadow, 1, bytes);
  else if (b.checkInit && std::memchr(shadow, 0, bytes))
    unwritten(w, i, lane, address + u64(static_cast<u8*>(std::memchr(shadow, 0, bytes)) - shadow), "shared");
  return &b.shared[address];
}

// A stretch of global memory, in steps an access may have.
u8* globalStretch(Warp& w, const Instruction& i, u32 lane, u64 address, u64 bytes, Use use) {
  if (!bytes) return nullptr;
  InstructionCount& c = w.block->counts[w.block->pcOf(i)];
  c.global.bytes += bytes;
  c.global.units += (address + bytes - 1) / 32 - address / 32 + 1;
  c.global.least += (bytes + 31) / 32;
  countFresh(*w.block, c.global, address / 32, (address + bytes - 1) / 32, use != Use::Read);
  return globalAccess(w, i, lane, address, u32(bytes), use, 1);
}

// ---- plain bulk copies

void bulkLoad(Warp& w, const Instruction& i, Lanes m) {
  Block& b = *w.block;
  u64 to[32], from[32], barrier[32];
  laneAddresses(w, i.operand[0], i.narrow, i.displacement, m, to);
  laneAddresses(w, i.operand[1], i.narrow2, i.displacement2, m, from);
  laneAddresses(w, i.operand[3], i.flags & 1, s64(s32(i.option)), m, barrier);
  const u32* size = w.at<u32>(i.operand[2]);
  eachLane(m, [&](u32 l) {
    const u64 d = to[l] & ~windowMask;
    const u32 bar = u32(barrier[l] & ~windowMask);
    b.counts[b.pcOf(i)].global.requests++;
    if ((d | from[l] | size[l]) & 15) return badCopy(w, i, l, 716, "copies bytes that are not multiples of 16");
    u8* target = sharedStretch(w, i, l, d, size[l], true);
    const u8* source = globalStretch(w, i, l, from[l], size[l], Use::Read);
    if (!target || !source) return;
    const AsyncClock clock = beginAsync(b, bar);
    if (b.checkRace) b.race.asyncWrite(w, i, l, u32(d / 4), size[l] / 4, clock.agent, clock.time);
    std::memcpy(target, source, size[l]);
    completeTransfer(w, i, l, bar, size[l]);
  });
}

void asyncRead(Warp& w, const Instruction& i, u64 address, u32 bytes) {
  Block& b = *w.block;
  if (b.checkRace) b.race.beginAsyncRead(w, i, u32(address / 4), bytes / 4);
  w.bulkReads.push_back({u32(address / 4), bytes / 4, b.pcOf(i), w.bulkGroup});
}

void bulkStore(Warp& w, const Instruction& i, Lanes m) {
  Block& b = *w.block;
  u64 to[32], from[32];
  laneAddresses(w, i.operand[0], i.narrow, i.displacement, m, to);
  laneAddresses(w, i.operand[1], i.narrow2, i.displacement2, m, from);
  const u32* size = w.at<u32>(i.operand[2]);
  eachLane(m, [&](u32 l) {
    const u64 s = from[l] & ~windowMask;
    b.counts[b.pcOf(i)].global.requests++;
    if ((s | to[l] | size[l]) & 15) return badCopy(w, i, l, 716, "copies bytes that are not multiples of 16");
    const u8* source = sharedStretch(w, i, l, s, size[l], false);
    u8* target = globalStretch(w, i, l, to[l], size[l], Use::Write);
    if (!source || !target) return;
    std::memcpy(target, source, size[l]);
    asyncRead(w, i, s, size[l]);
  });
}

void bulkCommit(Warp& w, const Instruction&, Lanes) { w.bulkGroup++; }

void bulkWait(Warp& w, const Instruction& i, Lanes) {
  Block& b = *w.block;
  size_t kept = 0;
  for (const PendingRead& r : w.bulkReads) {
    if (r.group + u64(i.displacement) >= w.bulkGroup) w.bulkReads[kept++] = r;
    else if (b.checkRace) b.race.endAsyncRead(w, r.pc, r.firstWord, r.words);
  }
  w.bulkReads.resize(kept);
}

// ---- tensors

bool readMap(Warp& w, const Instruction& i, u32 lane, u64 address, TensorMap& map, u32 rank) {
  const u64 window = address & windowMask;
  const u8* p = nullptr;
  if (address & 63) {
    badCopy(w, i, lane, 716, format("a tensor map at 0x%llx, not at a multiple of 64", ull(address)));
    return false;
  }
  p = window == paramWindow ? paramAccess(w, i, lane, address - window, sizeof map) : globalAccess(w, i, lane, address, sizeof map, Use::Read, 64);
  if (!p) return false;
  std::memcpy(&map, p, sizeof map);
  if (map.magic != tensorMapMagic || map.rank != rank) {
    badCopy(w, i, lane, 719,
            map.magic != tensorMapMagic ? format("no tensor map at 0x%llx", ull(address))
                                        : format("a tensor of %u dimensions, the instruction has %u", map.rank, rank));
    return false;
  }
  return true;
}

// Calls row(shared offset, global address, first valid byte, valid bytes) for every innermost row of the box.
template <class F>
void eachRow(const TensorMap& map, const s32* start, F row) {
  const u32 rowBytes = u32(map.box[0]) * map.elementBytes;
  u32 index[5] = {};
  for (u64 offset = 0;; offset += rowBytes) {
    bool inside = true;
    u64 address = map.address;
    for (u32 d = 1; d < map.rank; d++) {
      const s64 at = s64(start[d]) + index[d];
      inside &= at >= 0 && at <= s64(map.size[d]);
      address += u64(at) * map.stride[d - 1];
    }
    s64 first = start[0] < 0 ? -s64(start[0]) : 0, last = std::min<s64>(map.box[0], s64(map.size[0]) + 1 - start[0]);
    if (!inside || last < first) first = last = 0;
    row(offset, address + u64((s64(start[0]) + first) * map.elementBytes), u32(first) * map.elementBytes, u32(last - first) * map.elementBytes);
    u32 d = 1;
    while (d < map.rank && ++index[d] == map.box[d]) index[d++] = 0;
    if (d >= map.rank) return;
  }
}

u32 boxBytes(const TensorMap& map) {
  u32 n = map.elementBytes;
  for (u32 d = 0; d < map.rank; d++) n *= map.box[d];
  return n;
}

bool sharedBox(Warp& w, const Instruction& i, u32 lane, u64 address, const TensorMap& map, bool writes) {
  const u64 align = 128;
  if (address & (align - 1)) {
    badCopy(w, i, lane, 716, format("a tensor tile at shared 0x%llx, not at a multiple of 128", ull(address)));
    return false;
  }
  return sharedStretch(w, i, lane, address, boxBytes(map), writes) != nullptr;
}

// Operands: shared address, map, barrier (loads), coordinates.
void tensorLoad(Warp& w, const Instruction& i, Lanes m) {
  Block& b = *w.block;
  const u32 rank = i.elements;
  u64 to[32], maps[32], barrier[32];
  laneAddresses(w, i.operand[0], i.narrow, i.displacement, m, to);
  laneAddresses(w, i.operand[1], i.narrow2, i.displacement2, m, maps);
  laneAddresses(w, i.operand[2], i.flags & 1, s64(s32(i.option)), m, barrier);
  eachLane(m, [&](u32 l) {
    TensorMap map;
    const u64 d = to[l] & ~windowMask;
    const u32 bar = u32(barrier[l] & ~windowMask);
    if (!readMap(w, i, l, maps[l], map, rank) || !sharedBox(w, i, l, d, map, true)) return;
    s32 start[5] = {};
    for (u32 k = 0; k < rank; k++) start[k] = w.at<s32>(i.operand[3 + k])[l];
    b.counts[b.pcOf(i)].global.requests++;
    const u32 rowBytes = u32(map.box[0]) * map.elementBytes, total = boxBytes(map);
    std::vector<u8> rowData(rowBytes);
    const AsyncClock clock = beginAsync(b, bar);
    if (b.checkRace) b.race.asyncWrite(w, i, l, u32(d / 4), total / 4, clock.agent, clock.time);
    eachRow(map, start, [&](u64 offset, u64 address, u32 first, u32 bytes) {
      if (bytes < rowBytes) {
        std::memset(rowData.data(), 0, rowBytes);
        if (map.fillNan) std::memset(rowData.data(), 0xff, rowBytes);
      }
      if (bytes)
        if (const u8* p = globalStretch(w, i, l, address, bytes, Use::Read)) std::memcpy(rowData.data() + first, p, bytes);
      for (u32 k = 0; k < rowBytes; k += 16) std::memcpy(&b.shared[swizzled(d + offset + k, map.swizzle)], rowData.data() + k, 16);
    });
    completeTransfer(w, i, l, bar, total);
  });
}

void tensorStore(Warp& w, const Instruction& i, Lanes m) {
  Block& b = *w.block;
  const u32 rank = i.elements;
  u64 from[32], maps[32];
  laneAddresses(w, i.operand[0], i.narrow, i.displacement, m, from);
  laneAddresses(w, i.operand[1], i.narrow2, i.displacement2, m, maps);
  eachLane(m, [&](u32 l) {
    TensorMap map;
    const u64 s = from[l] & ~windowMask;
    if (!readMap(w, i, l, maps[l], map, rank) || !sharedBox(w, i, l, s, map, false)) return;
    s32 start[5] = {};
    for (u32 k = 0; k < rank; k++) start[k] = w.at<s32>(i.operand[2 + k])[l];
    b.counts[b.pcOf(i)].global.requests++;
    const u32 rowBytes = u32(map.box[0]) * map.elementBytes;
    std::vector<u8> rowData(rowBytes);
    eachRow(map, start, [&](u64 offset, u64 address, u32 first, u32 bytes) {
      for (u32 k = 0; k < rowBytes; k += 16) std::memcpy(rowData.data() + k, &b.shared[swizzled(s + offset + k, map.swizzle)], 16);
      if (bytes)
        if (u8* p = globalStretch(w, i, l, address, bytes, Use::Write)) std::memcpy(p, rowData.data() + first, bytes);
    });
    asyncRead(w, i, s, boxBytes(map));
  });
}

void nothing(Warp&, const Instruction&, Lanes) {}

void decodeTensor(Decoder& d) {
  const int rank = d.oneOf({"1d", "2d", "3d", "4d", "5d"}) + 1;
  d.skip({"tile"});
  const bool hint = d.has("L2::cache_hint"), load = d.has("mbarrier::complete_tx::bytes"), store = d.has("bulk_group");
  if (d.has("prefetch")) {
    d.skip({"L2", "global"});
    d.emit(nothing, Class::OtherMemory, {}, {});
    return;
  }
  d.need(rank >= 1 && load != store && (d.has("shared::cluster") || d.has("shared::cta")) && d.has("global"));
  const size_t operands = d.count() - (hint ? 1 : 0);
  d.need(operands == (load ? 3u : 2u));
  const Operand& tensor = d.operand(load ? 1 : 0);
  d.need(tensor.kind == Operand::Address && int(tensor.parts.size()) == rank);
  s64 shared = 0, map = 0, barrier = 0;
  bool narrow = false, narrow2 = false, narrow3 = false;
  std::vector<u32> sources = {d.addressOf(d.operand(load ? 0 : 1), shared, narrow), d.addressOf(tensor, map, narrow2)};
  if (load) sources.push_back(d.addressOf(d.operand(2), barrier, narrow3));
  for (const Operand& c : tensor.parts) sources.push_back(d.source(c, 4));
  Instruction& i = d.emit(load ? tensorLoad : tensorStore, Class::AsyncCopy, {}, sources);
  i.displacement = shared;
  i.displacement2 = map;
  i.narrow = narrow;
  i.narrow2 = narrow2;
  i.flags = narrow3;
  i.option = u32(s32(barrier));
  i.elements = u8(rank);
}

void decodeBulk(Decoder& d) {
  if (d.has("commit_group")) {
    d.emit(bulkCommit, Class::AsyncCopy, {}, {});
    return;
  }
  if (d.has("wait_group")) {
    d.skip({"read"});
    d.emit(bulkWait, Class::Barrier, {}, {}).displacement = d.immediate(0);
    return;
  }
  if (d.has("tensor")) return decodeTensor(d);
  const bool hint = d.has("L2::cache_hint");
  if (d.has("prefetch")) {
    d.skip({"L2", "global"});
    d.emit(nothing, Class::OtherMemory, {}, {});
    return;
  }
  const bool load = d.has("mbarrier::complete_tx::bytes"), store = d.has("bulk_group");
  d.need(load != store && d.has("global") && (d.has("shared::cta") || d.has("shared::cluster")));
  d.need(d.count() - (hint ? 1 : 0) == (load ? 4u : 3u));
  s64 to = 0, from = 0, barrier = 0;
  bool narrow = false, narrow2 = false, narrow3 = false;
  std::vector<u32> sources = {d.addressOf(d.operand(0), to, narrow), d.addressOf(d.operand(1), from, narrow2), d.source(d.operand(2), 4)};
  if (load) sources.push_back(d.addressOf(d.operand(3), barrier, narrow3));
  Instruction& i = d.emit(load ? bulkLoad : bulkStore, Class::AsyncCopy, {}, sources);
  i.displacement = to;
  i.displacement2 = from;
  i.narrow = narrow;
  i.narrow2 = narrow2;
  i.flags = narrow3;
  i.option = u32(s32(barrier));
}

int encode(TensorMap& map, int type, unsigned rank, u64 address, const u64* sizes, const u64* strides, const unsigned* box,
           const unsigned* elementStrides, int interleave, int swizzle, int fill) {
  static const u8 typeBytes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
  if (type < 0 || type > 12 || rank < 1 || rank > 5 || swizzle < 0 || swizzle > 3 || fill < 0 || fill > 1) return InvalidValue;
  if (!sizes || !box || !elementStrides || (rank > 1 && !strides) || !address || address % 16) return InvalidValue;
  if (interleave) return interleave <= 2 ? NotSupported : InvalidValue;
  map = TensorMap{};
  map.magic = tensorMapMagic;
  map.elementBytes = typeBytes[type];
  map.rank = u8(rank);
  map.swizzle = u8(swizzle);
  map.fillNan = u8(fill);
  map.type = u8(type);
  map.address = address;
  for (unsigned d = 0; d < rank; d++) {
    if (!sizes[d] || sizes[d] > 1ull << 32 || !box[d] || box[d] > 256 || !elementStrides[d] || elementStrides[d] > 8) return InvalidValue;
    if (elementStrides[d] != 1) return NotSupported;
    map.size[d] = u32(sizes[d] - 1);
    map.box[d] = u16(box[d]);
    if (d && (strides[d - 1] % 16 || !strides[d - 1] || strides[d - 1] >= 1ull << 40)) return InvalidValue;
    if (d) map.stride[d - 1] = strides[d - 1];
  }
  const u32 inner = box[0] * map.elementBytes;
  if (inner % 16 || (swizzle && inner > 16u << swizzle)) return InvalidValue;
  return Success;
}

}  // namespace

void addCopyAsync(Opcodes& o) {
  o.add("cp", [](Decoder& d) {
    d.need(d.has("async"));
    if (d.has("bulk")) return decodeBulk(d);
    if (d.has("mbarrier")) return decodeCopyArrive(d);
    decodeCopyAsync(d);
  });
}

}  // namespace ptx

PTX_API int cuTensorMapEncodeTiled(void* out, int type, unsigned rank, void* address, const ptx::u64* sizes, const ptx::u64* strides,
                                   const unsigned* box, const unsigned* elementStrides, int interleave, int swizzle, int, int fill) {
  if (!out || reinterpret_cast<ptx::u64>(out) % 64) return ptx::InvalidValue;
  ptx::TensorMap map;
  const int e = ptx::encode(map, type, rank, reinterpret_cast<ptx::u64>(address), sizes, strides, box, elementStrides, interleave, swizzle, fill);
  if (e) return e;
  std::memset(out, 0, 128);
  std::memcpy(out, &map, sizeof map);
  return ptx::Success;
}
