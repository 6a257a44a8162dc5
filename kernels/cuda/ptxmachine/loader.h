// From PTX text to a Module: directives and variables (loader.cpp), the statements of a body (body.cpp).
#pragma once
#include <deque>
#include <map>
#include <set>

#include "decode.h"

namespace ptx {

struct Function {  // a .func: its text is expanded where it is called
  std::vector<std::string_view> results, parameters;
  size_t body = 0;  // token after "{"; 0: declared only
};

class Loader {
 public:
  Loader(Module& module, const std::string& text, int device);
  void run();

 private:
  friend class Body;
  Module& module_;
  std::string text_;
  std::vector<Token> tokens_;
  size_t p_ = 0;
  u32 line_ = 0, sourceFile_ = 0, sourceLine_ = 0;
  int device_;
  std::map<std::string_view, Function> functions_;
  std::vector<std::pair<Kernel*, size_t>> entries_;  // where the body begins
  std::map<Kernel*, std::map<std::string_view, Symbol>> entryParameters_;

  // ---- tokens
  bool is(std::string_view s) const { return tokens_[p_].text == s; }
  bool eat(std::string_view s);
  void want(std::string_view s);
  const Token& next();
  u64 number();
  std::string_view word();
  [[noreturn]] void fail(const std::string& what) const;
  bool debugInformation();
  void skipBraces();  // p_ after "{"; leaves it after the matching "}"

  // ---- declarations
  struct Initial {
    std::vector<u8> bytes;
    std::vector<std::tuple<u64, std::string, u64>> addresses;  // place, symbol, addend
  };
  Symbol variable(Space space, bool external, Initial* initial);
  void initialise(Symbol& s, u32 element, Initial& initial);
  void globalVariable(Symbol s, Initial& initial);
  void entry();
  void function();
  u64 immediateBits(bool negative, char& literal);
};

// Parses the body of one entry into its kernel.
class Body {
 public:
  Body(Loader& loader, Kernel& kernel, std::map<std::string_view, Symbol> parameters);
  void run(size_t firstToken);

 private:
  struct Range {
    u32 base = 0, count = 0;
    u8 width = 0;
  };
  struct Scope {
    std::map<std::string_view, Range> exact, ranges;
    std::map<std::string_view, Symbol*> symbols;
    std::map<std::string_view, int> labels;
    std::map<std::string_view, std::vector<int>> tables;
    bool function = false;  // names outside are not seen from here
    int end = -1;           // label behind an expanded function
    u64 localTop = 0;
  };
  Loader& l_;
  Kernel& kernel_;
  Assembly assembly_;
  Decoder decoder_;
  std::map<std::string_view, Symbol> parameters_;
  std::vector<Scope> scopes_;
  std::vector<std::string_view> calls_;  // functions being expanded
  std::vector<Symbol*> shared_;          // in order of appearance
  std::map<const Symbol*, Symbol*> sharedCopies_;
  std::deque<Symbol> symbols_;
  u64 localTop_ = 0;
  size_t expanded_ = 0;

  void block();                       // statements up to the matching "}"
  void declareLabels();
  int newLabel();
  void declaration(std::string_view space);
  void statement();
  void instruction(Statement& s);
  void call(Statement& s);
  Operand operand();
  Operand address();
  Operand named(std::string_view name);
  Symbol* symbol(std::string_view name);
  const Range* registerRange(std::string_view name, u32& index);
  void layShared();
  Symbol* localVariable(Symbol s);
};

}  // namespace ptx
