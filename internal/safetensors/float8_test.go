package safetensors

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/internal/need"
)

// Every code is what the format's definition says: sign × 2^(exponent − bias) × 1.fraction.
func TestFloat8Definition(t *testing.T) {
	for _, c := range []struct {
		dtype               string
		fractionBits, bias  int
		largest, least      float64
		numbers, infinities int
	}{
		{"F8_E4M3", 3, 7, 448, 1.0 / 512, 254, 0},
		{"F8_E5M2", 2, 15, 57344, 1.0 / 65536, 248, 2},
	} {
		src, dst := make([]byte, 256), make([]float32, 256)
		for i := range src {
			src[i] = byte(i)
		}
		if err := DecodeFloat8(dst, c.dtype, src); err != nil {
			t.Fatal(err)
		}
		largest, least := 0.0, math.Inf(1)
		numbers, infinities := 0, 0
		for code, got := range dst {
			sign := 1.0
			if code >= 128 {
				sign = -1
			}
			denominator := 1 << c.fractionBits
			exponent, fraction := code%128/denominator, float64(code%denominator)/float64(denominator)
			want := sign * math.Ldexp(1+fraction, exponent-c.bias)
			switch {
			case exponent == 0:
				want = sign * math.Ldexp(fraction, 1-c.bias)
			case c.dtype == "F8_E4M3" && code%128 == 127, c.dtype == "F8_E5M2" && exponent == 31 && fraction != 0:
				want = math.NaN()
			case c.dtype == "F8_E5M2" && exponent == 31:
				want = math.Inf(int(sign))
			}
			value := float64(got)
			if math.IsNaN(want) != math.IsNaN(value) || !math.IsNaN(want) && value != want || math.Signbit(value) != (code >= 128) {
				t.Errorf("%s: code %02x is %g, want %g", c.dtype, code, got, want)
			}
			switch {
			case math.IsInf(value, 0):
				infinities++
			case !math.IsNaN(value):
				numbers++
				largest = max(largest, value)
				if value > 0 {
					least = min(least, value)
				}
			}
		}
		if largest != c.largest || least != c.least || numbers != c.numbers || infinities != c.infinities {
			t.Errorf("%s: from %g to %g, %d numbers, %d infinities", c.dtype, least, largest, numbers, infinities)
		}
	}
}

func TestFloat8Errors(t *testing.T) {
	if err := DecodeFloat8(make([]float32, 2), "F8_E4M3", make([]byte, 3)); err == nil || !strings.Contains(err.Error(), "3 codes for 2 values") {
		t.Errorf("error %v", err)
	}
	for _, dtype := range []string{"F8_E4M3FNUZ", "F16", ""} {
		if err := DecodeFloat8(nil, dtype, nil); err == nil || !strings.Contains(err.Error(), "want F8_E4M3 or F8_E5M2") {
			t.Errorf("%s: error %v", dtype, err)
		}
	}
}

// PyTorch reads the codes the same way.
func TestFloat8AgainstPython(t *testing.T) {
	python := need.Python(t, "torch", "numpy")
	out := filepath.Join(t.TempDir(), "values")
	script := `import sys, torch
codes = torch.arange(256, dtype=torch.int32).to(torch.uint8)
values = [codes.view(t).to(torch.float32) for t in (torch.float8_e4m3fn, torch.float8_e5m2)]
torch.cat(values).numpy().astype("<f4").tofile(sys.argv[1])`
	if said, err := exec.Command(python, "-c", script, out).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	want, err := os.ReadFile(out)
	if err != nil || len(want) != 2*256*4 {
		t.Fatalf("%d bytes, %v", len(want), err)
	}
	for i := range 512 {
		table := &e4m3
		if i >= 256 {
			table = &e5m2
		}
		got, want := table[i%256], math.Float32frombits(uint32(want[4*i])|uint32(want[4*i+1])<<8|uint32(want[4*i+2])<<16|uint32(want[4*i+3])<<24)
		if got != want && !(got != got && want != want) {
			t.Errorf("code %02x: %g, want %g", i%256, got, want)
		}
	}
}
