// Races on global memory: between blocks of one launch, and between warps of one block.
#pragma once
#include "machine.h"

namespace ptx {

void beginGlobalRaces(const Launch& launch);
bool endGlobalRaces(const Launch& launch);  // true if there were any

}  // namespace ptx
