package cuda

import (
	"fmt"
	"os"

	"avssnative/engine/device"
)

// hopper is the product by wgmma and TMA (kernels/cuda/hopper), on a device of compute capability 9.0 that has shown that it computes what
// product_bf16 computes. Products whose tiles are enough for three quarters of the multiprocessors go there; with fewer, mma.sync's smaller tiles
// keep more of them busy, and a weight's bytes count more than the multiplications.
//
// A row's result does not depend on how many rows stand beside it as long as the kernels that serve give the same bits. Where the tensor cores
// round wgmma's sums otherwise than mma.sync's, which the trial finds out, the Hopper product serves all but few rows: few rows on its tiles
// would take many times as long, and where results are compared bit by bit they are those of as many rows.
type hopper struct {
	differs bool // its last bits differ from mma.sync's here: it serves wherever rows are not few
	drv     hopperDriver
	maps    map[mapped]*tensorMap // of weights and activations: a map depends on nothing else
	forced  *hopperTile           // for tests: take this shape
	blocks  int                   // for tests: at most so many blocks, and all but few rows; 0: one a multiprocessor
	off     bool                  // for tests: let mma.sync serve
}

// hopperTile is one of the shapes of hopper/product.cu. Both give the same bits.
type hopperTile struct {
	kernel       string
	cols, shared int
	store        func(x, w *tensorMap, dst view[float32], bias address[float32], m, n, k, first int) kernelCall
}

const (
	hopperRows    = 128
	hopperThreads = 384
	keptMaps      = 4096
)

var (
	hopperWhole = hopperTile{"product_hopper", 256, hopperShared(256), kernelProductHopper}
	hopperHalf  = hopperTile{"product_hopper_half", 128, hopperShared(128), kernelProductHopperHalf}
)

// hopperKernels are the kernels of hopper/product.cu and their shared memory.
var hopperKernels = map[string]int{hopperWhole.kernel: hopperWhole.shared, hopperWhole.kernel + "_sums": hopperWhole.shared,
	hopperWhole.kernel + "_head": hopperWhole.shared, hopperHalf.kernel: hopperHalf.shared}

// hopperShared is four stages of both tiles, their mbarriers, and what it takes to begin at a multiple of 1024.
func hopperShared(cols int) int { return 4*(hopperRows+cols)*boxCols*2 + 4*2*8 + 1024 }

// hopperOn says whether a GPU is to have the Hopper product, what its trial said, and the note that goes with it; no note where the GPU is none
// of those it is for.
func hopperOn(drv driver, index int, c card, compute device.Compute) (v verdict, uses bool, note string) {
	if c.major != 9 || c.minor != 0 || compute != device.ComputeBF16 {
		return v, false, ""
	}
	if v.Why = "AVSSNATIVE_CUDA_HOPPER=off"; os.Getenv("AVSSNATIVE_CUDA_HOPPER") != "off" {
		v = verdictOn(drv, index, c)
	}
	switch {
	case v.Why != "":
		return v, false, "products by mma.sync, not wgmma: " + v.Why
	case !v.Same:
		return v, true, fmt.Sprintf("products of more than %d rows by wgmma, whose last bits differ from mma.sync's: a row's depend on whether it "+
			"stands beside more than %d others", fewRows, fewRows-1)
	}
	return v, true, "products of many rows by wgmma"
}

// useHopper loads the Hopper product, or notes why it cannot be.
func (d *gpu) useHopper(trial verdict) {
	h := &hopper{maps: map[mapped]*tensorMap{}, differs: !trial.Same}
	if err := d.bound(func() error { return h.load(d, trial.image) }); err != nil {
		d.hopperNote = "products by mma.sync, not wgmma: " + err.Error()
		return
	}
	d.hopper = h
}

// load loads the kernels from the form that was tried.
func (h *hopper) load(d *gpu, image string) error {
	var able bool
	if h.drv, able = d.drv.(hopperDriver); !able {
		return fmt.Errorf("driver interface %s has no tensor maps", driverName)
	}
	if d.card.sharedPerBlock < hopperWhole.shared {
		return fmt.Errorf("%d bytes of shared memory, the device has %d", hopperWhole.shared, d.card.sharedPerBlock)
	}
	m, err := d.drv.load(image)
	if err != nil {
		return fmt.Errorf("kernels of %s: %w", hopperSource, err)
	}
	d.modules[hopperSource] = m
	for name, shared := range hopperKernels {
		if _, err := d.kernel(name, hopperSource, shared); err != nil {
			_ = h.unload(d)
			return err
		}
	}
	return nil
}

const hopperSource = "hopper/product.cu"

// unload gives the module back, and forgets its functions.
func (h *hopper) unload(d *gpu) error {
	for name := range hopperKernels {
		delete(d.functions, name)
	}
	m, loaded := d.modules[hopperSource]
	delete(d.modules, hopperSource)
	if !loaded {
		return nil
	}
	return d.drv.unload(m)
}

// hopperServes says whether a product of so many rows and columns is the Hopper product's. Where its results are not only stored, it has but the wide
// tile.
func (d *gpu) hopperServes(rows, cols int, stores bool) bool {
	h := d.hopper
	if h == nil || h.off || d.forced != nil || rows <= fewRows {
		return false
	}
	wide := hopperWhole.cols
	if stores {
		wide = hopperHalf.cols
	}
	return h.differs || h.forced != nil || h.blocks > 0 || 4*upTo(rows, hopperRows)*upTo(cols, wide) >= 3*d.card.processors
}

// mapOf gives the map of a matrix.
func (h *hopper) mapOf(m mapped) (*tensorMap, error) {
	if t := h.maps[m]; t != nil {
		return t, nil
	}
	if len(h.maps) == keptMaps {
		clear(h.maps)
	}
	t := new(tensorMap)
	if err := h.drv.encodeTiled(t, m); err != nil {
		return nil, err
	}
	h.maps[m] = t
	return t, nil
}

// tileFor takes the wide tile where that leaves no multiprocessor without work.
func (h *hopper) tileFor(rows, cols, processors int) hopperTile {
	switch {
	case h.forced != nil:
		return *h.forced
	case upTo(rows, hopperRows)*upTo(cols, hopperWhole.cols) >= processors:
		return hopperWhole
	}
	return hopperHalf
}

// hopperProduct multiplies the rows of x, in bfloat16, by the weight's rows first to first+outputs; the epilogue takes the results.
func (d *gpu) hopperProduct(e epilogue, x *narrowed, m *matrix, first, outputs int, bias address[float32]) error {
	h := d.hopper
	xMap, err := h.mapOf(mapped{x.block.at, x.rows, x.pitch, x.pitch})
	if err != nil {
		return err
	}
	wMap, err := h.mapOf(mapped{m.at(0), m.weight.Out, m.pitch, m.pitch})
	if err != nil {
		return err
	}
	t := h.tileFor(x.rows, outputs, d.card.processors)
	if !stores(e) {
		t = hopperWhole
	}
	blocks := min(upTo(x.rows, hopperRows)*upTo(outputs, t.cols), d.card.processors)
	if h.blocks > 0 {
		blocks = min(blocks, h.blocks)
	}
	return d.launch(grid(hopperThreads, blocks, 1, t.shared), e.onHopper(t, mappedOperands{xMap, wMap, bias, x.rows, outputs, m.pitch, first}))
}
