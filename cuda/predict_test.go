package cuda

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"avssnative/engine/device"
)

// What products will take, said before any was timed: a formula, the PTX machine's counts and the makers' figures. docs/cuda.md holds the
// table; the first GPU shows what it is worth.

// part is a GPU as its maker describes it: multiprocessors, boost clock, bytes a second of its memory, and bytes a cycle that its second-level
// cache serves. NVIDIA gives that of the A100 alone (its paper: 5,120); elsewhere it is what the multiprocessors' ports take, 64 bytes a cycle
// each, which no cache exceeds, so that a prediction there is a lower bound of the time.
type part struct {
	name       string
	capability [2]int
	processors int
	hertz      float64
	memory     float64
	cache      float64
}

var parts = []part{
	{"A100 80 GB", [2]int{8, 0}, 108, 1.41e9, 2.04e12, 5120},
	{"A10", [2]int{8, 6}, 72, 1.695e9, 0.6e12, 72 * 64},
	{"L40S", [2]int{8, 9}, 142, 2.52e9, 0.864e12, 142 * 64},
	{"H100 SXM", [2]int{9, 0}, 132, 1.83e9, 3.35e12, 132 * 64},
}

// counted is what one block of a product does: operations, warp instructions of the PTX, bytes asked of the second-level cache.
type countedBlock struct{ operations, instructions, bytes float64 }

// predicted is the time of a product, in seconds: every multiprocessor computes as many blocks as the busiest, a block takes the longest of its
// operations on the tensor cores, its instructions at four a cycle and its bytes at a multiprocessor's share of the cache; and memory sees x, W
// and the results once. ideal is the same for blocks that divide evenly and need nothing but the tensor cores.
func (p part) predicted(b countedBlock, blocks int, memoryBytes float64) (seconds, ideal float64) {
	unit := each[p.capability].tensor
	busiest := float64(upTo(blocks, p.processors))
	block := max(b.operations/unit, b.instructions/4, b.bytes/(p.cache/float64(p.processors)))
	memory := memoryBytes / p.memory
	return max(busiest*block/p.hertz, memory), max(b.operations*float64(blocks)/unit/float64(p.processors)/p.hertz, memory)
}

// TestPredicted: the table of docs/cuda.md is what the formula gives for the counts of the kernels as they ship.
func TestPredicted(t *testing.T) {
	m := openMachine(t)
	m.set(t, "quiet=1")
	const edge = 4096
	docs, err := os.ReadFile("../docs/cuda.md")
	if err != nil {
		t.Fatal(err)
	}
	blockOf := func(d *gpu, kernel string, rows, cols int, force *tile) countedBlock {
		m.clear()
		productBy(kernel, rows, edge, cols, force)(d)
		of := m.counted(t, kernel)
		if m.findings(nil) != 0 {
			t.Fatalf("%s: the PTX machine found:\n%s", kernel, m.report())
		}
		bytes := 32 * float64(of.globalLoad.units+of.globalStore.units+of.globalAsync.units)
		return countedBlock{2 * float64(rows) * float64(cols) * edge, float64(of.warpInstructions), bytes}
	}
	plain := open(t, device.ComputeBF16)
	kernels := map[string]countedBlock{}
	for _, shape := range []*tile{&tileFew, &tileMid, &tileBig} {
		kernels[shape.kernel] = blockOf(plain, shape.kernel, shape.rows, shape.cols, shape)
	}
	on := openHopper(t)
	on.hopper.forced = &hopperWhole
	kernels[hopperWhole.kernel] = blockOf(on, hopperWhole.kernel, hopperRows, hopperWhole.cols, nil)
	for _, rows := range []int{1, 32, 128, 2048} {
		for _, p := range parts {
			shape := (&gpu{card: card{processors: p.processors}}).tileFor(rows, edge)
			kernel, tall, wide := shape.kernel, shape.rows, shape.cols
			if p.capability == [2]int{9, 0} && rows == 2048 {
				kernel, tall, wide = hopperWhole.kernel, hopperRows, hopperWhole.cols
			}
			seconds, ideal := p.predicted(kernels[kernel], upTo(rows, tall)*upTo(edge, wide), 2*edge*edge+float64(2+4)*float64(rows)*edge)
			if !(seconds > 0) || math.IsInf(seconds, 0) || ideal > seconds*(1+1e-9) {
				t.Errorf("%s, %d rows: %g s, ideally %g", p.name, rows, seconds, ideal)
			}
			row := fmt.Sprintf("| %d | %s | %s | %.1f | %.0f %% |", rows, p.name, kernel, seconds*1e6, 100*ideal/seconds)
			if !strings.Contains(string(docs), row) {
				t.Errorf("docs/cuda.md lacks\n%s", row)
			}
		}
	}
}
