package prune

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"avssnative/engine"
	"avssnative/internal/mapped"
)

// writes gives data to a writer.
func writes(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}

// writeMergekit writes a passthrough configuration of mergekit: the runs of layers that stay.
func writeMergekit(m *engine.Model, drop engine.Drop, path string) error {
	ref := m.Ref
	if m.Folder != "" {
		if absolute, err := filepath.Abs(m.Folder); err == nil && ref == m.Folder {
			ref = absolute
		}
	}
	var text strings.Builder
	text.WriteString("slices:\n")
	for _, run := range runs(drop.Without(m.Layers())) {
		fmt.Fprintf(&text, "  - sources:\n      - model: %q\n        layer_range: [%d, %d]\n", ref, run[0], run[1])
	}
	text.WriteString("merge_method: passthrough\n")
	if dtype := m.Config.StringOr("dtype|torch_dtype", ""); dtype != "" {
		fmt.Fprintf(&text, "dtype: %s\n", dtype)
	}
	return mapped.Write(path, writes([]byte(text.String())))
}

// runs joins neighbouring layers: [first, end) of each run.
func runs(layers []int) [][2]int {
	var all [][2]int
	for _, layer := range layers {
		if n := len(all); n > 0 && all[n-1][1] == layer {
			all[n-1][1]++
		} else {
			all = append(all, [2]int{layer, layer + 1})
		}
	}
	return all
}
