// Device memory: allocations with unmapped gaps between them, never at an address that was used before, each with a shadow
// byte for every byte that says whether it was ever written. Device addresses are the machine's own and the same in every
// run; host memory that was registered or allocated through the driver keeps its host address, as with unified addressing.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "number.h"

namespace ptx {

struct Allocation {
  u64 base = 0, size = 0;
  u8* host = nullptr;    // its bytes
  u8* shadow = nullptr;  // 1: written
  u64* accesses = nullptr;  // for races: the last write and read of every 4 bytes, made when a kernel writes here
  u64 accessEpoch = 0;
  int device = 0;        // -1: host memory, open to all
  bool readOnly = false, ownsHost = true;
  void trackAccesses(u64 epoch);  // fresh words for this epoch
};

class Memory {
 public:
  ~Memory();
  // The address, or 0 where the limit or the machine's memory is reached.
  u64 allocate(u64 bytes, int device, u64 limit);
  bool release(u64 base, int device = -2);
  bool addHost(void* host, u64 bytes, bool owned);  // pinned memory: always counts as written
  bool removeHost(void* host);
  Allocation* nearest(u64 address) const;  // at or below
  Allocation* containing(u64 address, u64 bytes) const;
  std::string describe(u64 address, u64 bytes) const;  // where a bad address lies
  u64 used(int device) const;
  void forgetDevice(int device);

 private:
  std::map<u64, std::unique_ptr<Allocation>> live_;
  std::map<u64, u64> freed_;
  std::map<int, u64> used_;
  u64 next_ = 0x100000000000;
};

Memory& memory();

}  // namespace ptx
