// What the instruction classes decode with: the types of PTX, the operands of one statement, and the means to turn them
// into an Instruction. Every modifier must be consumed; what nobody asks for refuses the program by name and line.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "program.h"
#include "text.h"

namespace ptx {

enum class Type : u8 {
  U8, U16, U32, U64, S8, S16, S32, S64, B8, B16, B32, B64, B128, F16, BF16, TF32, F32, F64, F16x2, BF16x2, E4M3x2, E5M2x2, Pred, None
};
u32 sizeOf(Type t);
bool isFloat(Type t);
bool isSigned(Type t);

struct Operand {
  enum Kind : u8 { Empty, Register, Immediate, Variable, Address, Vector, Sink, Special, Label, Pair } kind = Empty;
  u8 width = 0;           // bytes of the register; 0: predicate
  bool negated = false;   // !%p
  char literal = 'i';     // i integer, f float, d double
  u32 reference = none;   // virtual register, or base register of an address
  u32 second = none;      // the other half of p|q
  u64 bits = 0;           // immediate
  s64 displacement = 0;
  Symbol* symbol = nullptr;
  std::vector<Operand> parts;  // of a vector, or coordinates of a tensor address
  std::string_view name;
};

struct Statement {
  u32 line = 0;
  std::string_view full, op;
  std::vector<std::string_view> modifiers;
  std::vector<bool> used;
  std::vector<Operand> operands;
  u32 guard = none;
  bool guardNot = false;
};

// An instruction before registers have places: operands are virtual registers or places in the constant bank.
struct Draft {
  Instruction instruction;
  u32 first = 0, count = 0;  // in Assembly::operands
  int label = -1;            // branch target
};

struct VirtualRegister {
  u8 width;  // bytes a lane; 0: predicate
  u32 place = none;
};

struct Assembly {
  Kernel* kernel = nullptr;
  std::vector<Draft> drafts;
  std::vector<u32> operands;
  std::vector<VirtualRegister> registers;
  std::vector<u32> labels;                      // by number: index of the draft that follows
  std::vector<std::vector<int>> tables;         // labels of brx.idx
  u32 carry = none;                             // the predicate that holds a thread's carry
};

// Gives virtual registers places by liveness, so that a warp's bank stays small, and fills the kernel's code.
void assignRegisters(Assembly& a);

// Notes which parameters the kernel may store through, for the race detector.
void findWrittenParameters(const Assembly& a);

class Decoder {
 public:
  Decoder(Assembly& assembly, Module& module) : assembly_(assembly), module_(module) {}
  void decode(Statement& s);  // through the table of opcodes

  // ---- modifiers
  bool has(std::string_view modifier);
  int oneOf(std::initializer_list<const char*> modifiers);  // its place in the list, or -1
  void skip(std::initializer_list<const char*> modifiers);
  Type type();   // the last type not consumed yet; fails where there is none
  Type tryType();

  // ---- operands
  const Statement& statement() const { return *s_; }
  size_t count() const { return s_->operands.size(); }
  const Operand& operand(size_t k);
  void expect(size_t least, size_t most);
  void need(bool condition);  // "operands or modifiers of `op` are not supported"
  [[noreturn]] void fail(const std::string& what) const;
  s64 immediate(size_t k);
  u32 source(const Operand& o, u32 bytes, Type t = Type::None);  // reference of a value of that many bytes
  u32 source(size_t k, Type t) { return source(operand(k), sizeOf(t), t); }
  u32 result(const Operand& o, u32 bytes, bool signExtend = false);
  u32 result(size_t k, Type t) { return result(operand(k), sizeOf(t), isSigned(t)); }
  u32 predicate(const Operand& o);        // source; negation is made explicit
  u32 constant(u64 bits, u32 bytes);
  u32 fresh(u32 bytes);                   // a register of the decoder's own
  u32 special(Special s);
  u32 addressOf(const Operand& o, s64& displacement, bool& narrow);

  // ---- emission
  Instruction& emit(Execute run, Class kind, const std::vector<u32>& results, const std::vector<u32>& sources, Flow flow = Flow::Plain);
  Instruction& emitHidden(Execute run, const std::vector<u32>& results, const std::vector<u32>& sources);
  Assembly& assembly() { return assembly_; }
  Module& module() { return module_; }
  std::function<int(std::string_view)> labelNumber;  // set by the loader
  std::function<const std::vector<int>*(std::string_view)> labelTable;

 private:
  Assembly& assembly_;
  Module& module_;
  Statement* s_ = nullptr;
  bool emitted_ = false;
  std::vector<std::function<void()>> after_;  // widening of results
  std::unordered_map<u64, u32> pool_[4];      // constants by width
  std::unordered_map<int, u32> specials_;
};

using Decode = void (*)(Decoder&);
struct Opcodes {
  std::unordered_map<std::string_view, Decode> table;
  void add(std::string_view op, Decode d) { table[op] = d; }
};
// Each class of instructions fills in its own opcodes.
void addInteger(Opcodes&);
void addCarry(Opcodes&);
void addFloating(Opcodes&);
void addConvert(Opcodes&);
void addCompare(Opcodes&);
void addMove(Opcodes&);
void addLoadStore(Opcodes&);
void addAtomic(Opcodes&);
void addCopyAsync(Opcodes&);
void addMatrix(Opcodes&);
void addWarpWide(Opcodes&);
void addBarrier(Opcodes&);
void addMbarrier(Opcodes&);

void addWgmma(Opcodes&);
void addControl(Opcodes&);
const Opcodes& opcodes();

}  // namespace ptx
