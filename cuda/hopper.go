package cuda

import (
	"fmt"
	"os"
	"sync"

	"avssnative/engine/device"
)

// hopper is the product by wgmma and TMA (kernels/cuda/hopper), on a device of compute capability 9.0 that has shown that it computes what
// product_bf16 computes. Products of more than 64 rows go there; below, a weight's bytes count and not the multiplications.
//
// A row's result does not depend on how many rows stand beside it as long as the same kernel serves. Where the tensor cores round wgmma's sums
// otherwise than mma.sync's, which the self-test finds out, the Hopper product serves all rows.
type hopper struct {
	always bool // its last bits differ from mma.sync's here, so that all products must be its for a row not to depend on its neighbours
	drv    hopperDriver
	maps   map[mapped]*tensorMap // of weights and activations: a map depends on nothing else
	forced *hopperTile           // for tests: take this shape
	blocks int                   // for tests: at most so many blocks; 0: one a multiprocessor
	off    bool                  // for tests: let mma.sync serve
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
	hopperLeast   = 65 // rows
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

// hopperFailed holds, by device, why the Hopper product broke the context in which it was tried.
var hopperFailed sync.Map

// tryHopper sets the Hopper product up where the device has what it takes and its self-test holds; hopperNote says why not. It gives false
// where the trial has left the context unusable: the device must be opened again, and will be without.
func (d *gpu) tryHopper() bool {
	if d.card.major != 9 || d.card.minor != 0 || d.compute != device.ComputeBF16 {
		return true
	}
	refuse := func(why string) { d.hopperNote = "products by mma.sync, not wgmma: " + why }
	if os.Getenv("AVSSNATIVE_CUDA_HOPPER") == "off" {
		refuse("AVSSNATIVE_CUDA_HOPPER=off")
		return true
	}
	if why, failed := hopperFailed.Load(d.index); failed {
		refuse(why.(string))
		return true
	}
	h := &hopper{maps: map[mapped]*tensorMap{}}
	if err := d.bound(func() error { return h.load(d) }); err != nil {
		refuse(err.Error())
		return true
	}
	d.hopper = h
	same, err := d.testHopper()
	if err == nil {
		d.hopperNote = "products of more than 64 rows by wgmma"
		if h.always = !same; h.always {
			d.hopperNote = "all products by wgmma, whose last bits differ from mma.sync's"
		}
		return true
	}
	why := "self-test: " + err.Error()
	refuse(why)
	if d.bound(func() error { return d.drv.waitStream(d.computing) }) != nil {
		hopperFailed.Store(d.index, why)
		return false
	}
	d.hopper = nil
	_ = d.bound(func() error { return h.unload(d) })
	return true
}

func (h *hopper) load(d *gpu) error {
	var able bool
	if h.drv, able = d.drv.(hopperDriver); !able {
		return fmt.Errorf("driver interface %s has no tensor maps", driverName)
	}
	if d.card.sharedPerBlock < hopperWhole.shared {
		return fmt.Errorf("%d bytes of shared memory, the device has %d", hopperWhole.shared, d.card.sharedPerBlock)
	}
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

// hopperServes says whether products of so many rows are the Hopper product's.
func (d *gpu) hopperServes(rows int) bool {
	return d.hopper != nil && !d.hopper.off && d.forced == nil && (rows >= hopperLeast || d.hopper.always)
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
