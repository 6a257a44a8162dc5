package engine_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "avssnative/cuda"
	"avssnative/engine"
	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/internal/need"
	"avssnative/internal/safetensors"
)

// The goldens are what another implementation computes in float64 for small random models (see testdata/README.md): every block's output
// and the logits of three sequences. The error allowed is relative to a tensor's root mean square: float32 keeps 24 bits, and the longest
// chain here (three blocks and a head over sums of at most 128 products) loses fewer than 7 of them.
func tolerance(c device.Compute) float64 {
	switch c {
	case device.ComputeF64:
		return 5e-6 // transformers computes norms and rotary angles in float32 even in a float64 run
	case device.ComputeBF16:
		return 0.15 // 8 bits an operand, a dozen products deep
	default:
		return 2e-5
	}
}

// devices are those that every machine has; AVSSNATIVE_TEST_DEVICES names others in their place, as "cuda:0 f32,cuda:0 bf16" for the PTX machine.
func devices() []string {
	if others := os.Getenv("AVSSNATIVE_TEST_DEVICES"); others != "" {
		return strings.Split(others, ",")
	}
	return []string{"reference", "cpu", "cpu bf16"}
}

// on is how a model is opened on one of devices: the device's name, perhaps with a precision behind a space.
func on(place string) engine.Options {
	name, compute, _ := strings.Cut(place, " ")
	return engine.Options{Device: name, Options: device.Options{Compute: device.Compute(compute)}}
}

// goldenFolders are the goldens in testdata and, where the shared ones are at hand, all of them.
func goldenFolders(t testing.TB) []string {
	folders, _ := filepath.Glob("testdata/architectures/*")
	seen := map[string]bool{}
	for _, f := range folders {
		seen[filepath.Base(f)] = true
	}
	base := os.Getenv("AVSSNATIVE_REFERENCE")
	if base == "" {
		base = filepath.Join(filepath.Dir(need.Root()), "shared", "reference")
	}
	more, _ := filepath.Glob(filepath.Join(base, "architectures", "*"))
	for _, f := range more {
		if !seen[filepath.Base(f)] && known(t, f) {
			folders = append(folders, f)
		}
	}
	return folders
}

// known says whether a folder's model_type is registered.
func known(t testing.TB, folder string) bool {
	data, err := os.ReadFile(filepath.Join(folder, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := arch.ParseConfig(data)
	if err != nil {
		t.Fatal(err)
	}
	_, err = arch.Of(c)
	return err == nil
}

func inputs(t testing.TB, folder string) [][]int32 {
	data, err := os.ReadFile(filepath.Join(folder, "inputs.json"))
	if err != nil {
		t.Fatal(err)
	}
	var in struct{ Sequences [][]int32 }
	if err := json.Unmarshal(data, &in); err != nil {
		t.Fatal(err)
	}
	return in.Sequences
}

func floats(data []byte) []float32 {
	values := make([]float32, len(data)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return values
}

// distance is the largest error relative to the wanted tensor's root mean square.
func distance(got, want []float32) float64 {
	worst, square := 0.0, 0.0
	for i := range want {
		worst = max(worst, math.Abs(float64(got[i])-float64(want[i])))
		square += float64(want[i]) * float64(want[i])
		if math.IsNaN(float64(got[i])) {
			return math.NaN()
		}
	}
	return worst / math.Sqrt(square/float64(len(want)))
}

// otherRows counts the rows of a tensor, and those of them that are off by more than allowed of the tensor's root mean square.
func otherRows(got engine.TraceTensor, want []float32, allowed float64) (rows, other int) {
	square := 0.0
	for _, v := range want {
		square += float64(v) * float64(v)
	}
	limit := allowed * math.Sqrt(square/float64(len(want)))
	for row := range got.Rows {
		for at := row * got.Cols; at < (row+1)*got.Cols; at++ {
			if !(math.Abs(float64(got.Values[at])-float64(want[at])) <= limit) {
				other++
				break
			}
		}
	}
	return got.Rows, other
}

func TestGoldens(t *testing.T) {
	for _, folder := range goldenFolders(t) {
		for _, place := range devices() {
			t.Run(filepath.Base(folder)+"/"+place, func(t *testing.T) { golden(t, folder, place) })
		}
	}
}

func golden(t *testing.T, folder, place string) {
	m, err := engine.Open(context.Background(), folder, on(place))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	d, err := m.Device()
	if err != nil {
		t.Fatal(err)
	}
	want, err := safetensors.Open(filepath.Join(folder, "reference.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	allowed := tolerance(d.Info().Compute)
	if strings.HasPrefix(m.Spec.Family, "qwen3_next") || strings.HasPrefix(m.Spec.Family, "qwen3_5") {
		// transformers runs the delta rule in float32 even in a float64 run: its own values are off by 3e-5 there.
		allowed *= 10
	}
	// Where operands are rounded, a router may choose another expert, and from there on a token's values are others: rows are counted then.
	routed := d.Info().Compute == device.ComputeBF16 && slices.ContainsFunc(m.Spec.Blocks, func(b arch.BlockSpec) bool {
		_, experts := b.MLP.(*arch.ExpertsSpec)
		return experts
	})
	all, elsewhere := 0, 0
	seen, worst := 0, 0.0
	pass := engine.Pass{Trace: func(tensor engine.TraceTensor) error {
		name := fmt.Sprintf("%d.%s", tensor.Sequence, tensor.Name)
		golden, found := want.Lookup(name)
		if !found {
			return fmt.Errorf("no golden %s", name)
		}
		values := floats(golden.Data)
		if len(values) != len(tensor.Values) {
			return fmt.Errorf("%s: %d values, want %d", name, len(tensor.Values), len(values))
		}
		off := distance(tensor.Values, values)
		if routed {
			rows, other := otherRows(tensor, values, allowed)
			all, elsewhere = all+rows, elsewhere+other
		} else if !(off <= allowed) {
			t.Errorf("%s: off by %.2g of its root mean square, allowed %.2g", name, off, allowed)
		}
		worst = max(worst, off)
		seen++
		return nil
	}}
	for _, ids := range inputs(t, folder) {
		pass.Sequences = append(pass.Sequences, engine.Sequence{IDs: ids})
	}
	if _, err := m.Run(context.Background(), pass); err != nil {
		t.Fatal(err)
	}
	if wanted := len(pass.Sequences) * (m.Layers() + 2); seen != wanted {
		t.Errorf("compared %d tensors, want %d", seen, wanted)
	}
	if routed {
		t.Logf("%d of %d rows are off by more than allowed, as other experts make them", elsewhere, all)
		if 4*elsewhere > all {
			t.Errorf("%d of %d rows are off: more than a quarter are not other experts", elsewhere, all)
		}
	}
	t.Logf("largest error %.2g of the root mean square, allowed %.2g", worst, allowed)
}
