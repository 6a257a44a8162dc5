// Counters of kernels and the text of a report.
#pragma once
#include <string>

#include "machine.h"
#include "ptxmachine.h"

namespace ptx {

extern const char* const classNames[];
void addCounters(const Kernel& k, ptxmachineKernelCounters& c);
std::string findingsText();
std::string reportText();
void clearCounters(Kernel& k);

}  // namespace ptx
