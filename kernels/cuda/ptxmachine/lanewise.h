// An operation of one lane made an instruction of a warp: all 32 lanes in one loop the compiler vectorises, or the active
// ones singly. Op is a function object; D is the type of the result, S those of the sources, V how many values a lane holds
// (2 for the packed half types).
#pragma once
#include <tuple>
#include <utility>

#include "decode.h"
#include "machine.h"

namespace ptx {

#if defined(__clang__)
#define PTX_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define PTX_INDEPENDENT _Pragma("GCC ivdep")
#endif

template <int V, class Op, class D, class... S, size_t... K>
inline void lanewiseWith(Warp& w, const Instruction& i, Lanes m, std::index_sequence<K...>) {
  D* d = w.at<D>(i.operand[0]);
  const std::tuple<const S*...> s{w.at<S>(i.operand[1 + K])...};
  if (m == allLanes) {
    PTX_INDEPENDENT
    for (int e = 0; e < 32 * V; e++) d[e] = D(Op{}(std::get<K>(s)[e]...));
    return;
  }
  eachLane(m, [&](u32 l) {
    for (int v = 0; v < V; v++) {
      const int e = int(l) * V + v;
      d[e] = D(Op{}(std::get<K>(s)[e]...));
    }
  });
}

template <class Op, class D, class... S>
void lanewise(Warp& w, const Instruction& i, Lanes m) {
  lanewiseWith<1, Op, D, S...>(w, i, m, std::index_sequence_for<S...>{});
}
template <class Op, class D, class... S>
void lanewise2(Warp& w, const Instruction& i, Lanes m) {
  lanewiseWith<2, Op, D, S...>(w, i, m, std::index_sequence_for<S...>{});
}

template <class T>
struct Tag {
  using type = T;
};

// f(Tag<T>{}) for the C++ type of an integer type of PTX; null for others.
template <class F>
Execute byInteger(Type t, F f) {
  switch (t) {
    case Type::U16: case Type::B16: return f(Tag<u16>{});
    case Type::U32: case Type::B32: return f(Tag<u32>{});
    case Type::U64: case Type::B64: return f(Tag<u64>{});
    case Type::S16: return f(Tag<s16>{});
    case Type::S32: return f(Tag<s32>{});
    case Type::S64: return f(Tag<s64>{});
    default: return nullptr;
  }
}
template <class F>
Execute bySize(u32 bytes, F f) {
  switch (bytes) {
    case 1: return f(Tag<u8>{});
    case 2: return f(Tag<u16>{});
    case 4: return f(Tag<u32>{});
    case 8: return f(Tag<u64>{});
    default: return nullptr;
  }
}

}  // namespace ptx
