// The dialect all kernels are written in: what CUDA C++ itself offers beyond C++, as far as it is used here, in a form that clang (with
// no file of NVIDIA's) and nvcc both compile. Thread coordinates, shuffles, asynchronous copies and tensor-core products are one PTX
// instruction each; PTX ISA 7.0, sections 9.7.8 (copies), 9.7.9 (shuffles), 9.7.13 (matrix instructions).
#pragma once

#if defined(__clang__)
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define __align__(n) __attribute__((aligned(n)))
#endif

// KERNEL(threads) or KERNEL(threads, least blocks a multiprocessor).
#define KERNEL(...) extern "C" __global__ void __launch_bounds__(__VA_ARGS__)
#define METHOD __device__ __forceinline__
#define DEVICE static METHOD

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;
typedef u16 bf16; // bfloat16 by its bits

struct __align__(16) f32x4 { float x, y, z, w; };
struct __align__(16) i32x4 { int x, y, z, w; };

// Coordinates. Grids use x and y, blocks x and y.
DEVICE u32 thread_x() { u32 v; asm("mov.u32 %0, %%tid.x;" : "=r"(v)); return v; }
DEVICE u32 thread_y() { u32 v; asm("mov.u32 %0, %%tid.y;" : "=r"(v)); return v; }
DEVICE u32 threads_x() { u32 v; asm("mov.u32 %0, %%ntid.x;" : "=r"(v)); return v; }
DEVICE u32 threads_y() { u32 v; asm("mov.u32 %0, %%ntid.y;" : "=r"(v)); return v; }
DEVICE u32 blocks_x() { u32 v; asm("mov.u32 %0, %%nctaid.x;" : "=r"(v)); return v; }
DEVICE u32 block_x() { u32 v; asm("mov.u32 %0, %%ctaid.x;" : "=r"(v)); return v; }
DEVICE u32 block_y() { u32 v; asm("mov.u32 %0, %%ctaid.y;" : "=r"(v)); return v; }
DEVICE u32 block_z() { u32 v; asm("mov.u32 %0, %%ctaid.z;" : "=r"(v)); return v; }

// The values of lane ^ mask of the same warp; all 32 lanes take part.
DEVICE u32 shuffle_xor(u32 v, int mask) {
  u32 r;
  asm volatile("shfl.sync.bfly.b32 %0, %1, %2, 31, 0xffffffff;" : "=r"(r) : "r"(v), "r"(mask));
  return r;
}
DEVICE int shuffle_xor(int v, int mask) { return (int)shuffle_xor((u32)v, mask); }
DEVICE u32 bits_of(float v) { u32 r; asm("mov.b32 %0, %1;" : "=r"(r) : "f"(v)); return r; }
DEVICE float float_of(u32 v) { float r; asm("mov.b32 %0, %1;" : "=f"(r) : "r"(v)); return r; }
DEVICE float shuffle_xor(float v, int mask) { return float_of(shuffle_xor(bits_of(v), mask)); }
DEVICE double shuffle_xor(double v, int mask) {
  u32 lo, hi;
  asm("mov.b64 {%0, %1}, %2;" : "=r"(lo), "=r"(hi) : "d"(v));
  lo = shuffle_xor(lo, mask), hi = shuffle_xor(hi, mask);
  asm("mov.b64 %0, {%1, %2};" : "=d"(v) : "r"(lo), "r"(hi));
  return v;
}

// Sums and extremes over a warp by halving: the order is the same every time and every lane gets the same bits.
template <class T> DEVICE T warp_sum(T v) {
#pragma unroll
  for (int mask = 16; mask; mask >>= 1) v += shuffle_xor(v, mask);
  return v;
}
DEVICE float warp_max(float v) {
#pragma unroll
  for (int mask = 16; mask; mask >>= 1) { float o = shuffle_xor(v, mask); v = o > v ? o : v; }
  return v;
}
DEVICE float warp_min(float v) { return -warp_max(-v); }

// warp_barrier orders shared memory within a warp.
DEVICE void warp_barrier() { asm volatile("bar.warp.sync 0xffffffff;" ::: "memory"); }

// Shared memory addresses as the instructions below want them.
DEVICE u32 shared_address(const void *p) {
  u32 a;
  asm("{ .reg .u64 t; cvta.to.shared.u64 t, %1; cvt.u32.u64 %0, t; }" : "=r"(a) : "l"(p));
  return a;
}
DEVICE f32x4 load_four(u32 address) {
  f32x4 v;
  asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];" : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w) : "r"(address) : "memory");
  return v;
}
DEVICE void store_four(u32 address, u32 a, u32 b, u32 c, u32 d) {
  asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(a), "r"(b), "r"(c), "r"(d) : "memory");
}
// copy_async copies 16 bytes from global to shared memory, bypassing the first-level cache, or writes 16 zeros where wanted is false
// (from must be a valid address even then).
DEVICE void copy_async(u32 to, const void *from, bool wanted) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(wanted ? 16 : 0) : "memory");
}
DEVICE void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// copy_wait waits until at most n of this thread's committed groups are under way.
template <int n> DEVICE void copy_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(n) : "memory"); }

// store_pair writes two neighbouring values at once, to global memory and a multiple of 8 bytes.
DEVICE void store_pair(float *to, float first, float second) {
  asm volatile("{ .reg .u64 t; cvta.to.global.u64 t, %0; st.global.v2.f32 [t], {%1, %2}; }" ::"l"(to), "f"(first), "f"(second) : "memory");
}
// store_quad writes four neighbouring values at once, to global memory and a multiple of 16 bytes.
DEVICE void store_quad(float *to, float a, float b, float c, float d) {
  asm volatile("{ .reg .u64 t; cvta.to.global.u64 t, %0; st.global.v4.f32 [t], {%1, %2, %3, %4}; }" ::"l"(to), "f"(a), "f"(b), "f"(c), "f"(d)
               : "memory");
}

// load_pair and load_quad read as many neighbours at once, store_words writes 16 bytes; all of global memory and aligned to their size. C++ says
// the same of a struct, but clang makes single words of it.
DEVICE void load_pair(float *v, const float *from) {
  asm volatile("{ .reg .u64 t; cvta.to.global.u64 t, %2; ld.global.v2.f32 {%0, %1}, [t]; }" : "=f"(v[0]), "=f"(v[1]) : "l"(from) : "memory");
}
DEVICE void load_quad(float *v, const void *from) {
  asm volatile("{ .reg .u64 t; cvta.to.global.u64 t, %4; ld.global.v4.f32 {%0, %1, %2, %3}, [t]; }"
               : "=f"(v[0]), "=f"(v[1]), "=f"(v[2]), "=f"(v[3]) : "l"(from) : "memory");
}
DEVICE void store_words(void *to, u32 a, u32 b, u32 c, u32 d) {
  asm volatile("{ .reg .u64 t; cvta.to.global.u64 t, %0; st.global.v4.b32 [t], {%1, %2, %3, %4}; }" ::"l"(to), "r"(a), "r"(b), "r"(c), "r"(d)
               : "memory");
}

// load_matrices reads four 8×8 matrices of 16-bit values: lane l gives the address of row l%8 of matrix l/8, and gets of each matrix the
// values at row l/4, columns 2·(l%4) and the next. The transposing one gets rows 2·(l%4) and the next at column l/4.
DEVICE void load_matrices(u32 r[4], u32 address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
}
DEVICE void load_matrices_transposed(u32 r[4], u32 address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
}
// multiply_add is c += a·b on the tensor cores, a [16×16] and b [16×8] of bfloat16, c [16×8] of float32. Lane l holds c[l/4][2·(l%4)+{0,1}]
// in c[0..1] and the same eight rows down in c[2..3].
DEVICE void multiply_add(float c[4], const u32 a[4], u32 b0, u32 b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Conversions, round to nearest even.
DEVICE u32 pack_bf16(float low, float high) {
  u32 r;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  return r;
}
DEVICE bf16 to_bf16(float v) { return (bf16)pack_bf16(v, 0.f); }
DEVICE float from_bf16(bf16 v) { return float_of((u32)v << 16); }
DEVICE float from_f16(u16 v) {
  float r;
  asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(v));
  return r;
}

DEVICE int least(int a, int b) { return a < b ? a : b; }
DEVICE int greatest(int a, int b) { return a > b ? a : b; }

// Cell is the place of a thread in the element-wise kernels: blocks of threads_x × threads_y, row by row, four columns a thread, a block
// width apart, so that a warp's accesses lie side by side.
struct Cell {
  int row, first, step;
};
DEVICE Cell this_cell() {
  Cell c;
  c.row = (int)(block_x() * threads_y() + thread_y());
  c.step = (int)threads_x();
  c.first = (int)(block_y() * threads_x() * 4 + thread_x());
  return c;
}
#define CELL_COLUMNS(cell, col, cols)                                                                                                       \
  _Pragma("unroll") for (int part_ = 0; part_ < 4; part_++)                                                                                 \
    if (int col = (cell).first + part_ * (cell).step; col < (cols))
