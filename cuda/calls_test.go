package cuda

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
	"unsafe"

	"avssnative/avss"
	"avssnative/bench/peers/yardstick"
	"avssnative/engine"
	"avssnative/engine/device"
)

// What a pass asks of the driver, counted: how often the host waits for the GPU, what it copies there and back, what it allocates.

// calls are how often a driver was called since the last reset, and the bytes that it copied.
type calls struct {
	mu sync.Mutex // uploads call too
	counts
}

type counts struct{ waits, eventWaits, copies, copied, back, allocations, frees, launches int64 }

// take gives the counts and begins anew.
func (c *calls) take() counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.counts
	c.counts = counts{}
	return all
}

func (c *calls) add(n *int64, more int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*n += more
}

// counting is the driver whose calls are counted.
type counting struct {
	driver
	c *calls
}

func (d counting) waitStream(s stream) error {
	d.c.add(&d.c.waits, 1)
	return d.driver.waitStream(s)
}

func (d counting) waitEvent(e event) error {
	d.c.add(&d.c.eventWaits, 1)
	return d.driver.waitEvent(e)
}

func (d counting) toDevice(dst pointer, src unsafe.Pointer, bytes int64, s stream) error {
	d.c.add(&d.c.copies, 1)
	d.c.add(&d.c.copied, bytes)
	return d.driver.toDevice(dst, src, bytes, s)
}

func (d counting) toHost(dst unsafe.Pointer, src pointer, bytes int64, s stream) error {
	d.c.add(&d.c.back, 1)
	return d.driver.toHost(dst, src, bytes, s)
}

func (d counting) alloc(bytes int64) (pointer, error) {
	d.c.add(&d.c.allocations, 1)
	return d.driver.alloc(bytes)
}

func (d counting) free(p pointer) error {
	d.c.add(&d.c.frees, 1)
	return d.driver.free(p)
}

func (d counting) launch(f function, grid, block [3]uint32, shared uint32, s stream, slots []uint64) error {
	d.c.add(&d.c.launches, 1)
	return d.driver.launch(f, grid, block, shared, s, slots)
}

// countedCalls are those of the devices of the kind "counted".
var countedCalls calls

type countedDevices struct{ registration }

func (countedDevices) Automatic() int { return -1 }

func (countedDevices) Open(index int, o device.Options) (device.Device, error) {
	drv, err := openDriver()
	if err != nil {
		return nil, err
	}
	return openOn(counting{drv, &countedCalls}, index, o)
}

func init() { device.Register("counted", countedDevices{}) }

// counted opens a model of a shape on a device whose calls are counted.
func countedModel(t *testing.T, shape yardstick.Shape, dtype string, memory int64) *engine.Model {
	t.Helper()
	folder := t.TempDir()
	if err := shape.Write(t.Context(), folder, dtype); err != nil {
		t.Fatal(err)
	}
	m, err := engine.Open(t.Context(), folder, engine.Options{Device: "counted", Options: device.Options{Compute: device.ComputeBF16, Memory: memory}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// countedPass runs a pass over a few sequences and says what it asked of the driver.
func countedPass(t *testing.T, m *engine.Model, shape yardstick.Shape, rows int, observe ...engine.Observer) (*engine.Outcome, counts) {
	t.Helper()
	p := engine.Pass{Rows: rows, Observe: observe}
	for _, ids := range shape.IDs(6, 12) {
		p.Sequences = append(p.Sequences, engine.Sequence{IDs: ids, ScoreFrom: 1, ScoreTo: len(ids)})
	}
	countedCalls.take()
	o, err := m.Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return o, countedCalls.take()
}

// vectorBytes is what goes to the device in every pass beside what a pass asks about: the norms of a model.
func vectorBytes(shape yardstick.Shape) int64 {
	return 4 * int64(2*shape.Layers+1) * int64(shape.Hidden)
}

// TestCallsOfAPass: the host waits for the GPU once a layer, in however many batches it is computed and whatever is observed (once more where whole
// rows are wanted), and a pass brings no weight that another has brought, nor allocates anything.
func TestCallsOfAPass(t *testing.T) {
	someGPU(t)
	silent(t)
	quick := yardstick.Shapes["quick"]
	waits := map[string][]int64{}
	for _, layers := range []int{4, 8} {
		quick.Layers = layers
		m := countedModel(t, quick, "BF16", 0)
		for name, run := range map[string]func() (*engine.Outcome, counts){
			"one batch":              func() (*engine.Outcome, counts) { return countedPass(t, m, quick, 0, avss.NewAVSS(avss.Options{})) },
			"three batches":          func() (*engine.Outcome, counts) { return countedPass(t, m, quick, 24, avss.NewAVSS(avss.Options{})) },
			"nothing observed":       func() (*engine.Outcome, counts) { return countedPass(t, m, quick, 24) },
			"with the last of a row": func() (*engine.Outcome, counts) { return countedPass(t, m, quick, 24, avss.NewAngular(avss.Options{})) },
		} {
			run()
			run() // memory that came back in another order
			_, again := run()
			waits[name] = append(waits[name], again.waits)
			if most := vectorBytes(quick) + 2048; again.copied > most || again.eventWaits != 0 {
				t.Errorf("%d layers, %s: the same pass copies %d bytes again, at most %d are no weights; waits for %d pieces of them",
					layers, name, again.copied, most, again.eventWaits)
			}
			if again.allocations != 0 || again.frees != 0 {
				t.Errorf("%d layers, %s: the same pass allocates %d times and frees %d times", layers, name, again.allocations, again.frees)
			}
		}
	}
	for name, n := range waits {
		want := int64(1)
		if name == "with the last of a row" {
			want = 3
		}
		if got := n[1] - n[0]; got != 4*want {
			t.Errorf("%s: four layers wait %d times, want %d", name, got, 4*want)
		}
	}
}

// TestCallsOfAToken: a token of generation waits for the GPU as often in many layers as in few.
func TestCallsOfAToken(t *testing.T) {
	someGPU(t)
	silent(t)
	quick := yardstick.Shapes["quick"]
	var waits []int64
	for _, layers := range []int{2, 4} {
		quick.Layers = layers
		m := countedModel(t, quick, "BF16", 0)
		d, err := m.NewDecoder(engine.DecoderOptions{Length: 16})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Start(t.Context(), []engine.Prompt{{IDs: []int32{1, 2, 3}}}); err != nil {
			t.Fatal(err)
		}
		for i := range int32(2) {
			countedCalls.take()
			if _, err := d.Continue(t.Context(), []engine.Continuation{{IDs: []int32{4 + i}}}); err != nil {
				t.Fatal(err)
			}
		}
		took := countedCalls.take()
		t.Logf("%d layers: a token waits %d times and copies %d times, %d bytes", layers, took.waits, took.copies, took.copied)
		waits = append(waits, took.waits)
		d.Close()
	}
	if waits[0] != waits[1] || waits[0] > 3 {
		t.Errorf("a token waits %d times in two layers and %d in four, want the same and at most 3", waits[0], waits[1])
	}
}

// TestWeightsStay: where the memory allowed holds a part of the weights that part stays, the others come again, to the same bits, and no more is held
// than is allowed.
func TestWeightsStay(t *testing.T) {
	someGPU(t)
	silent(t)
	quick := yardstick.Shapes["quick"]
	quick.Layers = 12
	free := countedModel(t, quick, "BF16", 0)
	want, first := countedPass(t, free, quick, 0)
	on, err := free.Device()
	if err != nil {
		t.Fatal(err)
	}
	held, weights := on.(*gpu).memory.held, first.copied
	layer := weights / int64(quick.Layers+3) // an embedding and a head are about as much as three
	before := int64(0)
	for _, part := range []int64{0, 1, 2, 4} {
		limit := held - part*weights/5
		m := countedModel(t, quick, "BF16", limit)
		for pass := range 3 {
			got, took := countedPass(t, m, quick, 0)
			if !reflect.DeepEqual(want.Scores, got.Scores) {
				t.Errorf("%d bytes allowed, pass %d: other scores", limit, pass)
			}
			if pass < 2 {
				continue
			}
			on, err := m.Device()
			if err != nil {
				t.Fatal(err)
			}
			if now := on.(*gpu).memory.held; now > limit {
				t.Errorf("%d bytes allowed, %d held", limit, now)
			}
			t.Logf("%d bytes allowed of %d: a pass copies %d of %d", limit, held, took.copied, weights)
			if most := part*weights/5 + 4*layer + vectorBytes(quick); took.copied > most || took.copied < before || part == 4 && took.copied < weights/3 {
				t.Errorf("%d bytes allowed of %d: a pass copies %d bytes, at most %d, and no fewer than the %d where more was allowed",
					limit, held, took.copied, most, before)
			}
			before = took.copied
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestKeptIsLent: what one device of a process only keeps another on the same GPU gets.
func TestKeptIsLent(t *testing.T) {
	m := openMachine(t)
	silent(t)
	d := open(t, device.ComputeBF16)
	other := open(t, device.ComputeBF16)
	const edge = 2048
	kept, err := d.Matrix(weight(edge, edge))
	if err != nil {
		t.Fatal(err)
	}
	d.Keep(kept)
	if !d.Kept(kept) || !d.Regain(kept) || d.Regain(kept) {
		t.Fatal("a weight that was kept is not there once")
	}
	x, y := filled(d, 3, edge), d.NewTensor(3, edge)
	d.Product(y, x, kept, nil)
	d.Keep(kept)
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	m.set(t, fmt.Sprintf("memory=%dM", (d.memory.held+other.memory.held)>>20+1))
	defer m.set(t, "memory=16G")
	more := other.NewTensor(1, edge*edge/4) // half the weight's bytes
	defer more.Free()
	if err := other.Sync(); err != nil {
		t.Errorf("while another device of this process keeps a weight: %v", err)
	}
	if d.Kept(kept) || d.Regain(kept) {
		t.Error("a weight is kept whose memory another device has")
	}
	d.Product(y, x, kept, nil)
	oneLine(t, d.Sync(), "was released")
}
