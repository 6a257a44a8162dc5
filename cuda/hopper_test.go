package cuda

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"avssnative/engine/device"
	"avssnative/internal/need"
	kernels "avssnative/kernels/cuda"
)

// openHopper opens the first GPU, or the PTX machine as one of compute capability 9.0, and skips where that is not Hopper.
func openHopper(t testing.TB) *gpu {
	t.Helper()
	if onMachine() {
		asHopper(t)
	}
	d := open(t, device.ComputeBF16)
	if d.card.major != 9 || d.card.minor != 0 {
		need.Missing(t, "a GPU of compute capability 9.0")
	}
	if d.hopper == nil {
		t.Fatalf("the Hopper product is not used: %s", d.hopperNote)
	}
	return d
}

// asHopper makes the PTX machine pose as a GPU of compute capability 9.0 for the test, also in the processes that it starts, and keeps what they
// find out away from other machines.
func asHopper(t testing.TB) machine {
	t.Helper()
	m := openMachine(t)
	drv, _, err := cards()
	if err != nil {
		t.Fatal(err)
	}
	before, err := drv.card(0)
	if err != nil {
		t.Fatal(err)
	}
	m.set(t, "sm=90")
	t.Setenv("PTXMACHINE", "sm=90")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Cleanup(func() { m.set(t, fmt.Sprintf("sm=%d%d", before.major, before.minor)) })
	return m
}

// hopperCase is a product with its exact result.
type hopperCase struct {
	rows, in, out int
	x, w, bias    []float32
	want, scale   []float64 // scale: Σ|x·w|
}

func newHopperCase(rows, in, out int) *hopperCase {
	c := &hopperCase{rows: rows, in: in, out: out,
		x: hopperValues(rows*in, 1, false), w: hopperValues(out*in, 2, false), bias: hopperValues(out, 3, false)}
	for r := range rows {
		for o := range out {
			sum, scale := float64(c.bias[o]), math.Abs(float64(c.bias[o]))
			for k := range in {
				v := float64(c.x[r*in+k]) * float64(c.w[o*in+k])
				sum, scale = sum+v, scale+math.Abs(v)
			}
			c.want, c.scale = append(c.want, sum), append(c.scale, scale)
		}
	}
	return c
}

// run computes the case's columns from first on.
func (c *hopperCase) run(t *testing.T, d *gpu, first int) ([]float32, error) {
	t.Helper()
	matrix, err := d.Matrix(hopperWeight(c.w, c.out, c.in))
	if err != nil {
		t.Fatal(err)
	}
	defer matrix.Release()
	n := c.out - first
	from, to, shift := d.NewTensor(c.rows, c.in), d.NewTensor(c.rows, n), d.NewTensor(1, n)
	defer from.Free()
	defer to.Free()
	defer shift.Free()
	d.Upload(from, 0, c.x)
	d.Upload(shift, 0, c.bias[first:])
	got := make([]float32, c.rows*n)
	d.do("product", func() error {
		a := arguments{d: d}
		m := a.matrix("weight", matrix)
		if a.err != nil {
			return a.err
		}
		return d.product(storeEpilogue{to.(*tensor).view()}, from.(*tensor), m, first, n, shift.(*tensor).at())
	})
	d.Download(got, to, 0)
	return got, d.Sync()
}

// epilogues holds what the products keep of exact results against each other.
func (c *hopperCase) epilogues(t *testing.T, d *gpu) error {
	t.Helper()
	m, err := d.Matrix(hopperWeight(hopperValues(c.out*c.in, 2, true), c.out, c.in))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	from, to, shift := d.NewTensor(c.rows, c.in), d.NewTensor(c.rows, c.out), d.NewTensor(1, c.out)
	defer from.Free()
	defer to.Free()
	defer shift.Free()
	d.Upload(from, 0, hopperValues(c.rows*c.in, 1, true))
	d.Upload(shift, 0, hopperValues(c.out, 3, true))
	if err := d.Sync(); err != nil {
		return err
	}
	if err := d.testHopperEpilogues(from.(*tensor), to.(*tensor), m.(*matrix), shift.(*tensor)); err != nil {
		return err
	}
	return d.Sync()
}

// wrong is the first result that is further off than its sum in steps of 16 allows (hopper_selftest.go), "" where none is.
func (c *hopperCase) wrong(got []float32, first int) string {
	n := c.out - first
	for i, g := range got {
		at := i/n*c.out + first + i%n
		if allowed := 17 * (float64(upTo(c.in, 16)) + 1) * 0x1p-23 * c.scale[at]; !(math.Abs(float64(g)-c.want[at]) <= allowed) {
			return fmt.Sprintf("row %d, column %d: %g, want %g ± %.1g", i/n, first+i%n, g, c.want[at], allowed)
		}
	}
	return ""
}

// TestHopperProduct holds the product against exact sums, for shapes that fill tiles and shapes that do not, and its shapes and numbers of
// blocks against each other: a result's bits depend on neither, nor on the rows beside it.
func TestHopperProduct(t *testing.T) {
	d := openHopper(t)
	h := d.hopper
	clean := nothingFound(t)
	for _, s := range []struct{ rows, in, out, first int }{
		{128, 64, 256, 0}, {256, 128, 128, 0}, {65, 8, 8, 0}, {129, 72, 257, 0}, {200, 333, 131, 0}, {130, 600, 300, 37}, {300, 40, 520, 264},
	} {
		t.Run(fmt.Sprintf("%d×%d×%d", s.rows, s.out-s.first, s.in), func(t *testing.T) {
			c := newHopperCase(s.rows, s.in, s.out)
			var before []float32
			for _, shape := range []hopperTile{hopperWhole, hopperHalf} {
				for _, blocks := range []int{0, 1, 2} {
					h.forced, h.blocks = &shape, blocks
					got, err := c.run(t, d, s.first)
					if err != nil {
						t.Fatal(err)
					}
					if wrong := c.wrong(got, s.first); wrong != "" {
						t.Fatalf("%s, %d blocks: %s", shape.kernel, blocks, wrong)
					}
					if before != nil && !slices.Equal(before, got) {
						t.Fatalf("%s, %d blocks: other bits", shape.kernel, blocks)
					}
					before = got
				}
			}
			h.forced, h.blocks = nil, 0
			fewer := *c
			fewer.rows = 65
			fewer.x = c.x[:65*s.in]
			got, err := fewer.run(t, d, s.first)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, before[:len(got)]) {
				t.Fatal("the first 65 rows alone have other bits")
			}
		})
	}
	clean()
}

// TestHopperBesideMmaSync says where the two products differ; on the PTX machine, which rounds each once a step, nowhere.
func TestHopperBesideMmaSync(t *testing.T) {
	d := openHopper(t)
	c := newHopperCase(130, 200, 140)
	d.hopper.forced = &hopperHalf
	got, err := c.run(t, d, 0)
	if err != nil {
		t.Fatal(err)
	}
	d.hopper.off = true
	want, err := c.run(t, d, 0)
	d.hopper.off = false
	if err != nil {
		t.Fatal(err)
	}
	for i := range got { // 13 steps of 16 and the bias, twice
		if allowed := 2 * 17 * (13 + 1) * 0x1p-23 * c.scale[i]; math.Abs(float64(got[i])-float64(want[i])) > allowed {
			t.Fatalf("result %d: %g by wgmma, %g by mma.sync", i, got[i], want[i])
		}
	}
	if onMachine() && !slices.Equal(got, want) {
		t.Fatal("other bits than mma.sync's")
	}
}

// TestHopperFaults plants faults in the shipped PTX. The PTX machine must report each, or the numbers be wrong, in one of several orders of
// the warps. The two fences behind mbarrier.init are not among them: the machine does not tell what they order.
func TestHopperFaults(t *testing.T) {
	m := openMachine(t)
	d := openHopper(t)
	m.set(t, "quiet=1")
	defer m.set(t, "quiet=0")
	sums, head := hopperWhole, hopperWhole
	sums.kernel, head.kernel = sums.kernel+"_sums", head.kernel+"_head"
	for _, shape := range []hopperTile{hopperWhole, hopperHalf, sums, head} {
		whole, first := kernelText(t, shape.kernel)
		r := hopperTrial{m, d, shape, newHopperCase(70, 330, shape.cols+12)} // two tiles by one block, six pieces each through four stages
		if found, err := r.run(t, whole); err != nil || found != "" {
			t.Fatalf("%s as it ships: %v %s", shape.kernel, err, found)
		}
		list := hopperFaults(whole)
		for _, f := range faults(strings.Split(whole, "\n"), m.ran(shape.kernel), first) {
			if f.kind == "moved" {
				list = append(list, f)
			}
		}
		for _, f := range list {
			found, err := r.inSomeOrder(t, f.text)
			if err != nil {
				t.Fatalf("%s: %v", f.what, err)
			}
			if found == "" {
				t.Errorf("%s: %s: no report, and the numbers are right", shape.kernel, f.what)
			} else if os.Getenv("AVSSNATIVE_FAULTS") == "show" {
				t.Logf("%s: %s: %.200s", shape.kernel, f.what, found)
			}
		}
		t.Logf("%s: %d faults planted", shape.kernel, len(list))
		if _, err := r.run(t, whole); err != nil {
			t.Fatal(err)
		}
	}
	m.clear()
	d.err = nil
}

// A hopperTrial computes a case by other texts of a kernel.
type hopperTrial struct {
	m     machine
	d     *gpu
	shape hopperTile
	*hopperCase
}

// run gives what is found wrong with a text of the kernel, "" where nothing is.
func (r hopperTrial) run(t *testing.T, text string) (string, error) {
	t.Helper()
	d := r.d
	r.m.clear()
	d.err = nil
	err := d.bound(func() error {
		module, err := d.drv.load(text)
		if err != nil {
			return err
		}
		f, err := d.drv.function(module, r.shape.kernel)
		if err != nil {
			return err
		}
		d.functions[r.shape.kernel] = f
		return d.drv.allowShared(f, r.shape.shared)
	})
	if err != nil {
		return "", err
	}
	d.hopper.forced, d.hopper.blocks = &r.shape, 1
	wrong := ""
	if strings.HasSuffix(r.shape.kernel, "_sums") || strings.HasSuffix(r.shape.kernel, "_head") {
		err = r.epilogues(t, d)
	} else {
		var got []float32
		got, err = r.hopperCase.run(t, d, 0)
		wrong = r.wrong(got, 0)
	}
	switch {
	case r.m.findings(nil) > 0:
		return r.m.report(), nil
	case err != nil:
		return err.Error(), nil
	}
	return wrong, nil
}

// inSomeOrder runs a text until something is found wrong, in one of several orders of the warps.
func (r hopperTrial) inSomeOrder(t *testing.T, text string) (string, error) {
	t.Helper()
	defer r.m.set(t, "sched=rr")
	found, err := r.run(t, text)
	for seed := 1; found == "" && err == nil && seed <= 8; seed++ {
		r.m.set(t, "sched=rand")
		r.m.set(t, fmt.Sprintf("seed=%d", seed))
		found, err = r.run(t, text)
	}
	return found, err
}

var (
	hopperWait   = regexp.MustCompile(`^(\s*mbarrier\.try_wait\S* done, \[%r\d+\], )(%r\d+);$`)
	hopperExpect = regexp.MustCompile(`^(\s*mbarrier\.arrive\.expect_tx\S* _, \[%r\d+\], )(%r\d+);$`)
	hopperLeft   = regexp.MustCompile(`^\s*(?:@%p\d+ )?(mbarrier\.(?:init|arrive)\S*|cp\.async\.bulk\S*|` +
		`wgmma\.(?:fence|commit_group|wait_group)\S*|bar\.sync)`)
)

// hopperFaults leaves out waits, arrivals, copies and fences one by one, and turns parities, byte counts and descriptors.
func hopperFaults(text string) []fault {
	lines := strings.Split(text, "\n")
	var list []fault
	for i, line := range lines {
		change := func(kind, to string) {
			changed := slices.Clone(lines)
			changed[i] = to
			list = append(list, fault{kind, fmt.Sprintf("line %d, %s, %s", i+1, strings.TrimSpace(line), kind), strings.Join(changed, "\n")})
		}
		if part := hopperWait.FindStringSubmatch(line); part != nil {
			change("never waits", "setp.eq.u32 done, 0, 0;")
			change("other parity", "{ .reg .b32 other; xor.b32 other, "+part[2]+", 1; "+part[1]+"other; }")
			continue
		}
		if part := hopperExpect.FindStringSubmatch(line); part != nil {
			change("expects 16 bytes less", "{ .reg .b32 other; sub.u32 other, "+part[2]+", 16; "+part[1]+"other; }")
			change("expects 16 bytes more", "{ .reg .b32 other; add.u32 other, "+part[2]+", 16; "+part[1]+"other; }")
		}
		if hopperLeft.MatchString(line) {
			change("left out", "")
		}
		if next := "add.s64 a, a, 2; add.s64 b, b, 2;"; strings.Contains(line, next) {
			change("the same 16 of k again", strings.Replace(line, next, "", 1))
		}
		if strings.Contains(line, "mov.b64 a, ") {
			change("rows 16 bytes further", strings.Replace(line, ";", "; add.s64 a, a, 1;", 1))
			change("another swizzle", strings.Replace(line, ";", "; xor.b64 a, a, 0xc000000000000000;", 1))
			change("another stride", strings.Replace(line, ";", "; xor.b64 a, a, 0x6000000000;", 1))
		}
	}
	return list
}

// TestHopperRefused: a Hopper product that computes something else, or fails, is not used; mma.sync serves and the notes say so.
func TestHopperRefused(t *testing.T) {
	asHopper(t)
	shipped, err := kernels.PTX(hopperSource)
	if err != nil {
		t.Fatal(err)
	}
	hopper := shipped
	compiled = func(source string) (string, error) {
		if source == hopperSource {
			return hopper, nil
		}
		return kernels.PTX(source)
	}
	t.Cleanup(func() { compiled = kernels.PTX })
	c := newHopperCase(70, 40, 12)
	refused := func(t *testing.T, note string) {
		d := open(t, device.ComputeBF16)
		if got := strings.Join(d.Info().Notes, "; "); d.hopper != nil || !strings.Contains(got, note) {
			t.Fatalf("notes: %s; want %s", got, note)
		}
		got, err := c.run(t, d, 0)
		if err != nil {
			t.Fatal(err)
		}
		if wrong := c.wrong(got, 0); wrong != "" {
			t.Fatal(wrong)
		}
	}
	t.Run("off", func(t *testing.T) {
		t.Setenv("AVSSNATIVE_CUDA_HOPPER", "off")
		refused(t, "AVSSNATIVE_CUDA_HOPPER=off")
	})
	t.Run("wrong", func(t *testing.T) {
		hopper = strings.Replace(shipped, "add.s64 a, a, 2; add.s64 b, b, 2;", "", 1)
		refused(t, "self-test: product_hopper: row 0, column 0")
	})
	t.Run("fails", func(t *testing.T) {
		hopper = strings.Replace(shipped, "fence.mbarrier_init", "trap; fence.mbarrier_init", 1)
		refused(t, "self-test: ")
		verdicts.Clear() // as in another process
		refused(t, "remembered in ")
	})
	t.Run("ends without a verdict", func(t *testing.T) {
		hopper = shipped + "\n// another key"
		machineName := os.Getenv("AVSSNATIVE_LIBCUDA")
		t.Setenv("AVSSNATIVE_LIBCUDA", "/nowhere/libcuda.so.1") // this process has its own open
		refused(t, "/nowhere/libcuda.so.1 cannot be opened")
		t.Setenv("AVSSNATIVE_LIBCUDA", machineName)
		if d := open(t, device.ComputeBF16); d.hopper == nil {
			t.Errorf("what was never tried is remembered: %s", d.hopperNote)
		}
	})
	t.Run("no PTX", func(t *testing.T) {
		hopper = "nothing"
		refused(t, "cuModuleLoadDataEx")
	})
	t.Run("served", func(t *testing.T) {
		hopper = shipped
		if notes := strings.Join(openHopper(t).Info().Notes, "; "); !strings.Contains(notes, "rows by wgmma") {
			t.Errorf("notes: %s", notes)
		}
	})
}

// TestTrapStaysApart: a kernel that fails in a trial costs the process of the trial its GPU, and this one nothing.
func TestTrapStaysApart(t *testing.T) {
	d := openHopper(t)
	shipped, err := kernels.PTX(hopperSource)
	if err != nil {
		t.Fatal(err)
	}
	v, err := tryApart(0, strings.Replace(shipped, "fence.mbarrier_init", "trap; fence.mbarrier_init", 1))
	if err != nil || !strings.Contains(v.Why, "self-test: ") {
		t.Fatalf("the trial of a kernel that fails: %+v, %v", v, err)
	}
	c := newHopperCase(70, 40, 12)
	got, err := c.run(t, d, 0)
	if err != nil {
		t.Fatal(err)
	}
	if wrong := c.wrong(got, 0); wrong != "" {
		t.Error(wrong)
	}
}

// TestHopperDiffers: where wgmma's last bits are not mma.sync's, few rows keep their tiles, all others go to wgmma, and the notes say so.
func TestHopperDiffers(t *testing.T) {
	m := asHopper(t)
	shipped, err := kernels.PTX(hopperSource)
	if err != nil {
		t.Fatal(err)
	}
	compiled = func(source string) (string, error) {
		if source == hopperSource {
			return shipped + "\n// differs", nil
		}
		return kernels.PTX(source)
	}
	t.Cleanup(func() { compiled = kernels.PTX })
	first := open(t, device.ComputeBF16)
	key, err := trialKey(first.drv, first.card, shipped+"\n// differs")
	if err != nil {
		t.Fatal(err)
	}
	verdicts.Store(key, verdict{Same: false})
	d := open(t, device.ComputeBF16)
	if notes := strings.Join(d.Info().Notes, "; "); !strings.Contains(notes, "more than 32 rows by wgmma, whose last bits differ") {
		t.Errorf("notes: %s", notes)
	}
	for rows, want := range map[int]string{fewRows: tileFew.kernel, fewRows + 1: hopperHalf.kernel, 65: hopperHalf.kernel} {
		m.clear()
		if _, err := newHopperCase(rows, 40, 12).run(t, d, 0); err != nil {
			t.Fatal(err)
		}
		if n := m.counted(t, want).launches; n != 1 {
			t.Errorf("%d rows: %d launches of %s", rows, n, want)
		}
	}
}

// onMachine says whether the driver library is the PTX machine.
func onMachine() bool {
	drv, _, err := cards()
	if err != nil {
		return false
	}
	c, err := drv.card(0)
	return err == nil && strings.HasPrefix(c.name, "PTX machine")
}

// nothingFound gives a check that the PTX machine found nothing since; on a GPU the check does nothing.
func nothingFound(t *testing.T) func() {
	if !onMachine() {
		return func() {}
	}
	m := openMachine(t)
	m.clear()
	return func() {
		t.Helper()
		if m.findings(nil) != 0 {
			t.Error(m.report())
		}
	}
}

// TestHopperTraffic holds what the product moves against the least its tiles can: x once for a tile's columns, W once for its rows, no sector
// of global memory touched for nothing, nothing kept in local memory or written to shared memory by threads.
func TestHopperTraffic(t *testing.T) {
	m := openMachine(t)
	d := openHopper(t)
	const rows, in, out = 256, 192, 512
	c := newHopperCase(rows, in, out)
	for _, shape := range []hopperTile{hopperWhole, hopperHalf} {
		d.hopper.forced = &shape
		m.clear()
		if _, err := c.run(t, d, 0); err != nil {
			t.Fatal(err)
		}
		n := m.counted(t, shape.kernel)
		tiles := uint64(rows / hopperRows * out / shape.cols)
		if got, want := n.globalAsync.bytes, tiles*uint64(hopperRows+shape.cols)*in*2; got != want {
			t.Errorf("%s: %d bytes of x and W, want %d", shape.kernel, got, want)
		}
		if got, want := n.globalStore.bytes, uint64(rows*out*4); got != want {
			t.Errorf("%s: %d bytes stored, want %d", shape.kernel, got, want)
		}
		for name, part := range map[string]machineTraffic{"copies": n.globalAsync, "stores": n.globalStore} {
			if part.units != part.least {
				t.Errorf("%s: %s touch %d sectors, %d would do", shape.kernel, name, part.units, part.least)
			}
		}
		if n.localBytes != 0 || n.sharedStore.requests != 0 {
			t.Errorf("%s: %d bytes of local memory, %d stores to shared memory", shape.kernel, n.localBytes, n.sharedStore.requests)
		}
		if got, want := n.tensorMultiplyAdds, tiles*uint64(hopperRows*shape.cols)*in; got != want {
			t.Errorf("%s: %d multiplications, want %d", shape.kernel, got, want)
		}
		t.Logf("%-20s %9d bytes moved, %.3f of the least; wgmma %.1f%% of %d instructions",
			shape.kernel, n.globalAsync.bytes+n.globalStore.bytes+n.globalLoad.bytes,
			float64(32*(n.globalAsync.units+n.globalStore.units))/float64(n.globalAsync.bytes+n.globalStore.bytes),
			100*float64(n.byClass[0])/float64(n.warpInstructions), n.warpInstructions)
	}
}
