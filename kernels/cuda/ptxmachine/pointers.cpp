// Which parameters a kernel may store through. A register depends on the parameters of the registers it was computed from;
// the address of a store names what is written. Pointers that come out of memory are not followed: what they write is known
// from the first store on.
#include "decode.h"

namespace ptx {

void findWrittenParameters(const Assembly& a) {
  Kernel& k = *a.kernel;
  std::vector<u64> from(a.registers.size(), 0);  // by register: a bit a parameter
  std::unordered_map<u32, u64> constant;
  for (const Constant& c : k.constants) constant[c.offset | constantBank] = c.bits;
  auto parameterAt = [&](u64 offset) -> u64 {
    for (size_t p = 0; p < k.parameters.size() && p < 64; p++)
      if (offset >= k.parameters[p].offset && offset < u64(k.parameters[p].offset) + k.parameters[p].size) return 1ull << p;
    return 0;
  };
  auto taint = [&](u32 reference) { return reference == none || (reference & constantBank) ? 0 : from[reference]; };
  for (bool changed = true; changed;) {
    changed = false;
    for (const Draft& d : a.drafts) {
      const Instruction& i = d.instruction;
      const u32* o = a.operands.data() + d.first;
      u64 sources = 0;
      const bool memory = i.flags == 1 && (i.kind == Class::Global || i.kind == Class::Shared || i.kind == Class::OtherMemory);
      if (memory && i.space == Space::Param) {
        auto it = constant.find(o[i.results]);
        if (it != constant.end()) sources = parameterAt(it->second + u64(i.displacement));
      } else if (!memory) {
        for (u32 n = i.results; n < d.count; n++) sources |= taint(o[n]);
      }
      for (u32 n = 0; n < i.results; n++) {
        if (o[n] == none || (o[n] & constantBank) || (from[o[n]] | sources) == from[o[n]]) continue;
        from[o[n]] |= sources;
        changed = true;
      }
    }
  }
  u64 written = 0;
  for (const Draft& d : a.drafts) {
    const Instruction& i = d.instruction;
    const u32* o = a.operands.data() + d.first;
    if (i.kind == Class::Global && i.flags == 2) written |= taint(o[d.count - 1]);
    if (i.kind == Class::Atomic) written |= taint(o[i.results]);
  }
  for (u32 p = 0; p < k.parameters.size() && p < 64; p++)
    if (written >> p & 1) k.writtenParameters.push_back(p);
}

}  // namespace ptx
