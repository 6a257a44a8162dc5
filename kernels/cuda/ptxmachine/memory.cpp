#include "memory.h"

#include <sys/mman.h>

#include <algorithm>

#include "text.h"

namespace ptx {

namespace {
constexpr u64 accessWords(u64 bytes) { return (bytes / 4 + 2) * 2; }
constexpr u64 gap = 16ull << 20, addressEnd = 0x500000000000;

u8* reserve(u64 bytes) {
  void* p = mmap(nullptr, std::max<u64>(bytes, 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? nullptr : static_cast<u8*>(p);
}

void discard(Allocation& a) {
  const u64 bytes = std::max<u64>(a.size, 1);
  if (a.ownsHost && a.host) munmap(a.host, bytes);
  if (a.shadow) munmap(a.shadow, bytes);
  if (a.accesses) munmap(a.accesses, accessWords(a.size) * sizeof(u64));
}
}  // namespace

void Allocation::trackAccesses(u64 epoch) {
  if (accesses && accessEpoch == epoch) return;
  if (accesses) munmap(accesses, accessWords(size) * sizeof(u64));
  accesses = reinterpret_cast<u64*>(reserve(accessWords(size) * sizeof(u64)));
  accessEpoch = epoch;
}

Memory& memory() {
  static Memory* const m = new Memory;  // outlives static destructors of the program
  return *m;
}

Memory::~Memory() {
  for (auto& entry : live_) discard(*entry.second);
}

u64 Memory::allocate(u64 bytes, int device, u64 limit) {
  if (!bytes || bytes > limit || used_[device] > limit - bytes) return 0;
  // A gap of the allocation's own size at least: an access one buffer length further meets nothing.
  const u64 span = (std::max(bytes, gap - 512) + 511) / 512 * 512 + std::max(bytes, gap) / 512 * 512;
  if (next_ + span > addressEnd) return 0;
  auto a = std::make_unique<Allocation>();
  a->base = next_;
  a->size = bytes;
  a->device = device;
  a->host = reserve(bytes);
  a->shadow = reserve(bytes);
  if (!a->host || !a->shadow) {
    discard(*a);
    return 0;
  }
  if (bytes <= 16u << 20) std::memset(a->host, 0xff, bytes);  // a NaN to whoever reads it unwritten
  next_ += span;
  used_[device] += bytes;
  const u64 base = a->base;
  live_[base] = std::move(a);
  return base;
}

bool Memory::release(u64 base, int device) {
  auto it = live_.find(base);
  if (it == live_.end() || it->second->device < 0 || (device >= 0 && it->second->device != device)) return false;
  Allocation& a = *it->second;
  freed_[a.base] = a.size;
  used_[a.device] -= a.size;
  discard(a);
  live_.erase(it);
  return true;
}

bool Memory::addHost(void* host, u64 bytes, bool owned) {
  if (!host || !bytes) return false;
  auto a = std::make_unique<Allocation>();
  a->base = reinterpret_cast<u64>(host);
  a->size = bytes;
  a->device = -1;
  a->host = static_cast<u8*>(host);
  a->ownsHost = owned;
  a->shadow = reserve(bytes);
  if (!a->shadow || live_.count(a->base)) {
    a->ownsHost = false;
    discard(*a);
    return false;
  }
  std::memset(a->shadow, 1, bytes);
  freed_.erase(a->base);
  live_[a->base] = std::move(a);
  return true;
}

bool Memory::removeHost(void* host) {
  auto it = live_.find(reinterpret_cast<u64>(host));
  if (it == live_.end() || it->second->device >= 0) return false;
  discard(*it->second);
  live_.erase(it);
  return true;
}

Allocation* Memory::nearest(u64 address) const {
  auto it = live_.upper_bound(address);
  return it == live_.begin() ? nullptr : (--it)->second.get();
}

Allocation* Memory::containing(u64 address, u64 bytes) const {
  Allocation* a = nearest(address);
  return a && bytes <= a->size && address - a->base <= a->size - bytes ? a : nullptr;
}

std::string Memory::describe(u64 address, u64 bytes) const {
  auto f = freed_.upper_bound(address);
  if (f != freed_.begin() && address - (--f)->first < f->second) return format("in freed memory (%llu bytes)", ull(f->second));
  const Allocation* a = nearest(address);
  if (a && address - a->base < a->size) return format("across the end of an allocation of %llu bytes", ull(a->size));
  auto above = live_.upper_bound(address);
  const u64 past = a ? address - a->base - a->size : ~0ull, before = above == live_.end() ? ~0ull : above->first - address;
  if (past == ~0ull && before == ~0ull) return "no allocation is live";
  if (before < past) return format("%llu bytes before an allocation of %llu bytes", ull(before), ull(above->second->size));
  (void)bytes;
  return format("%llu bytes past the end of the nearest allocation (%llu bytes)", ull(past), ull(a->size));
}

u64 Memory::used(int device) const {
  auto it = used_.find(device);
  return it == used_.end() ? 0 : it->second;
}

void Memory::forgetDevice(int device) {
  for (auto it = live_.begin(); it != live_.end();) {
    if (it->second->device != device) {
      ++it;
      continue;
    }
    freed_[it->second->base] = it->second->size;
    discard(*it->second);
    it = live_.erase(it);
  }
  used_[device] = 0;
}

}  // namespace ptx
