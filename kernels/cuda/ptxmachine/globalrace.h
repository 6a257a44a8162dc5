// Races on global memory within a launch: between blocks, which nothing orders, and between warps of a block.
//
// For memory a kernel writes, every 4 bytes keep a stamp of the last write and of the last read: launch, block, warp, clock,
// line. Memory that is only read keeps none. A kernel with atomics on global memory may order its blocks by them, so for
// those only the warps of one block are compared.
#pragma once
#include "machine.h"

namespace ptx {

void beginGlobalRaces(const Launch& launch);
bool endGlobalRaces(const Launch& launch);  // true if blocks raced; the report is the same for any number of workers

}  // namespace ptx
