// A product on tensor cores with two stages of cp.async, for the machine's tests: C [m × n] = A [m × k] · B [n × k]^T, bf16 in,
// float out. Block 64 × 64, four warps, k in steps of 32. product.ptx is made from it with
//   clang++-19 -x cuda --cuda-device-only --cuda-gpu-arch=sm_80 --cuda-feature=+ptx70 -nocudainc -nocudalib -O3 -std=c++17 -S
#define global_ __attribute__((global))
#define device_ __attribute__((device))
#define shared_ __attribute__((shared))
using u16 = unsigned short;
using u32 = unsigned;

device_ inline int threadX() { return __nvvm_read_ptx_sreg_tid_x(); }

constexpr int pitch = 40;  // 32 values and a pad of 8, so that eight rows fall into different banks

extern "C" global_ void __attribute__((launch_bounds(128))) product(float* c, const u16* a, const u16* b, int m, int n, int k) {
  shared_ __attribute__((aligned(16))) u16 tileA[2][64 * pitch], tileB[2][64 * pitch];
  const int t = threadX(), lane = t & 31, warp = t >> 5;
  const int row0 = __nvvm_read_ptx_sreg_ctaid_y() * 64, col0 = __nvvm_read_ptx_sreg_ctaid_x() * 64;
  auto copy = [&](u16* to, const u16* from) {
    u32 address;
    asm("{ .reg .u64 x; cvta.to.shared.u64 x, %1; cvt.u32.u64 %0, x; }" : "=r"(address) : "l"(to));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(from) : "memory");
  };
  auto stage = [&](int s, int k0) {
    for (int i = t; i < 256; i += 128) {
      const int row = i >> 2, part = (i & 3) * 8;
      copy(&tileA[s][row * pitch + part], a + (long long)(row0 + row) * k + k0 + part);
      copy(&tileB[s][row * pitch + part], b + (long long)(col0 + row) * k + k0 + part);
    }
    asm volatile("cp.async.commit_group;" ::: "memory");
  };
  float sum[8][4] = {};
  stage(0, 0);
  for (int k0 = 0; k0 < k; k0 += 32) {
    const int s = k0 >> 5 & 1;
    if (k0 + 32 < k) {
      stage(s ^ 1, k0 + 32);
      asm volatile("cp.async.wait_group 1;" ::: "memory");
    } else {
      asm volatile("cp.async.wait_group 0;" ::: "memory");
    }
    asm volatile("bar.sync 0;" ::: "memory");
    for (int kk = 0; kk < 32; kk += 16) {
      auto address = [&](const u16* p) {
        u32 x;
        asm("{ .reg .u64 x; cvta.to.shared.u64 x, %1; cvt.u32.u64 %0, x; }" : "=r"(x) : "l"(p));
        return x;
      };
      u32 fa[4];
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                   : "=r"(fa[0]), "=r"(fa[1]), "=r"(fa[2]), "=r"(fa[3])
                   : "r"(address(&tileA[s][(warp * 16 + (lane & 15)) * pitch + kk + (lane >> 4) * 8])) : "memory");
#pragma unroll
      for (int j = 0; j < 8; j++) {
        u32 fb[2];
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
                     : "=r"(fb[0]), "=r"(fb[1])
                     : "r"(address(&tileB[s][(j * 8 + (lane & 7)) * pitch + kk + (lane >> 3 & 1) * 8])) : "memory");
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+f"(sum[j][0]), "+f"(sum[j][1]), "+f"(sum[j][2]), "+f"(sum[j][3])
                     : "r"(fa[0]), "r"(fa[1]), "r"(fa[2]), "r"(fa[3]), "r"(fb[0]), "r"(fb[1]));
      }
    }
    asm volatile("bar.sync 0;" ::: "memory");
  }
  for (int j = 0; j < 8; j++) {
    float* to = c + (long long)(row0 + warp * 16 + (lane >> 2)) * n + col0 + j * 8 + (lane & 3) * 2;
    to[0] = sum[j][0];
    to[1] = sum[j][1];
    to[8 * n] = sum[j][2];
    to[8 * n + 1] = sum[j][3];
  }
}

// Row sums in three steps over shared memory: warps, the block, one thread. A __syncwarp and two barriers hold it together.
extern "C" global_ void __attribute__((launch_bounds(128))) rowSums(float* y, const float* x, int n) {
  shared_ float part[128], warps[4];
  const int t = threadX(), row = __nvvm_read_ptx_sreg_ctaid_x();
  float s = 0;
  for (int i = t; i < n; i += 128) s += x[row * n + i];
  part[t] = s;
  asm volatile("bar.warp.sync -1;" ::: "memory");
  if ((t & 31) == 0) {
    float w = 0;
    for (int i = 0; i < 32; i++) w += part[t + i];
    warps[t >> 5] = w;
  }
  asm volatile("bar.sync 0;" ::: "memory");
  if (t == 0) y[row] = warps[0] + warps[1] + warps[2] + warps[3];
}
