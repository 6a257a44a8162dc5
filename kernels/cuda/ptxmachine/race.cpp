#include "race.h"

#include "machine.h"

namespace ptx {

void Warp::tick() {
  if (block->race.nearlyFull()) block->renewClocks();
  seen[id] = ++block->race.clock;
  limit = seen;
  limit[id]--;
}

void Block::renewClocks() {
  race.forget();
  race.clock = 1;
  race.startBlock();
  auto reset = [&](Clocks& c) { c.fill(race.base()); };
  for (Warp& w : warps) {
    reset(w.seen);
    reset(w.fenced);
    w.seen[w.id] = ++race.clock;
    w.limit = w.seen;
    w.limit[w.id]--;
  }
  for (NamedBarrier& b : barriers) reset(b.joined), reset(b.fenced);
  for (auto& p : phases)
    for (Clocks* c : {&p.second.arriving, &p.second.arrivingFenced, &p.second.complete, &p.second.completeFenced}) reset(*c);
}

void Warp::acquire(const Clocks& clocks, const Clocks& fencedClocks) {
  join(seen, clocks);
  join(fenced, fencedClocks);
  limit = seen;
  limit[id]--;
}

void SharedRace::resize(u64 sharedBytes) {
  const u64 words = sharedBytes / 4 + 8;
  if (write_.size() < words)
    for (auto* v : {&write_, &read0_, &read1_, &pending_}) v->resize(words, 0);
}

void SharedRace::forget() {
  for (auto* v : {&write_, &read0_, &read1_, &pending_}) std::fill(v->begin(), v->end(), 0);
}

namespace {

bool ordered(const Warp& w, Stamp s) { return clockOf(s) <= w.limit[agentOf(s)]; }

// Not ordered by a clock: does it conflict all the same? Not with itself, nor where the bytes differ.
bool conflicts(const Warp& w, u32 lane, u32 bytes, u32 pc, bool bothWrite, Stamp s) {
  if (!(bytesOf(s) & bytes)) return false;
  if (agentOf(s) != w.id) return true;
  const u32 other = laneOf(s);
  if (other == lane || other == mixedLanes) return false;
  // Lanes of one store instruction that meet: the value is one of theirs, as the program must expect.
  return !(bothWrite && pcOfStamp(s) == (pc & 0xfffff));
}

const char* verb(Use use) { return use == Use::Read ? "reads" : use == Use::Write ? "writes" : "updates"; }

std::string who(const Block& b, Stamp s) {
  if (agentOf(s) >= firstAsyncAgent) return "an asynchronous copy";
  const u32 lane = laneOf(s) < 32 ? laneOf(s) : 0;
  return b.thread(agentOf(s) * 32 + lane);
}

void hit(Warp& w, const Instruction& i, u32 lane, u32 word, Use use, Stamp other, const char* what, const char* why) {
  Block& b = *w.block;
  const u32 pc = b.pcOf(i), pc2 = pcOfStamp(other);
  b.report(Check::Race, pc, pc2, 0, [&] {
    return b.thread(w.id * 32 + lane) + " " + verb(use) + format(" shared 0x%x at ", word * 4) + b.at(pc) + "; " + what + " by " + who(b, other) +
           " at " + b.at(pc2) + ", " + why;
  });
}

const char* missing(const Warp& w, Stamp other) {
  return agentOf(other) == w.id              ? "no bar.warp.sync between"
         : agentOf(other) >= firstAsyncAgent ? "its mbarrier was not waited for"
                                             : "no barrier between";
}

}  // namespace

void SharedRace::one(Warp& w, const Instruction& i, u32 lane, u32 word, u32 bytes, Use use) {
  const Stamp last = write_[word];
  const u32 pc = w.block->pcOf(i);
  if (!ordered(w, last) && conflicts(w, lane, bytes, pc, use == Use::Write, last) && !(use == Use::Atomic && (flagsOf(last) & stampAtomic)))
    hit(w, i, lane, word, use, last, "written", missing(w, last));
  if (const Stamp p = pending_[word]; p && clockOf(p) > base_ && (bytesOf(p) & bytes)) {
    if (!(flagsOf(p) & stampAsync)) hit(w, i, lane, word, use, p, "written", "the copy is still in flight, not waited for");
    else if (use != Use::Read) hit(w, i, lane, word, use, p, "read", "that asynchronous read is not waited for");
  }
  Stamp s = stamp(w.seen[w.id], w.id, lane, pc, bytes, use == Use::Atomic ? stampAtomic : 0);
  if (use == Use::Read) {
    Stamp *r0 = &read0_[word], *r1 = &read1_[word];
    if (agentOf(*r1) == w.id && clockOf(*r1) > base_) std::swap(r0, r1);
    else if (agentOf(*r0) != w.id && !ordered(w, *r0) && ordered(w, *r1)) std::swap(r0, r1);
    if (agentOf(*r0) == w.id && clockOf(*r0) == w.seen[w.id] && laneOf(*r0) != lane) {
      const u32 both = bytesOf(*r0) & bytes;
      s = stamp(w.seen[w.id], w.id, both ? severalLanes : mixedLanes, pc, bytes | bytesOf(*r0), 0);
    }
    *r0 = s;
    return;
  }
  for (const Stamp r : {read0_[word], read1_[word]})
    if (!ordered(w, r) && conflicts(w, lane, bytes, pc, false, r) &&
        !(agentOf(r) == w.id && laneOf(r) == severalLanes && pcOfStamp(r) == (pc & 0xfffff)))
      hit(w, i, lane, word, use, r, "read", missing(w, r));
  if (bytes == 15) {
    read0_[word] = read1_[word] = 0;
  } else if (agentOf(last) == w.id && clockOf(last) == w.seen[w.id] && laneOf(last) != lane) {
    s = stamp(w.seen[w.id], w.id, bytesOf(last) & bytes ? severalLanes : mixedLanes, pc, bytes | bytesOf(last), flagsOf(s));
  } else if (agentOf(last) == w.id && clockOf(last) == w.seen[w.id]) {
    s |= u64(bytesOf(last)) << 2;
  }
  write_[word] = s;
}

void SharedRace::beginCopy(Warp& w, const Instruction& i, u32 lane, u32 firstWord, u32 words) {
  const u32 pc = w.block->pcOf(i);
  for (u32 word = firstWord; word < firstWord + words; word++) {
    one(w, i, lane, word, 15, Use::Write);
    pending_[word] = stamp(w.seen[w.id], w.id, lane, pc, 15, 0);
  }
}

void SharedRace::endCopy(Warp& w, u32 pc, u32 lane, u32 firstWord, u32 words) {
  const Stamp s = stamp(w.seen[w.id], w.id, lane, pc, 15, 0);
  for (u32 word = firstWord; word < firstWord + words; word++) {
    pending_[word] = 0;
    write_[word] = s;
  }
}

void SharedRace::checkProxy(Warp& w, const Instruction& i, u32 lane, u32 word) {
  const Stamp last = write_[word];
  if (clockOf(last) <= base_ || agentOf(last) >= firstAsyncAgent || (flagsOf(last) & stampAsync)) return;
  if (clockOf(last) > w.fenced[agentOf(last)]) hit(w, i, lane, word, Use::Read, last, "written", "no fence.proxy.async between");
}

void SharedRace::asyncWrite(Warp& w, const Instruction& i, u32 lane, u32 firstWord, u32 words, u32 agent, u32 time) {
  const u32 pc = w.block->pcOf(i);
  for (u32 word = firstWord; word < firstWord + words; word++) {
    checkProxy(w, i, lane, word);
    one(w, i, lane, word, 15, Use::Write);
    write_[word] = stamp(time, agent, 0, pc, 15, stampAsync);
  }
}

void SharedRace::beginAsyncRead(Warp& w, const Instruction& i, u32 firstWord, u32 words) {
  const u32 pc = w.block->pcOf(i);
  for (u32 word = firstWord; word < firstWord + words; word++) {
    checkProxy(w, i, 0, word);
    one(w, i, 0, word, 15, Use::Read);
    pending_[word] = stamp(w.seen[w.id], w.id, 0, pc, 15, stampAsync);
  }
}

void SharedRace::endAsyncRead(Warp& w, u32 pc, u32 firstWord, u32 words) {
  const Stamp s = stamp(w.seen[w.id], w.id, mixedLanes, pc, 15, 0);
  for (u32 word = firstWord; word < firstWord + words; word++) {
    if (agentOf(pending_[word]) == w.id) pending_[word] = 0;
    Stamp& r = agentOf(read0_[word]) == w.id ? read0_[word] : read1_[word];
    r = s;
  }
}

}  // namespace ptx
