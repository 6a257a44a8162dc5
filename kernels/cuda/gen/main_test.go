package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCurrent regenerates what is committed.
func TestCurrent(t *testing.T) {
	folder := t.TempDir()
	if err := run("..", folder); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kernels_gen.go", "kernels_gen_test.go"} {
		want, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("../../../cuda", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("cuda/%s is not what the kernels give now: go generate ./cuda", name)
		}
	}
}

// TestParse: kernels are found as they stand and as macros make them; what cannot be read is an error that names it.
func TestParse(t *testing.T) {
	const good = `
// KERNEL( in a comment is none.
KERNEL(256) one(float *dst, i64 to, // where
                const bf16 *x) {
}
#define MADE(name, width)    \
  KERNEL(128, 1) name(int n, \
                      float scale) { work<width>(n); }
MADE(two, 2)
MADE(three, 3)
`
	list, err := parse("x.cu", good)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, k := range list {
		line := k.name
		for _, p := range k.parameters {
			line += " " + p.kind + ":" + p.name
		}
		said = append(said, line)
	}
	if got, want := strings.Join(said, "; "), "one float*:dst i64:to bf16*:x; two int:n float:scale; three int:n float:scale"; got != want {
		t.Errorf("found %q, want %q", got, want)
	}
	for text, about := range map[string]string{
		"KERNEL(1) bad(float) {}":            "bad",
		"KERNEL(1) bad(float *x)\n  ;":       "0 can be read",
		"KERNEL(1) bad(unsigned long x) { }": "unsigned long x",
	} {
		if _, err := parse("x.cu", text); err == nil || !strings.Contains(err.Error(), about) {
			t.Errorf("%q: error %v, want one about %s", text, err, about)
		}
	}
	for text, about := range map[string]string{
		"KERNEL(1) bad(short x) {}": "short", "KERNEL(1) bad(short *x) {}": "short*", "KERNEL(1) bad(int type) {}": "word of Go's",
		"KERNEL(1) bad(int n, TensorMap m) {}": "come first",
	} {
		list, err := parse("x.cu", text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := functions(list); err == nil || !strings.Contains(err.Error(), about) {
			t.Errorf("%q: error %v, want one about %s", text, err, about)
		}
	}
}
