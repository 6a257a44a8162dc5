// Branches, exits and what the machine lets pass. Source: PTX ISA, "Control flow".
#include "decode.h"

namespace ptx {

namespace {
void nothing(Warp&, const Instruction&, Lanes) {}

void branch(Decoder& d) {
  d.skip({"uni"});
  d.expect(1, 1);
  d.need(d.operand(0).kind == Operand::Label);
  d.emit(nothing, Class::Control, {}, {}, Flow::Branch);
  d.assembly().drafts.back().label = d.labelNumber(d.operand(0).name);
}

void indexed(Decoder& d) {
  d.need(d.has("idx"));
  d.skip({"uni"});
  d.expect(2, 2);
  const std::vector<int>* table = d.labelTable(d.operand(1).name);
  if (!table || table->empty()) d.fail("unknown table of targets");
  const u32 index = d.source(d.operand(0), 4);
  Instruction& i = d.emit(nothing, Class::Control, {}, {index}, Flow::Indexed);
  i.option = u32(d.assembly().tables.size());
  d.assembly().tables.push_back(*table);
}

void leave(Decoder& d) {
  d.skip({"uni"});
  d.expect(0, 0);
  d.emit(nothing, Class::Control, {}, {}, Flow::Exit);
}

void trap(Decoder& d) {
  d.expect(0, 0);
  d.emit(nothing, Class::Control, {}, {}, Flow::Trap);
}
}  // namespace

void addControl(Opcodes& o) {
  o.add("bra", branch);
  o.add("brx", indexed);
  o.add("ret", leave);
  o.add("exit", leave);
  o.add("trap", trap);
  o.add("brkpt", trap);
  auto pass = [](Decoder& d) { d.emit(nothing, Class::Control, {}, {}); };
  o.add("pmevent", pass);
  o.add("nanosleep", [](Decoder& d) {
    d.type();
    d.expect(1, 1);
    d.emit(nothing, Class::Control, {}, {});
  });
  // One kernel runs at a time, so what it depends on has always ended.
  o.add("griddepcontrol", [](Decoder& d) {
    d.skip({"wait", "launch_dependents"});
    d.expect(0, 0);
    d.emit(nothing, Class::Control, {}, {});
  });
  o.add("setmaxnreg", [](Decoder& d) {
    d.skip({"inc", "dec", "sync", "aligned"});
    d.need(d.type() == Type::U32);
    const s64 n = d.immediate(0);
    d.need(n >= 24 && n <= 256 && n % 8 == 0);
    d.emit(nothing, Class::Control, {}, {}, Flow::Gather);
  });
}

}  // namespace ptx
