package cuda

// An epilogue is what becomes of a product's results while they are in registers (epilogue.cuh). It chooses among the kernels of a shape the
// one that does so, and adds its own arguments to the operands.
type epilogue interface {
	inF32(o operands[float32]) (c kernelCall, tall int) // tall: rows of the shape's tiles
	inBF16(t tile, o operands[bfloat16]) kernelCall
	onHopper(t hopperTile, o mappedOperands) kernelCall
}

// operands are what every product takes: x [m × k], w [n × k], a bias or none.
type operands[T any] struct {
	x, w    view[T]
	bias    address[float32]
	m, n, k int
}

// mappedOperands are those of a product on Hopper, which takes n rows of the weight from first on.
type mappedOperands struct {
	x, w           *tensorMap
	bias           address[float32]
	m, n, k, first int
}

// storeEpilogue writes the results.
type storeEpilogue struct{ dst view[float32] }

func (e storeEpilogue) inF32(o operands[float32]) (kernelCall, int) {
	if o.m <= 16 {
		return kernelProductF32Few(e.dst, o.x, o.w, o.bias, o.m, o.n, o.k), 16
	}
	return kernelProductF32(e.dst, o.x, o.w, o.bias, o.m, o.n, o.k), 64
}

func (e storeEpilogue) inBF16(t tile, o operands[bfloat16]) kernelCall {
	return t.store(e.dst, o.x, o.w, o.bias, o.m, o.n, o.k)
}

func (e storeEpilogue) onHopper(t hopperTile, o mappedOperands) kernelCall {
	return t.store(o.x, o.w, e.dst, o.bias, o.m, o.n, o.k, o.first)
}

// sumsEpilogue writes the results and the sums of every 64 columns of a row.
type sumsEpilogue struct {
	slots address[groupSums]
	eps   address[float32]
	dst   view[float32]
}

func (e sumsEpilogue) inF32(o operands[float32]) (kernelCall, int) {
	return kernelProductF32Sums(e.slots, e.eps, e.dst, o.x, o.w, o.bias, o.m, o.n, o.k), 64
}

func (e sumsEpilogue) inBF16(t tile, o operands[bfloat16]) kernelCall {
	return t.sums(e.slots, e.eps, e.dst, o.x, o.w, o.bias, o.m, o.n, o.k)
}

func (e sumsEpilogue) onHopper(_ hopperTile, o mappedOperands) kernelCall {
	return kernelProductHopperSums(o.x, o.w, e.slots, e.eps, e.dst, o.bias, o.m, o.n, o.k, o.first)
}

// headEpilogue writes no results, for they are logits: it keeps what is wanted of every 64 columns of a row, and the wanted tokens' logits.
type headEpilogue struct {
	slots            address[logitGroup]
	found            address[float64]
	offsets, targets address[int32]
	scale, softCap   float32
}

func (e headEpilogue) inF32(o operands[float32]) (kernelCall, int) {
	return kernelProductF32Head(e.slots, e.found, e.offsets, e.targets, e.scale, e.softCap, o.x, o.w, o.bias, o.m, o.n, o.k), 64
}

func (e headEpilogue) inBF16(t tile, o operands[bfloat16]) kernelCall {
	return t.head(e.slots, e.found, e.offsets, e.targets, e.scale, e.softCap, o.x, o.w, o.bias, o.m, o.n, o.k)
}

func (e headEpilogue) onHopper(_ hopperTile, o mappedOperands) kernelCall {
	return kernelProductHopperHead(o.x, o.w, e.slots, e.found, e.offsets, e.targets, e.scale, e.softCap, o.bias, o.m, o.n, o.k, o.first)
}

// stores says whether an epilogue only writes the results: some products do nothing else.
func stores(e epilogue) bool {
	_, only := e.(storeEpilogue)
	return only
}
