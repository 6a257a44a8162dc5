package gguf

import (
	"bytes"
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

var exact = []Type{F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0}

func quantise(t testing.TB, kind Type, src []float32) []byte {
	t.Helper()
	elements, size := kind.Block()
	dst := make([]byte, len(src)/elements*size)
	if err := Quantise(dst, kind, src); err != nil {
		t.Fatal(err)
	}
	return dst
}

func dequantise(t testing.TB, kind Type, src []byte) []float32 {
	t.Helper()
	elements, size := kind.Block()
	dst := make([]float32, len(src)/size*elements)
	if err := Dequantise(dst, kind, src); err != nil {
		t.Fatal(err)
	}
	return dst
}

func sameBlocks(t *testing.T, kind Type, got, want []byte) {
	t.Helper()
	_, size := kind.Block()
	if len(got) != len(want) || len(got) == 0 {
		t.Fatalf("%s: %d bytes, want %d", kind, len(got), len(want))
	}
	for at := 0; at < len(got); at += size {
		if !bytes.Equal(got[at:at+size], want[at:at+size]) {
			t.Fatalf("%s: block %d is %x, want %x", kind, at/size, got[at:at+size], want[at:at+size])
		}
	}
}

// The blocks are those of the format's own Python library, bit for bit (testdata/make_golden.py).
func TestQuantiseGolden(t *testing.T) {
	golden, err := safetensors.Open(filepath.Join("testdata", "golden.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer golden.Close()
	values, ok := golden.Lookup("quantise.values")
	if !ok {
		t.Fatal("no golden values")
	}
	src := dequantise(t, F32, values.Data)
	for _, kind := range exact {
		want, ok := golden.Lookup(kind.String() + ".quantised")
		if !ok {
			t.Fatalf("%s: no golden blocks", kind)
		}
		sameBlocks(t, kind, quantise(t, kind, src), want.Data)
	}
	sameBlocks(t, F32, quantise(t, F32, src), values.Data)
}

// weights are n random values in rows of one size, some with outliers, as weights are; n is a multiple of 256.
func weights(seed uint64, n int) []float32 {
	random := rand.New(rand.NewPCG(seed, 7))
	values := make([]float32, n)
	for row := range n / 256 {
		size := math.Ldexp(0.02, row%9-4)
		for i := range 256 {
			values[row*256+i] = float32(size * random.NormFloat64())
			if random.IntN(200) == 0 {
				values[row*256+i] *= 6
			}
		}
	}
	return values
}

func TestQuantiseAgainstPython(t *testing.T) {
	python := need.Python(t, "gguf", "numpy")
	dir := t.TempDir()
	src := weights(1, 1<<16)
	if err := os.WriteFile(filepath.Join(dir, "values"), quantise(t, F32, src), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, kind := range exact {
		script := `import sys, numpy, gguf
values = numpy.fromfile(sys.argv[1] + "/values", dtype="<f4").reshape(-1, 256)
gguf.quants.quantize(values, gguf.GGMLQuantizationType[sys.argv[2]]).tofile(sys.argv[1] + "/blocks")`
		if out, err := exec.Command(python, "-c", script, dir, kind.String()).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		want, err := os.ReadFile(filepath.Join(dir, "blocks"))
		if err != nil {
			t.Fatal(err)
		}
		sameBlocks(t, kind, quantise(t, kind, src), want)
	}
}

// A half written is the nearest there is: found again by trying all.
func TestPutHalf(t *testing.T) {
	for bits := range 1 << 16 {
		if bits&0x7c00 == 0x7c00 {
			continue
		}
		var dst [2]byte
		source := binary.LittleEndian.AppendUint16(nil, uint16(bits))
		if value := half(source); !putHalf(dst[:], value) || !bytes.Equal(dst[:], source) {
			t.Fatalf("%04x: %x", bits, dst)
		}
		// Between it and the next one up: the nearer, and of a tie the even one.
		next := half(binary.LittleEndian.AppendUint16(nil, uint16(bits+1)))
		if math.IsInf(float64(next), 0) {
			next = float32(math.Copysign(65536, float64(next)))
		}
		middle := half(source)/2 + next/2
		for step, want := range map[float32]int{math.Nextafter32(middle, half(source)): bits, middle: bits + bits&1, math.Nextafter32(middle, next): bits +
			1} {
			finite := putHalf(dst[:], step)
			if got := int(binary.LittleEndian.Uint16(dst[:])); got != want || finite != (want&0x7fff < 0x7c00) {
				t.Fatalf("%g: %04x, want %04x", step, got, want)
			}
		}
	}
}

func TestQuantiseErrors(t *testing.T) {
	for _, c := range []struct {
		kind   Type
		values []float32
		size   int
		want   string
	}{
		{Q8_0, make([]float32, 32), 33, "33 bytes for 32 values, want 34 bytes for each 32"},
		{Q4_K, make([]float32, 255), 144, "144 bytes for 255 values"},
		{F32, []float32{1, float32(math.NaN())}, 8, "value 1 is NaN"},
		{F16, []float32{float32(math.Inf(-1))}, 2, "value 0 is -Inf"},
		{F16, []float32{1, 65520}, 4, "values 1 to 1: too large"},
		{Q4_0, append(make([]float32, 63), 1e7), 36, "values 32 to 63: too large"},
		{Q5_1, append(make([]float32, 31), -1e7), 24, "too large"},
		{Q8_0, append(make([]float32, 31), math.MaxFloat32), 34, "too large"},
		{Q2_K, append(make([]float32, 255), -1e9), 84, "too large"},
		{Q4_K, append(make([]float32, 255), math.MaxFloat32), 144, "too large"},
		{Q6_K, append(make([]float32, 255), 1e10), 210, "too large"},
		{IQ4_NL, nil, 0, "IQ4_NL cannot be quantised"},
		{Type(4), nil, 0, "type 4 cannot be quantised"},
	} {
		err := Quantise(make([]byte, c.size), c.kind, c.values)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.kind, err, c.want)
		}
	}
	for kind := range quantisers {
		if err := Quantise(nil, kind, nil); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// FuzzQuantise: finite values either are an error or come back as finite values, no further off than the block's whole range.
func FuzzQuantise(f *testing.F) {
	f.Add(uint32(Q4_K), uint64(1), float32(1e-9))
	f.Add(uint32(Q6_K), uint64(2), float32(6e4))
	f.Add(uint32(Q3_K), uint64(3), float32(0))
	f.Add(uint32(Q5_1), uint64(4), float32(-1e-42))
	f.Fuzz(func(t *testing.T, number uint32, seed uint64, size float32) {
		kind := Type(number % 15)
		if quantisers[kind] == nil {
			return
		}
		src := weights(seed, 256)
		reach := 0.0
		for i := range src {
			src[i] *= size
			if seed%3 == uint64(i)%3 {
				src[i] = 0
			}
			reach = max(reach, math.Abs(float64(src[i])))
		}
		elements, bytes := kind.Block()
		dst := make([]byte, 256/elements*bytes)
		if err := Quantise(dst, kind, src); err != nil {
			return
		}
		for i, value := range dequantise(t, kind, dst) {
			if off := math.Abs(float64(value) - float64(src[i])); !(off <= 2*reach+1e-5) {
				t.Fatalf("%s: value %d is %g, was %g", kind, i, value, src[i])
			}
		}
	})
}

func BenchmarkQuantise(b *testing.B) {
	src := weights(1, 1<<14)
	for _, kind := range append(exact, searched...) {
		elements, bytes := kind.Block()
		dst := make([]byte, len(src)/elements*bytes)
		b.Run(kind.String(), func(b *testing.B) {
			b.SetBytes(int64(4 * len(src)))
			for b.Loop() {
				if err := Quantise(dst, kind, src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
