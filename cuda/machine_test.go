package cuda

//lint:file-ignore U1000 the structures below are laid out as the machine's; not every field is read here

import (
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"

	"avssnative/internal/need"
)

// machine is what the PTX machine offers beyond the driver's functions (kernels/cuda/ptxmachine/ptxmachine.h).
type machine struct {
	clear    func()
	findings func(kind *byte) uint64
	text     func(text *byte, n uintptr) uintptr
	option   func(assignment *byte) int32
	lines    func(kernel *byte, lines *machineLine, n uintptr) uintptr
	counters func(kernel *byte, counters *machineCounters) int32
}

type machineTraffic struct{ requests, bytes, units, least, fresh uint64 }

type machineLine struct {
	line, kind      uint32
	executed, lanes uint64
	global, shared  machineTraffic
}

type machineCounters struct {
	launches, blocks                                                              uint64
	warpInstructions, threadInstructions                                          uint64
	byClass                                                                       [14]uint64
	tensorMultiplyAdds, barriers                                                  uint64
	globalLoad, globalStore, globalAsync, sharedLoad, sharedStore, sharedAsync    machineTraffic
	instructions, executedInstructions, registers, staticShared, localBytes, fill uint32
	seconds                                                                       float64
}

// openMachine skips the test where the driver library is not the PTX machine.
func openMachine(t testing.TB) machine {
	t.Helper()
	name := os.Getenv("AVSSNATIVE_LIBCUDA")
	if name == "" {
		need.Missing(t, "AVSSNATIVE_LIBCUDA naming the PTX machine")
	}
	handle, err := loadLibrary(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lookUp(handle, "ptxmachineVersion"); err != nil {
		need.Missing(t, "the PTX machine: AVSSNATIVE_LIBCUDA names something else, it")
	}
	var m machine
	for symbol, function := range map[string]any{"ptxmachineClear": &m.clear, "ptxmachineFindings": &m.findings, "ptxmachineFindingsText": &m.text,
		"ptxmachineOption": &m.option, "ptxmachineLines": &m.lines, "ptxmachineCounters": &m.counters} {
		address, err := lookUp(handle, symbol)
		if err != nil {
			t.Fatal(err)
		}
		purego.RegisterFunc(function, address)
	}
	return m
}

func zeroTerminated(s string) *byte { return unsafe.SliceData(append([]byte(s), 0)) }

func (m machine) set(t testing.TB, assignment string) {
	t.Helper()
	if m.option(zeroTerminated(assignment)) != 0 {
		t.Fatalf("the PTX machine knows no %s", assignment)
	}
}

// report is the findings' text.
func (m machine) report() string {
	text := make([]byte, m.text(nil, 0)+1)
	m.text(&text[0], uintptr(len(text)))
	return strings.TrimRight(string(text), "\x00\n")
}

// ran lists the lines of a kernel that ran.
func (m machine) ran(kernel string) []machineLine {
	name := zeroTerminated(kernel)
	lines := make([]machineLine, m.lines(name, nil, 0))
	if len(lines) > 0 {
		m.lines(name, &lines[0], uintptr(len(lines)))
	}
	return lines
}

func (m machine) counted(t testing.TB, kernel string) machineCounters {
	t.Helper()
	var c machineCounters
	if m.counters(zeroTerminated(kernel), &c) != 0 {
		t.Fatalf("the PTX machine has no kernel %s", kernel)
	}
	return c
}
