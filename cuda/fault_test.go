package cuda

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"avssnative/engine/device"
	kernels "avssnative/kernels/cuda"
)

// TestFaults shows that the net holds: every barrier and every wait of the shipped PTX is taken out in turn, and loads and stores are moved
// far past the ends of what they access; the PTX machine must report each. The unchanged kernels must give no report.
func TestFaults(t *testing.T) {
	m := openMachine(t)
	m.set(t, "quiet=1")
	devices := map[device.Compute]*gpu{device.ComputeF32: open(t, device.ComputeF32), device.ComputeBF16: open(t, device.ComputeBF16)}
	for _, d := range devices {
		d.memory.pooled = false // so that an allocation ends where its tensor does
	}
	planted, unseen := map[string]int{}, 0
	for _, s := range scenarios() {
		t.Run(s.kernel, func(t *testing.T) {
			d := devices[s.compute]
			whole, first := kernelText(t, s.kernel)
			lines := strings.Split(whole, "\n")
			m.clear()
			if err := d.replaced(s, whole); err != nil {
				t.Fatal(err)
			}
			if n := m.findings(nil); n != 0 {
				t.Fatalf("the kernel as it ships: %s", m.report())
			}
			ran := m.ran(s.kernel)
			if len(ran) == 0 {
				t.Fatalf("the kernel did not run: %v", d.Sync())
			}
			for _, f := range faults(lines, ran, first) {
				m.clear()
				if err := d.replaced(s, f.text); err != nil {
					t.Fatalf("%s: %v", f.what, err)
				}
				planted[f.kind]++
				if m.findings(nil) == 0 {
					unseen++
					t.Errorf("%s: no report", f.what)
				} else if os.Getenv("AVSSNATIVE_FAULTS") == "show" {
					t.Logf("%s: %.300s", f.what, m.report())
				}
			}
			m.clear()
		})
	}
	for _, d := range devices {
		d.err = nil
	}
	t.Logf("planted: %v; not reported: %d", planted, unseen)
}

type fault struct{ kind, what, text string }

var (
	waiting = regexp.MustCompile(`^\s*(?:@%\w+ )?(bar\.sync|bar\.warp\.sync|cp\.async\.wait_group|mbarrier\.try_wait|wgmma\.wait_group)\b`)
	access  = regexp.MustCompile(`^(\s*(?:@!?%\w+ )?(?:ld|st)\.global\.[\w.]+\s.*\[%rd\d+)(?:\+(-?\d+))?(\].*)$`)
)

// faults plants one fault a text: each wait that ran left out; the first eight and the last eight loads and stores that ran moved by 8 MiB, into
// the gap that the machine leaves between allocations.
func faults(lines []string, ran []machineLine, first int) []fault {
	var list, moved []fault
	seen := map[int]bool{}
	for _, r := range ran {
		at := int(r.line) - first
		if at < 0 || at >= len(lines) || seen[at] || r.lanes == 0 {
			continue
		}
		seen[at] = true
		line := lines[at]
		change := func(kind, to string) fault {
			changed := append([]string(nil), lines...)
			changed[at] = to
			return fault{kind, fmt.Sprintf("line %d, %s, %s", at+1, strings.TrimSpace(line), kind), strings.Join(changed, "\n")}
		}
		if waiting.MatchString(line) {
			list = append(list, change("left out", ""))
		} else if part := access.FindStringSubmatch(line); part != nil {
			offset := 0
			_, _ = fmt.Sscan(part[2], &offset)
			moved = append(moved, change("moved", fmt.Sprintf("%s+%d%s", part[1], offset+8<<20, part[3])))
		}
	}
	if len(moved) > 16 {
		moved = append(moved[:8], moved[len(moved)-8:]...)
	}
	return append(list, moved...)
}

// kernelText cuts one kernel out of its PTX text, with what stands before the first; first is the number of its first line.
func kernelText(t *testing.T, kernel string) (text string, first int) {
	t.Helper()
	_, _, made := passed(t, generatedKernels[kernel])
	ptx, err := kernels.PTX(made.source)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(ptx, ".visible .entry")
	begin := strings.Index(ptx, ".visible .entry "+kernel+"(")
	if begin < 0 {
		t.Fatalf("no kernel %s", kernel)
	}
	length := strings.Index(ptx[begin:], "\n}\n") + len("\n}\n")
	return head + ptx[begin:begin+length], 1
}

// replaced runs a scenario with another text of its kernel.
func (d *gpu) replaced(s scenario, text string) error {
	var m module
	d.err = nil // what the last fault left behind
	err := d.bound(func() error {
		var err error
		if m, err = d.drv.load(text); err != nil {
			return err
		}
		f, err := d.drv.function(m, s.kernel)
		if err != nil {
			return err
		}
		if most := largestShared[s.kernel]; most > freeShared {
			if err := d.drv.allowShared(f, most); err != nil {
				return err
			}
		}
		d.functions[s.kernel] = f
		return nil
	})
	if err != nil {
		return err
	}
	s.run(d)
	delete(d.functions, s.kernel)
	return nil
}
