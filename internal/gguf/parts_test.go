package gguf

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"avssnative/internal/need"
)

// partOf is one part: what its metadata says and the tensors it has.
type partOf struct {
	name     string
	metadata []KV
	tensors  []string
}

// numbered is the metadata of part number of count.
func numbered(number, count int, more ...KV) []KV {
	return append(more, KV{"split.no", uint16(number)}, KV{"split.count", uint16(count)}, KV{"split.tensors.count", int32(4)})
}

// three is a whole file in three parts.
func three() []partOf {
	return []partOf{
		{"m-00001-of-00003.gguf", numbered(0, 3, KV{"general.architecture", "llama"}, KV{"llama.block_count", uint32(3)}), []string{"token_embd.weight"}},
		{"m-00002-of-00003.gguf", numbered(1, 3), []string{"blk.0.w.weight", "blk.1.w.weight"}},
		{"m-00003-of-00003.gguf", numbered(2, 3), []string{"blk.2.w.weight"}},
	}
}

func writeParts(t *testing.T, parts []partOf) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range parts {
		var sources []Source
		for _, name := range p.tensors {
			sources = append(sources, Bytes(name, F32, []int64{1}, floats(float32(len(name)))))
		}
		if err := Write(context.Background(), filepath.Join(dir, p.name), p.metadata, sources); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPartsReadAsOne(t *testing.T) {
	parts := three()
	dir := writeParts(t, parts)
	for _, p := range parts {
		path := filepath.Join(dir, p.name)
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if diff := cmp.Diff([]KV{{"general.architecture", "llama"}, {"llama.block_count", uint32(3)}}, f.Metadata()); diff != "" {
			t.Error(diff)
		}
		var names []string
		for _, tensor := range f.Tensors() {
			names = append(names, tensor.Name)
		}
		if diff := cmp.Diff([]string{"token_embd.weight", "blk.0.w.weight", "blk.1.w.weight", "blk.2.w.weight"}, names); diff != "" {
			t.Error(diff)
		}
		last, ok := f.Lookup("blk.2.w.weight")
		if !ok || !cmp.Equal(last.Data, floats(14)) {
			t.Errorf("%v %v", ok, last)
		}
		size, header := int64(0), 0
		for i, path := range f.Paths() {
			if path != filepath.Join(dir, parts[i].name) {
				t.Errorf("part %d is %s", i, path)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			size += info.Size()
			one, err := openPart(path)
			if err != nil {
				t.Fatal(err)
			}
			header += len(one.header())
			one.mapping.Close()
		}
		if f.Path() != path || f.Size() != size || len(f.Header()) != header || f.Check() != nil {
			t.Errorf("%s: %d bytes, want %d; header of %d, want %d", f.Path(), f.Size(), size, len(f.Header()), header)
		}
	}
}

// Without blocks, the parts are written as one file.
func TestPartsAreWrittenInOne(t *testing.T) {
	f, err := Open(filepath.Join(writeParts(t, three()), "m-00001-of-00003.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	metadata, sources, err := DropBlocks(f, []int{0, 2})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "small.gguf")
	if err := Write(context.Background(), path, metadata, sources); err != nil {
		t.Fatal(err)
	}
	small, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	if diff := cmp.Diff([]KV{{"general.architecture", "llama"}, {"llama.block_count", uint32(2)}}, small.Metadata()); diff != "" {
		t.Error(diff)
	}
	if len(small.Tensors()) != 3 || len(small.Paths()) != 1 {
		t.Errorf("%d tensors in %d parts", len(small.Tensors()), len(small.Paths()))
	}
}

func TestOddParts(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(parts []partOf) []partOf
		open   int // the part that is named
		want   string
	}{
		{"one is missing", func(p []partOf) []partOf { return p[:2] }, 0, "m-00003-of-00003.gguf: part 3 of 3 is missing"},
		{"the first is missing", func(p []partOf) []partOf { return p[1:] }, 0, "m-00001-of-00003.gguf: part 1 of 3 is missing"},
		{"renamed", func(p []partOf) []partOf { p[0].name = "model.gguf"; return p }, 0, "does not end in -00001-of-00003.gguf"},
		{"renamed to another", func(p []partOf) []partOf { p[0].name = "m-00002-of-00003.gguf"; return p[:1] }, 0, "does not end in -00001-of-00003.gguf"},
		{"exchanged", func(p []partOf) []partOf { p[1].name, p[2].name = p[2].name, p[1].name; return p }, 0, "named part 2 of 3, but split.no says 2"},
		{"another count", func(p []partOf) []partOf { p[2].metadata = numbered(2, 4); return p }, 0, "one of 4 parts, want 3"},
		{"not a part", func(p []partOf) []partOf { p[2].metadata = nil; return p }, 0, "named part 3 of 3, but split.no says 0"},
		{"number beyond", func(p []partOf) []partOf { p[0].metadata = numbered(3, 3); return p }, 0, "split.no is 3, want a number up to 2"},
		{"number is text", func(p []partOf) []partOf {
			p[0].metadata = []KV{{"split.count", uint16(3)}, {"split.no", "0"}}
			return p
		}, 0, "want a number up to 2"},
		{"count of 2^63", func(p []partOf) []partOf { p[0].metadata = []KV{{"split.count", uint64(1 << 63)}}; return p }, 0, "want a number up to 99999"},
		{"negative count", func(p []partOf) []partOf { p[0].metadata = []KV{{"split.count", int32(-3)}}; return p }, 0, "want a number up to 99999"},
		{"tensor twice", func(p []partOf) []partOf { p[2].tensors = []string{"blk.0.w.weight"}; return p }, 2, `"blk.0.w.weight": is in`},
		{"a tensor less", func(p []partOf) []partOf { p[1].tensors = p[1].tensors[:1]; return p }, 1, "3 tensors in 3 parts, want 4"},
		{"other metadata", func(p []partOf) []partOf {
			p[1].metadata = numbered(1, 3, KV{"general.architecture", "gemma"})
			return p
		}, 0, "not what the first part says"},
		{"more metadata", func(p []partOf) []partOf { p[1].metadata = numbered(1, 3, KV{"a", true}); return p }, 0,
			"not what the first part says, or not in it"},
	} {
		parts := c.change(three())
		_, err := Open(filepath.Join(writeParts(t, parts), parts[c.open].name))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), ".gguf") {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
}

func TestCheckOfParts(t *testing.T) {
	dir := writeParts(t, three())
	f, err := Open(filepath.Join(dir, "m-00002-of-00003.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cut := filepath.Join(dir, "m-00003-of-00003.gguf")
	if err := os.Truncate(cut, 10); err != nil {
		t.Fatal(err)
	}
	if err := f.Check(); err == nil || !strings.Contains(err.Error(), cut+": cut short") {
		t.Errorf("error %v", err)
	}
	if _, err := Open(filepath.Join(dir, "m-00001-of-00003.gguf")); err == nil || !strings.Contains(err.Error(), cut) || !strings.Contains(err.Error(),
		"truncated") {
		t.Errorf("opened again: %v", err)
	}
}

// The Python library's parts, with a first one that has no tensors, read as the file it writes in one.
func TestPartsOfPython(t *testing.T) {
	python := need.Python(t, "gguf", "numpy")
	dir := t.TempDir()
	if out, err := exec.Command(python, "-c", `
import sys, numpy, gguf
for most in (0, 2):
    writer = gguf.GGUFWriter(None, "llama", split_max_tensors=most, small_first_shard=most > 0)
    writer.add_block_count(5)
    for i in range(5):
        writer.add_tensor(f"blk.{i}.w.weight", numpy.full(32, i, dtype=numpy.float32))
    writer.write_header_to_file(__import__("pathlib").Path(f"{sys.argv[1]}/m{most}.gguf"))
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()`, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	whole, err := Open(filepath.Join(dir, "m0.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	names, _ := filepath.Glob(filepath.Join(dir, "m2-*"))
	if len(names) != 4 {
		t.Fatalf("parts %v", names)
	}
	for _, name := range names {
		split, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer split.Close()
		if diff := cmp.Diff(fmt.Sprint(whole.Metadata()), fmt.Sprint(split.Metadata())); diff != "" {
			t.Error(diff)
		}
		for i, tensor := range split.Tensors() {
			if want := whole.Tensors()[i]; tensor.Name != want.Name || !cmp.Equal(tensor.Data, want.Data) {
				t.Errorf("tensor %d is %s", i, tensor.Name)
			}
		}
	}
}
