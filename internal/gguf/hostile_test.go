package gguf

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// builder puts a file together value by value, so that any of them can be wrong.
type builder []byte

func (b builder) u16(v uint16) builder { return binary.LittleEndian.AppendUint16(b, v) }
func (b builder) u32(v uint32) builder { return binary.LittleEndian.AppendUint32(b, v) }
func (b builder) u64(v uint64) builder { return binary.LittleEndian.AppendUint64(b, v) }
func (b builder) text(s string) builder {
	return append(b.u64(uint64(len(s))), s...)
}
func (b builder) pad(n int) builder { return append(b, make([]byte, (n-len(b)%n)%n)...) }

// begin is magic, version and counts.
func begin(tensors, entries uint64) builder {
	return builder("GGUF").u32(3).u64(tensors).u64(entries)
}

// tensor is the description of a tensor; dimensions as the file has them, innermost first.
func (b builder) tensor(name string, kind Type, offset uint64, dimensions ...uint64) builder {
	b = b.text(name).u32(uint32(len(dimensions)))
	for _, d := range dimensions {
		b = b.u64(d)
	}
	return b.u32(uint32(kind)).u64(offset)
}

type bad struct {
	file []byte
	want string
}

func hostile() map[string]bad {
	data := func(b builder, n int) []byte { return append(b.pad(32), make([]byte, n)...) }
	alignment := func(v uint32) builder { return begin(0, 1).text("general.alignment").u32(typeUint32).u32(v) }
	array := func(kind uint32, count uint64) builder {
		return begin(0, 1).text("a").u32(typeArray).u32(kind).u64(count)
	}
	nested := begin(0, 1).text("a").u32(typeArray)
	for range 1000 {
		nested = nested.u32(typeArray).u64(1)
	}
	return map[string]bad{
		"empty":                 {nil, "truncated"},
		"another format":        {[]byte("GGML\x03\x00\x00\x00"), `begins with "GGML"`},
		"only the magic":        {[]byte("GGUF"), "truncated"},
		"version 1":             {builder("GGUF").u32(1).u32(0).u32(0), "version 1, want 2 or 3"},
		"version 4":             {builder("GGUF").u32(4).u64(0).u64(0), "version 4, want 2 or 3"},
		"big endian":            {builder("GGUF\x00\x00\x00\x03").u64(0).u64(0), "big endian"},
		"2^60 entries":          {begin(0, 1<<60), "truncated"},
		"2^64-1 entries":        {begin(0, math.MaxUint64), "truncated"},
		"2^60 tensors":          {begin(1<<60, 0), "truncated"},
		"2^64-1 tensors":        {append(begin(math.MaxUint64, 0), make([]byte, 100)...), "truncated"},
		"key of 2^60":           {begin(0, 1).u64(1 << 60).u32(0).u32(0), "at most 65535"},
		"key past the end":      {begin(0, 1).u64(100).u64(0), "truncated"},
		"key not UTF-8":         {begin(0, 1).text("\xff").u32(typeUint8).u32(0), "not UTF-8"},
		"key twice":             {append(begin(0, 2).text("a").u32(typeUint8), 0).text("a").u32(typeUint8).u32(0), "given twice"},
		"value type 13":         {begin(0, 1).text("a").u32(13).u64(0), "value type 13 is unknown"},
		"value type 2^32-1":     {begin(0, 1).text("a").u32(math.MaxUint32).u64(0), "value type 4294967295 is unknown"},
		"bool of 2":             {append(begin(0, 1).text("a").u32(typeBool), 2, 0, 0), "a bool of value 2"},
		"text of 2^60":          {begin(0, 1).text("a").u32(typeString).u64(1 << 60), "truncated"},
		"2^60 bytes":            {array(typeUint8, 1<<60), "truncated"},
		"2^61 words of 8":       {array(typeUint64, 1<<61), "truncated"},
		"2^62 words of 4":       {array(typeFloat32, 1<<62), "truncated"},
		"2^60 texts":            {array(typeString, 1<<60), "truncated"},
		"2^60 lists":            {array(typeArray, 1<<60), "truncated"},
		"list of type 99":       {array(99, 1), "value type 99 is unknown"},
		"deep lists":            {nested, "nested more than 4 deep"},
		"alignment 0":           {alignment(0), "want a power of two"},
		"alignment 48":          {alignment(48), "want a power of two"},
		"alignment 2^31":        {alignment(1 << 31), "want a power of two up to 1048576"},
		"alignment is text":     {begin(0, 1).text("general.alignment").u32(typeString).text("x"), "want a power of two"},
		"five dimensions":       {data(begin(1, 0).tensor("t", F32, 0, 1, 1, 1, 1, 1), 32), "5 dimensions"},
		"2^32-1 dimensions":     {begin(1, 0).text("t").u32(math.MaxUint32).u64(0).u64(0), "4294967295 dimensions"},
		"unknown type":          {data(begin(1, 0).tensor("t", 99, 0, 1), 32), "type 99 is unknown"},
		"removed type":          {data(begin(1, 0).tensor("t", 4, 0, 32), 32), "type 4 is unknown"},
		"dimension of 2^63":     {data(begin(1, 0).tensor("t", F32, 0, 1<<63), 32), "truncated"},
		"elements overflow":     {data(begin(1, 0).tensor("t", F32, 0, 1<<32, 1<<32), 32), "truncated"},
		"bytes overflow":        {data(begin(1, 0).tensor("t", F32, 0, 1<<62), 32), "truncated"},
		"no elements, 2^62":     {begin(1, 0).tensor("t", F32, 0, 0, 1<<62, 1<<62), "dimension of 4611686018427387904"},
		"elements multiplied":   {data(begin(1, 0).tensor("t", F32, 0, 1<<20, 1<<20, 1<<20, 1<<20), 32), "more than 2^63 elements"},
		"half an IQ4_XS block":  {data(begin(1, 0).tensor("t", IQ4_XS, 0, 128, 2), 136), "no whole IQ4_XS blocks of 256"},
		"half a block":          {data(begin(1, 0).tensor("t", Q4_K, 0, 128, 2), 288), "rows of 128 are no whole Q4_K blocks of 256"},
		"past the end":          {data(begin(1, 0).tensor("t", F32, 0, 9), 32), "truncated"},
		"no data":               {begin(1, 0).tensor("t", F32, 0, 1), "truncated"},
		"offset past the end":   {data(begin(1, 0).tensor("t", F32, 64, 1), 32), "truncated"},
		"offset of 2^63-32":     {data(begin(1, 0).tensor("t", F32, 1<<63-32, 1), 32), "truncated"},
		"offset of 2^64-32":     {data(begin(1, 0).tensor("t", F32, math.MaxUint64-31, 1), 32), "want a multiple of 32"},
		"offset between":        {data(begin(1, 0).tensor("t", F32, 4, 1), 32), "want a multiple of 32"},
		"overlap":               {data(begin(2, 0).tensor("t", F32, 0, 16).tensor("u", F32, 32, 8), 64), `"u": begins inside "t"`},
		"the same bytes":        {data(begin(2, 0).tensor("t", F32, 0, 1).tensor("u", F32, 0, 1), 64), `"u": begins inside "t"`},
		"overlap around empty":  {data(begin(3, 0).tensor("t", F32, 0, 16).tensor("e", F32, 32, 0).tensor("u", F32, 32, 8), 64), `"u": begins inside "t"`},
		"tensor twice":          {data(begin(2, 0).tensor("t", F32, 0, 1).tensor("t", F32, 32, 1), 64), "named twice"},
		"tensor name not UTF-8": {data(begin(1, 0).tensor("\xff", F32, 0, 1), 32), "not UTF-8"},
	}
}

func TestHostileFiles(t *testing.T) {
	for name, bad := range hostile() {
		_, err := parse(bad.file)
		if err == nil || !strings.Contains(err.Error(), bad.want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 500 {
			t.Errorf("%s: error %v, want %s", name, err, bad.want)
		}
		path := filepath.Join(t.TempDir(), "bad.gguf")
		if err := os.WriteFile(path, bad.file, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v does not name the file", name, err)
		}
	}
}

// Cut anywhere before the last tensor's last byte, a file is refused.
func TestTruncation(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join("testdata", "python.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	found, err := parse(whole)
	if err != nil {
		t.Fatal(err)
	}
	last := found.tensors[len(found.tensors)-1]
	for n := range last.Offset + int64(len(last.Data)) {
		if _, err := parse(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes pass", n, len(whole))
		}
	}
}

// A refused file costs at most a small multiple of its length.
func TestHostileMemory(t *testing.T) {
	many := begin(1<<16, 0)
	for range 1 << 16 {
		many = many.tensor("", F32, 0)
	}
	empties := begin(0, 2).text("a").u32(typeArray).u32(typeArray).u64(1 << 17)
	for range 1 << 17 {
		empties = empties.u32(typeUint8).u64(0)
	}
	files := [][]byte{
		many,    // every tensor has the same name
		empties, // then the second entry is missing
		append(begin(0, 1).text("a").u32(typeArray).u32(typeString).u64(1<<17), make([]byte, 1<<20-1)...),
		append(begin(1<<40, 0), bytes.Repeat([]byte{0}, 1<<20)...),
	}
	for i, file := range files {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := parse(file); err == nil {
			t.Errorf("file %d: no error", i)
		}
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > uint64(16*len(file)) {
			t.Errorf("file %d of %d bytes: %d bytes allocated", i, len(file), spent)
		}
	}
}

func TestUnusualFiles(t *testing.T) {
	data := func(b builder, n int) []byte { return append(b.pad(32), make([]byte, n)...) }
	cases := map[string][]byte{
		"nothing":             begin(0, 0),
		"version 2":           builder("GGUF").u32(2).u64(0).u64(0),
		"scalar":              data(begin(1, 0).tensor("t", F32, 0), 4),
		"no elements":         begin(1, 0).tensor("t", F32, 0, 0),
		"no elements, 2^20":   begin(1, 0).tensor("t", F32, 0, 0, 1<<20, 1<<20),
		"any order, a gap":    data(begin(2, 0).tensor("t", F32, 64, 1).tensor("u", F32, 0, 1), 68),
		"bytes after the end": data(begin(1, 0).tensor("t", F32, 0, 1), 100),
		"name with ../":       data(begin(1, 0).tensor("../../t", F32, 0, 1), 4),
		"text not UTF-8":      begin(0, 1).text("a").u32(typeString).text("\xff"),
		"type only to copy":   data(begin(1, 0).tensor("t", 42, 0, 64), 18),
		"part 1 of 1":         data(begin(1, 1).text("split.count").u32(typeUint16).u16(1).tensor("t", F32, 0, 1), 4),
	}
	for name, file := range cases {
		if _, err := parse(file); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParse: no bytes make the reader panic, and what it accepts it writes again so that it reads the same.
func FuzzParse(f *testing.F) {
	for _, bad := range hostile() {
		f.Add(bad.file)
	}
	whole, err := os.ReadFile(filepath.Join("testdata", "python.gguf"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, file []byte) {
		found, err := parse(file)
		if err != nil {
			return
		}
		var sources []Source
		for _, tensor := range found.tensors {
			sources = append(sources, Bytes(tensor.Name, tensor.Type, tensor.Shape, tensor.Data))
			if elements, size := tensor.Type.Block(); blocks[tensor.Type] != nil && len(tensor.Data) > 0 {
				if err := Dequantise(make([]float32, elements), tensor.Type, tensor.Data[:size]); err != nil {
					t.Fatal(err)
				}
			}
		}
		header, sizes, alignment, err := encode(found.metadata, sources)
		if err != nil {
			t.Fatalf("cannot be written again: %v", err)
		}
		again := append(header, make([]byte, padded(int64(len(header)), alignment)-int64(len(header)))...)
		for i, tensor := range found.tensors {
			again = append(again, tensor.Data...)
			again = append(again, make([]byte, padded(sizes[i], alignment)-sizes[i])...)
		}
		reread, err := parse(again)
		if err != nil {
			t.Fatalf("written again, it is refused: %v", err)
		}
		second, _, _, err := encode(reread.metadata, sources)
		if err != nil || !bytes.Equal(header, second) {
			t.Fatalf("the header changed (%v)", err)
		}
		for i, tensor := range reread.tensors {
			if !bytes.Equal(tensor.Data, found.tensors[i].Data) {
				t.Fatalf("tensor %q changed", tensor.Name)
			}
		}
	})
}

// FuzzDequantise: whole blocks never fail, whatever their bits.
func FuzzDequantise(f *testing.F) {
	f.Add(uint32(Q6_K), bytes.Repeat([]byte{0xff}, 210))
	f.Add(uint32(Q4_0), bytes.Repeat([]byte{0x80}, 36))
	f.Add(uint32(7777), []byte{1})
	f.Fuzz(func(t *testing.T, kind uint32, src []byte) {
		elements, size := Type(kind).Block()
		if size == 0 {
			elements, size = 1, 1
		}
		err := Dequantise(make([]float32, len(src)/size*elements), Type(kind), src)
		if wanted := blocks[Type(kind)] != nil && len(src)%size == 0; wanted != (err == nil) {
			t.Fatalf("%d bytes of %s: %v", len(src), Type(kind), err)
		}
	})
}
