package gguf

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var searched = []Type{Q2_K, Q3_K, Q4_K, Q5_K, Q6_K}

func squaredError(a, b []float32) (err float64) {
	for i := range a {
		off := float64(a[i]) - float64(b[i])
		err += off * off
	}
	return err
}

// twinError is the least squared error of a group by trying scales and minima on a fine grid, each free of the integers and halves that a
// block has for them. It believes nothing of the search: the nearest code is found by trying all.
func twinError(src []float32, kind Type) float64 {
	reach := 0.0
	for _, value := range src {
		reach = max(reach, math.Abs(float64(value)))
	}
	if reach == 0 {
		return 0
	}
	codes := map[Type][2]int{Q2_K: {0, 3}, Q4_K: {0, 15}, Q5_K: {0, 31}, Q3_K: {-4, 3}, Q6_K: {-32, 31}}[kind]
	offsets := []float64{0}
	if codes[0] == 0 {
		offsets = nil
		for i := range 41 {
			offsets = append(offsets, -reach*float64(i)/40)
		}
	}
	least := math.Inf(1)
	for step := 1; step <= 80; step++ {
		for _, sign := range []float64{1, -1} {
			if sign < 0 && codes[0] == 0 {
				continue
			}
			scale := sign * 2 * reach / float64(codes[1]-codes[0]) * float64(step) / 64
			for _, offset := range offsets {
				total := 0.0
				for _, value := range src {
					nearest := math.Inf(1)
					for c := codes[0]; c <= codes[1]; c++ {
						off := scale*float64(c) + offset - float64(value)
						nearest = min(nearest, off*off)
					}
					if total += nearest; total >= least {
						break
					}
				}
				least = min(least, total)
			}
		}
	}
	return least
}

// The search loses little to the twin, which has free scales: what the integers of a block cost.
func TestSearchAgainstTwin(t *testing.T) {
	src := weights(3, 4*256)
	for _, kind := range searched {
		got := squaredError(src, dequantise(t, kind, quantise(t, kind, src)))
		group := map[Type]int{Q4_K: 32, Q5_K: 32}[kind]
		if group == 0 {
			group = 16
		}
		want := 0.0
		for at := 0; at < len(src); at += group {
			want += twinError(src[at:at+group], kind)
		}
		t.Logf("%s: %.4g of the twin's %.4g", kind, got, want)
		if got > 1.15*want {
			t.Errorf("%s: squared error %g, the twin has %g", kind, got, want)
		}
	}
}

// What was quantised once loses next to nothing the second time.
func TestSearchAgain(t *testing.T) {
	src := weights(5, 16*256)
	for _, kind := range searched {
		once := dequantise(t, kind, quantise(t, kind, src))
		again := dequantise(t, kind, quantise(t, kind, once))
		first, second := squaredError(src, once), squaredError(once, again)
		t.Logf("%s: %.3g, then %.3g", kind, first, second)
		if second > first/100 {
			t.Errorf("%s: squared error %g, and %g the second time", kind, first, second)
		}
	}
}

// Blocks of few or extreme values come back as well as the type can give them.
func TestSearchEdges(t *testing.T) {
	fill := func(give func(i int) float64) []float32 {
		values := make([]float32, 256)
		for i := range values {
			values[i] = float32(give(i))
		}
		return values
	}
	for name, src := range map[string][]float32{
		"zeros":         fill(func(int) float64 { return 0 }),
		"negative zero": fill(func(int) float64 { return math.Copysign(0, -1) }),
		"one value":     fill(func(int) float64 { return 0.75 }),
		"its negative":  fill(func(int) float64 { return -0.75 }),
		"two values":    fill(func(i int) float64 { return float64(i%2)*2 - 1 }),
		"one outlier":   fill(func(i int) float64 { return float64(max(i-254, 0)) }),
		"below a half":  fill(func(i int) float64 { return float64(i%5) * 1e-12 }),
		"subnormal":     fill(func(i int) float64 { return float64(i%5) * 1e-44 }),
		"large":         fill(func(i int) float64 { return float64(i%5-2) * 1e4 }),
	} {
		reach := 0.0
		for _, value := range src {
			reach = max(reach, math.Abs(float64(value)))
		}
		for _, kind := range searched {
			for i, value := range dequantise(t, kind, quantise(t, kind, src)) {
				// Half of a step between codes that span from −reach to reach, or one at the end that has no code; a scale below 2^-24 is none.
				step := map[Type]float64{Q2_K: 2. / 3, Q3_K: 1. / 2, Q4_K: 2. / 15, Q5_K: 2. / 31, Q6_K: 1. / 16}[kind] * reach
				if off := math.Abs(float64(value) - float64(src[i])); off > step/2+1e-6 {
					t.Errorf("%s of %s: value %d is %g, was %g", kind, name, i, value, src[i])
					break
				}
			}
		}
	}
}

// The error is no larger than that of llama.cpp's own quantisers.
func TestSearchAgainstLlamaCpp(t *testing.T) {
	python := llama(t)
	dir := t.TempDir()
	src := weights(9, 64*256)
	if err := os.WriteFile(filepath.Join(dir, "values"), quantise(t, F32, src), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, kind := range searched {
		if out, err := exec.Command(python, "-c", `
import ctypes, glob, os, sys, importlib.util
folder = os.path.dirname(importlib.util.find_spec("llama_cpp").origin)
ggml = ctypes.CDLL(glob.glob(folder + "/**/libggml-base*", recursive=True)[0])
values = open(sys.argv[1] + "/values", "rb").read()
rows = len(values) // 1024
source = (ctypes.c_float * (rows * 256)).from_buffer_copy(values)
blocks = ctypes.create_string_buffer(rows * int(sys.argv[3]))
ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
ggml.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
assert ggml.ggml_quantize_chunk(int(sys.argv[2]), source, blocks, 0, rows, 256, None) == len(blocks)
open(sys.argv[1] + "/blocks", "wb").write(blocks.raw)`, dir, fmt.Sprint(int(kind)), fmt.Sprint(layouts[kind].bytes)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		theirs, err := os.ReadFile(filepath.Join(dir, "blocks"))
		if err != nil {
			t.Fatal(err)
		}
		got, want := squaredError(src, dequantise(t, kind, quantise(t, kind, src))), squaredError(src, dequantise(t, kind, theirs))
		t.Logf("%s: %.4g, llama.cpp %.4g", kind, got, want)
		if got > want {
			t.Errorf("%s: squared error %g, llama.cpp has %g", kind, got, want)
		}
	}
}
