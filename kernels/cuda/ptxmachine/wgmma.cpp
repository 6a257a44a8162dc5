#include "decode.h"
#include "machine.h"
namespace ptx {
void addWgmma(Opcodes&) {}
void trackRegisters(Warp&, const Instruction&, Lanes) {}
void reportPendingWgmma(Block&) {}
}  // namespace ptx
