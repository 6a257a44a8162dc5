package engine

import (
	"path/filepath"
	"strings"
	"testing"

	_ "avssnative/engine/cpu"
	"avssnative/engine/device"
)

// What CacheBytes says is what a decoder's caches take, in every family, for dense and pruned side by side and at lengths inside and beyond the
// windows.
func TestCacheBytesAreTheCaches(t *testing.T) {
	folders, err := filepath.Glob("testdata/architectures/*")
	files, _ := filepath.Glob("testdata/gguf/*.gguf")
	if err != nil || len(folders) == 0 || len(files) == 0 {
		t.Fatalf("%d folders, %d files: %v", len(folders), len(files), err)
	}
	for _, ref := range append(folders, files...) {
		if strings.Contains(ref, "classifier") {
			continue
		}
		m, err := Open(t.Context(), ref, Options{Device: "cpu"})
		if err != nil {
			t.Fatal(err)
		}
		if m.Computable() != nil {
			m.Close()
			continue
		}
		drops := []Drop{nil, Layers(1), Units(Unit{Layer: 1, Part: Attention}), Units(Unit{Layer: 1, Part: MLP})}
		for _, o := range []DecoderOptions{{Length: 9}, {Length: 60, Slots: 3}, {Length: 60, Back: 30}} {
			o.Variants = drops
			d, err := m.NewDecoder(o)
			if err != nil {
				t.Fatalf("%s: %v", ref, err)
			}
			if _, err := d.Start(t.Context(), []Prompt{{IDs: []int32{1, 2, 3}}}); err != nil {
				t.Fatalf("%s: %v", ref, err)
			}
			held, said := int64(0), int64(0)
			for _, c := range d.layers {
				c.tensors(func(t device.Tensor, _ int) { held += 4 * int64(t.Rows()) * int64(t.Cols()) })
			}
			for _, drop := range drops {
				said += m.CacheBytes(drop, o.Length, 4) * int64(max(o.Slots, 1))
			}
			if o.Back > 0 {
				said = d.CacheBytes()
			}
			if held != said || d.CacheBytes() != said {
				t.Errorf("%s, %+v: the caches take %d bytes, the decoder says %d, the model %d", ref, o, held, d.CacheBytes(), said)
			}
			d.Close()
		}
		m.Close()
	}
}
