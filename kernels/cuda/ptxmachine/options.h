// Switches of the machine: PTXMACHINE=name=value,name=value in the environment, or ptxmachineOption at run time.
#pragma once
#include <string>

#include "number.h"

namespace ptx {

struct Options {
  int devices = 1;
  int sm = 80;                     // what the devices pose as
  int driver = 12090;              // version the driver reports
  u64 memory = 16ull << 30;        // bytes of each device
  int workers = 0;                 // threads that run blocks; 0: one a core
  bool randomSchedule = false;     // sched=rand: which warp runs next is drawn
  u64 seed = 1;
  u64 quantum = 256;               // instructions before another warp has its turn
  u64 budget = 20'000'000'000;     // warp instructions a block may take
  bool race = true, init = true, sync = true, globalRace = true;
  bool fresh = false;              // sectors are also counted once a block
  bool truncate = false;           // mma=trunc: sums of 8 products truncated to float, nearer to the hardware
  bool quiet = false;              // findings are kept but not printed
  bool fail = false;               // any finding makes the launch fail, for programs that do not ask
  bool summary = false;            // counters and findings on stderr at exit
  std::string set(const std::string& assignment);  // "" or what is wrong
};

Options& options();

}  // namespace ptx
