#include "loader.h"

#include <algorithm>

#include "memory.h"

namespace ptx {

Loader::Loader(Module& module, const std::string& text, int device) : module_(module), text_(text), device_(device) {
  module_.text = lines(text_);
  module_.sourceOfLine.assign(module_.text.size() + 2, {0, 0});
  tokens_ = tokenize(text_);
}

void Loader::fail(const std::string& what) const {
  const std::string text = line_ && line_ <= module_.text.size() ? module_.text[line_ - 1] : "";
  throw LoadError(format("ptx line %u: ", line_) + what + "  in `" + text.substr(0, 160) + "`");
}

const Token& Loader::next() {
  const Token& t = tokens_[p_];
  line_ = t.line;
  if (t.kind == Token::End) fail("the text ends in the middle of something");
  p_++;
  return t;
}

bool Loader::eat(std::string_view s) {
  if (!is(s) || tokens_[p_].kind == Token::End) return false;
  next();
  return true;
}

void Loader::want(std::string_view s) {
  if (eat(s)) return;
  line_ = tokens_[p_].line;
  fail("'" + std::string(s) + "' expected, '" + std::string(tokens_[p_].text) + "' found");
}

u64 Loader::number() {
  const Token& t = next();
  if (t.kind != Token::Number) fail("a number is expected, '" + std::string(t.text) + "' found");
  return strtoull(std::string(t.text).c_str(), nullptr, 0);
}

std::string_view Loader::word() {
  const Token& t = next();
  if (t.kind != Token::Word) fail("a name is expected, '" + std::string(t.text) + "' found");
  return t.text;
}

bool Loader::debugInformation() {
  const Token& t = tokens_[p_];
  if (t.kind == Token::Location) {
    unsigned file = 0, line = 0;
    if (sscanf(std::string(t.text).c_str(), ".loc %u %u", &file, &line) == 2) {
      sourceFile_ = file;
      sourceLine_ = line;
    }
  } else if (t.kind == Token::File) {
    unsigned file = 0;
    char name[512];
    if (sscanf(std::string(t.text).c_str(), ".file %u \"%511[^\"]", &file, name) == 2) {
      const char* slash = strrchr(name, '/');
      module_.files[file] = slash ? slash + 1 : name;
    }
  } else {
    return false;
  }
  p_++;
  return true;
}

void Loader::skipBraces() {
  for (int depth = 1; depth;) {
    const Token& t = next();
    if (t.text == "{") depth++;
    if (t.text == "}") depth--;
  }
}

u64 Loader::immediateBits(bool negative, char& literal) {
  const Token& t = next();
  if (t.kind != Token::Number) fail("a constant is expected, '" + std::string(t.text) + "' found");
  std::string s(t.text);
  literal = 'i';
  if (s.size() > 2 && s[0] == '0' && (s[1] == 'f' || s[1] == 'F' || s[1] == 'd' || s[1] == 'D')) {
    literal = s[1] == 'f' || s[1] == 'F' ? 'f' : 'd';
    const u64 bits = strtoull(s.c_str() + 2, nullptr, 16);
    return negative ? bits ^ 1ull << (literal == 'f' ? 31 : 63) : bits;
  }
  if (s.find('.') != std::string::npos) {
    literal = 'd';
    const double d = strtod(s.c_str(), nullptr);
    return bitsAs<u64>(negative ? -d : d);
  }
  while (!s.empty() && (s.back() == 'U' || s.back() == 'u')) s.pop_back();
  const bool binary = s.size() > 2 && s[0] == '0' && (s[1] == 'b' || s[1] == 'B');
  const u64 v = binary ? strtoull(s.c_str() + 2, nullptr, 2) : strtoull(s.c_str(), nullptr, 0);
  return negative ? 0 - v : v;
}

namespace {
u32 declaredSize(std::string_view directive) {
  for (auto [name, size] : {std::pair<const char*, u32>{".u8", 1}, {".s8", 1}, {".b8", 1}, {".u16", 2}, {".s16", 2}, {".b16", 2}, {".f16", 2},
                            {".bf16", 2}, {".u32", 4}, {".s32", 4}, {".b32", 4}, {".f32", 4}, {".f16x2", 4}, {".bf16x2", 4}, {".u64", 8},
                            {".s64", 8}, {".b64", 8}, {".f64", 8}, {".b128", 16}})
    if (directive == name) return size;
  return 0;
}
}  // namespace

// [.align n] [.v2] .type [.ptr .space .align n] name [dims] [= initialiser]
Symbol Loader::variable(Space space, bool external, Initial* initial) {
  Symbol s;
  s.space = space;
  s.external = external;
  u64 element = 0, vector = 1, align = 0;
  while (tokens_[p_].kind == Token::Word && tokens_[p_].text[0] == '.') {
    const std::string_view d = next().text;
    if (d == ".align") {
      const u64 a = number();
      if (!element) align = a;
      if (!a || (a & (a - 1)) || a > 1 << 20) fail("an alignment is a power of two");
    } else if (declaredSize(d)) {
      element = declaredSize(d);
    } else if (d == ".v2" || d == ".v4") {
      vector = u64(d[2] - '0');
    } else if (d != ".ptr" && d != ".global" && d != ".shared" && d != ".const" && d != ".local" && d != ".attribute") {
      fail("unknown qualifier " + std::string(d));
    }
  }
  if (!element) fail("a type is expected");
  s.name = std::string(word());
  s.align = std::max<u64>(align, element * vector);
  u64 count = vector;
  while (eat("[")) {
    const u64 n = is("]") ? 0 : number();
    if (!n) s.dynamic = true;
    if (n > 1ull << 40 || count * n > 1ull << 40) fail("the variable is larger than any device");
    count *= n;
    want("]");
  }
  s.size = element * count;
  if (initial) initial->bytes.assign(s.size, 0);
  if (is("=") && !initial) fail("an initialiser is not allowed here");
  if (eat("=")) {
    line_ = tokens_[p_].line;
    initialise(s, u32(element), *initial);
  }
  return s;
}

void Loader::initialise(Symbol& s, u32 element, Initial& initial) {
  u64 place = 0;
  int depth = 0;
  do {
    while (eat("{")) depth++;
    const bool negative = eat("-");
    if (tokens_[p_].kind == Token::Word) {
      std::string_view name = word();
      if (name == "generic") {
        want("(");
        name = word();
        want(")");
      }
      const u64 addend = eat("+") ? number() : 0;
      initial.addresses.emplace_back(place, std::string(name), addend);
    } else {
      char literal = 'i';
      const u64 bits = immediateBits(negative, literal);
      if (place + element > s.size) fail("more values than the variable holds");
      std::memcpy(initial.bytes.data() + place, &bits, std::min<u32>(element, 8));
    }
    place += element;
    while (depth && eat("}")) depth--;
  } while (eat(","));
  while (depth--) want("}");
}

void Loader::globalVariable(Symbol s, Initial& initial) {
  if (!s.external) {
    s.address = memory().allocate(std::max<u64>(s.size, 1), device_, ~0ull >> 1);
    if (!s.address) fail("no memory for a variable of " + std::to_string(s.size) + " bytes");
    module_.owned.push_back(s.address);
    Allocation* a = memory().nearest(s.address);
    for (auto& [place, name, addend] : initial.addresses) {
      auto it = module_.symbols.find(name);
      if (it == module_.symbols.end() || place + 8 > s.size) fail("unknown name '" + name + "' in an initialiser");
      const u64 value = it->second->address + addend;
      std::memcpy(initial.bytes.data() + place, &value, 8);
    }
    std::memcpy(a->host, initial.bytes.data(), s.size);
    std::memset(a->shadow, 1, s.size);
    a->readOnly = s.constant;
  }
  module_.symbols[s.name] = std::make_unique<Symbol>(s);
}

void Loader::entry() {
  auto kernel = std::make_unique<Kernel>();
  Kernel& k = *kernel;
  k.module = &module_;
  k.line = line_;
  k.name = std::string(word());
  std::map<std::string_view, Symbol> parameters;
  if (eat("(")) {
    while (!is(")")) {
      want(".param");
      const size_t before = p_;
      Symbol s = variable(Space::Param, false, nullptr);
      const u32 offset = u32((k.parameterBytes + s.align - 1) / s.align * s.align);
      s.address = offset;
      k.parameters.push_back({offset, u32(s.size)});
      k.parameterBytes = offset + u32(s.size);
      std::string_view name;
      for (size_t t = before; t < p_; t++)
        if (tokens_[t].text == s.name) name = tokens_[t].text;
      parameters[name] = s;
      if (!eat(",")) break;
    }
    want(")");
  }
  if (k.parameterBytes > 32764) fail("the parameters are larger than 32764 bytes");
  while (!is("{")) {
    const std::string_view d = word();
    auto three = [&](u32* v) {
      for (int n = 0; n < 3; n++) {
        v[n] = u32(number());
        if (!eat(",")) break;
      }
    };
    if (d == ".maxntid" || d == ".reqntid") {
      u32 v[3] = {1, 1, 1};
      three(v);
      k.maxThreads = std::min(1024u, v[0] * v[1] * v[2]);
      if (d == ".reqntid") std::copy(v, v + 3, k.requiredThreads);
    } else if (d == ".reqnctapercluster") {
      three(k.cluster);
    } else if (d == ".minnctapersm" || d == ".maxnreg" || d == ".maxclusterrank") {
      number();
    } else if (d == ".pragma") {
      next();
      want(";");
    } else if (d != ".noreturn" && d != ".explicitcluster" && d != ".blocksareclusters") {
      fail("unknown directive " + std::string(d));
    }
  }
  if (k.cluster[0] * k.cluster[1] * k.cluster[2] > 1) fail("clusters of more than one block are not interpreted");
  want("{");
  if (module_.kernels.count(k.name)) fail("a second kernel '" + k.name + "'");
  entries_.push_back({&k, p_});
  entryParameters_[&k] = std::move(parameters);
  module_.kernels[k.name] = std::move(kernel);
  skipBraces();
}

void Loader::function() {
  Function f;
  auto list = [&](std::vector<std::string_view>& names) {
    want("(");
    while (!is(")")) {
      if (is(".reg")) fail("functions with register parameters are not interpreted");
      want(".param");
      while (tokens_[p_].text[0] == '.') {
        const bool number_ = is(".align");
        next();
        if (number_) number();
      }
      names.push_back(word());
      while (eat("[")) {
        if (!is("]")) number();
        want("]");
      }
      if (!eat(",")) break;
    }
    want(")");
  };
  if (is("(")) list(f.results);
  const std::string_view name = word();
  if (is("(")) list(f.parameters);
  while (!is("{") && !is(";")) next();
  if (eat("{")) {
    f.body = p_;
    skipBraces();
  } else {
    want(";");
  }
  Function& known = functions_[name];
  if (f.body || !known.body) known = f;
}

void Loader::run() {
  while (tokens_[p_].kind != Token::End) {
    if (debugInformation()) continue;
    bool external = false;
    const Token* d = &next();
    while (d->text == ".visible" || d->text == ".extern" || d->text == ".weak" || d->text == ".common") {
      external |= d->text == ".extern";
      d = &next();
    }
    const std::string_view s = d->text;
    if (s == ".version" || s == ".address_size") {
      const std::string_view v = next().text;
      if (s == ".address_size" && v != "64") fail("only 64-bit addresses are interpreted");
    } else if (s == ".target") {
      do {
        const std::string_view t = next().text;
        if (t.substr(0, 3) == "sm_") module_.target = u32(strtoul(std::string(t.substr(3)).c_str(), nullptr, 10));
      } while (eat(","));
    } else if (s == ".shared") {
      Symbol v = variable(Space::Shared, external, nullptr);
      want(";");
      module_.symbols[v.name] = std::make_unique<Symbol>(v);
    } else if (s == ".global" || s == ".const") {
      Initial initial;
      Symbol v = variable(Space::Global, external, &initial);
      v.constant = s == ".const";
      want(";");
      globalVariable(std::move(v), initial);
    } else if (s == ".entry") {
      entry();
    } else if (s == ".func") {
      function();
    } else if (s == ".pragma") {
      next();
      want(";");
    } else if (s == ".alias") {
      fail("aliases are not interpreted");
    } else if (s != ";") {
      fail("unknown directive '" + std::string(s) + "'");
    }
  }
  for (auto& [kernel, first] : entries_) Body(*this, *kernel, entryParameters_[kernel]).run(first);
}

std::unique_ptr<Module> load(const std::string& text, int device) {
  auto module = std::make_unique<Module>();
  module->device = device;
  try {
    Loader(*module, text, device).run();
  } catch (...) {
    for (u64 a : module->owned) memory().release(a);
    throw;
  }
  return module;
}

}  // namespace ptx
