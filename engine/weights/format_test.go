package weights

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/engine/device"
)

// A folder without safetensors is read by the format that its weight files have; what a format gives is held against its own shapes.
func TestRegisteredFormat(t *testing.T) {
	var given []Stored
	var fault error
	var ended int
	RegisterFormat(".ours", func(paths []string) ([]Stored, func() error, error) {
		if len(paths) != 2 || filepath.Base(paths[0]) != "a.ours" || filepath.Base(paths[1]) != "b.ours" {
			t.Errorf("paths %v", paths)
		}
		return given, func() error { ended++; return nil }, fault
	})
	t.Cleanup(func() { delete(formats, ".ours") })
	folder := t.TempDir()
	for _, name := range []string{"config.json", "a.ours", "b.ours"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("{}"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	given = []Stored{{Name: "x", Type: device.F32, Shape: []int{2, 3}, Data: make([]byte, 24)}, {Name: "e", Type: device.F16, Shape: []int{0}}}
	files, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	if x, found := files.Tensors.Lookup("x"); !found || len(x.Data) != 24 || len(files.Tensors.Names()) != 2 {
		t.Errorf("x found %v, %d bytes, names %v", found, len(x.Data), files.Tensors.Names())
	}
	if err := files.Close(); err != nil || ended != 1 {
		t.Errorf("closed %d times, %v", ended, err)
	}
	for want, tensors := range map[string][]Stored{
		"stored twice":            {given[0], given[0]},
		"more than 23 bytes":      {{Name: "x", Type: device.F32, Shape: []int{2, 3}, Data: make([]byte, 23)}},
		"25 bytes, want 24":       {{Name: "x", Type: device.F32, Shape: []int{2, 3}, Data: make([]byte, 25)}},
		"more than 24 bytes":      {{Name: "x", Type: device.F32, Shape: []int{1 << 62, 4}, Data: make([]byte, 24)}},
		"shape [-1 4]: more than": {{Name: "x", Type: device.F32, Shape: []int{-1, 4}, Data: make([]byte, 24)}},
		"data type X9":            {{Name: "x", Type: "X9", Shape: []int{1}, Data: make([]byte, 4)}},
	} {
		given = tensors
		if _, err := Open(folder); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	fault = errors.New("cut off")
	if _, err := Open(folder); !errors.Is(err, fault) {
		t.Errorf("%v, want %v", err, fault)
	}
}
