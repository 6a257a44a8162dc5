package imatrix

import (
	"encoding/binary"
	"math"
	"path/filepath"
	"testing"

	"avssnative/avss"
	"avssnative/engine"
	_ "avssnative/engine/cpu"
	"avssnative/engine/device"
	"avssnative/internal/gguf"
)

// What is summed by columns adds up to the square of what the walk measures at the same place: act is what enters the MLP's output projection,
// and its root mean square is summed elsewhere, by other means.
func TestSumsAreThoseOfTheWalk(t *testing.T) {
	model, err := engine.Open(t.Context(), "../../engine/testdata/gguf/llama-f32.gguf", engine.Options{Device: Kind})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	d, err := model.Device()
	if err != nil {
		t.Fatal(err)
	}
	watcher := d.(*Device)
	var text []engine.Sequence
	for i := range 5 {
		var ids []int32
		for k := range 7 + i {
			ids = append(ids, int32((13*i+7*k)%90))
		}
		text = append(text, engine.Sequence{IDs: ids})
	}
	metric := avss.NewAVSS(avss.Options{})
	unseen := engine.Pass{Sequences: text[:1]}
	watched := engine.Pass{Sequences: text, Observe: []engine.Observer{metric}}
	for _, pass := range []engine.Pass{unseen, watched, unseen} {
		watcher.Watch(pass.Observe != nil)
		if pass.Observe == nil {
			pass.Sequences = []engine.Sequence{{IDs: text[0].IDs, ScoreFrom: 1, ScoreTo: 3}}
		}
		if _, err := model.Run(t.Context(), pass); err != nil {
			t.Fatal(err)
		}
		if pass.Observe != nil {
			check(t, model, watcher.Sums(), metric)
		}
	}
	check(t, model, watcher.Sums(), metric) // a pass that is not watched changes nothing
}

func check(t *testing.T, model *engine.Model, sums map[string]*Sum, metric *avss.AVSS) {
	t.Helper()
	for l := range model.Layers() {
		s := sums[downOf(t, model, l)]
		if s == nil {
			t.Fatalf("layer %d: not summed", l)
		}
		summary, err := metric.Summary(l, device.SiteAct)
		if err != nil {
			t.Fatal(err)
		}
		got := 0.0
		for _, v := range s.Squares {
			got += v
		}
		want := float64(summary.RMS) * float64(summary.RMS) * float64(summary.N)
		if s.Rows*int64(len(s.Squares)) != summary.N || math.Abs(got-want) > 1e-6*want {
			t.Errorf("layer %d: %v over %d rows of %d, want %v over %d values", l, got, s.Rows, len(s.Squares), want, summary.N)
		}
	}
}

// downOf is the name of a layer's output projection.
func downOf(t *testing.T, model *engine.Model, layer int) string {
	t.Helper()
	for _, name := range model.Tensors.Names() {
		if l, rest, inside := model.Spec.BlockOf(name); inside && l == layer && rest == "mlp.down_proj.weight" {
			return name
		}
	}
	t.Fatalf("layer %d: no output projection", layer)
	return ""
}

// A file says what was summed, under the names that llama-quantize asks for.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	sums := map[string]*Sum{"blk.0.ffn_down.weight": {Squares: []float64{1, 2, 3}, Rows: 4}}
	if err := Write(t.Context(), path, sums, Text{Source: "text", Sequences: 2, Length: 16}); err != nil {
		t.Fatal(err)
	}
	if err := Former(path); err != nil {
		t.Error(err)
	}
	if Former("../../engine/testdata/gguf/llama-f32.gguf") == nil {
		t.Error("a model is taken for an importance matrix")
	}
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, want := range map[string][]float32{"blk.0.ffn_down.weight.in_sum2": {1, 2, 3}, "blk.0.ffn_down.weight.counts": {4}} {
		tensor, found := f.Lookup(name)
		if !found || len(tensor.Data) != 4*len(want) {
			t.Fatalf("%s: %v %v", name, found, tensor.Shape)
		}
		for i, v := range want {
			if got := math.Float32frombits(binary.LittleEndian.Uint32(tensor.Data[4*i:])); got != v {
				t.Errorf("%s[%d] = %v, want %v", name, i, got, v)
			}
		}
	}
	size, _, err := gguf.Get[uint32](f, "imatrix.chunk_size")
	if err != nil || size != 16 {
		t.Errorf("chunk size %d: %v", size, err)
	}
	for _, bad := range []map[string]*Sum{nil, {"x": {Squares: []float64{1}}}} {
		if Write(t.Context(), path, bad, Text{}) == nil {
			t.Errorf("%v: written", bad)
		}
	}
	if (&Sum{Squares: []float64{1}}).Add(&Sum{Squares: []float64{1, 2}}) == nil {
		t.Error("sums of different columns were added")
	}
}
