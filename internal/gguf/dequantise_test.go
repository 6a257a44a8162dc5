package gguf

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/internal/need"
	"avssnative/internal/safetensors"
)

var dequantised = []Type{F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS, MXFP4}

// The values are those of the format's own Python library, bit for bit (tools/goldens/gguf_blocks.py).
func TestDequantiseGolden(t *testing.T) {
	golden, err := safetensors.Open(filepath.Join("testdata", "golden.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer golden.Close()
	for _, kind := range dequantised[1:] {
		blocks, ok := golden.Lookup(kind.String() + ".blocks")
		want, also := golden.Lookup(kind.String() + ".values")
		if !ok || !also {
			t.Fatalf("%s: no golden values", kind)
		}
		compare(t, kind, blocks.Data, want.Data)
	}
}

func compare(t *testing.T, kind Type, src, want []byte) {
	t.Helper()
	dst := make([]float32, len(want)/4)
	if err := Dequantise(dst, kind, src); err != nil {
		t.Fatal(err)
	}
	if len(dst) == 0 {
		t.Fatalf("%s: nothing to compare", kind)
	}
	for i, value := range dst {
		if got, want := math.Float32bits(value), binary.LittleEndian.Uint32(want[4*i:]); got != want {
			t.Fatalf("%s: value %d is %g (%08x), want %g (%08x)", kind, i, value, got, math.Float32frombits(want), want)
		}
	}
}

func TestDequantiseF32(t *testing.T) {
	bits := []uint32{0, 1, 0x80000000, 0x3f800000, 0x7f800000, 0xff7fffff}
	var src []byte
	for _, b := range bits {
		src = binary.LittleEndian.AppendUint32(src, b)
	}
	compare(t, F32, src, src)
}

// half agrees with the definition: sign × 2^(exponent-15) × 1.fraction, subnormals, infinities; what is no number stays none.
func TestHalf(t *testing.T) {
	for bits := range 1 << 16 {
		sign, exponent, fraction := 1.0, bits>>10&31, float64(bits&1023)
		if bits>>15 == 1 {
			sign = -1
		}
		want := sign * math.Ldexp(1+fraction/1024, exponent-15)
		switch {
		case exponent == 0:
			want = sign * math.Ldexp(fraction/1024, -14)
		case exponent == 31 && fraction == 0:
			want = math.Inf(int(sign))
		case exponent == 31:
			want = math.NaN()
		}
		got := half(binary.LittleEndian.AppendUint16(nil, uint16(bits)))
		if math.IsNaN(want) != math.IsNaN(float64(got)) || !math.IsNaN(want) && (float64(got) != want || math.Signbit(want) != math.Signbit(float64(got))) {
			t.Fatalf("%04x: %g, want %g", bits, got, want)
		}
	}
}

func TestDequantiseErrors(t *testing.T) {
	for _, c := range []struct {
		kind         Type
		values, size int
		want         string
	}{
		{Q4_0, 32, 17, "17 bytes for 32 values, want 18 bytes for each 32"},
		{Q4_0, 33, 18, "18 bytes for 33 values"},
		{Q4_0, 64, 18, "18 bytes for 64 values"},
		{F16, 2, 3, "3 bytes for 2 values"},
		{Type(19), 256, 50, "IQ1_S cannot be dequantised"},
		{Type(4), 32, 18, "type 4 cannot be dequantised"},
		{Type(math.MaxUint32), 0, 0, "type 4294967295 cannot be dequantised"},
	} {
		err := Dequantise(make([]float32, c.values), c.kind, make([]byte, c.size))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.kind, err, c.want)
		}
	}
}

// Many more random blocks than the golden file holds, made and judged by the Python library.
func TestDequantiseAgainstPython(t *testing.T) {
	python := need.Python(t, "gguf", "numpy")
	random := rand.New(rand.NewPCG(3, 5))
	places := map[Type][]int{Q4_0: {0}, Q4_1: {0, 2}, Q5_0: {0}, Q5_1: {0, 2}, Q8_0: {0}, Q2_K: {80, 82}, Q3_K: {108}, Q4_K: {0, 2}, Q5_K: {0, 2},
		Q6_K:   {208},
		IQ4_NL: {0}, IQ4_XS: {0}, MXFP4: nil}
	for kind, scales := range places {
		elements, bytes := kind.Block()
		src := make([]byte, 200*bytes)
		for i := range src {
			src[i] = byte(random.Uint32())
		}
		for block := range 200 {
			for _, place := range scales {
				src[block*bytes+place+1] &= 0xbf // an exponent below the largest: finite
			}
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "blocks"), src, 0o644); err != nil {
			t.Fatal(err)
		}
		script := `import sys, numpy, gguf
kind = gguf.GGMLQuantizationType[sys.argv[2]]
blocks = numpy.fromfile(sys.argv[1] + "/blocks", dtype=numpy.uint8).reshape(-1, gguf.GGML_QUANT_SIZES[kind][1])
gguf.quants.dequantize(blocks, kind).astype("<f4").tofile(sys.argv[1] + "/values")`
		if out, err := exec.Command(python, "-c", script, dir, kind.String()).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		want, err := os.ReadFile(filepath.Join(dir, "values"))
		if err != nil {
			t.Fatal(err)
		}
		if len(want) != 200*elements*4 {
			t.Fatalf("%s: %d bytes of values", kind, len(want))
		}
		compare(t, kind, src, want)
	}
}

func BenchmarkDequantise(b *testing.B) {
	for _, kind := range dequantised {
		elements, bytes := kind.Block()
		n := 1 << 16
		dst, src := make([]float32, n), make([]byte, n/elements*bytes)
		b.Run(kind.String(), func(b *testing.B) {
			b.SetBytes(int64(4 * n))
			for b.Loop() {
				if err := Dequantise(dst, kind, src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
