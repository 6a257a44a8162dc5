package engine_test

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"avssnative/engine"
	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/internal/safetensors"
)

// oldNames are model types of which another's golden is a golden too.
var oldNames = map[string]string{"stablelm_epoch": "stablelm"}

// Every registered architecture has a golden in testdata; a model of the same configuration with other random weights is computed alike on
// every other device and on the reference, whole and without a layer.
func TestEveryArchitectureOnEveryDevice(t *testing.T) {
	folders, _ := filepath.Glob("testdata/architectures/*")
	seen := map[string]bool{}
	for seed, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			again := reseeded(t, folder, uint64(seed))
			m := open(t, again, "reference")
			seen[m.Spec.Family] = true
			want := logitsOf(t, m)
			for _, name := range devices() {
				if name == "reference" {
					continue
				}
				other := open(t, again, name)
				d, err := other.Device()
				if err != nil {
					t.Fatal(err)
				}
				if d.Info().Compute == device.ComputeBF16 {
					continue // the goldens hold it; here routers' ties would be broken otherwise
				}
				for i, values := range logitsOf(t, other) {
					// Ten times what goldens are allowed: these weights are wilder, and the delta rule multiplies what norms round.
					if off := distance(values, want[i]); !(off <= 2e-4) {
						t.Errorf("%s: logits %d: off by %.2g of the root mean square", name, i, off)
					}
				}
			}
		})
	}
	for _, name := range arch.ModelTypes() {
		if !seen[name] && !seen[oldNames[name]] {
			t.Errorf("model_type %s: no golden", name)
		}
	}
}

// logitsOf computes the logits of three sequences, whole and without layer 1.
func logitsOf(t *testing.T, m *engine.Model) [][]float32 {
	var all [][]float32
	for _, drop := range []engine.Drop{nil, engine.Layers(1)} {
		run(t, m, engine.Pass{
			Sequences: []engine.Sequence{{IDs: random(1, 19, 97)}, {IDs: random(2, 3, 97)}, {IDs: random(3, 11, 97)}},
			Variants:  []engine.Drop{drop},
			Trace: func(tensor engine.TraceTensor) error {
				if tensor.Name == "logits" {
					all = append(all, append([]float32{}, tensor.Values...))
				}
				return nil
			},
		})
	}
	if len(all) != 6 {
		t.Fatalf("%d logits, want 6", len(all))
	}
	return all
}

// reseeded is a copy of a golden's configuration with other weights of the same shapes, in float32: vectors near one, matrices of variance
// one over their last extent.
func reseeded(t *testing.T, folder string, seed uint64) string {
	stored, err := safetensors.Open(filepath.Join(folder, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Close()
	to, r := t.TempDir(), rand.New(rand.NewPCG(seed, 7))
	var sources []safetensors.Source
	for _, tensor := range stored.Tensors() {
		count, last := int64(1), int64(1)
		for _, n := range tensor.Shape {
			count, last = count*n, n
		}
		data := make([]byte, 4*count)
		for i := range int(count) {
			v := r.NormFloat64() / math.Sqrt(float64(last))
			if len(tensor.Shape) < 2 {
				v = 1 + 0.2*r.NormFloat64()
			}
			bits := math.Float32bits(float32(v))
			data[4*i], data[4*i+1], data[4*i+2], data[4*i+3] = byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24)
		}
		sources = append(sources, safetensors.Bytes(tensor.Name, "F32", tensor.Shape, data))
	}
	if _, err := safetensors.Write(context.Background(), to, sources, map[string]string{"format": "pt"}, 0); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(folder, "config.json"))
	if err == nil {
		err = os.WriteFile(filepath.Join(to, "config.json"), config, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}
