package cuda

import (
	"testing"
)

// TestCounters holds what the kernels move, as the PTX machine counts it, against the least possible, and logs the table of docs/cuda.md.
// The limits: row kernels move at most 1.05 of the least; no access of global memory touches a sector it does not use; the tensor-core
// kernels read shared memory without bank conflicts.
func TestCounters(t *testing.T) {
	m := openMachine(t)
	m.set(t, "quiet=1")
	const rows, cols = 64, 1024
	least := map[string]float64{ // bytes of global memory of the scenario below, where it is known without counting tiles
		"add": 12 * rows * cols, "activate": 14 * rows * cols, "normalise": (8 + 2 + 8) * rows * cols, "narrow": 6 * rows * cols,
	}
	list := []scenario{
		{"product_bf16", "bf16", product(256, 512, 512, &tileBig)},
		{"product_bf16_mid", "bf16", product(128, 512, 128, &tileMid)},
		{"product_bf16_few", "bf16", product(16, 512, 128, &tileFew)},
		{"narrow", "bf16", product(rows, cols, 64, nil)},
		{"product_f32", "f32", product(128, 256, 128, nil)},
		{"attention_bf16_64", "bf16", attention(256, 64, 64)},
		{"attention_bf16_128", "bf16", attention(256, 128, 128)},
		{"attention_bf16_256", "bf16", attention(128, 256, 256)},
	}
	for _, s := range scenarios() {
		switch s.kernel {
		case "measure", "merge", "head_tile", "rope":
			list = append(list, s)
		}
	}
	list = append(list, rowScenarios(rows, cols)...)
	t.Logf("%-20s %12s %12s %9s %8s %10s", "kernel", "bytes moved", "of the least", "sectors", "conflicts", "tensor")
	for _, s := range list {
		d := open(t, s.compute)
		m.clear()
		s.run(d)
		c := m.counted(t, s.kernel)
		if c.launches == 0 {
			t.Errorf("%s did not run", s.kernel)
			continue
		}
		bytes, sectors, fewest := 0.0, uint64(0), uint64(0)
		for _, part := range []machineTraffic{c.globalLoad, c.globalStore, c.globalAsync} {
			bytes, sectors, fewest = bytes+float64(part.bytes), sectors+part.units, fewest+part.least
		}
		conflicts := c.sharedLoad.units - c.sharedLoad.least + c.sharedAsync.units - c.sharedAsync.least
		over := 0.0
		if want := least[s.kernel]; want > 0 {
			over = float64(32*sectors) / want
		}
		t.Logf("%-20s %12.0f %12.3f %9.3f %8d %9.1f%%", s.kernel, bytes, over, float64(sectors)/float64(fewest), conflicts, 100*float64(c.byClass[0])/float64(c.warpInstructions))
		if s.kernel == "product_f32" && float64(sectors) > 1.15*float64(fewest) {
			t.Errorf("%s: %.3f of the fewest sectors, allowed 1.15", s.kernel, float64(sectors)/float64(fewest))
		}
		if over > 1.05 {
			t.Errorf("%s moves %.3f of the least", s.kernel, over)
		}
		switch s.kernel {
		case "product_bf16", "product_bf16_mid", "product_bf16_few", "attention_bf16_64", "attention_bf16_128", "attention_bf16_256":
			if conflicts != 0 {
				t.Errorf("%s: %d bank conflicts", s.kernel, conflicts)
			}
			if c.globalAsync.units != c.globalAsync.least {
				t.Errorf("%s: copies touch %d sectors, %d would do", s.kernel, c.globalAsync.units, c.globalAsync.least)
			}
		}
	}
}
