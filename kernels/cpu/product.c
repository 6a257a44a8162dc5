/* dst = x·Wᵀ + bias by packed panels.
 * Activations are packed once for all of the inner dimension (AVSS_PACK), weights panel by panel inside the jobs that use them, so that
 * a weight is never stored in any other form. An output is a chain of fused products over one K block (kc values, fixed an instruction
 * set), added to the sum of the blocks before it: its bits depend neither on its neighbours nor on how the work is cut into jobs. Full
 * and edge tiles run the same chain. The loops follow Goto & van de Geijn, "Anatomy of high-performance matrix multiplication" (2008):
 * a weight panel of 32 columns stays in the first cache while the packed rows stream past it. */
#include "internal.h"
#include <string.h>

static int64_t padded(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
const product_isa *product_for(int32_t precision) {
  return precision == AVSS_AS_INT8 ? avss_products->int8 : precision == AVSS_AS_BF16 ? avss_products->bf16 : avss_products->f32;
}

int64_t avss_geometry(int32_t precision) { return product_for(precision)->rows; }

int64_t packed_offset(const product_isa *isa, int64_t rows, int64_t cols, int64_t k0, int64_t row) {
  int64_t kc = padded(least(isa->kc, cols - k0), isa->pair);
  return (padded(rows, isa->rows) * k0 + row * kc) * isa->x_bytes / 32;
}

int64_t avss_packed_bytes(int64_t rows, int64_t cols, int32_t precision) {
  const product_isa *isa = product_for(precision);
  return padded(rows, isa->rows) * padded(cols, isa->pair) * isa->x_bytes / 32 + 64;
}

/* Where bfloat16 is asked of an instruction set that stores float32 operands, it rounds them instead. */
int rounds(const product_isa *isa, int32_t precision) { return precision == AVSS_AS_BF16 && !isa->bf16; }

void op_pack(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_product *p = arguments;
  const product_isa *isa = product_for(p->precision);
  (void)scratch;
  for (int64_t panel = from; panel < to; panel++) {
    int64_t row = panel * isa->rows;
    for (int64_t k0 = 0; k0 < p->x.cols; k0 += isa->kc)
      isa->pack_x(p->x.data + row * p->x.stride + k0, p->x.stride, (int)least(isa->rows, p->x.rows - row), least(isa->kc, p->x.cols - k0),
                  (char *)p->packed + packed_offset(isa, p->x.rows, p->x.cols, k0, row), rounds(isa, p->precision));
  }
}

/* A finished tile of a panel that is not full goes to its place: rows × cols of [rows][32]. */
static void copy_tile(const float *tile, int64_t rows, int64_t cols, float *c, int64_t stride) {
  for (int64_t i = 0; i < rows; i++, tile += PANEL, c += stride) memcpy(c, tile, (size_t)cols * sizeof(float));
}

static void add_bias(const float *bias, int64_t rows, int64_t cols, float *c, int64_t stride) {
  for (int64_t i = 0; i < rows; i++, c += stride)
    for (int64_t j = 0; j < cols; j++) c[j] += bias[j];
}

int64_t product_scratch(const product_isa *isa, int64_t rows, int64_t panels) {
  return (isa->panel_bytes + rows * panels * PANEL * (int64_t)sizeof(float) + 127) / 64 * 64;
}

/* The stored rows of the panel that is packed next. They lie far apart, each too short for the processor to see by itself that it is read on, and
 * to wait for memory takes longer than to transpose what comes: so they are called into the second cache while this panel meets its rows, a few
 * lines before each tile. */
typedef struct {
  const avss_weight *w;
  int64_t n, left, k0; /* the output that is called next, how many there are with it, and the first value */
  int64_t lines, line; /* of a row, and the next one */
} upcoming_panel;

static upcoming_panel upcoming(const avss_weight *w, int64_t n, int64_t n1, int64_t k0, int64_t cols, int64_t kc) {
  const int64_t bytes = weight_offset(w, 0, least(kc, cols - k0));
  return (upcoming_panel){w, n, w->transposed || k0 >= cols ? 0 : least(PANEL, n1 - n), k0, (bytes + 63) / 64, 0};
}

static void call(upcoming_panel *u, int64_t lines) {
  for (; lines > 0 && u->left > 0; u->n++, u->left--, u->line = 0) {
    const uint8_t *row = u->w->data + weight_offset(u->w, weight_row(u->w, u->n), u->k0);
    for (; u->line < u->lines && lines > 0; u->line++, lines--) __builtin_prefetch(row + 64 * u->line, 0, 2);
    if (u->line < u->lines) return;
  }
}

/* Rows row0..row1 × outputs n0..n1 (and bias, from output n0 on) into c, whose first value is (row0, n0). Sums stand tile by tile in
 * scratch until the last K block: rows of c lie far apart, in as many pages and, where the stride is a power of two, in one set of the
 * cache. */
void product_tile(const product_isa *isa, const void *packed, int64_t rows, int64_t cols, int64_t row0, int64_t row1, const avss_weight *w,
                  int64_t n0, int64_t n1, const float *bias, float *c, int64_t stride, int round, void *scratch) {
  char *panel = scratch;
  float *sums = (float *)(panel + isa->panel_bytes);
  for (int64_t k0 = 0; k0 < cols; k0 += isa->kc) {
    const int64_t kc = least(isa->kc, cols - k0), padded_kc = padded(kc, isa->pair), last = k0 + kc == cols;
    const char *block = (const char *)packed + packed_offset(isa, rows, cols, k0, 0);
    float *tile = sums;
    for (int64_t n = n0; n < n1; n += PANEL) {
      const int64_t panel_cols = least(PANEL, n1 - n);
      const int more = n + PANEL < n1; /* another panel of this K block, or the first one of the next */
      upcoming_panel next = more ? upcoming(w, n + PANEL, n1, k0, cols, kc) : upcoming(w, n0, n1, k0 + kc, cols, isa->kc);
      const int64_t a_tile = next.left * next.lines / ((row1 - row0 + isa->rows - 1) / isa->rows) + 1;
      isa->pack_w(w, n, panel_cols, k0, kc, panel, round);
      for (int64_t row = row0; row < row1; row += isa->rows, tile += isa->rows * PANEL) {
        const int64_t tile_rows = least(isa->rows, row1 - row);
        float *to = c + (row - row0) * stride + (n - n0);
        tile_output at = accumulate(tile, PANEL, k0 > 0);
        if (last && panel_cols == PANEL) at.c = to, at.stride = stride;
        call(&next, a_tile);
        isa->micro((int)tile_rows, padded_kc, block + row * padded_kc * isa->x_bytes / 32, panel, &at);
        if (last && panel_cols < PANEL) copy_tile(tile, tile_rows, panel_cols, to, stride);
        if (last && bias) add_bias(bias + (n - n0), tile_rows, panel_cols, to, stride);
      }
    }
  }
  if (cols == 0)
    for (int64_t row = row0; row < row1; row++)
      for (int64_t n = n0; n < n1; n++) c[(row - row0) * stride + n - n0] = bias ? bias[n - n0] : 0;
}

int64_t scratch_multiply(const void *arguments) {
  const avss_product *p = arguments;
  return product_scratch(product_for(p->precision), p->rows_job, p->panels_job);
}

void op_multiply(const void *arguments, int64_t from, int64_t to, void *scratch) {
  const avss_product *p = arguments;
  const product_isa *isa = product_for(p->precision);
  const int64_t panels = (p->w.out + PANEL - 1) / PANEL, cuts = (p->rows_job + p->rows_cut - 1) / p->rows_cut;
  if (isa->begin) isa->begin();
  for (int64_t job = from; job < to;) {
    const int64_t block = job / cuts / panels * p->rows_job, end = least(block + p->rows_job, p->x.rows), first = job / cuts % panels;
    const int64_t cut = job % cuts, whole = cut == 0 && to - job >= cuts;
    const int64_t panel_count = whole ? least(least(p->panels_job, (to - job) / cuts), panels - first) : 1;
    const int64_t done = whole ? panel_count * cuts : least(cuts - cut, to - job);
    const int64_t row0 = block + cut * p->rows_cut, row1 = whole ? end : least(row0 + done * p->rows_cut, end);
    const int64_t n0 = first * PANEL, n1 = least(n0 + panel_count * PANEL, p->w.out);
    if (row0 < row1)
      product_tile(isa, p->packed, p->x.rows, p->x.cols, row0, row1, &p->w, n0, n1, p->bias ? p->bias + n0 : 0,
                   p->dst.data + row0 * p->dst.stride + n0, p->dst.stride, rounds(isa, p->precision), scratch);
    job += done;
  }
  if (isa->end) isa->end();
}
