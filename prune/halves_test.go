package prune_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/engine/arch"
	"avssnative/prune"
)

// A written model without halves of layers computes what the dense model computes with those output projections zeroed, bit for bit, in
// every family and format: Write itself holds it against the pass that leaves the halves out. Where a format knows such layers, the
// tensors are gone; elsewhere zeros stand in their place, and that is said.
func TestWriteHalves(t *testing.T) {
	folders, _ := filepath.Glob("../engine/testdata/architectures/*")
	files, _ := filepath.Glob("../engine/testdata/gguf/*.gguf")
	for _, path := range append(folders, files...) {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			m := open(t, path)
			if m.Layers() < 3 || m.Spec.Head.Classify != nil {
				t.Skip("skipped: no language model of three layers")
			}
			drop := engine.Drop{{Layer: 0, Part: engine.MLP}, {Layer: 1, Part: engine.Attention}, {Layer: 2, Part: engine.MLP}}
			if m.Spec.Family == arch.NemotronNAS {
				drop = engine.Drop{{Layer: 0, Part: engine.MLP}} // the others have one half already
			}
			out := filepath.Join(t.TempDir(), "out")
			if m.File != "" {
				out += ".gguf"
			}
			var said []string
			err := prune.Write(context.Background(), m, drop, out, prune.Options{Notice: func(text string) { said = append(said, text) }})
			if err != nil {
				t.Fatal(err)
			}
			told := strings.Join(said, "\n")
			saved, err := prune.Saves(m, drop, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			again := open(t, out)
			if again.Layers() != m.Layers() {
				t.Fatalf("%d layers, want %d", again.Layers(), m.Layers())
			}
			if m.Spec.Family != "llama" && m.Spec.Family != arch.NemotronNAS {
				if len(saved) > 0 || !strings.Contains(told, "nor time are saved") || again.Spec.Family != m.Spec.Family {
					t.Errorf("family %s, saved %s, said %q; want zeros in its own family", again.Spec.Family, saved, told)
				}
				return
			}
			if !slices.Equal(saved, drop) || again.Spec.Family != arch.NemotronNAS || !strings.Contains(told, "left out") {
				t.Errorf("family %s, saved %s, said %q; want all left out of a nemotron-nas", again.Spec.Family, saved, told)
			}
			if again.Has(engine.Unit{Layer: 1, Part: engine.Attention}) {
				t.Error("layer 1 still has an attention")
			}
			// What was written is a model like any other.
			further := filepath.Join(t.TempDir(), "further"+filepath.Ext(out))
			if err := prune.Write(context.Background(), again, engine.Drop{{Layer: 0}, {Layer: 1, Part: engine.MLP}}, further, prune.Options{}); err != nil {
				t.Fatalf("written again: %v", err)
			}
			if l := open(t, further).Layers(); l != 1 {
				t.Errorf("%d layers, want 1: without its MLP layer 1 is nothing", l)
			}
		})
	}
}

// The first layer that stays keeps its attention, silenced: runtimes take what is common to all layers from it.
func TestFirstAttentionIsSilenced(t *testing.T) {
	for _, path := range []string{"../engine/testdata/architectures/llama", "../engine/testdata/gguf/llama-f32.gguf"} {
		m := open(t, path)
		out := filepath.Join(t.TempDir(), "out"+filepath.Ext(path))
		var said []string
		o := prune.Options{Notice: func(text string) { said = append(said, text) }}
		drop := engine.Drop{{Layer: 0}, {Layer: 1, Part: engine.Attention}, {Layer: 2, Part: engine.MLP}}
		if err := prune.Write(context.Background(), m, drop, out, o); err != nil {
			t.Fatal(err)
		}
		again := open(t, out)
		if again.Layers() != 2 || !again.Has(engine.Unit{Layer: 0, Part: engine.Attention}) {
			t.Errorf("%s: %d layers, first attention %t; want 2, with it", path, again.Layers(), again.Has(engine.Unit{Part: engine.Attention}))
		}
		if told := strings.Join(said, "\n"); !strings.Contains(told, "1.attn written with zeros") || !strings.Contains(told, "2.mlp left out") {
			t.Errorf("%s: said %q", path, told)
		}
		projection, _ := again.Tensors.Lookup("model.layers.0.self_attn.o_proj.weight")
		if len(projection.Data) == 0 || !bytes.Equal(projection.Data, make([]byte, len(projection.Data))) {
			t.Errorf("%s: the output projection is not zero", path)
		}
	}
}

// Halves cannot be named that are not there, and mergekit has no place for them.
func TestHalvesRefused(t *testing.T) {
	m := open(t, "../engine/testdata/architectures/nemotron-nas")
	out := filepath.Join(t.TempDir(), "out")
	for _, c := range []struct {
		drop   engine.Drop
		format prune.Format
		want   string
	}{
		{engine.Drop{{Layer: 1, Part: engine.Attention}}, prune.FormatHF, "1.attn: the model has no such part"},
		{engine.Drop{{Layer: 0, Part: engine.MLP}}, prune.FormatMergekit, "mergekit puts whole layers together"},
		{engine.Drop{{Layer: 0}, {Layer: 1, Part: engine.MLP}, {Layer: 2, Part: engine.Attention}}, prune.FormatHF, "at least one must stay"},
	} {
		if err := prune.Write(context.Background(), m, c.drop, out, prune.Options{Format: c.format}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s as %s: %v, want %q", c.drop, c.format, err, c.want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s as %s: something was written", c.drop, c.format)
		}
	}
}
