package prune_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/engine/arch"
	"avssnative/engine/weights"
	"avssnative/internal/gguf"
	"avssnative/prune"

	"github.com/google/go-cmp/cmp"
)

// drawn is a repair with linear maps in the place of the attentions of a set that go alone.
func drawn(t *testing.T, m *engine.Model, drop engine.Drop) *engine.Repair {
	t.Helper()
	r, random := m.NewRepair(), rand.New(rand.NewPCG(7, 8))
	for _, u := range drop {
		if u.Part != engine.Attention {
			continue
		}
		values := make([]float32, m.Spec.Hidden*m.Spec.Hidden)
		for i := range values {
			values[i] = float32(random.NormFloat64()) / 16
		}
		kind, err := m.LinearType(u.Layer)
		if err != nil {
			t.Fatal(err)
		}
		data, err := weights.Encode(kind, values)
		if err == nil {
			err = r.Linear(u.Layer, weights.Stored{Type: kind, Data: data})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// A written file with linear maps in the place of attentions computes, bit for bit, what the pass with the maps computes: Write itself compares the
// two. What is written says so in deci's way, weighs what is said, and is a model like any other.
func TestWriteLinear(t *testing.T) {
	for _, c := range []struct {
		file, drop string
		heads, kv  []uint32
	}{
		{"llama-f32.gguf", "1.attn", []uint32{4, 4, 4}, []uint32{2, 0, 2}},
		{"llama-f32.gguf", "0.attn,2.mlp", []uint32{4, 4, 4}, []uint32{0, 2, 2}},
		{"llama-f32.gguf", "0,1.attn", []uint32{4, 4}, []uint32{0, 2}},
		{"llama3-rope-f32.gguf", "1.attn,2.attn", []uint32{4, 4, 4}, []uint32{2, 0, 0}},
	} {
		m := open(t, filepath.Join("../engine/testdata/gguf", c.file))
		drop, err := engine.ParseDrop(c.drop)
		if err != nil {
			t.Fatal(err)
		}
		r, name := drawn(t, m, drop), c.file+" without "+c.drop
		out := filepath.Join(t.TempDir(), "out.gguf")
		var said []string
		o := prune.Options{Repair: r, Notice: func(text string) { said = append(said, text) }}
		if err := prune.Write(context.Background(), m, drop, out, o); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if told := strings.Join(said, "\n"); !strings.Contains(told, "written as linear maps") || strings.Contains(told, "zeros") {
			t.Errorf("%s: said %q", name, told)
		}
		file := openGGUF(t, out)
		heads, _, _ := gguf.Get[[]uint32](file, "deci.attention.head_count")
		kv, _, _ := gguf.Get[[]uint32](file, "deci.attention.head_count_kv")
		linear, _, _ := gguf.Get[string](file, "avssnative.linear")
		if !cmp.Equal(heads, c.heads) || !cmp.Equal(kv, c.kv) || linear != attentions(r.Linears()...).String() {
			t.Errorf("%s: heads %v, %v, linear %s; want %v, %v, %v", name, heads, kv, linear, c.heads, c.kv, r.Linears())
		}
		again := open(t, out)
		for i := range again.Spec.Blocks {
			if _, linear := again.Spec.Blocks[i].Mixer.(*arch.LinearSpec); linear != (c.kv[i] == 0) {
				t.Errorf("%s: layer %d is read as %T", name, i, again.Spec.Blocks[i].Mixer)
			}
		}
		saved, err := prune.Saves(m, drop, "", r)
		if err != nil {
			t.Fatal(err)
		}
		parameters, bytes := m.Size(saved)
		more, further := r.Adds()
		if p, b := again.Size(nil); !strings.Contains(c.drop, "mlp") && (p != parameters+more || b != bytes+further) {
			t.Errorf("%s: %d parameters in %d bytes, want %d in %d", name, p, b, parameters+more, bytes+further)
		}
		cut := filepath.Join(t.TempDir(), "cut.gguf")
		if err := prune.Write(context.Background(), again, engine.Layers(0), cut, prune.Options{}); err != nil {
			t.Errorf("%s, cut again: %v", name, err)
			continue
		}
		if kv, _, _ := gguf.Get[[]uint32](openGGUF(t, cut), "deci.attention.head_count_kv"); !cmp.Equal(kv, c.kv[1:]) {
			t.Errorf("%s, cut again: heads for keys %v, want %v", name, kv, c.kv[1:])
		}
	}
}

func attentions(layers ...int) engine.Drop {
	var units []engine.Unit
	for _, l := range layers {
		units = append(units, engine.Unit{Layer: l, Part: engine.Attention})
	}
	return engine.Units(units...)
}

// A file that has linear maps already loses further halves, a map among them.
func TestWriteLinearFurther(t *testing.T) {
	m := open(t, "../engine/testdata/gguf/llama-f32.gguf")
	out, further := filepath.Join(t.TempDir(), "out.gguf"), filepath.Join(t.TempDir(), "further.gguf")
	if err := prune.Write(context.Background(), m, attentions(1), out, prune.Options{Repair: drawn(t, m, attentions(1))}); err != nil {
		t.Fatal(err)
	}
	again := open(t, out)
	drop := engine.Drop{{Layer: 0, Part: engine.MLP}, {Layer: 2, Part: engine.Attention}}
	if err := prune.Write(context.Background(), again, drop, further, prune.Options{}); err != nil {
		t.Fatal(err)
	}
	file := openGGUF(t, further)
	heads, _, _ := gguf.Get[[]uint32](file, "deci.attention.head_count")
	kv, _, _ := gguf.Get[[]uint32](file, "deci.attention.head_count_kv")
	if !cmp.Equal(heads, []uint32{4, 4, 0}) || !cmp.Equal(kv, []uint32{2, 0, 0}) {
		t.Errorf("heads %v, %v; want the map of block 1 to stay, the attention of block 2 to go", heads, kv)
	}
	last := filepath.Join(t.TempDir(), "last.gguf")
	if err := prune.Write(context.Background(), open(t, further), attentions(1), last, prune.Options{}); err != nil {
		t.Fatal(err)
	}
	if heads, _, _ := gguf.Get[[]uint32](openGGUF(t, last), "deci.attention.head_count"); !cmp.Equal(heads, []uint32{4, 0, 0}) {
		t.Errorf("heads %v, want the map of block 1 gone", heads)
	}
}

// Formats and models in which nothing can stand for a linear map are refused before anything is written.
func TestWriteLinearRefused(t *testing.T) {
	for _, c := range []struct {
		path   string
		format prune.Format
		want   string
	}{
		{"../engine/testdata/architectures/llama", prune.FormatHF, "in GGUF files alone"},
		{"../engine/testdata/architectures/llama", prune.FormatMergekit, "whole layers"},
		{"../engine/testdata/gguf/qwen2-f32.gguf", prune.FormatGGUF, "not for qwen2"},
	} {
		m := open(t, c.path)
		out := filepath.Join(t.TempDir(), "out"+filepath.Ext(c.path))
		err := prune.Write(context.Background(), m, attentions(1), out, prune.Options{Format: c.format, Repair: drawn(t, m, attentions(1))})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s as %s: %v, want %q", c.path, c.format, err, c.want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s as %s: something was written", c.path, c.format)
		}
		if err := prune.Check(m, attentions(1), out, prune.Options{Format: c.format, Linear: true}); err == nil {
			t.Errorf("%s as %s: no objection beforehand", c.path, c.format)
		}
	}
}

// A file none of whose layers attends is refused: llama.cpp does not load it.
func TestWriteLinearOfAllAttentions(t *testing.T) {
	m := open(t, "../engine/testdata/gguf/llama-f32.gguf")
	for _, drop := range []engine.Drop{attentions(0, 1, 2), {{Layer: 0}, {Layer: 1, Part: engine.Attention}, {Layer: 2}}} {
		out := filepath.Join(t.TempDir(), "out.gguf")
		err := prune.Write(context.Background(), m, drop, out, prune.Options{Repair: drawn(t, m, drop)})
		if err == nil || !strings.Contains(err.Error(), "let one stay") {
			t.Errorf("%s: %v, want that one must stay", drop, err)
		}
	}
}
