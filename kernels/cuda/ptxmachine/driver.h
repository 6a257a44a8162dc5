// What the parts of the driver's interface share: the lock, contexts, handles, error codes.
//
// Work is done in the order of the calls, whatever the stream: an order that every program with correct events allows. A
// launch that fails is the end of the process's work on GPUs, as with the real driver: every call gives that error from then on, in every
// context and in new ones; only ptxmachineClear forgets it.
#pragma once
#include <mutex>
#include <set>

#include "machine.h"

#define PTX_API extern "C" __attribute__((visibility("default")))

namespace ptx {

enum Error : int {
  Success = 0, InvalidValue = 1, OutOfMemory = 2, NotInitialized = 3, Deinitialized = 4, NoDevice = 100, InvalidDevice = 101, InvalidImage = 200,
  InvalidContext = 201, NoBinary = 209, InvalidPtx = 218, FileNotFound = 301, InvalidHandle = 400, NotFound = 500, NotReady = 600,
  IllegalAddress = 700, OutOfResources = 701, Timeout = 702, AlreadyRegistered = 712, NotRegistered = 713, IllegalInstruction = 715,
  Misaligned = 716, LaunchFailed = 719, NotSupported = 801
};

struct Context {
  int device;
  bool primary = false;
  u32 references = 0, flags = 0;
};
struct Stream {
  Context* context;
  u32 flags;
  int priority;
};
struct Event {
  u32 flags = 0;
  bool recorded = false;
  double seconds = 0;
};

struct Driver {
  std::recursive_mutex mutex;
  bool initialized = false;
  std::vector<std::unique_ptr<Context>> primary;
  std::set<Context*> contexts;
  std::set<Stream*> streams;
  std::set<Event*> events;
  std::set<Module*> modules;
  std::set<Kernel*> kernels;
  std::vector<std::unique_ptr<Module>> loaded;  // all ever loaded: reports name their lines
  u64 launches = 0;
  int lost = 0;  // the error of the first launch that failed
};
Driver& driver();
std::vector<Context*>& contextStack();  // of this thread

// The context a call works in; the error that keeps it from working.
int enter(Context*& context);
inline bool isStream(void* s) {  // 0, 1, 2: the default streams
  return reinterpret_cast<u64>(s) <= 2 || driver().streams.count(static_cast<Stream*>(s));
}
struct Sm {
  int number, sharedPerBlock, sharedPerSm, threadsPerSm, blocksPerSm, count;
};
const Sm& device();  // what all devices pose as

}  // namespace ptx

#define PTX_LOCK std::lock_guard<std::recursive_mutex> lock_(ptx::driver().mutex)
#define PTX_ENTER                                     \
  PTX_LOCK;                                           \
  ptx::Context* context = nullptr;                    \
  if (const int e_ = ptx::enter(context)) return e_;
