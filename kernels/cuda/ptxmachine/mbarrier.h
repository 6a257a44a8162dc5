// What tensor and bulk copies ask of the mbarrier they complete on.
#pragma once
#include "machine.h"

namespace ptx {

// The clock under which asynchronous writes that complete on the mbarrier at `address` are stamped.
struct AsyncClock {
  u32 agent, time;
};
AsyncClock beginAsync(Block& b, u32 address);
// Bytes have arrived: the phase may end.
void completeTransfer(Warp& w, const Instruction& i, u32 lane, u32 address, u32 bytes);

}  // namespace ptx
