// What nvcc makes of ordinary code: its math library, 64-bit division, switches, functions kept as functions, local arrays,
// atomics. library.ptx (optimised) and library_debug.ptx (-G: calls, local memory) come from
//   nvcc -ptx -arch=sm_80 -std=c++17 [-G] library.cu
// with NVIDIA's nvcc 13.5. `call` takes no header of this project.
extern "C" __global__ void functions(float* y, const float* x, int n) {  // y [12 × n]
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const float v = x[i], a = fabsf(v) + 0.01f;
  float s, c;
  sincosf(v * 300000.0f, &s, &c);
  const float r[12] = {expf(v), logf(a), tanhf(v), erff(v), rsqrtf(a), sqrtf(a), 1.0f / a, sinf(v), cosf(v * 50.0f), powf(a, 1.7f), s, log1pf(a)};
#pragma unroll
  for (int k = 0; k < 12; k++) y[k * n + i] = r[k];
}

__device__ __noinline__ unsigned long long remainderOf(unsigned long long a, unsigned long long b) { return b ? a % b : a; }

extern "C" __global__ void integers(unsigned* y, const unsigned* x, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const unsigned v = x[i];
  unsigned r = 0;
  for (unsigned k = 0; k < (v & 31); k++) {
    r = r * 1664525u + v + k;
    if (r & 4) continue;
    if ((r & 0xff0000) == 0) break;
    r ^= __brev(v) >> k;
  }
  switch (v % 7) {
    case 0: r += __popc(v); break;
    case 1: r -= __clz(v); break;
    case 2: r ^= __byte_perm(v, r, 0x5410); break;
    case 3: r += __umulhi(v, r); break;
    case 4: r = __funnelshift_l(v, r, 7); break;
    case 5: r ^= 0x5a5a5a5a; break;
    default: r = ~r;
  }
  r += unsigned(remainderOf((unsigned long long)v * 1000003u * 977u, r | 1)) + unsigned(int(v) / 7) + unsigned(int(v) % 13);
  r += unsigned((double)(v >> 3) * 0.37) + unsigned(int(float(int(v)) * 0.001f));
  y[i] = r;
}

extern "C" __global__ void blockwide(float* y, unsigned* histogram, const float* x, int n) {
  __shared__ unsigned bins[16];
  __shared__ float total;
  const int t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
  const float v = i < n ? x[i] : 0.0f;
  if (t < 16) bins[t] = 0;
  if (t == 0) total = 0;
  __syncthreads();
  atomicAdd(&bins[unsigned(fabsf(v) * 16) & 15], 1u);
  float keep[8];
  for (int k = 0; k < 8; k++) keep[k] = v * float(k + 1);
  float s = keep[unsigned(fabsf(v) * 100) & 7];
  for (int o = 16; o; o >>= 1) s += __shfl_xor_sync(~0u, s, o);
  if ((t & 31) == 0) atomicAdd(&total, s);
  __syncthreads();
  if (t < 16) atomicAdd(&histogram[t], bins[t]);
  if (t == 0) y[blockIdx.x] = total;
}
