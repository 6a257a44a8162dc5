#include "decode.h"

#include "lanewise.h"

namespace ptx {

namespace {
struct TypeName {
  const char* name;
  Type type;
  u8 size;
};
const TypeName typeNames[] = {
    {"u8", Type::U8, 1},         {"u16", Type::U16, 2},       {"u32", Type::U32, 4},       {"u64", Type::U64, 8},     {"s8", Type::S8, 1},
    {"s16", Type::S16, 2},       {"s32", Type::S32, 4},       {"s64", Type::S64, 8},       {"b8", Type::B8, 1},       {"b16", Type::B16, 2},
    {"b32", Type::B32, 4},       {"b64", Type::B64, 8},       {"b128", Type::B128, 16},    {"f16", Type::F16, 2},     {"bf16", Type::BF16, 2},
    {"tf32", Type::TF32, 4},     {"f32", Type::F32, 4},       {"f64", Type::F64, 8},       {"f16x2", Type::F16x2, 4}, {"bf16x2", Type::BF16x2, 4},
    {"e4m3x2", Type::E4M3x2, 2}, {"e5m2x2", Type::E5M2x2, 2}, {"pred", Type::Pred, 0},
};
Type typeNamed(std::string_view name) {
  for (const TypeName& t : typeNames)
    if (name == t.name) return t.type;
  return Type::None;
}

// Integer copies between register widths, for values narrower than the register that holds them.
template <class To, class From>
struct Cast {
  To operator()(From a) const { return To(a); }
};
template <class From>
Execute resizeTo(u32 to) {
  return to == 1   ? lanewise<Cast<u8, From>, u8, From>
         : to == 2 ? lanewise<Cast<u16, From>, u16, From>
         : to == 4 ? lanewise<Cast<u32, From>, u32, From>
                   : lanewise<Cast<u64, From>, u64, From>;
}
Execute resize(u32 from, u32 to, bool sign) {
  if (sign) return from == 1 ? resizeTo<s8>(to) : from == 2 ? resizeTo<s16>(to) : from == 4 ? resizeTo<s32>(to) : resizeTo<s64>(to);
  return from == 1 ? resizeTo<u8>(to) : from == 2 ? resizeTo<u16>(to) : from == 4 ? resizeTo<u32>(to) : resizeTo<u64>(to);
}

void copyPredicateNot(Warp& w, const Instruction& i, Lanes m) {
  u32* p = w.at<u32>(i.operand[0]);
  *p = (*p & ~m) | (~*w.at<u32>(i.operand[1]) & m);
}
}  // namespace

u32 sizeOf(Type t) {
  for (const TypeName& n : typeNames)
    if (n.type == t) return n.size;
  return 0;
}
bool isFloat(Type t) { return t >= Type::F16 && t <= Type::BF16x2; }
bool isSigned(Type t) { return t >= Type::S8 && t <= Type::S64; }

const Opcodes& opcodes() {
  static const Opcodes all = [] {
    Opcodes o;
    for (auto add : {addInteger, addCarry, addFloating, addConvert, addCompare, addMove, addLoadStore, addAtomic, addCopyAsync, addMatrix,
                     addWarpWide, addBarrier, addMbarrier, addWgmma, addControl})
      add(o);
    return o;
  }();
  return all;
}

void Decoder::decode(Statement& s) {
  s_ = &s;
  emitted_ = false;
  after_.clear();
  s.used.assign(s.modifiers.size(), false);
  auto it = opcodes().table.find(s.op);
  if (it == opcodes().table.end()) fail("unknown opcode " + std::string(s.full));
  it->second(*this);
  for (size_t k = 0; k < s.used.size(); k++)
    if (!s.used[k]) fail("unknown modifier ." + std::string(s.modifiers[k]) + " of " + std::string(s.full));
  for (auto& step : std::vector<std::function<void()>>(std::move(after_))) step();
}

bool Decoder::has(std::string_view modifier) {
  for (size_t k = 0; k < s_->modifiers.size(); k++)
    if (!s_->used[k] && s_->modifiers[k] == modifier) return s_->used[k] = true;
  return false;
}

int Decoder::oneOf(std::initializer_list<const char*> modifiers) {
  int place = 0;
  for (const char* m : modifiers) {
    if (has(m)) return place;
    place++;
  }
  return -1;
}

void Decoder::skip(std::initializer_list<const char*> modifiers) {
  for (const char* m : modifiers)
    while (has(m)) {
    }
}

Type Decoder::tryType() {
  for (size_t k = s_->modifiers.size(); k-- > 0;)
    if (!s_->used[k])
      if (const Type t = typeNamed(s_->modifiers[k]); t != Type::None) {
        s_->used[k] = true;
        return t;
      }
  return Type::None;
}

Type Decoder::type() {
  const Type t = tryType();
  if (t == Type::None) fail("no type in " + std::string(s_->full));
  return t;
}

const Operand& Decoder::operand(size_t k) {
  if (k >= s_->operands.size()) fail("too few operands for " + std::string(s_->full));
  return s_->operands[k];
}

void Decoder::expect(size_t least, size_t most) {
  if (count() < least || count() > most) fail(format("%zu operands, want %zu, for ", count(), most) + std::string(s_->full));
}

void Decoder::need(bool condition) {
  if (!condition) fail("these operands or modifiers are not supported: " + std::string(s_->full));
}

void Decoder::fail(const std::string& what) const {
  const u32 line = s_ ? s_->line : 0;
  std::string text = line && line <= module_.text.size() ? module_.text[line - 1] : "";
  throw LoadError(format("ptx line %u: ", line) + what + "  in `" + text.substr(0, 160) + "`");
}

s64 Decoder::immediate(size_t k) {
  if (operand(k).kind != Operand::Immediate || operand(k).literal != 'i') fail("an integer is wanted in " + std::string(s_->full));
  return s64(operand(k).bits);
}

u32 Decoder::constant(u64 bits, u32 bytes) {
  if (bytes < 8) bits &= (1ull << bytes * 8) - 1;
  auto& pool = pool_[bytes == 8 ? 3 : bytes / 2];
  auto [it, isNew] = pool.try_emplace(bits, 0);
  if (isNew) {
    Kernel& k = *assembly_.kernel;
    it->second = k.constantBytes | constantBank;
    k.constants.push_back({k.constantBytes, u8(bytes), bits, nullptr});
    k.constantBytes += std::max(64u, bytes * 32);
  }
  return it->second;
}

u32 Decoder::fresh(u32 bytes) {
  assembly_.registers.push_back({u8(bytes), none});
  return u32(assembly_.registers.size() - 1);
}

u32 Decoder::special(Special s) {
  auto [it, isNew] = specials_.try_emplace(int(s), 0);
  if (isNew) {
    // Never written by an instruction: given a fixed place after the allocated registers.
    Kernel& k = *assembly_.kernel;
    it->second = fresh(4);
    k.warpSpecials.push_back({it->second, s});
  }
  return it->second;
}

u32 Decoder::source(const Operand& o, u32 bytes, Type t) {
  switch (o.kind) {
    case Operand::Immediate: {
      u64 bits = o.bits;
      const bool single = t == Type::F32 || t == Type::TF32 || (o.literal == 'f' && bytes == 4);
      if (o.literal == 'd' && single) bits = bitsAs<u32>(float(bitsAs<double>(bits)));
      if (o.literal == 'f' && t == Type::F64) bits = bitsAs<u64>(double(bitsAs<float>(u32(bits))));
      if (o.literal == 'i' && t == Type::F32) bits = bitsAs<u32>(float(s64(bits)));
      if (o.literal == 'i' && t == Type::F64) bits = bitsAs<u64>(double(s64(bits)));
      return constant(bits, bytes);
    }
    case Operand::Variable: {
      if (bytes != 8 && bytes != 4) fail("an address does not fit a register of " + std::string(s_->full));
      Kernel& k = *assembly_.kernel;
      const u32 place = k.constantBytes | constantBank;
      k.constants.push_back({k.constantBytes, u8(bytes), u64(o.displacement), o.symbol});
      k.constantBytes += std::max(64u, bytes * 32);
      return place;
    }
    case Operand::Special: {
      const u32 r = special(Special(o.bits));
      if (bytes == 4) return r;
      const u32 narrow = fresh(bytes);
      emitHidden(resize(4, bytes, false), {narrow}, {r});
      return narrow;
    }
    case Operand::Register: {
      if (o.width == bytes) return o.reference;
      if (!o.width || o.width < bytes) fail(format("register %.*s is too narrow for ", int(o.name.size()), o.name.data()) + std::string(s_->full));
      const u32 narrow = fresh(bytes);
      emitHidden(resize(o.width, bytes, false), {narrow}, {o.reference});
      return narrow;
    }
    default: fail("a register or a constant is wanted in " + std::string(s_->full));
  }
}

u32 Decoder::result(const Operand& o, u32 bytes, bool signExtend) {
  if (o.kind == Operand::Sink) return fresh(bytes);
  if (o.kind != Operand::Register) fail("a register is wanted for the result of " + std::string(s_->full));
  if (o.width == bytes) return o.reference;
  if (!o.width || o.width < bytes) fail(format("register %.*s is too narrow for ", int(o.name.size()), o.name.data()) + std::string(s_->full));
  const u32 narrow = fresh(bytes), wide = o.reference, width = o.width;
  after_.push_back([=] { emitHidden(resize(bytes, width, signExtend), {wide}, {narrow}); });
  return narrow;
}

u32 Decoder::predicate(const Operand& o) {
  if (o.kind == Operand::Immediate) return constant(o.bits ? ~0u : 0, 4);
  if (o.kind != Operand::Register || o.width != 0) fail("a predicate is wanted in " + std::string(s_->full));
  if (!o.negated) return o.reference;
  const u32 p = fresh(0);
  emitHidden(copyPredicateNot, {p}, {o.reference});
  return p;
}

u32 Decoder::addressOf(const Operand& o, s64& displacement, bool& narrow) {
  if (o.kind != Operand::Address) fail("an address is wanted in " + std::string(s_->full));
  displacement = o.displacement;
  if (o.symbol) {
    Operand v;
    v.kind = Operand::Variable;
    v.symbol = o.symbol;
    narrow = false;
    return source(v, 8);
  }
  if (o.reference == none) {
    narrow = false;
    displacement = 0;
    return constant(u64(o.displacement), 8);
  }
  if (o.width != 4 && o.width != 8) fail("an address is held in 32 or 64 bits: " + std::string(s_->full));
  narrow = o.width == 4;
  return o.reference;
}

Instruction& Decoder::emit(Execute run, Class kind, const std::vector<u32>& results, const std::vector<u32>& sources, Flow flow) {
  if (!run) fail("this type is not supported: " + std::string(s_->full));
  Draft d;
  Instruction& i = d.instruction;
  i.run = run;
  i.kind = kind;
  i.flow = flow;
  i.line = s_->line;
  i.guard = s_->guard;
  i.guardNot = s_->guardNot;
  i.hidden = emitted_;
  emitted_ = true;
  i.results = u32(results.size());
  i.operands = u32(results.size() + sources.size());
  d.first = u32(assembly_.operands.size());
  d.count = i.operands;
  for (u32 r : results) assembly_.operands.push_back(r);
  for (u32 r : sources) assembly_.operands.push_back(r);
  assembly_.drafts.push_back(d);
  return assembly_.drafts.back().instruction;
}

Instruction& Decoder::emitHidden(Execute run, const std::vector<u32>& results, const std::vector<u32>& sources) {
  const bool before = emitted_;
  Instruction& i = emit(run, Class::Move, results, sources);
  i.hidden = true;
  emitted_ = before;
  return i;
}

}  // namespace ptx
