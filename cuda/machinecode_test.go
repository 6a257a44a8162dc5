package cuda

import (
	"testing"

	"avssnative/engine/device"
	kernels "avssnative/kernels/cuda"
)

// TestMachineCodeRefused: where a driver does not take the machine code, it compiles the PTX, Hopper's too.
func TestMachineCodeRefused(t *testing.T) {
	asked := map[string]bool{}
	machineCode = func(source string, _, _ int) ([]byte, error) {
		asked[source] = true
		return []byte("\x7fELF of another assembler"), nil
	}
	t.Cleanup(func() { machineCode = kernels.MachineCode })
	d := open(t, device.ComputeF32)
	x := filled(d, 3, 5)
	d.Clamp(x, 0.5)
	x.Free()
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	if !asked["scale.cu"] {
		t.Error("nobody asked for machine code")
	}
	if openHopper(t); !asked[hopperSource] {
		t.Error("nobody asked for the machine code of Hopper's product")
	}
}
