#include "options.h"

#include <cstdio>
#include <cstdlib>

namespace ptx {

namespace {
// "8G", "512M", "1024"
bool parseBytes(const std::string& s, u64& out) {
  char* end = nullptr;
  u64 v = strtoull(s.c_str(), &end, 0);
  if (end == s.c_str()) return false;
  if (*end == 'K' || *end == 'k') v <<= 10, end++;
  else if (*end == 'M' || *end == 'm') v <<= 20, end++;
  else if (*end == 'G' || *end == 'g') v <<= 30, end++;
  out = v;
  return !*end;
}
}  // namespace

std::string Options::set(const std::string& assignment) {
  const size_t equal = assignment.find('=');
  const std::string name = assignment.substr(0, equal), value = equal == std::string::npos ? "1" : assignment.substr(equal + 1);
  u64 n = 0;
  const bool number = parseBytes(value, n);
  auto flag = [&](bool& to) -> std::string {
    if (!number || n > 1) return name + " is 0 or 1, not '" + value + "'";
    to = n;
    return "";
  };
  auto integer = [&](auto& to, u64 low, u64 high) -> std::string {
    if (!number || n < low || n > high) return name + " is " + std::to_string(low) + " to " + std::to_string(high) + ", not '" + value + "'";
    to = std::decay_t<decltype(to)>(n);
    return "";
  };
  if (name == "devices") return integer(devices, 0, 16);
  if (name == "sm") {
    for (u64 known : {80, 86, 89, 90, 100, 120})
      if (number && n == known) {
        sm = int(n);
        return "";
      }
    return "sm is 80, 86, 89, 90, 100 or 120, not '" + value + "'";
  }
  if (name == "driver") return integer(driver, 11000, 13990);
  if (name == "memory") return integer(memory, 1 << 20, 1ull << 42);
  if (name == "workers") return integer(workers, 0, 1024);
  if (name == "seed") return integer(seed, 0, ~0ull >> 1);
  if (name == "quantum") return integer(quantum, 1, 1 << 30);
  if (name == "budget") return integer(budget, 1, ~0ull >> 1);
  if (name == "race") return flag(race);
  if (name == "globalrace") return flag(globalRace);
  if (name == "init") return flag(init);
  if (name == "sync") return flag(sync);
  if (name == "quiet") return flag(quiet);
  if (name == "fresh") return flag(fresh);
  if (name == "fail") return flag(fail);
  if (name == "summary") return flag(summary);
  if (name == "sched" && (value == "rr" || value == "rand")) {
    randomSchedule = value == "rand";
    return "";
  }
  if (name == "mma" && (value == "exact" || value == "trunc")) {
    truncate = value == "trunc";
    return "";
  }
  return "unknown switch '" + assignment + "'";
}

Options& options() {
  static Options* const o = [] {
    auto* made = new Options;
    const char* text = getenv("PTXMACHINE");
    const std::string all = text ? text : "";
    for (size_t begin = 0; begin < all.size();) {
      const size_t end = std::min(all.find(',', begin), all.size());
      const std::string wrong = made->set(all.substr(begin, end - begin));
      if (!wrong.empty()) fprintf(stderr, "ptxmachine: PTXMACHINE: %s\n", wrong.c_str());
      begin = end + 1;
    }
    return made;
  }();
  return *o;
}

}  // namespace ptx
