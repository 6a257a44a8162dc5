package cuda

import (
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"avssnative/avss"
	"avssnative/bench/peers/yardstick"
	"avssnative/engine"
	"avssnative/engine/device"
)

// other is the driver with something changed.
type other struct {
	driver
	says   int                     // its version, where not 0
	cards  int                     // how many fewer GPUs it finds
	change func(ptx string) string // what it makes of a module's text, where not nil
	major  int                     // its GPUs' compute capability, where not 0
}

func (o other) card(index int) (card, error) {
	c, err := o.driver.card(index)
	if o.major != 0 {
		c.major, c.minor = o.major, 5
	}
	return c, err
}

func (o other) version() (int, error) {
	if o.says != 0 {
		return o.says, nil
	}
	return o.driver.version()
}

func (o other) count() (int, error) {
	n, err := o.driver.count()
	return n - o.cards, err
}

func (o other) load(ptx string) (module, error) {
	if o.change != nil {
		ptx = o.change(ptx)
	}
	return o.driver.load(ptx)
}

// present is the driver of this machine, real or posed as; without one the test skips.
func present(t *testing.T) driver {
	t.Helper()
	open(t, device.ComputeF32)
	drv, err := openDriver()
	if err != nil {
		t.Fatal(err)
	}
	return drv
}

// oneLine holds an error against the words that it must have.
func oneLine(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q, want %q in it", err, w)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q has several lines", err)
	}
}

// TestOldDriver: a driver before CUDA 11.0, a GPU before 8.0, or a driver that finds none, is refused by an error that says so; "auto" can tell
// what is too old from what is not there.
func TestOldDriver(t *testing.T) {
	drv := present(t)
	_, err := openOn(other{driver: drv, says: 10020}, 0, device.Options{})
	oneLine(t, err, "driver too old", "CUDA 10.2", "at least 11.0")
	old := func(err error) bool { return errors.As(err, &device.Unsupported{}) }
	if !old(err) {
		t.Errorf("%v is not said to be too old", err)
	}
	_, err = openOn(other{driver: drv, major: 7}, 0, device.Options{})
	oneLine(t, err, "cuda:0", "compute capability 7.5", "at least 8.0")
	if !old(err) {
		t.Errorf("%v is not said to be too old", err)
	}
	n, err := drv.count()
	if err != nil {
		t.Fatal(err)
	}
	_, err = openOn(other{driver: drv, cards: n}, 0, device.Options{})
	oneLine(t, err, "no device", "finds no GPU")
	if old(err) {
		t.Errorf("%v is said to be too old", err)
	}
	if d, err := openOn(other{driver: drv, says: leastDriver}, 0, device.Options{}); err != nil {
		t.Errorf("CUDA 11.0 is refused: %v", err)
	} else if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestSelfTest: a device that computes something else, in any of the kernels that the self-test runs, is refused, gives back what it took,
// and can be opened once it computes what it should.
func TestSelfTest(t *testing.T) {
	drv := present(t)
	before := freeOf(t, drv)
	for _, c := range []struct {
		kernel, says string
		compute      device.Compute
		found, put   string
	}{
		{"product_f32", "product at row", device.ComputeF32, `fma\.rn\.f32 (\S+), (\S+), (\S+), (\S+);`, "fma.rn.f32 $1, $2, $2, $4;"},
		{"product_bf16_few", "product at row", device.ComputeBF16, `mma\.sync[^;]*;`, ""},
		{"merge", "statistics", device.ComputeF32, `add\.rn\.f64`, "sub.rn.f64"},
	} {
		changed := 0
		change := func(ptx string) string {
			begin := strings.Index(ptx, ".visible .entry "+c.kernel+"(")
			if begin < 0 {
				return ptx // the Hopper module
			}
			end := begin + strings.Index(ptx[begin:], "\n}\n")
			pattern := regexp.MustCompile(c.found)
			changed = len(pattern.FindAllString(ptx[begin:end], -1))
			return ptx[:begin] + pattern.ReplaceAllString(ptx[begin:end], c.put) + ptx[end:]
		}
		d, err := openOn(other{driver: drv, change: change}, 0, device.Options{Compute: c.compute})
		if changed == 0 {
			t.Errorf("%s: nothing to change", c.kernel)
		}
		oneLine(t, err, "self-test failed, the device is not used", c.says)
		if d != nil {
			t.Errorf("%s computes something else, and a device is given", c.kernel)
		}
	}
	if _, machine := driverSymbol(t, "ptxmachineVersion"); !machine { // a GPU's driver keeps memory of its own
		before = 0
	}
	if after := freeOf(t, drv); after < before {
		t.Errorf("%d bytes free before devices were refused, %d after", before, after)
	}
	open(t, device.ComputeF32)
}

// freeOf is how much memory the first GPU has free, in bytes.
func freeOf(t *testing.T, drv driver) (free int64) {
	t.Helper()
	c, err := drv.retain(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&gpu{drv: drv, context: c}).bound(func() (err error) { free, _, err = drv.memory(); return err }); err != nil {
		t.Fatal(err)
	}
	if err := drv.release(0); err != nil {
		t.Fatal(err)
	}
	return free
}

// TestSelfTestTime: the self-test costs a start less than 50 ms. The PTX machine knows no time.
func TestSelfTestTime(t *testing.T) {
	d := open(t, device.ComputeBF16)
	began := time.Now()
	if err := d.selfTest(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	t.Logf("self-test: %v", took)
	if !onMachine() && took > 50*time.Millisecond {
		t.Errorf("the self-test took %v, allowed 50 ms", took)
	}
}

// TestOutOfMemory: a model that does not fit under the limit, and an allocation that the driver itself refuses, are errors that say how much
// was wanted and how much there is; the device goes on working.
func TestOutOfMemory(t *testing.T) {
	m := openMachine(t)
	shape, folder := yardstick.Shapes["quick"], t.TempDir()
	if err := shape.Write(t.Context(), folder, "F32"); err != nil {
		t.Fatal(err)
	}
	o := engine.Options{Device: "cuda:0", Options: device.Options{Compute: device.ComputeF32, Memory: 1 << 20}}
	model, err := engine.Open(t.Context(), folder, o)
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	_, err = model.Run(t.Context(), engine.Pass{Sequences: []engine.Sequence{{IDs: shape.IDs(1, 16)[0], ScoreFrom: 1, ScoreTo: 16}}})
	oneLine(t, err, "out of memory", "bytes more", "of 1048576 are in use")

	d := open(t, device.ComputeF32) // its limit comes from what is free now
	m.set(t, "memory=4M")
	defer m.set(t, "memory=16G")
	d.NewTensor(1000, 2000)
	oneLine(t, d.Sync(), "cuda:0", "out of memory", "want 8388608 bytes more", "this program holds")
	x := filled(d, 10, 10)
	d.Scale(x, 2, nil)
	if err := d.Sync(); err != nil {
		t.Errorf("after a failure that was reported: %v", err)
	}
}

// TestMemoryShrinks: where a device cannot hold a pass's batch it computes smaller ones, to the same bits; a sequence that it cannot hold is an
// error.
func TestMemoryShrinks(t *testing.T) {
	someGPU(t)
	silent(t)
	shape, folder := yardstick.Shapes["quick"], t.TempDir()
	if err := shape.Write(t.Context(), folder, "F32"); err != nil {
		t.Fatal(err)
	}
	run := func(memory int64, tokens int) (o *engine.Outcome, scores []float64, held int64, launches int, err error) {
		options := engine.Options{Device: "cuda:0", Options: device.Options{Compute: device.ComputeF32, Memory: memory}}
		model, err := engine.Open(t.Context(), folder, options)
		if err != nil {
			t.Fatal(err)
		}
		defer model.Close()
		on, err := model.Device()
		if err != nil {
			return nil, nil, 0, 0, err // too little for its self-test
		}
		metric := avss.NewAVSS(avss.Options{})
		p := engine.Pass{Observe: []engine.Observer{metric}}
		for _, ids := range shape.IDs(6, tokens) {
			p.Sequences = append(p.Sequences, engine.Sequence{IDs: ids, ScoreFrom: 1, ScoreTo: len(ids)})
		}
		if o, err = model.Run(t.Context(), p); err != nil {
			return nil, nil, 0, 0, err
		}
		found, err := metric.Scores()
		d := on.(*gpu)
		return o, found.Values, d.memory.held, d.launches, err
	}
	free, want, held, launches, err := run(0, 12)
	if err != nil {
		t.Fatal(err)
	}
	shrunk := false
	for limit := held * 3 / 4; !shrunk; limit -= held / 16 {
		small, got, took, more, err := run(limit, 12)
		if err != nil {
			t.Fatalf("%d bytes of %d that it takes freely: %v, and batches never shrank", limit, held, err)
		}
		if took > limit {
			t.Errorf("%d bytes held, allowed %d", took, limit)
		}
		if !reflect.DeepEqual(free.Scores, small.Scores) || !reflect.DeepEqual(want, got) {
			t.Errorf("%d bytes: other bits", limit)
		}
		shrunk = more > launches
	}
	_, _, _, _, err = run(held/8, 12)
	oneLine(t, err, "out of memory")
}

// TestSharedPass: two GPUs that share the sequences of a pass give the bits of one, scores and statistics.
func TestSharedPass(t *testing.T) {
	m := openMachine(t)
	silent(t)
	shape, folder := yardstick.Shapes["quick"], t.TempDir()
	if err := shape.Write(t.Context(), folder, "F32"); err != nil {
		t.Fatal(err)
	}
	run := func(devices string, compute device.Compute) (*engine.Outcome, []float64, error) {
		model, err := engine.Open(t.Context(), folder, engine.Options{Device: devices, Options: device.Options{Compute: compute}})
		if err != nil {
			t.Fatal(err)
		}
		defer model.Close()
		metric := avss.NewAVSS(avss.Options{})
		p := engine.Pass{Observe: []engine.Observer{metric}, Variants: []engine.Drop{nil, engine.Layers(1)}}
		for i, ids := range shape.IDs(5, 20) {
			ids = ids[:20-3*i]
			p.Sequences = append(p.Sequences, engine.Sequence{IDs: ids, ScoreFrom: 1, ScoreTo: len(ids)})
		}
		outcome, err := model.Run(t.Context(), p)
		if err != nil {
			return nil, nil, err
		}
		scores, err := metric.Scores()
		return outcome, scores.Values, err
	}
	_, _, err := run("cuda:0,cuda:1", device.ComputeF32)
	oneLine(t, err, "cuda:1: no such device")
	m.set(t, "devices=2")
	defer m.set(t, "devices=1")
	for _, compute := range []device.Compute{device.ComputeF32, device.ComputeBF16} {
		one, oneMetric, err := run("cuda:0", compute)
		if err != nil {
			t.Fatal(err)
		}
		two, twoMetric, err := run("cuda:0,cuda:1", compute)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(one.Scores, two.Scores) {
			t.Errorf("%s: two devices score %+v, one %+v", compute, two.Scores, one.Scores)
		}
		if !reflect.DeepEqual(oneMetric, twoMetric) {
			t.Errorf("%s: two devices measure %v, one %v", compute, twoMetric, oneMetric)
		}
	}
}
