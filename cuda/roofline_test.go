package cuda

import (
	"math"
	"slices"
	"strings"
	"testing"

	"avssnative/avss"
	"avssnative/bench/peers/yardstick"
	"avssnative/engine"
)

// What a token costs in one layer of docs/cuda.md's roofline beside operands: bytes that the row kernels and the products' results move for a
// value of the residual stream and of the MLP.
const rooflineStream, rooflineInner = 116, 26

// TestRoofline counts those bytes: what a layer more moves, in a model of the proportions of seven billion parameters, every statistic taken.
func TestRoofline(t *testing.T) {
	m := openMachine(t)
	m.set(t, "quiet=1")
	m.set(t, "fresh=1")
	defer m.set(t, "fresh=0")
	const tokens = 64
	shape := yardstick.Shape{Hidden: 512, Inner: 1376, Heads: 8, KVHeads: 8, Vocab: 256, Context: 128}
	moved := func(layers int) map[string]float64 {
		shape.Layers = layers
		folder := t.TempDir()
		if err := shape.Write(t.Context(), folder, "BF16"); err != nil {
			t.Fatal(err)
		}
		model, err := engine.Open(t.Context(), folder, engine.Options{Device: "cuda:0"})
		if err != nil {
			t.Fatal(err)
		}
		defer model.Close()
		m.clear()
		p := engine.Pass{Observe: []engine.Observer{avss.NewAVSS(avss.Options{})}}
		for _, ids := range shape.IDs(1, tokens) {
			p.Sequences = append(p.Sequences, engine.Sequence{IDs: ids})
		}
		if _, err := model.Run(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		d, err := model.Device()
		if err != nil {
			t.Fatal(err)
		}
		bytes := map[string]float64{}
		for kernel := range d.(*gpu).functions {
			c := m.counted(t, kernel)
			switch {
			case strings.HasPrefix(kernel, "convert"), strings.HasPrefix(kernel, "attention"): // weights on their way; operands
			case strings.HasPrefix(kernel, "product"):
				bytes[kernel] = 32 * float64(c.globalStore.fresh)
			default:
				bytes[kernel] = 32 * float64(c.globalLoad.fresh+c.globalStore.fresh)
			}
		}
		return bytes
	}
	one, two := moved(1), moved(2)
	sum, names := 0.0, []string{}
	for kernel := range two {
		names = append(names, kernel)
	}
	slices.Sort(names)
	for _, kernel := range names {
		if more := two[kernel] - one[kernel]; more != 0 {
			t.Logf("%-20s %9.1f bytes a token and value of the stream", kernel, more/tokens/float64(shape.Hidden))
			sum += more / tokens
		}
	}
	// Two norms' weights come a row from the second-level cache, and a row's records, written and read, weigh more the narrower the row is.
	want := float64((rooflineStream+2*4)*shape.Hidden + rooflineInner*shape.Inner + 2*8*recordSize)
	t.Logf("%.0f bytes a token and layer, the roofline says %.0f", sum, want)
	if !(math.Abs(sum-want) <= 0.03*want) {
		t.Errorf("a token moves %.0f bytes in a layer, the roofline says %.0f", sum, want)
	}
}
