// Carry chains: add.cc, addc, sub.cc, subc, mad.cc, madc. The carry of a thread is a predicate of the decoder's own, one a
// kernel. Source: PTX ISA, "Extended-precision integer arithmetic".
#include "decode.h"
#include "machine.h"

namespace ptx {

namespace {

template <class T>
void carry(Warp& w, const Instruction& i, Lanes m) {
  using W = std::conditional_t<sizeof(T) == 4, u64, unsigned __int128>;
  const bool subtract = i.option & 1, in = i.option & 2, out = i.option & 4, multiply = i.option & 8, high = i.option & 16;
  T* d = w.at<T>(i.operand[0]);
  u32* flag = w.at<u32>(i.operand[1]);
  const T *a = w.at<T>(i.operand[2]), *b = w.at<T>(i.operand[3]), *c = multiply ? w.at<T>(i.operand[4]) : nullptr;
  u32 carried = *flag;
  eachLane(m, [&](u32 l) {
    const T x = multiply ? T(high ? W(a[l]) * W(b[l]) >> bitsOf<T> : W(a[l]) * W(b[l])) : a[l], y = multiply ? c[l] : b[l];
    const W before = in ? (*flag >> l & 1) : 0;
    const W r = subtract ? W(x) - W(y) - before : W(x) + W(y) + before;
    d[l] = T(r);
    const bool over = (r >> bitsOf<T>)&1;
    carried = (carried & ~(1u << l)) | u32(over) << l;
  });
  if (out) *flag = carried;
}

template <bool subtract, bool in, bool multiply>
void chained(Decoder& d) {
  const bool out = d.has("cc");
  bool high = false;
  if (multiply) {
    const int form = d.oneOf({"lo", "hi"});
    d.need(form >= 0);
    high = form == 1;
  }
  const Type t = d.type();
  d.need(sizeOf(t) >= 4);
  d.need(!high || !isSigned(t));
  const size_t operands = multiply ? 4 : 3;
  d.expect(operands, operands);
  if (d.assembly().carry == none) d.assembly().carry = d.fresh(0);
  const u32 flag = d.assembly().carry;
  std::vector<u32> from;
  for (size_t k = 1; k < operands; k++) from.push_back(d.source(k, t));
  from.push_back(flag);
  const u32 r = d.result(0, t);
  Instruction& i = d.emit(sizeOf(t) == 4 ? carry<u32> : carry<u64>, Class::Integer, {r, flag}, from);
  i.option = u32(subtract) | u32(in) << 1 | u32(out) << 2 | u32(multiply) << 3 | u32(high) << 4;
}

}  // namespace

bool decodeChain(Decoder& d, const char* name) {
  const std::string_view op = name;
  bool cc = false;
  for (std::string_view m : d.statement().modifiers) cc |= m == "cc";
  if (!cc) return false;
  if (op == "add") chained<false, false, false>(d);
  else if (op == "sub") chained<true, false, false>(d);
  else if (op == "mad") chained<false, false, true>(d);
  else return false;
  return true;
}

void addCarry(Opcodes& o) {
  o.add("addc", chained<false, true, false>);
  o.add("subc", chained<true, true, false>);
  o.add("madc", chained<false, true, true>);
}

}  // namespace ptx
