package cuda

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"unsafe"

	"avssnative/bench/peers/yardstick"
	"avssnative/engine"
	"avssnative/engine/device"
)

// When a GPU would have nothing to do: the calls of a pass, noted as they were made, are played with modelled times. What a kernel takes comes from
// the PTX machine's counts, what a copy takes from its bytes; the two host threads go on by their own clocks, and streams, events and waits order
// the whole as the driver does.

// noted is a call of the driver.
type noted struct {
	kind   string // "launch", "copy", "back", "record", "after", "waitStream", "waitEvent", "event"
	upload bool   // made by the goroutine that brings weights
	on     stream
	event  event
	cost   float64 // of a launch, in counted work; of a copy, in bytes
	behind int     // of after and waitEvent: the record that they wait for, −1 where there was none
}

// noting is the driver that notes what is asked of it.
type noting struct {
	driver
	m     machine
	t     *testing.T
	notes *notes
}

type notes struct {
	mu      sync.Mutex
	list    []noted
	last    map[event]int // the record of an event
	kernels map[function]string
	copying stream // that of uploads
}

func (n *notes) add(call noted) {
	n.mu.Lock()
	defer n.mu.Unlock()
	call.behind = -1
	if at, recorded := n.last[call.event]; recorded {
		call.behind = at
	}
	if call.kind == "record" {
		n.last[call.event] = len(n.list)
	}
	call.upload = call.on == n.copying && call.on != 0
	if call.kind == "waitEvent" && call.behind >= 0 { // a stage's, or the staging's
		call.upload = n.list[call.behind].upload
	}
	n.list = append(n.list, call)
}

func (d noting) function(m module, name string) (function, error) {
	f, err := d.driver.function(m, name)
	d.notes.mu.Lock()
	defer d.notes.mu.Unlock()
	d.notes.kernels[f] = name
	return f, err
}

// launch notes what a kernel does: multiply-adds of the tensor cores, instructions, bytes, whichever takes longest at rates that stand to each other
// as an A100's do.
func (d noting) launch(f function, grid, block [3]uint32, shared uint32, s stream, slots []uint64) error {
	d.notes.mu.Lock()
	kernel := d.notes.kernels[f]
	work := func() (instructions, tensor, bytes float64) {
		c := d.m.counted(d.t, kernel)
		return float64(c.warpInstructions), float64(c.tensorMultiplyAdds), 32 * float64(c.globalLoad.units+c.globalStore.units+c.globalAsync.units)
	}
	i0, t0, b0 := work()
	err := d.driver.launch(f, grid, block, shared, s, slots)
	i1, t1, b1 := work()
	d.notes.mu.Unlock()
	// A multiprocessor does 4 instructions, 1,024 multiply-adds and 13 bytes of memory a cycle.
	d.notes.add(noted{kind: "launch", on: s, cost: max((i1-i0)/4, (t1-t0)/1024, (b1-b0)/13)})
	return err
}

func (d noting) toDevice(dst pointer, src unsafe.Pointer, bytes int64, s stream) error {
	d.notes.add(noted{kind: "copy", on: s, cost: float64(bytes)})
	return d.driver.toDevice(dst, src, bytes, s)
}

func (d noting) toHost(dst unsafe.Pointer, src pointer, bytes int64, s stream) error {
	d.notes.add(noted{kind: "back", on: s, cost: float64(bytes)})
	return d.driver.toHost(dst, src, bytes, s)
}

func (d noting) record(e event, s stream) error {
	d.notes.add(noted{kind: "record", on: s, event: e})
	return d.driver.record(e, s)
}

func (d noting) after(s stream, e event) error {
	d.notes.add(noted{kind: "after", on: s, event: e})
	return d.driver.after(s, e)
}

func (d noting) waitStream(s stream) error {
	d.notes.add(noted{kind: "waitStream", on: s})
	return d.driver.waitStream(s)
}

func (d noting) waitEvent(e event) error {
	d.notes.add(noted{kind: "waitEvent", event: e})
	return d.driver.waitEvent(e)
}

func (d noting) newEvent(timed bool) (event, error) {
	e, err := d.driver.newEvent(timed)
	d.notes.add(noted{kind: "event", event: e})
	return e, err
}

// rates are how fast the modelled machine is.
type rates struct {
	kernel float64 // counted work a second
	link   float64 // bytes a second to the device
	call   float64 // seconds of the host for a call of the driver
	launch float64 // seconds from a call to its work's begin, at least
}

// played is what came of a schedule: for each stream when it worked, as [begin, end).
type played map[stream][][2]float64

// play gives every call its time. The thread that brings weights begins a weight when the other has asked for it, which has then just made its
// event, and the other goes on with a weight when its upload has been queued.
func (n *notes) play(t *testing.T, r rates) played {
	t.Helper()
	made, ends := map[event]float64{}, make([]float64, len(n.list)) // host times of events, device times of records
	queued := make([]float64, len(n.list))                          // host times of records
	free, hosts, result := map[stream]float64{}, [2]float64{}, played{}
	var threads [2][]int
	for i, c := range n.list {
		which := 0
		if c.upload {
			which = 1
		}
		threads[which] = append(threads[which], i)
	}
	known := map[int]bool{}
	ready := func(i int) bool { return n.list[i].behind < 0 || known[n.list[i].behind] }
	for len(threads[0])+len(threads[1]) > 0 {
		moved := false
		for which := range threads {
			for len(threads[which]) > 0 {
				i := threads[which][0]
				c := n.list[i]
				if (c.kind == "after" || c.kind == "waitEvent") && !ready(i) {
					break
				}
				if which == 1 && c.kind != "waitEvent" {
					at, asked := n.asked(threads[1], made)
					if !asked {
						break
					}
					hosts[1] = max(hosts[1], at)
				}
				threads[which], moved = threads[which][1:], true
				hosts[which] += r.call
				n.one(c, i, which, r, made, ends, queued, free, &hosts, result)
				known[i] = true
			}
		}
		if !moved {
			t.Fatalf("%d and %d calls wait for each other", len(threads[0]), len(threads[1]))
		}
	}
	return result
}

// asked says when the weight that the uploading thread is at was asked for: its event is the next one recorded that the other thread made.
func (n *notes) asked(calls []int, made map[event]float64) (at float64, known bool) {
	for _, i := range calls {
		c := n.list[i]
		if c.kind != "record" {
			continue
		}
		if at, known = made[c.event]; known {
			return at, true
		}
		if n.awaited(c.event) {
			return 0, false
		}
	}
	return 0, true
}

// awaited says whether the compute stream waits for an event: a weight's.
func (n *notes) awaited(e event) bool {
	for _, c := range n.list {
		if c.kind == "after" && c.event == e && !c.upload {
			return true
		}
	}
	return false
}

// one plays a call.
func (n *notes) one(c noted, i, which int, r rates, made map[event]float64, ends, queued []float64, free map[stream]float64, hosts *[2]float64, result played) {
	now := &hosts[which]
	work := func(seconds float64) {
		begin := max(*now+r.launch, free[c.on])
		free[c.on] = begin + seconds
		result[c.on] = append(result[c.on], [2]float64{begin, begin + seconds})
	}
	switch c.kind {
	case "event":
		if n.awaited(c.event) {
			made[c.event] = *now
		}
	case "launch":
		work(c.cost / r.kernel)
	case "copy":
		work(c.cost / r.link)
	case "back":
		work(c.cost / r.link)
		*now = max(*now, free[c.on])
	case "record":
		ends[i], queued[i] = max(*now, free[c.on]), *now
	case "after":
		if c.behind >= 0 {
			free[c.on] = max(free[c.on], ends[c.behind])
			*now = max(*now, queued[c.behind])
		}
	case "waitEvent":
		if c.behind >= 0 {
			*now = max(*now, ends[c.behind])
		}
	case "waitStream":
		*now = max(*now, free[c.on])
	}
}

// idle is how long a stream had nothing to do between its first work from a time on and its last.
func (p played) idle(s stream, from float64) (idle, whole float64) {
	first, last := math.Inf(1), 0.0
	for _, w := range p[s] {
		if w[0] < from {
			continue
		}
		if !math.IsInf(first, 1) {
			idle += max(0, w[0]-last)
		}
		first, last = min(first, w[0]), max(last, w[1])
	}
	return idle, last - first
}

var notedDriver driver

type notedDevices struct{ registration }

func (notedDevices) Automatic() int { return -1 }

func (notedDevices) Open(index int, o device.Options) (device.Device, error) {
	return openOn(notedDriver, index, o)
}

func init() { device.Register("noted", notedDevices{}) }

// TestScheduleHasNoBubble: on a bus that brings a layer while less than a layer is computed the multiprocessors have next to nothing to wait for,
// and on a slower one the bus has not; in the second pass, for which every weight is there, the bus does not matter.
func TestScheduleHasNoBubble(t *testing.T) {
	m := openMachine(t)
	silent(t)
	drv, err := openDriver()
	if err != nil {
		t.Fatal(err)
	}
	quick := yardstick.Shapes["quick"]
	quick.Layers, quick.Vocab = 10, 64
	folder := t.TempDir()
	if err := quick.Write(t.Context(), folder, "BF16"); err != nil {
		t.Fatal(err)
	}
	n := &notes{last: map[event]int{}, kernels: map[function]string{}}
	notedDriver = noting{drv, m, t, n}
	model, err := engine.Open(t.Context(), folder, engine.Options{Device: "noted", Options: device.Options{Compute: device.ComputeBF16}})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	opened, err := model.Device()
	if err != nil {
		t.Fatal(err)
	}
	d := opened.(*gpu)
	n.copying = d.copying
	pass := engine.Pass{}
	for _, ids := range quick.IDs(6, 16) {
		pass.Sequences = append(pass.Sequences, engine.Sequence{IDs: ids, ScoreFrom: 1, ScoreTo: len(ids)})
	}
	weights := 0.0 // bytes
	for _, want := range []struct {
		name                       string
		ofLink, computing, copying float64 // of a layer's time its copy takes; the most that the streams may idle, at −: the least
	}{
		{"a fast bus, first pass", 0.5, 0.1, 1},
		{"a slow bus, first pass", 2, -0.3, 0.1},
		{"a slow bus, again", 2, 0.1, 1},
	} {
		t.Run(want.name, func(t *testing.T) {
			fresh := want.name != "a slow bus, again"
			if fresh {
				err := d.bound(func() error { _, err := lendAll([]*memory{&d.memory}); return err })
				if err != nil {
					t.Fatal(err)
				}
			}
			n.mu.Lock()
			n.list, n.last = nil, map[event]int{}
			n.mu.Unlock()
			if _, err := model.Run(t.Context(), pass); err != nil {
				t.Fatal(err)
			}
			work, bytes := 0.0, 0.0
			for _, c := range n.list {
				switch {
				case c.kind == "launch" && !c.upload:
					work += c.cost
				case c.kind == "copy" && c.upload:
					bytes += c.cost
				}
			}
			if !fresh && bytes != 0 {
				t.Fatalf("%.0f bytes of weights are copied again", bytes)
			}
			weights = max(weights, bytes)
			// A layer is computed in 2 ms, a call of the driver takes 2 µs, and work begins 4 µs behind its call.
			r := rates{kernel: work / (0.002 * float64(quick.Layers)), call: 2e-6, launch: 4e-6}
			r.link = weights / (0.002 * float64(quick.Layers) * want.ofLink)
			p := n.play(t, r)
			for s, most := range map[stream]float64{d.computing: want.computing, d.copying: want.copying} {
				if len(p[s]) == 0 {
					continue
				}
				from := 0.0
				if s == d.computing && fresh { // behind the first layer's weights, which nothing hides
					from = 2 * 0.002 * want.ofLink
				}
				idle, whole := p.idle(s, from)
				said := fmt.Sprintf("of %.2f ms nothing is done on the %s stream for %.2f", 1e3*whole, map[bool]string{true: "compute", false: "copy"}[s == d.computing], 1e3*idle)
				t.Log(said)
				if most >= 0 && idle > most*whole || most < 0 && idle < -most*whole {
					t.Errorf("%s: want a share of %.1f at most (at least, where it is negative)", said, most)
				}
			}
		})
	}
}
