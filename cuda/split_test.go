package cuda

import (
	"testing"

	"avssnative/engine/device"
)

// TestTilesShared: products whose blocks share the tiles, and hand one on between two pieces of k, give the bits of those whose blocks have a
// tile each, whatever the number of blocks, and launch after launch.
func TestTilesShared(t *testing.T) {
	d := open(t, device.ComputeBF16)
	silent(t)
	const rows, in, out = 130, 200, 261
	m, err := d.Matrix(weight(out, in))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	x, bias := filled(d, rows, in), filled(d, 1, out)
	run := func(shape *tile, blocks int) []float32 {
		t.Helper()
		d.forced, d.sharing = shape, blocks
		y := d.NewTensor(rows, out) // of which nothing may stay as it is: the PTX machine tells reads of what nobody wrote
		defer y.Free()
		d.Product(y, x, m, bias)
		got := make([]float32, rows*out)
		d.Download(got, y, 0)
		if err := d.Sync(); err != nil {
			t.Fatal(err)
		}
		return got
	}
	want := run(&tileMid, 0)
	for _, c := range []struct {
		shape  *tile
		blocks []int
	}{{&tileBig, []int{1, 3, 4}}, {&tileWide, []int{2, 4, 9}}, {&tileMid, []int{1, 7, 14}}} { // of 4, 9 and 15 tiles
		for _, blocks := range c.blocks {
			for i, v := range run(c.shape, blocks) {
				if v != want[i] {
					t.Fatalf("%d × %d tiles in %d blocks: value %d is %g, %s gave %g", c.shape.rows, c.shape.cols, blocks, i, v, tileMid.kernel, want[i])
				}
			}
		}
	}
}

// TestShapes: the tiles of a product keep an A100's multiprocessors busy, whatever its rows.
func TestShapes(t *testing.T) {
	d := &gpu{card: card{processors: 108}}
	for _, c := range []struct {
		rows, cols int
		shape      tile
		blocks     int
	}{
		{1, 4096, tileFew, 0}, {32, 4096, tileFew, 0},
		{33, 4096, tileMid, 0},    // 64 tiles
		{128, 4096, tileMid, 108}, // 128 tiles
		{192, 4096, tileWide, 96}, // 96 tiles, of which each has a block
		{512, 4096, tileWide, 2 * 108},
		{2048, 4096, tileBig, 108}, {2048, 11008, tileBig, 108},
		{24, 40, tileFew, 0}, {70, 333, tileMid, 0},
	} {
		shape, blocks := d.tileFor(storeEpilogue{}, c.rows, c.cols)
		if shape.rows != c.shape.rows || shape.cols != c.shape.cols || blocks != c.blocks {
			t.Errorf("%d rows by %d columns: tiles of %d × %d in %d blocks, want %d × %d in %d", c.rows, c.cols, shape.rows, shape.cols, blocks,
				c.shape.rows, c.shape.cols, c.blocks)
		}
	}
}
