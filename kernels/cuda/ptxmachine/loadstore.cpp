// ld, st, prefetch and their kin. Source: PTX ISA, "Data movement and conversion: ld, st".
#include "access.h"
#include "decode.h"
#include "lanewise.h"

namespace ptx {

namespace {

template <Space space>
void count(Warp& w, const Instruction& i, const u64* a, Lanes m, u32 bytes) {
  InstructionCount& c = w.block->counts[w.block->pcOf(i)];
  if constexpr (space == Space::Global) {
    countGlobal(*w.block, c.global, a, m, bytes, i.flags != 1);
  } else if constexpr (space == Space::Shared) {
    countShared(c.shared, a, m, bytes);
  } else if constexpr (space == Space::Generic) {
    Lanes inGlobal = 0, inShared = 0;
    u64 offset[32];
    eachLane(m, [&](u32 l) {
      inGlobal |= u32((a[l] & windowMask) == 0) << l;
      inShared |= u32((a[l] & windowMask) == sharedWindow) << l;
      offset[l] = a[l] & ~windowMask;
    });
    countGlobal(*w.block, c.global, a, inGlobal, bytes, i.flags != 1);
    countShared(c.shared, offset, inShared, bytes);
  }
}

template <Space space, class T, int n>
void load(Warp& w, const Instruction& i, Lanes m) {
  u64 a[32];
  laneAddresses(w, i.operand[n], i.narrow, i.displacement, m, a);
  T* to[n];
  for (int k = 0; k < n; k++) to[k] = w.at<T>(i.operand[k]);
  eachLane(m, [&](u32 l) {
    T v[n] = {};
    if (const u8* p = anyAccess(w, i, l, a[l], sizeof v, Use::Read, space)) std::memcpy(v, p, sizeof v);
    for (int k = 0; k < n; k++) to[k][l] = v[k];
  });
  count<space>(w, i, a, m, sizeof(T) * n);
}

template <Space space, class T, int n>
void store(Warp& w, const Instruction& i, Lanes m) {
  u64 a[32];
  laneAddresses(w, i.operand[n], i.narrow, i.displacement, m, a);
  const T* from[n];
  for (int k = 0; k < n; k++) from[k] = w.at<T>(i.operand[k]);
  eachLane(m, [&](u32 l) {
    T v[n];
    for (int k = 0; k < n; k++) v[k] = from[k][l];
    if (u8* p = anyAccess(w, i, l, a[l], sizeof v, Use::Write, space)) std::memcpy(p, v, sizeof v);
  });
  count<space>(w, i, a, m, sizeof(T) * n);
}

template <class T, int n>
Execute forSpace(bool isLoad, Space s) {
  if constexpr (sizeof(T) * n > 16) {
    return nullptr;
  } else {
    switch (s) {
      case Space::Global: return isLoad ? load<Space::Global, T, n> : store<Space::Global, T, n>;
      case Space::Shared: return isLoad ? load<Space::Shared, T, n> : store<Space::Shared, T, n>;
      case Space::Local: return isLoad ? load<Space::Local, T, n> : store<Space::Local, T, n>;
      case Space::Param: return isLoad ? load<Space::Param, T, n> : nullptr;
      default: return isLoad ? load<Space::Generic, T, n> : store<Space::Generic, T, n>;
    }
  }
}

void nothing(Warp&, const Instruction&, Lanes) {}

void loadOrStore(Decoder& d, bool isLoad) {
  const bool ordered = d.has("acquire") || d.has("release") || d.has("volatile") || d.has("relaxed") || d.has("mmio");
  d.skip({"weak", "cta", "gpu", "sys", "cluster", "ca", "cg", "cs", "lu", "cv", "wb", "wt", "nc", "L1::no_allocate", "L1::evict_last",
          "L1::evict_first", "L1::evict_normal", "L1::evict_unchanged", "L2::evict_last", "L2::evict_first", "L2::evict_normal", "L2::64B",
          "L2::128B", "L2::256B"});
  const bool hint = d.has("L2::cache_hint");
  const int named = d.oneOf({"global", "shared", "local", "param", "const", "shared::cta", "param::entry", "param::func", "shared::cluster"});
  static const Space spaces[] = {Space::Generic, Space::Global, Space::Shared, Space::Local, Space::Param,
                                 Space::Global,  Space::Shared, Space::Param,  Space::Local, Space::Shared};
  Space space = spaces[named + 1];
  const int n = d.has("v2") ? 2 : d.has("v4") ? 4 : 1;
  const Type t = d.type();
  d.expect(hint ? 3 : 2, hint ? 3 : 2);
  d.need(t != Type::Pred && sizeOf(t) * u32(n) <= 16 && sizeOf(t) <= 8);
  const Operand& data = d.operand(isLoad ? 0 : 1);
  const Operand& address = d.operand(isLoad ? 1 : 0);
  if (space == Space::Param && address.symbol && address.symbol->space == Space::Local) space = Space::Local;
  if (space == Space::Param && !isLoad) d.fail("a store to a kernel's parameters");
  if (ordered && (space == Space::Global || space == Space::Generic)) d.assembly().kernel->ordered = true;
  d.need(address.kind == Operand::Address);
  d.need(n == 1 ? data.kind != Operand::Vector || data.parts.size() == 1 : data.kind == Operand::Vector && int(data.parts.size()) == n);
  std::vector<u32> values;
  for (int k = 0; k < n; k++) {
    const Operand& part = data.kind == Operand::Vector ? data.parts[size_t(k)] : data;
    values.push_back(isLoad ? d.result(part, sizeOf(t), isSigned(t)) : d.source(part, sizeOf(t), t));
  }
  s64 displacement = 0;
  bool narrow = false;
  const u32 base = d.addressOf(address, displacement, narrow);
  const u32 size = sizeOf(t);
  Execute e = bySize(size, [&](auto tag) -> Execute {
    using T = typename decltype(tag)::type;
    return n == 1 ? forSpace<T, 1>(isLoad, space) : n == 2 ? forSpace<T, 2>(isLoad, space) : forSpace<T, 4>(isLoad, space);
  });
  const Class c = space == Space::Shared ? Class::Shared : space == Space::Local || space == Space::Param ? Class::OtherMemory : Class::Global;
  std::vector<u32> sources;
  if (!isLoad) sources = values;
  sources.push_back(base);
  Instruction& i = isLoad ? d.emit(e, c, values, sources) : d.emit(e, c, {}, sources);
  i.displacement = displacement;
  i.narrow = narrow;
  i.bytes = u8(size);
  i.elements = u8(n);
  i.space = space;
  i.flags = isLoad ? 1 : 2;  // what a report calls it
}

}  // namespace

void addLoadStore(Opcodes& o) {
  o.add("ld", [](Decoder& d) { loadOrStore(d, true); });
  o.add("ldu", [](Decoder& d) { loadOrStore(d, true); });
  o.add("st", [](Decoder& d) { loadOrStore(d, false); });
  o.add("prefetch", [](Decoder& d) {
    d.skip({"global", "local", "L1", "L2", "param", "const", "tensormap", "L2::evict_last", "L2::evict_normal"});
    d.expect(1, 1);
    d.emit(nothing, Class::OtherMemory, {}, {});
  });
  o.add("prefetchu", [](Decoder& d) {
    d.skip({"L1"});
    d.emit(nothing, Class::OtherMemory, {}, {});
  });
  auto policy = [](Decoder& d) {  // createpolicy: a hint to the cache, any value serves
    d.skip({"fractional", "range", "L2::evict_last", "L2::evict_first", "L2::evict_normal", "L2::evict_unchanged", "global", "cvt", "L2"});
    d.type();
    struct Zero { u64 operator()(u64) const { return 0; } };
    d.emit(lanewise<Zero, u64, u64>, Class::OtherMemory, {d.result(d.operand(0), 8)}, {d.constant(0, 8)});
  };
  o.add("createpolicy", policy);
  auto discard = [](Decoder& d) {
    d.skip({"global", "L2", "L2::evict_normal"});
    d.emit(nothing, Class::OtherMemory, {}, {});
  };
  o.add("discard", discard);
  o.add("applypriority", discard);
}

}  // namespace ptx
