// What the scheduler asks of the block's barriers.
#pragma once
#include "machine.h"

namespace ptx {

// Opens the barrier when all that it waits for have come, or have left the kernel. True if it did.
bool openIfComplete(Block& b, u32 id);

}  // namespace ptx
