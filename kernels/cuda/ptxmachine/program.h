// What the loader makes of PTX text and the interpreter runs: modules, kernels, and instructions in a compact form.
//
// A register is an array of 32 values, one a lane; an operand is the byte offset of such an array, either in the warp's own
// register bank or (top bit set) in the bank of constants that all warps of a block share. Immediates are constants there,
// so an instruction body never asks what kind of operand it has. A predicate is one 32-bit mask of lanes.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "number.h"

namespace ptx {

using Lanes = u32;  // one bit a lane of a warp
constexpr Lanes allLanes = ~0u;
constexpr u32 none = ~0u;
constexpr u32 constantBank = 1u << 31;

// Generic addresses: global memory has its own, everything else lives in a window far above it.
constexpr u64 sharedWindow = 1ull << 52, localWindow = 2ull << 52, paramWindow = 3ull << 52, windowMask = ~0ull << 52;
constexpr u32 sharedBase = 1024;  // the first KiB is the system's, so that a null pointer into shared memory is noticed

enum class Class : u8 {
  Tensor, Fma, Float, Special, Integer, Move, Global, Shared, AsyncCopy, OtherMemory, Atomic, WarpWide, Barrier, Control, Count
};

enum class Flow : u8 {
  Plain,    // runs for the active lanes
  Branch,   // to target
  Indexed,  // to one of a table of targets
  Exit,
  Gather,   // needs all lanes of a member mask at once: the mask is operand `maskOperand`, or all live lanes where that is none
  Wait,     // lanes that must wait are parked and try again when an mbarrier changes its phase
  Trap,
};

enum class Space : u8 { Global, Shared, Local, Param, Generic };

struct Warp;
struct Instruction;
using Execute = void (*)(Warp&, const Instruction&, Lanes active);

struct Instruction {
  Execute run = nullptr;
  const u32* operand = nullptr;
  s64 displacement = 0, displacement2 = 0;
  u32 guard = none, target = 0, line = 0, maskOperand = none;
  u32 operands = 0, results = 0;  // results come first
  u32 option = 0;                 // the class's own: lut, count, mode
  u8 bytes = 0, elements = 1;
  Flow flow = Flow::Plain;
  Class kind = Class::Move;
  Space space = Space::Generic;
  bool guardNot = false;
  bool hidden = false;  // a step of the decoder's own: not counted
  bool narrow = false, narrow2 = false;  // addresses held in 32-bit registers
  u8 flags = 0;
};

constexpr u8 plainMove = 7;  // Instruction::flags of a copy between registers

struct Module;

struct Symbol {
  std::string name;
  Space space = Space::Global;
  u64 size = 0, align = 1, address = 0;
  bool external = false, constant = false, dynamic = false;
};

struct Parameter {
  u32 offset = 0, size = 0;
};

// Special registers that differ between warps or blocks; filled when a block starts.
enum class Special : u8 {
  TidX, TidY, TidZ, NtidX, NtidY, NtidZ, CtaidX, CtaidY, CtaidZ, NctaidX, NctaidY, NctaidZ, Laneid, Warpid, Nwarpid,
  LanemaskEq, LanemaskLe, LanemaskLt, LanemaskGe, LanemaskGt, Smid, Nsmid, Gridid, DynamicShared, TotalShared,
  ClusterIdX, ClusterIdY, ClusterIdZ, NclusterIdX, NclusterIdY, NclusterIdZ, ClusterRank, ClusterRanks, Clock, Count
};

struct Constant {
  u32 offset;   // in the constant bank
  u8 width;     // bytes a lane; 0: a predicate
  u64 bits;
  Symbol* address = nullptr;  // added when the kernel is launched: where a variable of the module lies
};

// Bytes and transactions of one memory instruction. Units are 32-byte sectors (global) or wavefronts (shared).
struct Traffic {
  u64 requests = 0, bytes = 0, units = 0, least = 0, fresh = 0;
  void add(const Traffic& t) { requests += t.requests; bytes += t.bytes; units += t.units; least += t.least; fresh += t.fresh; }
};

struct InstructionCount {
  u64 executed = 0, lanes = 0;
  Traffic global, shared;
};

struct Kernel {
  Module* module = nullptr;
  std::string name;
  u32 line = 0;
  std::vector<Instruction> code;
  std::vector<u32> operandPool;
  std::vector<std::vector<u32>> tables;  // of brx.idx
  std::vector<Parameter> parameters;
  std::vector<Constant> constants;
  std::vector<std::pair<u32, Special>> warpSpecials;  // offsets in the warp's bank
  std::vector<std::pair<u32, u32>> redZones;          // of shared memory, first byte and length
  u32 parameterBytes = 0, registerBytes = 0, constantBytes = 0, localBytes = 0;
  u32 staticShared = 0;  // bytes as the program declares them
  u32 sharedEnd = sharedBase, dynamicBase = sharedBase;  // addresses, red zones included
  u32 registers = 0;     // 32-bit registers live at once, a lower bound of what ptxas needs
  u32 maxThreads = 1024;
  u32 requiredThreads[3] = {0, 0, 0};
  u32 cluster[3] = {1, 1, 1};
  u32 dynamicLimit = 48 * 1024;
  bool ordered = false;  // uses atomics whose result depends on the order of blocks: blocks run one after another
  bool wgmma = false;
  std::vector<u32> writtenParameters;  // that it may store through

  // Since the last clear.
  std::vector<InstructionCount> counts;
  u64 launches = 0, blocks = 0, tensorOperations = 0, barriers = 0;
  double seconds = 0;
};

struct Module {
  std::vector<std::string> text;  // its lines
  std::map<u32, std::string> files;
  std::vector<std::pair<u32, u32>> sourceOfLine;  // by PTX line: file, line (0: unknown)
  std::unordered_map<std::string, std::unique_ptr<Symbol>> symbols;
  std::map<std::string, std::unique_ptr<Kernel>> kernels;
  std::vector<u64> owned;  // allocations of its variables
  u32 target = 80;
  int device = 0;
  bool unloaded = false;
};

// Loads PTX text: variables are allocated on `device`. Throws LoadError naming line and opcode.
std::unique_ptr<Module> load(const std::string& text, int device);

}  // namespace ptx
