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

// predicted is the time of a product, in seconds: every multiprocessor computes as many tiles as the busiest, or its share of all where blocks
// share them; a tile takes the longest of its operations on the tensor cores, its instructions at four a cycle and its bytes at a multiprocessor's
// share of the cache; a tile that is handed on is written to the cache and read from it once more; and memory sees x, W and the results once. ideal
// is the same for tiles that divide evenly and need nothing but the tensor cores.
func (p part) predicted(b countedBlock, tiles, sharing int, handed, memoryBytes float64) (seconds, ideal float64) {
	unit, port := each[p.capability].tensor, p.cache/float64(p.processors)
	busiest, over := float64(upTo(tiles, p.processors)), 0.0
	if sharing > 0 {
		busiest = max(1, float64(tiles)/float64(p.processors))
		if tiles%sharing != 0 {
			over = handed / port * float64(upTo(sharing, p.processors))
		}
	}
	block := max(b.operations/unit, b.instructions/4, b.bytes/port)
	memory := memoryBytes / p.memory
	return max((busiest*block+over)/p.hertz, memory), max(b.operations*float64(tiles)/unit/float64(p.processors)/p.hertz, memory)
}

// chosen is the product that serves on a GPU: its tiles, and how many blocks share them.
func (p part) chosen(rows, cols int) (kernel string, tall, wide, sharing int) {
	d := &gpu{card: card{processors: p.processors}}
	if p.capability == [2]int{9, 0} {
		d.hopper = &hopper{}
	}
	if d.hopperServes(rows, cols, true) {
		t := d.hopper.tileFor(rows, cols, p.processors)
		return t.kernel, hopperRows, t.cols, 0
	}
	t, sharing := d.tileFor(storeEpilogue{}, rows, cols)
	return t.served(sharing), t.rows, t.cols, sharing
}

// served is the kernel that stores the results.
func (t tile) served(sharing int) string {
	if sharing == 0 {
		return t.kernel
	}
	var none view[bfloat16]
	return t.splitStore(0, 0, 0, view[float32]{}, none, none, 0, 0, 0, 0).kernel
}

// countedBlocks runs one block of one tile of each product.
func countedBlocks(t *testing.T, m machine, edge int) map[string]countedBlock {
	t.Helper()
	kernels := map[string]countedBlock{}
	count := func(d *gpu, kernel string, rows, cols int, force *tile) {
		m.clear()
		productBy(kernel, rows, edge, cols, force)(d)
		of := m.counted(t, kernel)
		if m.findings(nil) != 0 || of.blocks != 1 {
			t.Fatalf("%s: %d blocks; the PTX machine found:\n%s", kernel, of.blocks, m.report())
		}
		bytes := 32 * float64(of.globalLoad.units+of.globalStore.units+of.globalAsync.units)
		kernels[kernel] = countedBlock{2 * float64(rows) * float64(cols) * float64(edge), float64(of.warpInstructions), bytes}
	}
	plain := open(t, device.ComputeBF16)
	for _, shape := range []*tile{&tileFew, &tileMid, &tileBig} {
		count(plain, shape.kernel, shape.rows, shape.cols, shape)
	}
	plain.sharing = 1
	for _, shape := range []*tile{&tileMid, &tileWide, &tileBig} {
		count(plain, shape.served(1), shape.rows, shape.cols, shape)
	}
	on := openHopper(t)
	for _, shape := range []*hopperTile{&hopperWhole, &hopperHalf} {
		on.hopper.forced = shape
		count(on, shape.kernel, hopperRows, shape.cols, nil)
	}
	return kernels
}

// TestPredicted: the table of docs/cuda.md is what the formula gives for the counts of the kernels as they ship, and in it products reach 85 %
// of the roofline with 128 and with 2,048 rows, 70 % in between.
func TestPredicted(t *testing.T) {
	m := openMachine(t)
	m.set(t, "quiet=1")
	const edge = 4096
	docs, err := os.ReadFile("../docs/cuda.md")
	if err != nil {
		t.Fatal(err)
	}
	kernels := countedBlocks(t, m, edge)
	for _, rows := range []int{1, 32, 64, 128, 256, 512, 2048} {
		for _, p := range parts {
			kernel, tall, wide, sharing := p.chosen(rows, edge)
			seconds, ideal := p.predicted(kernels[kernel], upTo(rows, tall)*upTo(edge, wide), sharing, 2*4*float64(tall*wide),
				2*edge*edge+float64(2+4)*float64(rows)*edge)
			if !(seconds > 0) || math.IsInf(seconds, 0) || ideal > seconds*(1+1e-9) {
				t.Errorf("%s, %d rows: %g s, ideally %g", p.name, rows, seconds, ideal)
			}
			least := 0.7
			if rows == 128 || rows == 2048 {
				least = 0.85
			}
			if ideal < least*seconds {
				t.Errorf("%s, %d rows: %.0f %% of the roofline", p.name, rows, 100*ideal/seconds)
			}
			row := fmt.Sprintf("| %d | %s | %s | %.1f | %.0f %% |", rows, p.name, kernel, seconds*1e6, 100*ideal/seconds)
			if !strings.Contains(string(docs), row) {
				t.Errorf("docs/cuda.md lacks\n%s", row)
			}
		}
	}
}
