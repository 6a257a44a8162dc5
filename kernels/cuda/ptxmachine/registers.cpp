// Virtual registers to places in a warp's bank. A compiler's PTX has thousands of registers, few of them live at once; one
// place each would leave the cache. Liveness is that of one thread: every write is masked by lane, so lanes on different
// sides of a branch do not disturb each other's places. Intervals span the layout, one place serves disjoint intervals of
// the same width (linear scan: Poletto and Sarkar, 1999).
#include <algorithm>
#include <queue>

#include "decode.h"

namespace ptx {

namespace {

struct BasicBlock {
  u32 first, last;  // drafts [first, last)
  std::vector<u32> next;
};

class Bits {
 public:
  explicit Bits(size_t n) : words_((n + 63) / 64) {}
  void set(u32 k) { words_[k / 64] |= 1ull << (k & 63); }
  void clear(u32 k) { words_[k / 64] &= ~(1ull << (k & 63)); }
  bool test(u32 k) const { return words_[k / 64] >> (k & 63) & 1; }
  bool addLive(const Bits& out, const Bits& killed, const Bits& used) {  // this |= used | (out & ~killed)
    u64 changed = 0;
    for (size_t i = 0; i < words_.size(); i++) {
      const u64 v = words_[i] | used.words_[i] | (out.words_[i] & ~killed.words_[i]);
      changed |= v ^ words_[i];
      words_[i] = v;
    }
    return changed;
  }
  void add(const Bits& b) {
    for (size_t i = 0; i < words_.size(); i++) words_[i] |= b.words_[i];
  }
  template <class F>
  void each(F f) const {
    for (size_t i = 0; i < words_.size(); i++)
      for (u64 v = words_[i]; v; v &= v - 1) f(u32(i * 64 + __builtin_ctzll(v)));
  }

 private:
  std::vector<u64> words_;
};

bool isRegister(u32 reference) { return reference != none && !(reference & constantBank); }

template <class F>
void eachSource(const Assembly& a, const Draft& d, F f) {
  for (u32 k = d.instruction.results; k < d.count; k++)
    if (isRegister(a.operands[d.first + k])) f(a.operands[d.first + k]);
  if (isRegister(d.instruction.guard)) f(d.instruction.guard);
  if (isRegister(d.instruction.maskOperand)) f(d.instruction.maskOperand);
}
template <class F>
void eachResult(const Assembly& a, const Draft& d, F f) {
  for (u32 k = 0; k < d.instruction.results; k++)
    if (isRegister(a.operands[d.first + k])) f(a.operands[d.first + k]);
}

std::vector<BasicBlock> split(const Assembly& a) {
  const u32 n = u32(a.drafts.size());
  std::vector<bool> leader(n + 1, false);
  leader[0] = true;
  for (u32 label : a.labels)
    if (label < n) leader[label] = true;
  for (u32 k = 0; k < n; k++) {
    const Flow f = a.drafts[k].instruction.flow;
    if (f == Flow::Branch || f == Flow::Indexed || f == Flow::Exit) leader[k + 1] = true;
  }
  std::vector<BasicBlock> blocks;
  std::vector<u32> blockAt(n + 1, none);
  for (u32 k = 0; k < n; k++) {
    if (leader[k]) blocks.push_back({k, k, {}});
    blocks.back().last = k + 1;
    blockAt[k] = u32(blocks.size() - 1);
  }
  for (BasicBlock& b : blocks) {
    const Draft& d = a.drafts[b.last - 1];
    const Instruction& i = d.instruction;
    auto to = [&](u32 draft) {
      if (draft < n) b.next.push_back(blockAt[draft]);
    };
    if (i.flow == Flow::Branch) to(a.labels[d.label]);
    if (i.flow == Flow::Indexed)
      for (int label : a.tables[i.option]) to(a.labels[label]);
    const bool leaves = (i.flow == Flow::Branch || i.flow == Flow::Indexed || i.flow == Flow::Exit) && i.guard == none;
    if (!leaves) to(b.last);
  }
  return blocks;
}

struct Interval {
  u32 begin = none, end = 0;
  void cover(u32 from, u32 to) {
    begin = std::min(begin, from);
    end = std::max(end, to);
  }
};

std::vector<Interval> intervals(const Assembly& a) {
  const size_t registers = a.registers.size();
  std::vector<BasicBlock> blocks = split(a);
  if (u64(blocks.size()) * registers > 4ull << 30)
    throw LoadError("kernel " + a.kernel->name + ": more blocks and registers than this machine takes");
  std::vector<Bits> in(blocks.size(), Bits(registers)), used = in, killed = in, out = in;
  for (size_t b = 0; b < blocks.size(); b++)
    for (u32 k = blocks[b].last; k-- > blocks[b].first;) {
      const Draft& d = a.drafts[k];
      if (d.instruction.guard == none)
        eachResult(a, d, [&](u32 r) {
          used[b].clear(r);
          killed[b].set(r);
        });
      eachSource(a, d, [&](u32 r) { used[b].set(r); });
    }
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t b = blocks.size(); b-- > 0;) {
      for (u32 next : blocks[b].next) out[b].add(in[next]);
      changed |= in[b].addLive(out[b], killed[b], used[b]);
    }
  }
  std::vector<Interval> result(registers);
  for (size_t b = 0; b < blocks.size(); b++) {
    const u32 first = blocks[b].first * 2, last = blocks[b].last * 2;
    in[b].each([&](u32 r) { result[r].cover(first, first + 1); });
    out[b].each([&](u32 r) { result[r].cover(last - 1, last); });
    for (u32 k = blocks[b].first; k < blocks[b].last; k++) {
      const Draft& d = a.drafts[k];
      // A single lane-by-lane result may take the place of a source that ends here; others must not.
      const bool shares = d.instruction.results == 1 && d.instruction.flow == Flow::Plain;
      eachSource(a, d, [&](u32 r) { result[r].cover(2 * k, 2 * k + (shares ? 1 : 2)); });
      eachResult(a, d, [&](u32 r) { result[r].cover(2 * k + 1, 2 * k + 2); });
    }
  }
  return result;
}

u32 placeBytes(u32 width) { return width == 0 ? 4 : std::max(64u, width * 32); }

}  // namespace

void assignRegisters(Assembly& a) {
  Kernel& k = *a.kernel;
  std::vector<Interval> interval = intervals(a);
  for (auto& [reference, special] : k.warpSpecials) interval[reference] = {0, none};
  std::vector<u32> order;
  for (u32 r = 0; r < a.registers.size(); r++)
    if (interval[r].begin != none) order.push_back(r);
  std::sort(order.begin(), order.end(), [&](u32 x, u32 y) { return std::make_pair(interval[x].begin, x) < std::make_pair(interval[y].begin, y); });

  using Active = std::pair<u32, u32>;  // end, place
  std::priority_queue<Active, std::vector<Active>, std::greater<>> active[9];
  std::vector<u32> spare[9];
  std::vector<std::pair<u32, int>> pressure;
  u32 top = 0;
  for (u32 r : order) {
    VirtualRegister& v = a.registers[r];
    auto& live = active[v.width];
    auto& places = spare[v.width];
    while (!live.empty() && live.top().first <= interval[r].begin) {
      places.push_back(live.top().second);
      live.pop();
    }
    if (places.empty()) {
      const u32 bytes = placeBytes(v.width);
      if (bytes >= 64) top = (top + 63) & ~63u;
      v.place = top;
      top += bytes;
    } else {
      v.place = places.back();
      places.pop_back();
    }
    live.push({interval[r].end, v.place});
    if (v.width) {
      const int words = v.width == 8 ? 2 : 1;
      pressure.push_back({interval[r].begin, words});
      pressure.push_back({interval[r].end, -words});
    }
  }
  k.registerBytes = (top + 63) & ~63u;
  std::sort(pressure.begin(), pressure.end());
  int now = 0, most = 0;
  for (auto& p : pressure) most = std::max(most, now += p.second);
  k.registers = u32(most);

  auto place = [&](u32 reference) {
    return isRegister(reference) ? (a.registers[reference].place == none ? 0 : a.registers[reference].place) : reference;
  };
  for (auto& s : k.warpSpecials) s.first = place(s.first);
  k.operandPool = a.operands;
  for (u32& o : k.operandPool) o = place(o);
  k.code.clear();
  for (Draft& d : a.drafts) {
    Instruction i = d.instruction;
    i.operand = k.operandPool.data() + d.first;
    i.guard = i.guard == none ? none : place(i.guard);
    i.maskOperand = i.maskOperand == none ? none : place(i.maskOperand);
    if (d.label >= 0) i.target = a.labels[size_t(d.label)];
    k.code.push_back(i);
  }
  for (auto& table : a.tables) {
    std::vector<u32> targets;
    for (int label : table) targets.push_back(a.labels[size_t(label)]);
    k.tables.push_back(std::move(targets));
  }
  k.counts.assign(k.code.size(), {});
}

}  // namespace ptx
