// The body of a kernel: scopes, statements, variables, and functions expanded where they are called.
#include <algorithm>

#include "loader.h"

namespace ptx {

namespace {
int registerWidth(std::string_view directive) {
  for (auto [name, width] : {std::pair<const char*, int>{".pred", 0}, {".b8", 2}, {".u8", 2}, {".s8", 2}, {".b16", 2}, {".u16", 2}, {".s16", 2},
                             {".f16", 2}, {".bf16", 2}, {".b32", 4}, {".u32", 4}, {".s32", 4}, {".f32", 4}, {".f16x2", 4}, {".bf16x2", 4},
                             {".b64", 8}, {".u64", 8}, {".s64", 8}, {".f64", 8}})
    if (directive == name) return width;
  return -1;
}
}  // namespace

void executeExit(Warp&, const Instruction&, Lanes) {}

Body::Body(Loader& loader, Kernel& kernel, std::map<std::string_view, Symbol> parameters)
    : l_(loader), kernel_(kernel), decoder_(assembly_, loader.module_), parameters_(std::move(parameters)) {
  assembly_.kernel = &kernel_;
  decoder_.labelNumber = [this](std::string_view name) {
    for (size_t s = scopes_.size(); s-- > 0;) {
      auto it = scopes_[s].labels.find(name);
      if (it != scopes_[s].labels.end()) return it->second;
      if (scopes_[s].function) break;
    }
    l_.fail("unknown label '" + std::string(name) + "'");
  };
  decoder_.labelTable = [this](std::string_view name) -> const std::vector<int>* {
    for (size_t s = scopes_.size(); s-- > 0;) {
      auto it = scopes_[s].tables.find(name);
      if (it != scopes_[s].tables.end()) return &it->second;
      if (scopes_[s].function) break;
    }
    return nullptr;
  };
}

void Body::run(size_t firstToken) {
  l_.p_ = firstToken;
  l_.line_ = l_.tokens_[firstToken].line;
  scopes_.push_back({});
  scopes_.back().function = true;
  for (auto& [name, s] : parameters_) scopes_.back().symbols[name] = &s;
  declareLabels();
  block();
  Draft end;
  end.instruction.run = executeExit;
  end.instruction.flow = Flow::Exit;
  end.instruction.kind = Class::Control;
  end.instruction.line = l_.line_;
  end.instruction.hidden = true;
  assembly_.drafts.push_back(end);
  layShared();
  for (Constant& c : kernel_.constants)
    if (c.address) {
      c.bits += c.address->address;
      c.address = nullptr;
    }
  findWrittenParameters(assembly_);
  assignRegisters(assembly_);
}

int Body::newLabel() {
  assembly_.labels.push_back(none);
  return int(assembly_.labels.size() - 1);
}

// The labels of the block that begins here, so that forward branches find them.
void Body::declareLabels() {
  int depth = 1;
  for (size_t t = l_.p_; t + 1 < l_.tokens_.size(); t++) {
    const Token& token = l_.tokens_[t];
    if (token.text == "{") depth++;
    if (token.text == "}" && --depth == 0) break;
    if (depth != 1 || token.kind != Token::Word || l_.tokens_[t + 1].text != ":") continue;
    const std::string_view before = l_.tokens_[t - 1].text;
    const Token::Kind kind = l_.tokens_[t - 1].kind;
    if (before == ";" || before == "}" || before == "{" || before == ":" || kind == Token::Location || kind == Token::File)
      scopes_.back().labels[token.text] = newLabel();
  }
}

void Body::block() {
  while (!l_.eat("}")) {
    if (l_.debugInformation()) continue;
    if (l_.eat("{")) {
      scopes_.push_back({});
      scopes_.back().localTop = localTop_;
      scopes_.back().end = -1;
      declareLabels();
      block();
      localTop_ = scopes_.back().localTop;
      scopes_.pop_back();
      continue;
    }
    statement();
  }
}

void Body::statement() {
  const Token& t = l_.next();
  if (t.text == ";") return;
  if (t.kind == Token::Word && t.text[0] == '.') return declaration(t.text);
  if (t.kind == Token::Word && l_.is(":")) {
    l_.next();
    const int label = scopes_.back().labels[t.text];
    assembly_.labels[size_t(label)] = u32(assembly_.drafts.size());
    if (l_.is(".branchtargets")) {
      l_.next();
      std::vector<int> targets;
      do targets.push_back(decoder_.labelNumber(l_.word()));
      while (l_.eat(","));
      l_.want(";");
      scopes_.back().tables[t.text] = targets;
    } else if (l_.is(".callprototype") || l_.is(".calltargets")) {
      l_.fail("indirect calls are not interpreted");
    }
    return;
  }
  Statement s;
  const Token* op = &t;
  if (t.text == "@") {
    const bool negated = l_.eat("!");
    const std::string_view name = l_.word();
    u32 index = 0;
    const Range* r = registerRange(name, index);
    if (!r || r->width != 0) l_.fail("the guard '" + std::string(name) + "' is no predicate");
    s.guard = r->base + index;
    s.guardNot = negated;
    op = &l_.next();
  }
  if (op->kind != Token::Word) l_.fail("an instruction is expected, '" + std::string(op->text) + "' found");
  s.line = op->line;
  s.full = op->text;
  l_.module_.sourceOfLine[s.line] = {l_.sourceFile_, l_.sourceLine_};
  for (size_t begin = 0; begin <= s.full.size();) {
    const size_t end = std::min(s.full.find('.', begin), s.full.size());
    if (begin == 0) s.op = s.full.substr(0, end);
    else s.modifiers.push_back(s.full.substr(begin, end - begin));
    begin = end + 1;
  }
  instruction(s);
}

void Body::instruction(Statement& s) {
  if (s.op == "call") return call(s);
  while (!l_.eat(";")) {
    s.operands.push_back(operand());
    if (!l_.is(";")) l_.want(",");
  }
  l_.line_ = s.line;
  if ((s.op == "ret" || s.op == "exit") && scopes_.size() > 0) {
    // In an expanded function `ret` goes on behind the call.
    for (size_t k = scopes_.size(); k-- > 0;)
      if (scopes_[k].function) {
        if (scopes_[k].end >= 0 && s.op == "ret") {
          Draft d;
          d.instruction.flow = Flow::Branch;
          d.instruction.kind = Class::Control;
          d.instruction.run = executeExit;
          d.instruction.line = s.line;
          d.instruction.guard = s.guard;
          d.instruction.guardNot = s.guardNot;
          d.label = scopes_[k].end;
          assembly_.drafts.push_back(d);
          return;
        }
        break;
      }
  }
  decoder_.decode(s);
}

// call[.uni] [(result),] name [, (arguments)];
void Body::call(Statement& s) {
  std::vector<Symbol*> results, arguments;
  auto list = [&](std::vector<Symbol*>& symbols) {
    while (!l_.eat(")")) {
      const std::string_view name = l_.word();
      Symbol* v = symbol(name);
      if (!v || v->space != Space::Local) l_.fail("an argument that is no .param variable: '" + std::string(name) + "'");
      symbols.push_back(v);
      l_.eat(",");
    }
  };
  if (l_.eat("(")) {
    list(results);
    l_.want(",");
  }
  const std::string_view name = l_.word();
  auto f = l_.functions_.find(name);
  if (l_.eat(",")) {
    l_.want("(");
    list(arguments);
    if (l_.is(",")) l_.fail("indirect calls are not interpreted");
  }
  l_.want(";");
  l_.line_ = s.line;
  if (f == l_.functions_.end()) l_.fail("unknown function '" + std::string(name) + "'");
  const Function& function = f->second;
  if (!function.body) {
    if (name == "__assertfail" || name == "__assert_fail") {
      Statement trap;
      trap.line = s.line;
      trap.full = trap.op = "trap";
      trap.guard = s.guard;
      trap.guardNot = s.guardNot;
      return decoder_.decode(trap);
    }
    l_.fail("function '" + std::string(name) + "' has no body");
  }
  if (std::find(calls_.begin(), calls_.end(), name) != calls_.end()) l_.fail("recursive call of '" + std::string(name) + "'");
  if (function.parameters.size() != arguments.size() || function.results.size() != results.size())
    l_.fail("wrong number of arguments for '" + std::string(name) + "'");
  if (++expanded_ > 20000 || assembly_.drafts.size() > 1u << 20) l_.fail("more calls than this machine expands");

  const int end = newLabel();
  if (s.guard != none) {
    Draft d;
    d.instruction.flow = Flow::Branch;
    d.instruction.kind = Class::Control;
    d.instruction.run = executeExit;
    d.instruction.line = s.line;
    d.instruction.guard = s.guard;
    d.instruction.guardNot = !s.guardNot;
    d.instruction.hidden = true;
    d.label = end;
    assembly_.drafts.push_back(d);
  }
  const size_t back = l_.p_;
  const u32 line = l_.line_;
  scopes_.push_back({});
  Scope& scope = scopes_.back();
  scope.function = true;
  scope.end = end;
  scope.localTop = localTop_;
  for (size_t k = 0; k < arguments.size(); k++) scope.symbols[function.parameters[k]] = arguments[k];
  for (size_t k = 0; k < results.size(); k++) scope.symbols[function.results[k]] = results[k];
  calls_.push_back(name);
  l_.p_ = function.body;
  declareLabels();
  block();
  localTop_ = scopes_.back().localTop;
  scopes_.pop_back();
  calls_.pop_back();
  l_.p_ = back;
  l_.line_ = line;
  assembly_.labels[size_t(end)] = u32(assembly_.drafts.size());
}

Symbol* Body::localVariable(Symbol s) {
  s.space = Space::Local;
  localTop_ = (localTop_ + s.align - 1) / s.align * s.align;
  s.address = localTop_;
  localTop_ += s.size;
  if (localTop_ > 512 * 1024) l_.fail("more than 512 KiB of local memory a thread");
  kernel_.localBytes = std::max(kernel_.localBytes, u32((localTop_ + 15) & ~15ull));
  symbols_.push_back(s);
  return &symbols_.back();
}

void Body::declaration(std::string_view space) {
  if (space == ".reg") {
    const std::string_view type = l_.word();
    const int width = registerWidth(type);
    if (width < 0) l_.fail("registers of type " + std::string(type) + " are not interpreted");
    do {
      const std::string_view name = l_.word();
      u32 count = 1;
      const bool many = l_.eat("<");
      if (many) {
        count = u32(l_.number());
        l_.want(">");
      }
      if (count > 1u << 20 || assembly_.registers.size() + count > 1u << 22) l_.fail("more registers than this machine takes");
      Range r{u32(assembly_.registers.size()), count, u8(width)};
      assembly_.registers.resize(assembly_.registers.size() + count, {u8(width), none});
      (many ? scopes_.back().ranges : scopes_.back().exact)[name] = r;
    } while (l_.eat(","));
    l_.want(";");
    return;
  }
  if (space == ".pragma") {
    l_.next();
    return l_.want(";");
  }
  const bool shared = space == ".shared", local = space == ".local" || space == ".param", global = space == ".global" || space == ".const";
  if (!shared && !local && !global) l_.fail("unknown directive " + std::string(space));
  const size_t before = l_.p_;
  Loader::Initial initial;
  Symbol s = l_.variable(shared ? Space::Shared : local ? Space::Local : Space::Global, false, global ? &initial : nullptr);
  std::string_view name;
  for (size_t t = before; t < l_.p_; t++)
    if (l_.tokens_[t].text == s.name) name = l_.tokens_[t].text;
  l_.want(";");
  if (local) {
    scopes_.back().symbols[name] = localVariable(s);
  } else if (shared) {
    symbols_.push_back(s);
    scopes_.back().symbols[name] = &symbols_.back();
    shared_.push_back(&symbols_.back());
  } else {
    s.constant = space == ".const";
    l_.globalVariable(s, initial);
    scopes_.back().symbols[name] = l_.module_.symbols[s.name].get();
  }
}

void Body::layShared() {
  u64 top = sharedBase, align = 16;
  constexpr u64 redZone = 16;
  for (Symbol* s : shared_) {
    if (s->external || s->dynamic) {
      align = std::max(align, s->align);
      continue;
    }
    const u64 place = (top + s->align - 1) / s->align * s->align;
    if (place > top) kernel_.redZones.push_back({u32(top), u32(place - top)});
    s->address = place;
    kernel_.staticShared = u32((kernel_.staticShared + s->align - 1) / s->align * s->align + s->size);
    kernel_.redZones.push_back({u32(place + s->size), u32(redZone)});
    top = place + s->size + redZone;
    if (top > 1 << 20) l_.fail("more shared memory than any device has");
  }
  const u64 dynamic = (top + align - 1) / align * align;
  if (dynamic > top && top > sharedBase) kernel_.redZones.push_back({u32(top), u32(dynamic - top)});
  kernel_.sharedEnd = kernel_.dynamicBase = u32(dynamic);
  for (Symbol* s : shared_)
    if (s->external || s->dynamic) s->address = dynamic;
}

}  // namespace ptx
