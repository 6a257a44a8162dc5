// A launch: blocks handed to workers in order, each worker running one at a time; findings merged in the order of blocks.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "globalrace.h"
#include "machine.h"

namespace ptx {

void resetWgmma(Warp& w, const Kernel& k);

const char* const checkNames[] = {"memcheck", "initcheck", "racecheck", "synccheck", "trap"};

namespace {

// Threads that stay, so that a small launch does not pay for starting them.
class Pool {
 public:
  void run(u32 workers, const std::function<void(u32)>& job) {
    while (threads_.size() + 1 < workers) {
      const u32 number = u32(threads_.size() + 1);
      threads_.emplace_back([this, number] { serve(number); });
      threads_.back().detach();
    }
    {
      std::lock_guard<std::mutex> lock(mutex_);
      job_ = &job;
      wanted_ = workers;
      running_ = workers - 1;
      generation_++;
    }
    begin_.notify_all();
    job(0);
    std::unique_lock<std::mutex> lock(mutex_);
    end_.wait(lock, [this] { return running_ == 0; });
    job_ = nullptr;
  }

 private:
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable begin_, end_;
  const std::function<void(u32)>* job_ = nullptr;
  u32 wanted_ = 0, running_ = 0;
  u64 generation_ = 0;

  void serve(u32 number) {
    u64 seen = 0;
    for (;;) {
      const std::function<void(u32)>* job;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        begin_.wait(lock, [&] { return generation_ != seen; });
        seen = generation_;
        if (number >= wanted_ || !job_) continue;
        job = job_;
      }
      (*job)(number);
      std::lock_guard<std::mutex> lock(mutex_);
      if (--running_ == 0) end_.notify_one();
    }
  }
};

Pool& pool() {
  static Pool* const p = new Pool;  // its threads outlive static destructors
  return *p;
}

std::vector<std::unique_ptr<Block>>& blockOfWorker() {
  static auto* const b = new std::vector<std::unique_ptr<Block>>;
  return *b;
}

u32 workerCount(const Launch& launch, u64 blocks) {
  u64 n = options().workers > 0 ? u64(options().workers) : std::max(1u, std::thread::hardware_concurrency());
  if (launch.kernel->ordered) n = 1;
  return u32(std::max<u64>(1, std::min(n, blocks)));
}

u32 specialValue(Special s, const Block& b, u32 thread) {
  const u32 *block = b.launch->block, *grid = b.launch->grid, lane = thread & 31;
  switch (s) {
    case Special::TidX: return thread % block[0];
    case Special::TidY: return thread / block[0] % block[1];
    case Special::TidZ: return thread / block[0] / block[1];
    case Special::NtidX: return block[0];
    case Special::NtidY: return block[1];
    case Special::NtidZ: return block[2];
    case Special::CtaidX: case Special::ClusterIdX: return b.index3[0];
    case Special::CtaidY: case Special::ClusterIdY: return b.index3[1];
    case Special::CtaidZ: case Special::ClusterIdZ: return b.index3[2];
    case Special::NctaidX: case Special::NclusterIdX: return grid[0];
    case Special::NctaidY: case Special::NclusterIdY: return grid[1];
    case Special::NctaidZ: case Special::NclusterIdZ: return grid[2];
    case Special::Laneid: return lane;
    case Special::Warpid: return thread / 32;
    case Special::Nwarpid: return u32(b.warps.size());
    case Special::LanemaskEq: return 1u << lane;
    case Special::LanemaskLe: return u32((2ull << lane) - 1);
    case Special::LanemaskLt: return (1u << lane) - 1;
    case Special::LanemaskGe: return ~0u << lane;
    case Special::LanemaskGt: return u32(~0ull << (lane + 1));
    case Special::Smid: return u32(b.index % 4);
    case Special::Nsmid: return 4;
    case Special::Gridid: return u32(b.launch->number);
    case Special::DynamicShared: return b.launch->dynamicShared;
    case Special::TotalShared: return b.kernel->staticShared + b.launch->dynamicShared;
    case Special::ClusterRanks: return 1;
    default: return 0;
  }
}

}  // namespace

Results& results() {
  static Results* const r = new Results;
  return *r;
}

void Results::add(const Finding& f) {
  total[size_t(f.check)] += f.count;
  auto [it, isNew] = index.try_emplace(
      {std::string(checkNames[size_t(f.check)]) + "|" + f.kernel, std::to_string(f.line) + "|" + std::to_string(f.line2)}, u32(findings.size()));
  if (!isNew) {
    findings[it->second].count += f.count;
    return;
  }
  findings.push_back(f);
  if (!options().quiet) fprintf(stderr, "ptxmachine: %s: %s\n", checkNames[size_t(f.check)], f.text.c_str());
}

std::string Block::place() const { return kernel->name + format(" block (%u,%u,%u): ", index3[0], index3[1], index3[2]); }

std::string Block::thread(u32 number) const {
  const u32 x = launch->block[0], y = launch->block[1];
  return format("thread (%u,%u,%u)", number % x, number / x % y, number / x / y);
}

std::string Block::at(u32 pc) const {
  if (pc >= kernel->code.size()) return "the end";
  const u32 line = kernel->code[pc].line;
  const Module& m = *kernel->module;
  std::string text = line && line <= m.text.size() ? m.text[line - 1] : "";
  text.erase(0, std::min(text.find_first_not_of(" \t"), text.size()));
  std::string s = format("line %u `%.100s`", line, text.c_str());
  if (line < m.sourceOfLine.size() && m.sourceOfLine[line].second) {
    auto f = m.files.find(m.sourceOfLine[line].first);
    if (f != m.files.end()) s += format(" (%s:%u)", f->second.c_str(), m.sourceOfLine[line].second);
  }
  return s;
}

Finding* Block::newFinding(Check check, u32 pc, u32 pc2, int code) {
  const Options& o = options();
  if (code && !error) error = code;
  if ((check == Check::Init && !o.init) || (check == Check::Race && !o.race) || (check == Check::Sync && !o.sync && !code)) return nullptr;
  const u32 line = pc < kernel->code.size() ? kernel->code[pc].line : 0, line2 = pc2 < kernel->code.size() ? kernel->code[pc2].line : 0;
  auto [it, isNew] = foundAt.try_emplace({u64(check), line, line2}, u32(findings.size()));
  if (!isNew) {
    findings[it->second].count++;
    return nullptr;
  }
  findings.push_back({check, kernel->name, "", line, line2, 1});
  return &findings.back();
}

void Block::prepare(const Launch& l) {
  launch = &l;
  kernel = l.kernel;
  const Options& o = options();
  checkInit = o.init;
  countsFresh = o.fresh;
  checkRace = o.race;
  checkSync = o.sync;
  checkGlobalRace = o.race && o.globalRace;
  const u32 warpCount = (threads() + 31) / 32;
  const u64 perWarp = (u64(kernel->registerBytes) + 127) & ~63ull, constants = (kernel->constantBytes + 127) & ~63ull;
  file.assign(perWarp * warpCount + constants + 64, 0xcb);
  u8* base = file.data() + (64 - reinterpret_cast<uintptr_t>(file.data()) % 64) % 64;
  u8* shared_ = base + perWarp * warpCount;
  for (const Constant& c : kernel->constants)
    for (u32 lane = 0; lane < 32; lane++) std::memcpy(shared_ + c.offset + lane * c.width, &c.bits, c.width);
  if (warps.size() != warpCount) warps.resize(warpCount);
  for (u32 n = 0; n < warpCount; n++) {
    warps[n].bank[0] = base + perWarp * n;
    warps[n].bank[1] = shared_;
    warps[n].id = n;
    warps[n].block = this;
  }
  sharedBytes = kernel->dynamicBase + l.dynamicShared;
  shared.resize(std::max<size_t>(shared.size(), sharedBytes + 64));
  sharedInit.resize(shared.size());
  local.resize(std::max<size_t>(local.size(), u64(kernel->localBytes) * warpCount * 32));
  localInit.resize(local.size());
  race.resize(sharedBytes);
  if (counts.size() < kernel->code.size()) counts.resize(kernel->code.size());
  hints.assign(kernel->code.size(), nullptr);
  tensorOperations = barrierCount = 0;
}

void Block::start(u64 number) {
  index = number;
  index3[0] = u32(number % launch->grid[0]);
  index3[1] = u32(number / launch->grid[0] % launch->grid[1]);
  index3[2] = u32(number / launch->grid[0] / launch->grid[1]);
  std::fill(shared.begin(), shared.begin() + sharedBytes, u8(0xff));
  std::fill(sharedInit.begin(), sharedInit.begin() + sharedBytes, u8(0));
  for (auto& [first, length] : kernel->redZones) std::fill_n(sharedInit.begin() + first, length, u8(2));
  std::fill_n(localInit.begin(), u64(kernel->localBytes) * warps.size() * 32, u8(0));
  for (NamedBarrier& b : barriers) b = NamedBarrier{};
  phases.clear();
  touched.clear();
  agents = 0;
  if (race.nearlyFull()) {
    race.forget();
    race.clock = 1;
  }
  race.startBlock();
  steps = 0;
  error = 0;
  findings.clear();
  foundAt.clear();
  random.seed(options().seed * 1000003 + number);
  const u32 n = threads();
  for (Warp& w : warps) {
    w.live = w.id + 1 == warps.size() && n % 32 ? (1u << n % 32) - 1 : allLanes;
    w.mask = w.live;
    w.parked = w.waiting = w.mustWait = 0;
    w.pc = 0;
    w.next = none;
    w.state = Warp::Ready;
    w.barrier = none;
    w.reduction = nullptr;
    w.diverged = 0;
    w.copies.clear();
    w.bulkReads.clear();
    w.bulkGroup = 0;
    resetWgmma(w, *kernel);
    std::fill(w.copyGroup, w.copyGroup + 32, 0);
    w.seen.fill(race.base());
    w.fenced.fill(race.base());
    w.tick();
    for (auto& [place, special] : kernel->warpSpecials) {
      u32* r = w.at<u32>(place);
      for (u32 lane = 0; lane < 32; lane++) r[lane] = specialValue(special, *this, w.id * 32 + lane);
    }
  }
}

int runLaunch(const Launch& launch) {
  Kernel& k = *launch.kernel;
  const u64 blocks = u64(launch.grid[0]) * launch.grid[1] * launch.grid[2];
  const u32 workers = workerCount(launch, blocks);
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<u64> next{0}, stopAt{~0ull};
  std::mutex mutex;
  std::vector<std::pair<u64, std::vector<Finding>>> found;
  std::map<u64, int> errors;
  auto& blockOf = blockOfWorker();
  while (blockOf.size() < workers) blockOf.push_back(std::make_unique<Block>());
  if (options().race && options().globalRace) beginGlobalRaces(launch);

  auto work = [&](u32 worker) {
    Block& b = *blockOf[worker];
    b.prepare(launch);
    u64 done = 0;
    for (u64 n; (n = next.fetch_add(1)) < blocks && n <= stopAt.load();) {
      b.start(n);
      bool aborted = false;
      try {
        b.run();
      } catch (const Abort& a) {
        aborted = true;
        if (!b.error) b.error = a.code;
      }
      done++;
      if (b.findings.empty() && !b.error) continue;
      std::lock_guard<std::mutex> lock(mutex);
      found.emplace_back(n, std::move(b.findings));
      b.findings = {};
      if (b.error) errors[n] = b.error;
      if (aborted)
        for (u64 s = stopAt.load(); n < s && !stopAt.compare_exchange_weak(s, n);) {
        }
    }
    std::lock_guard<std::mutex> lock(mutex);
    for (u32 i : b.ran) {
      k.counts[i].executed += b.counts[i].executed;
      k.counts[i].lanes += b.counts[i].lanes;
      k.counts[i].global.add(b.counts[i].global);
      k.counts[i].shared.add(b.counts[i].shared);
      b.counts[i] = {};
    }
    b.ran.clear();
    k.blocks += done;
    k.tensorOperations += b.tensorOperations;
    k.barriers += b.barrierCount;
  };
  if (workers == 1) work(0);
  else pool().run(workers, work);

  std::sort(found.begin(), found.end(), [](auto& x, auto& y) { return x.first < y.first; });
  Results& all = results();
  bool any = false;
  for (auto& [block, list] : found) {
    if (block > stopAt.load()) break;
    for (const Finding& f : list) all.add(f), any = true;
  }
  any |= endGlobalRaces(launch);
  k.launches++;
  k.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (!errors.empty() && errors.begin()->first <= stopAt.load()) return errors.begin()->second;
  return any && options().fail ? 719 : 0;
}

}  // namespace ptx
