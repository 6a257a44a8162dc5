package devicetest

import (
	"testing"

	"avssnative/engine/device"
)

// "reference" agrees with itself, keeps the rules, and so does the table: no case asks for what the interface forbids.
func TestReference(t *testing.T) {
	device := openReference(t, device.ComputeF64)
	promises(t, device)
	for _, c := range table() {
		if c.large {
			continue
		}
		for _, failure := range check(device, device, c) {
			t.Errorf("%s/%s: %s", c.operation, c.name, failure)
		}
	}
}

func TestReferenceThreads(t *testing.T) {
	devices := map[int]device.Device{}
	for _, threads := range []int{1, 2, 3, 7} {
		d, err := device.Open("reference", device.Options{Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		devices[threads] = d
	}
	for _, c := range table() {
		if c.large {
			continue
		}
		for _, failure := range compareThreads(devices[1], devices, c) {
			t.Errorf("%s/%s: %s", c.operation, c.name, failure)
		}
	}
}

// Names are those of one case each, so that a failure names it.
func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range table() {
		if name := c.operation + "/" + c.name; seen[name] {
			t.Errorf("two cases are called %s", name)
		} else {
			seen[name] = true
		}
	}
}
