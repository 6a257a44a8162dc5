// activate: dst = f(gate) ⊙ up. With `interleaved`, gate holds pairs [g0 u0 g1 u1 …] and up is not read. The bfloat16 copy that the next
// product reads is written in the same go where it is wanted.
//
// Slow twin: engine's reference.Activate. Launch: Cell blocks of 256 threads. Shared memory: none.
// Moved: 12 bytes a value with an up, 8 without, and 2 more for the copy: the least possible.
#include "functions.cuh"

enum { IDENTITY, SILU, GELU, GELU_TANH, GELU_QUICK, RELU, RELU_SQUARED, SIGMOID, TANH, XIELU, SWIGLU_CLAMPED }; // engine.ActivationKind

DEVICE float activation(int kind, float x, float alpha_p, float alpha_n, float beta, float eps) {
  switch (kind) {
  case SILU: return x * sigmoid(x);
  case GELU: return x * normal_share(x);
  case GELU_TANH: return 0.5f * x * (1.f + hyperbolic_tangent(0.797884561f * fused(0.044715f * x * x, x, x)));
  case GELU_QUICK: return x * sigmoid_quick(x);
  case RELU: return x < 0.f ? 0.f : x;
  case RELU_SQUARED: return x < 0.f ? 0.f : x * x;
  case SIGMOID: return sigmoid(x);
  case TANH: return hyperbolic_tangent(x);
  case XIELU: {
    if (x > 0.f) return fused(alpha_p * x, x, beta * x);
    float low = x < eps ? x : eps; // eᵐ − 1 − x = (eᵐ − 1 − m) + (m − x)
    return fused(less_one_and_x(low < 0.f ? low : 0.f) + (low < 0.f ? low - x : -x), alpha_n, beta * x);
  }
  }
  return x;
}

// Alpha and limit are SwiGLUClamped's; alpha_p, alpha_n, beta and eps are XIELU's. Copy, if not null, gets bfloat16 rows `lc` apart with
// zeros up to `padded` columns.
KERNEL(256) activate(float *dst, i64 to, const float *gate, i64 lg, const float *up, i64 lu, bf16 *copy, i64 lc, int padded, int kind,
                     int interleaved, float alpha, float limit, float alpha_p, float alpha_n, float beta, float eps, int rows, int cols) {
  Cell cell = this_cell();
  if (cell.row >= rows) return;
  CELL_COLUMNS(cell, col, copy ? padded : cols) {
    float out = 0.f;
    if (col < cols) {
      const float *g = gate + cell.row * lg + (interleaved ? 2 * col : col);
      float u = interleaved ? g[1] : up ? up[cell.row * lu + col] : 1.f;
      if (kind == SWIGLU_CLAMPED) {
        float x = g[0] > limit ? limit : g[0];
        u = u > limit ? limit : u < -limit ? -limit : u;
        out = x * sigmoid(alpha * x) * (u + 1.f);
      } else {
        out = activation(kind, g[0], alpha_p, alpha_n, beta, eps);
        if (up || interleaved) out *= u;
      }
      dst[cell.row * to + col] = out;
    }
    if (copy) copy[cell.row * lc + col] = to_bf16(out);
  }
}
