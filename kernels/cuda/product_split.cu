// product_split: product_bf16 in blocks that all have the same work. Where 256 tiles are shared out among 108 multiprocessors, two rounds are
// full and the third keeps 40 of them busy; here a block takes as many whole tiles as all others do, and of what is left over an equal share of
// pieces of k, cut where it ends: the tile's sums go through memory from the block that has its first pieces to the next one, which has the
// rest. No sum has another order for that: the chain over k goes on where it was put away, so that a result has the bits of product_bf16,
// whatever the number of blocks. This is McNaughton's rule (Management Science 6, 1959) with tiles for jobs: a block begins with the tile it
// hands on and ends with the one it is handed, so that nobody waits as long as there are at least as many tiles as blocks.
//
// Of T tiles among B blocks the first (T / B − 1)·B go round by round; the other r, B ≤ r < 2·B, lie in a row of r·pieces pieces, of which
// block b has those from b·r·pieces / B on. It is at most the end of one tile, one whole tile, and the beginning of one.
//
// Which block a running one is, it draws by a ticket, so that the one it waits for began before it, in whatever order blocks are started. A thread
// takes over from the same thread of the block before: its own store, released, is what the other one acquires, and no barrier is in between.
// A wait that does not end within ten seconds by the GPU's clock traps. Shares that end inside a tile are Stream-K's idea (arXiv 2301.03598),
// which adds partial sums where this one goes on with the chain.
//
// Slow twin: product_bf16. Launch: at most as many blocks as tiles. partial: 4 bytes a value of a tile, a block; turns: the ticket in the first of
// 32 words, then a word a thread. Both stay from launch to launch; `turn` is another one each time.
//   kernel                      tile      threads  stages  shared
//   product_split, _sums        128×256   256      4       96 KB
//   product_split_wide, _sums   64×128    128      4       48 KB
//   product_split_mid, _sums    64×64     128      4       32 KB
#include "product_tile.cuh"

enum { TICKET_WORDS = 32 };

// The next ticket of `limit` + 1; the counter begins again behind the last.
DEVICE u32 draw_ticket(u32 *counter, u32 limit) {
  u32 v;
  asm volatile("{ .reg .u64 t; cvta.to.global.u64 t, %1; atom.global.inc.u32 %0, [t], %2; }" : "=r"(v) : "l"(counter), "r"(limit) : "memory");
  return v;
}
// What this thread wrote before is there for the thread that sees the word.
DEVICE void hand_on(u32 *word, u32 turn) {
  asm volatile("{ .reg .u64 t; cvta.to.global.u64 t, %0; st.release.gpu.global.u32 [t], %1; }" ::"l"(word), "r"(turn) : "memory");
}
DEVICE void await_turn(const u32 *word, u32 turn) {
  asm volatile("{\n\t.reg .pred done; .reg .b32 seen; .reg .b64 at, began, now;\n\tcvta.to.global.u64 at, %0;\n\t"
               "mov.b64 began, 0;\n\t"
               "WAIT:\n\tld.acquire.gpu.global.u32 seen, [at];\n\tsetp.eq.u32 done, seen, %1;\n\t@done bra DONE;\n\t"
               "mov.u64 now, %%globaltimer;\n\tsetp.eq.u64 done, began, 0;\n\t@done mov.b64 began, now;\n\t"
               "sub.u64 now, now, began;\n\tsetp.lt.u64 done, now, 10000000000;\n\t@done bra WAIT;\n\ttrap;\n\tDONE:\n\t}" ::"l"(word),
               "r"(turn)
               : "memory");
}
// Reads four values where they are wanted: without a branch, whose two ways would keep the sums in two sets of registers.
DEVICE void take_quad(float (&v)[4], const float *from, bool wanted) {
  asm volatile("{ .reg .pred p; .reg .u64 t; cvta.to.global.u64 t, %4; setp.ne.s32 p, %5, 0; @p ld.global.v4.f32 {%0, %1, %2, %3}, [t]; }"
               : "+f"(v[0]), "+f"(v[1]), "+f"(v[2]), "+f"(v[3])
               : "l"(from), "r"((int)wanted)
               : "memory");
}

// The pieces of one tile that a block takes at a time.
struct Stretch {
  int tile, begin, end;
};
// Share is what one block of several does: stretch 0 is the one it hands on, the last is the one it is handed; either may be empty.
struct Share {
  int block, blocks, rounds, pieces, first, whole, last; // first, last: cut tiles' places among the left over; whole: of them, whole
  int before, behind;                                    // pieces of the cut tiles: done by the block before; by this one of the last
  int rows, cols;                                        // of tiles
};
DEVICE Share share_of(int block, int blocks, int rows, int cols, int pieces) {
  Share s = {block, blocks, rows * cols / blocks - 1, pieces, 0, 0, 0, 0, 0, rows, cols};
  i64 left = (i64)(rows * cols - s.rounds * blocks) * pieces, from = block * left / blocks, to = (block + 1) * left / blocks;
  s.first = (int)(from / pieces), s.before = (int)(from % pieces), s.last = (int)(to / pieces), s.behind = (int)(to % pieces);
  s.whole = s.last - s.first - (s.before > 0);
  return s;
}
DEVICE int stretches(const Share &s) { return s.rounds + s.whole + 2; }
DEVICE Stretch stretch(const Share &s, int i) {
  int base = s.rounds * s.blocks;
  if (i == 0) return Stretch{base + s.last, 0, s.behind};
  if (i <= s.rounds) return Stretch{(i - 1) * s.blocks + s.block, 0, s.pieces};
  if (i <= s.rounds + s.whole) return Stretch{base + s.first + (s.before > 0) + i - 1 - s.rounds, 0, s.pieces};
  return Stretch{base + s.first, s.before, s.before > 0 ? s.pieces : s.before};
}

template <int BM, int BN, int WM, int WN, int STAGES, class Epilogue>
DEVICE void product_split_tiles(const Epilogue &epilogue, float *partial, u32 *turns, u32 turn, float *dst, i64 to, const Operands &o,
                                const float *bias) {
  using Tile = ProductTile<BM, BN, WM, WN, STAGES>;
  __shared__ Share share; // and not in registers, which are the sums'
  int self = (int)thread_x();
  int blocks = (int)blocks_x();
  if (self == 0) share = share_of((int)draw_ticket(turns, blocks - 1), blocks, (o.m + BM - 1) / BM, (o.n + BN - 1) / BN, Tile::pieces(o.k));
  __syncthreads();
  // A thread's quads of sums lie a block's width apart, so that a warp's accesses lie side by side.
  auto kept = [&](int block, int quad) { return partial + ((i64)block * BM * BN + (quad * Tile::THREADS + self) * 4); };
  u32 *words = turns + TICKET_WORDS + self;
#pragma unroll 1
  for (int i = 0; i < stretches(share); i++) {
    Stretch s = stretch(share, i);
    if (s.begin == s.end) continue;
    Place at = tile_place(s.tile, share.rows, share.cols, BM, BN);
    typename Tile::Sums sums = {};
    Tile::multiply(sums, at, o, s.begin, s.end, [&] {
      bool handed = s.begin > 0;
      if (handed) await_turn(words + (share.block - 1) * Tile::THREADS, turn);
#pragma unroll
      for (int j = 0; j < Tile::MT; j++)
#pragma unroll
        for (int q = 0; q < Tile::NT * 2; q++) take_quad(sums[j][q], kept(share.block - handed, j * Tile::NT * 2 + q), handed);
    });
    if (s.end < share.pieces) {
#pragma unroll
      for (int j = 0; j < Tile::MT; j++)
#pragma unroll
        for (int q = 0; q < Tile::NT * 2; q++) {
          const float *v = sums[j][q];
          store_quad(kept(share.block, j * Tile::NT * 2 + q), v[0], v[1], v[2], v[3]);
        }
      hand_on(words + share.block * Tile::THREADS, turn);
    } else {
      Tile::finish(epilogue, dst, to, bias, sums, at, o.m, o.n);
    }
    __syncthreads(); // the ring is free again
  }
}

#define PRODUCT_SPLIT(name, threads, tall, wide, down, across)                                                                                  \
  KERNEL(threads)                                                                                                                               \
  name(float *partial, u32 *turns, u32 turn, float *dst, i64 to, const bf16 *x, i64 lx, const bf16 *w, i64 lw, const float *bias, int m, int n, \
       int k) {                                                                                                                                 \
    product_split_tiles<tall, wide, down, across, 4>(StoreEpilogue{}, partial, turns, turn, dst, to, Operands{x, lx, w, lw, m, n, k}, bias);    \
  }
PRODUCT_SPLIT(product_split, 256, 128, 256, 2, 4)
PRODUCT_SPLIT(product_split_wide, 128, 64, 128, 2, 2)
PRODUCT_SPLIT(product_split_mid, 128, 64, 64, 2, 2)

// Slots are [m × groups of 64 columns].
#define PRODUCT_SPLIT_SUMS(name, threads, tall, wide, down, across)                                                                             \
  KERNEL(threads)                                                                                                                               \
  name(GroupSums *slots, const float *eps, float *partial, u32 *turns, u32 turn, float *dst, i64 to, const bf16 *x, i64 lx, const bf16 *w,      \
       i64 lw, const float *bias, int m, int n, int k) {                                                                                        \
    product_split_tiles<tall, wide, down, across, 4>(sums_epilogue(slots, eps), partial, turns, turn, dst, to,                                  \
                                                     Operands{x, lx, w, lw, m, n, k}, bias);                                                    \
  }
PRODUCT_SPLIT_SUMS(product_split_sums, 256, 128, 256, 2, 4)
PRODUCT_SPLIT_SUMS(product_split_wide_sums, 128, 64, 128, 2, 2)
PRODUCT_SPLIT_SUMS(product_split_mid_sums, 128, 64, 64, 4, 1)
