/* The bfloat16 micro-kernel of AMX: TDPBF16PS multiplies a tile of 16 rows × 32 values by one of 32 values × 16 columns into 16 × 16
 * float32 sums. Four sums make a 32 × 32 tile: tmm0–3 sums, tmm4–5 activations [k/32][32][32], tmm6–7 weights [k/2][32][2], the panel
 * of micro_bf16.c. The sums begin with what stood before, so the length of a K block is no part of the result. Tile registers need the
 * kernel's permission, asked once a process (Linux, arch_prctl), and a configuration a call. */
#include "internal.h"
#if AVSS_X86
#include <immintrin.h>
#include <string.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
long syscall(long number, ...);
#endif
#define AMX __attribute__((target("amx-tile,amx-bf16,avx512f")))

/* Asking again changes nothing, so that nothing need be remembered. */
int amx_permitted(void) {
#if defined(__linux__) && defined(SYS_arch_prctl)
  enum { GET_PERMISSION = 0x1022, ASK_PERMISSION = 0x1023, TILE_DATA = 18 };
  unsigned long granted = 0;
  if (!processor_has(PROCESSOR_AMX_TILE) || !processor_has(PROCESSOR_AMX_BF16)) return 0;
  if (syscall(SYS_arch_prctl, ASK_PERMISSION, TILE_DATA) != 0) return 0;
  return syscall(SYS_arch_prctl, GET_PERMISSION, &granted) == 0 && (granted & 1ul << TILE_DATA) != 0;
#else
  return 0;
#endif
}

/* GCC's tile intrinsics do not say which memory they read: what was written before is kept by this. */
#define WRITTEN(p) __asm__ volatile("" : : "r"(p) : "memory")

AMX static void begin(void) {
  struct {
    uint8_t palette, start, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
  } __attribute__((aligned(64))) config;
  memset(&config, 0, sizeof config);
  config.palette = 1;
  for (int i = 0; i < 8; i++) {
    config.bytes[i] = 64;
    config.rows[i] = 16;
  }
  WRITTEN(&config);
  _tile_loadconfig(&config);
}
AMX static void end(void) { _tile_release(); }

AMX static void micro_amx(int rows, int64_t kc, const void *packed_a, const void *packed_b, const tile_output *to) {
  const char *a = packed_a, *b = packed_b;
  float edge[32 * PANEL];
  float *c = to->c;
  const float *before = to->before;
  int64_t step = to->stride * 4, before_step = to->before_stride * 4;
  if (rows < 32) {
    if (before) {
      for (int i = 0; i < rows; i++) memcpy(edge + i * PANEL, before + i * to->before_stride, PANEL * 4);
      memset(edge + rows * PANEL, 0, (size_t)(32 - rows) * PANEL * 4);
      before = edge;
    }
    c = edge;
    step = before_step = PANEL * 4;
  }
  WRITTEN(before);
  if (before) {
    _tile_loadd(0, before, before_step);
    _tile_loadd(1, before + 16, before_step);
    _tile_loadd(2, (const char *)before + 16 * before_step, before_step);
    _tile_loadd(3, (const char *)before + 16 * before_step + 64, before_step);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t k = 0; k < kc; k += 32, a += 32 * 64, b += 16 * 128) {
    _tile_loadd(6, b, 128);
    _tile_loadd(4, a, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b + 64, 128);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a + 16 * 64, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, step);
  _tile_stored(1, c + 16, step);
  _tile_stored(2, (char *)c + 16 * step, step);
  _tile_stored(3, (char *)c + 16 * step + 64, step);
  WRITTEN(c);
  if (rows < 32)
    for (int i = 0; i < rows; i++) memcpy(to->c + i * to->stride, edge + i * PANEL, PANEL * 4);
}
const product_isa product_amx = {32, KC_AMX, 32, 1, 32 * 2, PANEL * KC_AMX * 2, pack_x_amx, pack_w_bf16, micro_amx, begin, end};

AMX void op_peak_amx(const void *arguments, int64_t from, int64_t to, void *scratch) {
  avss_peak *p = (avss_peak *)arguments;
  enum { TURNS = 20000 };
  float sums[16 * 16];
  static const char ones[16 * 64];
  if (!p->bf16) {
    op_peak_avx512(arguments, from, to, scratch);
    return;
  }
  begin();
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, ones, 64);
  _tile_loadd(6, ones, 64);
  for (int64_t job = from; job < to; job++)
    for (int turn = 0; turn < TURNS; turn++) {
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 6);
      _tile_dpbf16ps(2, 4, 6);
      _tile_dpbf16ps(3, 4, 6);
    }
  _tile_stored(0, sums, 64);
  end();
  p->sink = sums[0];
  p->flops = (int64_t)TURNS * 4 * 16 * 16 * 32 * 2;
}
#endif
