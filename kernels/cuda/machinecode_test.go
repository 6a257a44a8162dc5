package kernels

import (
	"archive/tar"
	"bytes"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// TestServed: machine code runs on its own major version, and there on no earlier minor one.
func TestServed(t *testing.T) {
	for part, want := range map[[2]int]string{
		{7, 5}: "", {8, 0}: "80", {8, 6}: "86", {8, 7}: "86", {8, 9}: "89", {9, 0}: "90", {10, 0}: "100", {10, 3}: "100", {11, 0}: "", {12, 1}: "120", {13, 0}: "",
	} {
		if got, found := served(part[0], part[1]); got != want || found != (want != "") {
			t.Errorf("%d.%d: %q, want %q", part[0], part[1], got, want)
		}
	}
}

// TestUnpack: an archive gives what was put into it, a damaged one an error, and none nothing.
func TestUnpack(t *testing.T) {
	var packed bytes.Buffer
	squeezed, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	list := tar.NewWriter(squeezed)
	want := map[string]string{"add.sm_80": "the code of add", "hopper_product.sm_90a": "another"}
	for name, code := range want {
		if err := list.WriteHeader(&tar.Header{Name: name, Size: int64(len(code))}); err != nil {
			t.Fatal(err)
		}
		if _, err := list.Write([]byte(code)); err != nil {
			t.Fatal(err)
		}
	}
	if err := list.Close(); err != nil {
		t.Fatal(err)
	}
	if err := squeezed.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := unpack(packed.Bytes())
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d modules, %v", len(got), err)
	}
	for name, code := range want {
		if string(got[name]) != code {
			t.Errorf("%s: %q, want %q", name, got[name], code)
		}
	}
	if _, err := unpack(packed.Bytes()[:packed.Len()/2]); err == nil {
		t.Error("half an archive is taken")
	}
	if none, err := unpack(nil); err != nil || len(none) != 0 {
		t.Errorf("no archive: %v, %v", none, err)
	}
}

// TestMachineCodeOfEverySource: where a program holds machine code for a compute capability, it holds that of every source.
func TestMachineCodeOfEverySource(t *testing.T) {
	held := 0
	for _, part := range [][2]int{{8, 0}, {8, 6}, {8, 9}, {9, 0}, {10, 0}, {12, 0}} {
		for _, source := range []string{"add.cu", "delta.cu", "product_bf16.cu"} {
			code, err := MachineCode(source, part[0], part[1])
			if err != nil {
				t.Fatal(err)
			}
			if code != nil {
				held++
				if !bytes.HasPrefix(code, []byte("\x7fELF")) {
					t.Errorf("%s for %v is no machine code", source, part)
				}
			}
		}
	}
	if held%3 != 0 {
		t.Errorf("machine code of %d sources and capabilities", held)
	}
	if code, err := MachineCode("hopper/product.cu", 8, 0); code != nil || err != nil {
		t.Errorf("Hopper's product on 8.0: %d bytes, %v", len(code), err)
	}
}
