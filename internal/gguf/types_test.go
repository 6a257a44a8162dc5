package gguf

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"avssnative/internal/need"
)

func TestSizeErrors(t *testing.T) {
	for _, c := range []struct {
		kind  Type
		shape []int64
		want  string
	}{
		{F32, []int64{-1}, "negative dimension"},
		{F32, []int64{1 << 32, 1 << 32}, "more than 2^63 elements"},
		{F32, []int64{1 << 62}, "more than 2^63 bytes"},
		{Type(28), []int64{math.MaxInt64}, "more than 2^63 bytes"},
		{Q4_0, []int64{4, 16}, "no whole Q4_0 blocks of 32"},
		{4, []int64{1}, "type 4 is unknown"},
	} {
		if _, err := c.kind.Size(c.shape); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: error %v, want %s", c.kind, c.shape, err, c.want)
		}
	}
}

// llama is a Python that has llama.cpp.
func llama(t *testing.T) string {
	t.Helper()
	python := os.Getenv("AVSSNATIVE_LLAMA_PYTHON")
	if python == "" {
		need.Missing(t, "AVSSNATIVE_LLAMA_PYTHON, a Python with the packages of .ci/requirements-llama.txt,")
	}
	return python
}

// The table is llama.cpp's own.
func TestLayoutsAgainstLlamaCpp(t *testing.T) {
	out, err := exec.Command(llama(t), "-c", `
import ctypes, glob, os, importlib.util
folder = os.path.dirname(importlib.util.find_spec("llama_cpp").origin)
ggml = ctypes.CDLL(glob.glob(folder + "/**/libggml-base*", recursive=True)[0])
ggml.ggml_type_size.restype, ggml.ggml_blck_size.restype, ggml.ggml_type_name.restype = ctypes.c_size_t, ctypes.c_int64, ctypes.c_char_p
for i in range(43):
    if ggml.ggml_blck_size(i):
        print(i, ggml.ggml_type_name(i).decode().upper(), ggml.ggml_blck_size(i), ggml.ggml_type_size(i))`).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(layouts) {
		t.Errorf("%d types, llama.cpp has %d", len(layouts), len(lines))
	}
	for _, line := range lines {
		var number, elements, size int
		var name string
		if _, err := fmt.Sscan(line, &number, &name, &elements, &size); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if ours := layouts[Type(number)]; ours.name != name || ours.elements != elements || ours.bytes != size {
			t.Errorf("type %d: %v, llama.cpp says %s", number, ours, line)
		}
	}
}
