package engine_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/engine/arch"
	"avssnative/engine/weights"
)

func TestDropText(t *testing.T) {
	for text, want := range map[string]string{"": "", "7": "7", "11.mlp, 3,7.attn": "3,7.attn,11.mlp", "4.mlp,4.attn": "4", "4.attn,4": "4", "2,2": "2",
		"0.mlp,0.mlp": "0.mlp"} {
		d, err := engine.ParseDrop(text)
		if err != nil {
			t.Fatal(err)
		}
		if d.String() != want {
			t.Errorf("%q: %s, want %s", text, d, want)
		}
		if again, err := engine.ParseDrop(d.String()); err != nil || !slices.Equal(again, d) {
			t.Errorf("%q: read again as %v, %v", text, again, err)
		}
	}
	for _, text := range []string{"x", "-1", "3.", "3.ffn", "3,,4", "3.attn.mlp", "99999999999999999999", "1e3"} {
		if d, err := engine.ParseDrop(text); err == nil {
			t.Errorf("%q was read as %v", text, d)
		}
	}
}

// zeroed shows a model's tensors, some of them full of zeros.
type zeroed struct {
	weights.Tensors
	names []string
}

func (z zeroed) Lookup(name string) (weights.Stored, bool) {
	s, found := z.Tensors.Lookup(name)
	if found && slices.Contains(z.names, name) {
		s.Data = make([]byte, len(s.Data))
	}
	return s, found
}

// outputs names the tensors of a block's half whose zeros silence it.
func outputs(b *arch.BlockSpec, part engine.Part) []string {
	var all []*arch.Linear
	switch half := any(b.Mixer).(type) {
	case *arch.AttentionSpec:
		all = append(all, &half.O)
	case *arch.LatentSpec:
		all = append(all, &half.O)
	case *arch.DeltaSpec:
		all = append(all, &half.O)
	case *arch.ConvolutionSpec:
		all = append(all, &half.O)
	}
	if part == engine.MLP {
		all = nil
		switch half := any(b.MLP).(type) {
		case *arch.GatedSpec:
			all = append(all, &half.Down)
		case *arch.ExpertsSpec:
			for i := range half.Experts {
				all = append(all, &half.Experts[i].Down)
			}
			if half.Shared != nil {
				all = append(all, &half.Shared.Down)
			}
		}
	}
	var names []string
	for _, l := range all {
		l.Refs(func(r *arch.Ref) { names = append(names, r.Name) })
	}
	return names
}

// A model without a half of a layer is the model whose output projection there is zero, in every architecture whose norm behind that
// projection keeps zeros.
func TestHalvesAreZeroedProjections(t *testing.T) {
	folders, err := filepath.Glob("testdata/architectures/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no reference architectures: %v", err)
	}
	for _, folder := range folders {
		if strings.Contains(folder, "classifier") {
			continue
		}
		m := open(t, folder, "cpu")
		for _, part := range []engine.Part{engine.Attention, engine.MLP} {
			block := &m.Spec.Blocks[1]
			if part == engine.Attention && block.Mixer == nil {
				continue // it lacks this half already
			}
			if part == engine.Attention && block.Post1.Bias.Name != "" || part == engine.MLP && block.Post2.Bias.Name != "" {
				continue
			}
			sequences := []engine.Sequence{{IDs: random(6, 11, min(m.Spec.Vocab, 90))}}
			logits := func(m *engine.Model, drop engine.Drop) (values []float32) {
				run(t, m, engine.Pass{Sequences: sequences, Variants: []engine.Drop{drop}, Trace: func(tensor engine.TraceTensor) error {
					if tensor.Name == "logits" {
						values = slices.Clone(tensor.Values)
					}
					return nil
				}})
				return values
			}
			got := logits(m, engine.Units(engine.Unit{Layer: 1, Part: part}))
			other := open(t, folder, "cpu")
			other.Tensors = zeroed{other.Tensors, outputs(block, part)}
			if want := logits(other, nil); !slices.Equal(got, want) {
				t.Errorf("%s without 1.%s: other logits than with a zeroed output projection", filepath.Base(folder), part)
			}
			whole, _ := m.Size(nil)
			half, _ := m.Size(engine.Units(engine.Unit{Layer: 1, Part: part}))
			layer, _ := m.Size(engine.Layers(1))
			if half >= whole || half <= layer && block.Mixer != nil {
				t.Errorf("%s without 1.%s: %d parameters of %d, %d without the layer", filepath.Base(folder), part, half, whole, layer)
			}
		}
	}
}
