package cuda

// split is what the products need whose blocks hand tiles on (kernels/cuda/product_split.cu).
type split struct {
	block *block // partial sums, then the words by which they are handed on; nil until a product first needs them
	turn  uint32 // of the last launch: another one each time, so that no word is ever reset
}

const ticketWords = 32 // product_split.cu

// splitThreads and splitValues are the most threads and values of dst that the blocks have which may wait for one another on a multiprocessor.
const splitThreads, splitValues = 2 * 128, 128 * 256

// splitBlocks is into how many blocks a product's tiles are shared out evenly, 0 where each tile has a block of its own: with fewer tiles than
// multiprocessors there is nothing to share.
func (t tile) splitBlocks(tiles, processors int) int {
	switch {
	case tiles >= processors:
		return processors * min(t.resident, tiles/processors)
	case t.store == nil:
		return tiles
	}
	return 0
}

// cost is what a product takes in tiles of this shape where blocks share them, in values of dst on each multiprocessor.
func (t tile) cost(rows, cols, processors int) float64 {
	tiles := float64(upTo(rows, t.rows) * upTo(cols, t.cols))
	return max(1, tiles/float64(processors)) * float64(t.rows*t.cols) * t.slower
}

// handing gives the memory through which blocks hand tiles on, for one launch, and that launch's turn.
func (d *gpu) handing() (partial address[float32], turns address[uint32], turn uint32, err error) {
	values, words := d.card.processors*splitValues, ticketWords+d.card.processors*splitThreads
	if d.split.block == nil {
		b, err := d.memory.take(4 * int64(values+words))
		if err != nil {
			return 0, 0, 0, err
		}
		if err := d.staging.send(b.at+pointer(4*values), make([]byte, 4*words)); err != nil {
			d.release(&err, b)
			return 0, 0, 0, err
		}
		d.split.block = b
	}
	d.split.turn++
	partial = address[float32](d.split.block.at)
	return partial, address[uint32](partial.plus(values)), d.split.turn, nil
}

// productSplit multiplies in so many blocks, which share the tiles.
func (d *gpu) productSplit(e epilogue, t tile, blocks int, o operands[bfloat16]) error {
	partial, turns, turn, err := d.handing()
	if err != nil {
		return err
	}
	var c kernelCall
	switch e := e.(type) {
	case storeEpilogue:
		c = t.splitStore(partial, turns, turn, e.dst, o.x, o.w, o.bias, o.m, o.n, o.k)
	case sumsEpilogue:
		c = t.splitSums(e.slots, e.eps, partial, turns, turn, e.dst, o.x, o.w, o.bias, o.m, o.n, o.k)
	}
	return d.launch(grid(t.threads, blocks, 1, t.shared), c)
}
