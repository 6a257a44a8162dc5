// The tensor map of this machine: what its cuTensorMapEncodeTiled writes into the 128 opaque bytes and its tensor copies read.
#pragma once
#include "number.h"

namespace ptx {

struct TensorMap {
  u32 magic;
  u8 elementBytes, rank, swizzle, fillNan;  // swizzle: 0 none, 1 32 bytes, 2 64 bytes, 3 128 bytes
  u64 address;
  u64 stride[4];   // bytes, of dimensions 1 to 4
  u32 size[5];     // elements less one
  u16 box[5];
  u8 type;
};
static_assert(sizeof(TensorMap) <= 128, "a tensor map has 128 bytes");
constexpr u32 tensorMapMagic = 0x504d5450;

// XOR of 16-byte chunks within a shared-memory address, for both tensor copies and wgmma: 2^bits chunks wide.
inline u64 swizzled(u64 address, u32 bits) { return address ^ ((address >> 7 & ((1u << bits) - 1)) << 4); }

}  // namespace ptx
