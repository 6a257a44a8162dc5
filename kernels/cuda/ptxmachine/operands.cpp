// The operands of a statement: registers by scope, special registers, variables, constants, addresses, vectors.
#include "loader.h"

namespace ptx {

namespace {
const std::map<std::string_view, Special> specialNames = {
    {"%tid.x", Special::TidX}, {"%tid.y", Special::TidY}, {"%tid.z", Special::TidZ}, {"%ntid.x", Special::NtidX}, {"%ntid.y", Special::NtidY},
    {"%ntid.z", Special::NtidZ}, {"%ctaid.x", Special::CtaidX}, {"%ctaid.y", Special::CtaidY}, {"%ctaid.z", Special::CtaidZ},
    {"%nctaid.x", Special::NctaidX}, {"%nctaid.y", Special::NctaidY}, {"%nctaid.z", Special::NctaidZ}, {"%laneid", Special::Laneid},
    {"%warpid", Special::Warpid}, {"%nwarpid", Special::Nwarpid}, {"%lanemask_eq", Special::LanemaskEq}, {"%lanemask_le", Special::LanemaskLe},
    {"%lanemask_lt", Special::LanemaskLt}, {"%lanemask_ge", Special::LanemaskGe}, {"%lanemask_gt", Special::LanemaskGt},
    {"%smid", Special::Smid}, {"%nsmid", Special::Nsmid}, {"%gridid", Special::Gridid}, {"%dynamic_smem_size", Special::DynamicShared},
    {"%total_smem_size", Special::TotalShared}, {"%clusterid.x", Special::ClusterIdX}, {"%clusterid.y", Special::ClusterIdY},
    {"%clusterid.z", Special::ClusterIdZ}, {"%nclusterid.x", Special::NclusterIdX}, {"%nclusterid.y", Special::NclusterIdY},
    {"%nclusterid.z", Special::NclusterIdZ}, {"%cluster_ctarank", Special::ClusterRank}, {"%cluster_nctarank", Special::ClusterRanks},
    {"%cluster_ctaid.x", Special::ClusterRank}, {"%cluster_ctaid.y", Special::ClusterRank}, {"%cluster_ctaid.z", Special::ClusterRank},
    {"%cluster_nctaid.x", Special::ClusterRanks}, {"%cluster_nctaid.y", Special::ClusterRanks}, {"%cluster_nctaid.z", Special::ClusterRanks},
    {"%clock", Special::Clock}, {"%clock_hi", Special::Clock}, {"%clock64", Special::Clock}, {"%globaltimer", Special::Clock},
    {"%globaltimer_lo", Special::Clock}, {"%globaltimer_hi", Special::Clock},
};
}  // namespace

const Body::Range* Body::registerRange(std::string_view name, u32& index) {
  size_t digits = name.size();
  while (digits > 0 && isdigit(static_cast<unsigned char>(name[digits - 1]))) digits--;
  const std::string_view prefix = name.substr(0, digits);
  const u64 number = digits < name.size() && name.size() - digits < 9 ? strtoull(std::string(name.substr(digits)).c_str(), nullptr, 10) : none;
  for (size_t s = scopes_.size(); s-- > 0;) {
    if (auto it = scopes_[s].exact.find(name); it != scopes_[s].exact.end()) {
      index = 0;
      return &it->second;
    }
    if (auto it = scopes_[s].ranges.find(prefix); it != scopes_[s].ranges.end() && number < it->second.count) {
      index = u32(number);
      return &it->second;
    }
    if (scopes_[s].function) break;
  }
  return nullptr;
}

Symbol* Body::symbol(std::string_view name) {
  for (size_t s = scopes_.size(); s-- > 0;) {
    if (auto it = scopes_[s].symbols.find(name); it != scopes_[s].symbols.end()) return it->second;
    if (scopes_[s].function) break;
  }
  auto it = l_.module_.symbols.find(std::string(name));
  if (it == l_.module_.symbols.end()) return nullptr;
  Symbol* v = it->second.get();
  if (v->space != Space::Shared) return v;
  Symbol*& copy = sharedCopies_[v];  // every kernel lays out the shared variables it uses
  if (!copy) {
    symbols_.push_back(*v);
    copy = &symbols_.back();
    shared_.push_back(copy);
  }
  return copy;
}

Operand Body::named(std::string_view name) {
  Operand o;
  o.name = name;
  if (name == "_") {
    o.kind = Operand::Sink;
    return o;
  }
  if (name == "WARP_SZ") {
    o.kind = Operand::Immediate;
    o.bits = 32;
    return o;
  }
  u32 index = 0;
  if (const Range* r = registerRange(name, index)) {
    o.kind = Operand::Register;
    o.reference = r->base + index;
    o.width = r->width;
    return o;
  }
  if (name[0] == '%') {
    auto it = specialNames.find(name);
    if (it == specialNames.end()) l_.fail("unknown register '" + std::string(name) + "'");
    o.kind = Operand::Special;
    o.bits = u64(it->second);
    o.width = 4;
    return o;
  }
  if (Symbol* v = symbol(name)) {
    o.kind = Operand::Variable;
    o.symbol = v;
    return o;
  }
  o.kind = Operand::Label;
  return o;
}

// [register|symbol|number (+|-) number], or [register, {coordinates}] of a tensor
Operand Body::address() {
  Operand o;
  if (l_.tokens_[l_.p_].kind == Token::Number || l_.is("-")) {
    const bool negative = l_.eat("-");
    char literal;
    o.displacement = s64(l_.immediateBits(negative, literal));
  } else {
    o = named(l_.word());
    if (o.kind == Operand::Label) l_.fail("unknown name '" + std::string(o.name) + "'");
    if (o.kind != Operand::Register && o.kind != Operand::Variable) l_.fail("an address needs a register or a variable");
  }
  o.kind = Operand::Address;
  while (l_.is("+") || l_.is("-")) {
    bool negative = l_.next().text == "-";
    if (l_.eat("-")) negative = !negative;
    char literal;
    o.displacement += s64(l_.immediateBits(negative, literal));
  }
  if (l_.eat(",")) {
    l_.want("{");
    do o.parts.push_back(operand());
    while (l_.eat(","));
    l_.want("}");
  }
  l_.want("]");
  return o;
}

Operand Body::operand() {
  Operand o;
  if (l_.eat("{")) {
    o.kind = Operand::Vector;
    while (!l_.eat("}")) {
      o.parts.push_back(operand());
      l_.eat(",");
    }
    return o;
  }
  if (l_.eat("[")) return address();
  if (l_.eat("!")) {
    o = named(l_.word());
    o.negated = true;
    return o;
  }
  if (l_.tokens_[l_.p_].kind == Token::Number || l_.is("-")) {
    const bool negative = l_.eat("-");
    o.kind = Operand::Immediate;
    o.bits = l_.immediateBits(negative, o.literal);
    return o;
  }
  if (l_.eat("(")) l_.fail("expressions are not interpreted");
  o = named(l_.word());
  if (l_.eat("|")) {
    const Operand second = named(l_.word());
    if (o.kind != Operand::Register && o.kind != Operand::Sink) l_.fail("a pair of registers is expected");
    if (second.kind == Operand::Register) o.second = second.reference;
    o.parts = {second};
  }
  if (o.kind == Operand::Variable && (l_.is("+") || l_.is("-"))) {
    const bool negative = l_.next().text == "-";
    char literal;
    o.displacement = s64(l_.immediateBits(negative, literal));
  }
  return o;
}

}  // namespace ptx
