#include "decode.h"
namespace ptx {
void addMbarrier(Opcodes&) {}
}  // namespace ptx
