package cuda

import (
	"math"
	"strings"
	"testing"

	"avssnative/engine/device"
)

// TestCountersProduct holds what the products of 4096 × 4096 by 4096 move against the least that their tiles must: of a block of rows × cols,
// every value of both operands' pieces once, and what it leaves: its results, 64 bytes for 64 of them, 16 for 64 logits. The blocks of a launch
// do the same work in other places, so that a slice of them stands for all: its bytes are asserted, and that two blocks' are twice one's; the
// whole is one block's, times the number of blocks. What exceeds the operands themselves is the second-level cache's to serve.
func TestCountersProduct(t *testing.T) {
	m := openMachine(t)
	m.set(t, "quiet=1")
	const edge = 4096
	t.Logf("%-19s %10s %12s %12s %9s %9s %14s", "kernel", "tile", "block moves", "of the least", "sectors", "conflicts", "4096³, GB")
	for _, c := range []struct {
		kernel     string
		compute    device.Compute
		force      *tile
		rows, cols int
		size       float64 // bytes of an operand's value
		hopper     *hopperTile
		left       float64 // bytes of a result
	}{
		{"product_bf16", device.ComputeBF16, &tileBig, tileBig.rows, tileBig.cols, 2, nil, 4},
		{"product_bf16_mid", device.ComputeBF16, &tileMid, tileMid.rows, tileMid.cols, 2, nil, 4},
		{"product_bf16_few", device.ComputeBF16, &tileFew, tileFew.rows, tileFew.cols, 2, nil, 4},
		{"product_f32", device.ComputeF32, nil, 64, 64, 4, nil, 4},
		{"product_f32_few", device.ComputeF32, nil, 16, 64, 4, nil, 4},
		{"product_hopper", device.ComputeBF16, nil, hopperRows, hopperWhole.cols, 2, &hopperWhole, 4},
		{"product_hopper_half", device.ComputeBF16, nil, hopperRows, hopperHalf.cols, 2, &hopperHalf, 4},
		{"product_split", device.ComputeBF16, &tileBig, tileBig.rows, tileBig.cols, 2, nil, 4},
		{"product_split_wide", device.ComputeBF16, &tileWide, tileWide.rows, tileWide.cols, 2, nil, 4},
		{"product_split_mid", device.ComputeBF16, &tileMid, tileMid.rows, tileMid.cols, 2, nil, 4},
		{"product_bf16_sums", device.ComputeBF16, &tileBig, tileBig.rows, tileBig.cols, 2, nil, 5},
		{"product_bf16_mid_sums", device.ComputeBF16, &tileMid, tileMid.rows, tileMid.cols, 2, nil, 5},
		{"product_f32_sums", device.ComputeF32, nil, 64, 64, 4, nil, 5},
		{"product_hopper_sums", device.ComputeBF16, nil, hopperRows, hopperWhole.cols, 2, &hopperWhole, 5},
		{"product_bf16_head", device.ComputeBF16, &tileBig, tileBig.rows, tileBig.cols, 2, nil, 0.25},
		{"product_bf16_mid_head", device.ComputeBF16, &tileMid, tileMid.rows, tileMid.cols, 2, nil, 0.25},
		{"product_f32_head", device.ComputeF32, nil, 64, 64, 4, nil, 0.25},
		{"product_hopper_head", device.ComputeBF16, nil, hopperRows, hopperWhole.cols, 2, &hopperWhole, 0.25},
	} {
		var d *gpu
		if c.hopper == nil {
			d = open(t, c.compute)
		} else {
			d = openHopper(t)
			d.hopper.forced = c.hopper
		}
		moved := func(blocks int) (sectors float64, of machineCounters) {
			if strings.HasPrefix(c.kernel, "product_split") {
				d.sharing = blocks
			}
			m.clear()
			productBy(c.kernel, c.rows, edge, blocks*c.cols, c.force)(d)
			of = m.counted(t, c.kernel)
			if m.findings(nil) != 0 {
				t.Errorf("%s: the PTX machine found:\n%s", c.kernel, m.report())
			}
			if c.hopper != nil && of.sharedLoad.requests == 0 {
				t.Errorf("%s: the operands of wgmma are not counted", c.kernel)
			}
			if of.launches != 1 || of.blocks != uint64(blocks) {
				t.Fatalf("%s: %d launches of %d blocks, want one of %d", c.kernel, of.launches, of.blocks, blocks)
			}
			return float64(of.globalLoad.units + of.globalStore.units + of.globalAsync.units), of
		}
		one, of := moved(1)
		least := float64(c.rows+c.cols)*edge*c.size + c.left*float64(c.rows*c.cols)
		fewest := float64(of.globalLoad.least + of.globalStore.least + of.globalAsync.least)
		conflicts := of.sharedLoad.units - of.sharedLoad.least + of.sharedAsync.units - of.sharedAsync.least
		blocks := float64(upTo(edge, c.rows) * upTo(edge, c.cols))
		t.Logf("%-19s %4d × %3d %12.0f %12.3f %9.3f %9d %14.2f", c.kernel, c.rows, c.cols, 32*one, 32*one/least, one/fewest, conflicts, blocks*32*one/1e9)
		if !(32*one >= least) {
			t.Errorf("%s: a block moves %.0f bytes, fewer than the %.0f it must", c.kernel, 32*one, least)
		}
		if !(32*one <= 1.15*least) {
			t.Errorf("%s: a block moves %.3f of the least, allowed 1.15", c.kernel, 32*one/least)
		}
		if !(one <= 1.15*fewest) {
			t.Errorf("%s: %.3f of the fewest sectors, allowed 1.15", c.kernel, one/fewest)
		}
		if conflicts != 0 {
			t.Errorf("%s: %d bank conflicts", c.kernel, conflicts)
		}
		// Slots of 16 bytes share sectors with the next block's.
		if two, _ := moved(2); two != 2*one && !(strings.HasSuffix(c.kernel, "_head") && math.Abs(two-2*one) <= 0.01*two) {
			t.Errorf("%s: two blocks touch %.0f sectors, one %.0f", c.kernel, two, one)
		}
	}
}

// productBy is the product with the epilogue that the end of a kernel's name says.
func productBy(kernel string, rows, in, out int, force *tile) func(d *gpu) {
	switch {
	case strings.HasSuffix(kernel, "_sums"):
		return onWeight(rows, weight(out, in), force, func(d *gpu, x device.Tensor, m device.Matrix) {
			y := d.NewTensor(rows, out)
			defer y.Free()
			d.ProductSummed(y, x, m, nil, device.DefaultEps)
		})
	case strings.HasSuffix(kernel, "_head"):
		return headedPlain(rows, in, out, 1, force, false)
	}
	return product(rows, in, out, force)
}
