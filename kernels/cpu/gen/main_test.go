package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCurrent holds the generated files against what operations.def and kernels.h give now.
func TestCurrent(t *testing.T) {
	files, err := generate("..")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what operations.def and kernels.h give: run go generate ./kernels/cpu", name)
		}
	}
	found, err := filepath.Glob("../*_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		if files[filepath.Base(path)] == nil {
			t.Errorf("%s is made by nothing", path)
		}
	}
}

// TestRefusals gives sources that nothing can be made of.
func TestRefusals(t *testing.T) {
	const header = "typedef struct {\n  float *x;\n} avss_x;\n"
	for _, c := range []struct{ definitions, header, want string }{
		{"OPERATION(X, x, x)", header, "line 1: OPERATION of 3 columns, want 5"},
		{"\nFUNCTION(void, f, (int32_t))", header, "line 2: no declaration"},
		{"OPERATION(X, x, y, VECTOR, SCRATCH)", header, "kernels.h has no avss_y"},
		{"", "typedef struct {\n  float x; float y;\n} avss_x;\n", "avss_x: one declaration a line"},
		{"", "typedef struct {\n  long x;\n} avss_x;\n", "field x: no type long in Go"},
		{"", "typedef struct {\n  float x[AVSS_N];\n} avss_x;\n", "field x: no constant AVSS_N"},
	} {
		folder := t.TempDir()
		for name, text := range map[string]string{"operations.def": c.definitions, "kernels.h": c.header} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := generate(folder); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q with %q: %v, want %q", c.definitions, c.header, err, c.want)
		}
	}
}
