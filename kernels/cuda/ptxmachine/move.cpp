// mov (registers, addresses, packing and unpacking), cvta, and the address-space queries.
#include "lanewise.h"

namespace ptx {

namespace {

template <class T>
struct Same { T operator()(T a) const { return a; } };
struct AddWindow { u64 operator()(u64 a, u64 window) const { return a + window; } };
struct SubtractWindow { u64 operator()(u64 a, u64 window) const { return a - window; } };

void movePredicate(Warp& w, const Instruction& i, Lanes m) {
  u32* d = w.at<u32>(i.operand[0]);
  *d = (*d & ~m) | (*w.at<u32>(i.operand[1]) & m);
}

template <class Part, class Whole>
void pack(Warp& w, const Instruction& i, Lanes m) {
  constexpr u32 n = sizeof(Whole) / sizeof(Part);
  const Part* from[n];
  for (u32 k = 0; k < n; k++) from[k] = w.at<Part>(i.operand[1 + k]);
  Whole* d = w.at<Whole>(i.operand[0]);
  eachLane(m, [&](u32 l) {
    Whole v = 0;
    for (u32 k = 0; k < n; k++) v = Whole(v | Whole(from[k][l]) << (bitsOf<Part> * k));
    d[l] = v;
  });
}

template <class Part, class Whole>
void unpack(Warp& w, const Instruction& i, Lanes m) {
  constexpr u32 n = sizeof(Whole) / sizeof(Part);
  Part* to[n];
  for (u32 k = 0; k < n; k++) to[k] = w.at<Part>(i.operand[k]);
  const Whole* a = w.at<Whole>(i.operand[n]);
  eachLane(m, [&](u32 l) {
    const Whole v = a[l];
    for (u32 k = 0; k < n; k++) to[k][l] = Part(v >> (bitsOf<Part> * k));
  });
}

void packOrUnpack(Decoder& d, bool packing) {
  const Operand& vector = d.operand(packing ? 1 : 0);
  const Operand& whole = d.operand(packing ? 0 : 1);
  const u32 parts = u32(vector.parts.size());
  const Type t = d.type();
  const u32 bytes = sizeOf(t);
  d.need((parts == 2 || parts == 4) && bytes / parts >= 1 && bytes <= 8);
  const u32 part = bytes / parts;
  std::vector<u32> pieces;
  for (const Operand& o : vector.parts) pieces.push_back(packing ? d.source(o, part) : d.result(o, part));
  Execute e = nullptr;
  if (part == 4) e = packing ? pack<u32, u64> : unpack<u32, u64>;
  else if (part == 2 && bytes == 4) e = packing ? pack<u16, u32> : unpack<u16, u32>;
  else if (part == 2 && bytes == 8) e = packing ? pack<u16, u64> : unpack<u16, u64>;
  else if (part == 1 && bytes == 4) e = packing ? pack<u8, u32> : unpack<u8, u32>;
  else if (part == 1 && bytes == 2) e = packing ? pack<u8, u16> : unpack<u8, u16>;
  if (packing) d.emit(e, Class::Move, {d.result(whole, bytes)}, pieces);
  else d.emit(e, Class::Move, pieces, {d.source(whole, bytes)});
}

void mov(Decoder& d) {
  d.expect(2, 2);
  if (d.operand(1).kind == Operand::Vector) return packOrUnpack(d, true);
  if (d.operand(0).kind == Operand::Vector) return packOrUnpack(d, false);
  const Type t = d.type();
  if (t == Type::Pred) {
    d.need(d.operand(0).kind == Operand::Register && d.operand(0).width == 0);
    d.emit(movePredicate, Class::Move, {d.operand(0).reference}, {d.predicate(d.operand(1))});
    return;
  }
  Execute e = bySize(sizeOf(t), [](auto tag) -> Execute { using T = typename decltype(tag)::type; return lanewise<Same<T>, T, T>; });
  d.emit(e, Class::Move, {d.result(0, t)}, {d.source(1, t)}).flags = plainMove;
}

u64 windowOf(int space) {
  return space == 0 ? 0 : space == 1 || space == 5 ? sharedWindow : space == 2 ? localWindow : space == 4 || space == 6 ? paramWindow : 0;
}

void cvta(Decoder& d) {
  d.expect(2, 2);
  const bool to = d.has("to");
  const int space = d.oneOf({"global", "shared", "local", "const", "param", "shared::cta", "param::entry", "shared::cluster"});
  d.need(space >= 0);
  const Type t = d.type();
  d.need(t == Type::U64);
  const u64 window = space == 7 ? sharedWindow : windowOf(space);
  d.emit(to ? lanewise<SubtractWindow, u64, u64, u64> : lanewise<AddWindow, u64, u64, u64>, Class::Move, {d.result(0, t)},
         {d.source(1, t), d.constant(window, 8)});
}

void isSpace(Warp& w, const Instruction& i, Lanes m) {
  u32* p = w.at<u32>(i.operand[0]);
  const u64* a = w.at<u64>(i.operand[1]);
  Lanes r = 0;
  for (u32 l = 0; l < 32; l++) r |= u32((a[l] & windowMask) == u64(i.displacement)) << l;
  *p = (*p & ~m) | (r & m);
}

}  // namespace

void addMove(Opcodes& o) {
  o.add("mov", mov);
  o.add("cvta", cvta);
  o.add("isspacep", [](Decoder& d) {
    d.expect(2, 2);
    const int space = d.oneOf({"global", "shared", "local", "const", "param", "shared::cta", "shared::cluster"});
    d.need(space >= 0 && d.operand(0).kind == Operand::Register && d.operand(0).width == 0);
    d.emit(isSpace, Class::Integer, {d.operand(0).reference}, {d.source(d.operand(1), 8)}).displacement =
        s64(space == 6 ? sharedWindow : windowOf(space));
  });
  // One block a cluster: an address mapped to rank 0 is the address itself.
  o.add("mapa", [](Decoder& d) {
    d.expect(3, 3);
    d.skip({"shared::cluster"});
    const Type t = d.type();
    d.emit(sizeOf(t) == 4 ? lanewise<Same<u32>, u32, u32> : lanewise<Same<u64>, u64, u64>, Class::Integer, {d.result(0, t)}, {d.source(1, t)});
  });
  o.add("getctarank", [](Decoder& d) {
    d.expect(2, 2);
    d.skip({"shared::cluster"});
    d.type();
    d.emit(lanewise<Same<u32>, u32, u32>, Class::Integer, {d.result(0, Type::U32)}, {d.constant(0, 4)});
  });
}

}  // namespace ptx
