package safetensors

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// image is a file of this header and data.
func image(header string, data int) []byte {
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(file, header...), make([]byte, data)...)
}

// hostile are files that must be refused, with the words that say why.
func hostile() map[string]struct {
	file []byte
	want string
} {
	type bad = struct {
		file []byte
		want string
	}
	tensor := func(dtype, shape, offsets string) string {
		return fmt.Sprintf(`{"dtype":%q,"shape":%s,"data_offsets":%s}`, dtype, shape, offsets)
	}
	one := func(dtype, shape, offsets string) string { return `{"a":` + tensor(dtype, shape, offsets) + `}` }
	two := func(first, second string) string {
		return `{"a":` + tensor("U8", "[4]", first) + `,"b":` + tensor("U8", "[4]", second) + `}`
	}
	huge := binary.LittleEndian.AppendUint64(nil, 1<<60)
	return map[string]bad{
		"empty file":               {nil, "truncated"},
		"seven bytes":              {make([]byte, 7), "truncated"},
		"header of 2^60":           {append(huge, "{}"...), "want at most 100000000"},
		"header of 2^64-1":         {bytes.Repeat([]byte{255}, 64), "want at most 100000000"},
		"header past the end":      {image("{}", 0)[:9], "truncated"},
		"no header":                {image("", 0), "does not begin with {"},
		"a list":                   {image("[]", 0), "does not begin with {"},
		"leading space":            {image(" {}", 0), "does not begin with {"},
		"not JSON":                 {image("{,}", 0), "not valid JSON"},
		"two values":               {image("{}{}", 0), "not valid JSON"},
		"not UTF-8":                {image("{\"\xff\":1}", 0), "not UTF-8"},
		"deep nesting":             {image(`{"a":`+strings.Repeat("[", 1<<16)+strings.Repeat("]", 1<<16)+`}`, 0), "not valid JSON"},
		"tensor is a number":       {image(`{"a":1}`, 0), "want an object"},
		"tensor is a deep list":    {image(`{"a":`+strings.Repeat("[", 999)+strings.Repeat("]", 999)+`}`, 0), "want an object"},
		"missing key":              {image(`{"a":{"dtype":"U8","shape":[0]}}`, 0), "want dtype, shape and data_offsets"},
		"unknown key":              {image(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}}`, 0), `unknown key "x"`},
		"key twice":                {image(`{"a":{"dtype":"U8","dtype":"F32","shape":[0],"data_offsets":[0,0]}}`, 0), "dtype given twice"},
		"tensor twice":             {image(`{"a":`+tensor("U8", "[0]", "[0,0]")+`,"a":`+tensor("U8", "[0]", "[0,0]")+`}`, 0), "named twice"},
		"half a character":         {image(`{"a\ud800":`+tensor("U8", "[0]", "[0,0]")+`}`, 0), `byte 3: \ud800 is half of a character`},
		"the other half":           {image(`{"__metadata__":{"a":"\\\uDC00"}}`, 0), `\uDC00 is half of a character`},
		"two first halves":         {image(`{"__metadata__":{"a":"\ud83d\ud83d\ude00"}}`, 0), `byte 22: \ud83d is half of a character`},
		"metadata twice":           {image(`{"__metadata__":{},"__metadata__":{}}`, 0), "named twice"},
		"metadata key twice":       {image(`{"__metadata__":{"a":"1","a":"2"}}`, 0), "named twice"},
		"metadata is a list":       {image(`{"__metadata__":[]}`, 0), "want an object"},
		"metadata is false":        {image(`{"__metadata__":false}`, 0), "want an object"},
		"metadata null twice":      {image(`{"__metadata__":null,"__metadata__":null}`, 0), "named twice"},
		"metadata value null":      {image(`{"__metadata__":{"a":null}}`, 0), "want text"},
		"tensor is null":           {image(`{"a":null}`, 0), "want an object"},
		"shape is null":            {image(one("U8", "null", "[0,4]"), 4), "want a list"},
		"dimension is null":        {image(one("U8", "[null]", "[0,4]"), 4), "want a whole number"},
		"float8 short":             {image(one("F8_E4M3", "[4]", "[0,3]"), 3), "3 bytes, want 4"},
		"int16 for int32":          {image(one("I32", "[2]", "[0,4]"), 4), "4 bytes, want 8"},
		"metadata of numbers":      {image(`{"__metadata__":{"a":1}}`, 0), "want text"},
		"dtype is a number":        {image(`{"a":{"dtype":1,"shape":[0],"data_offsets":[0,0]}}`, 0), "want text"},
		"shape is a number":        {image(one("U8", "4", "[0,4]"), 4), "want a list"},
		"negative dimension":       {image(one("U8", "[-4]", "[0,4]"), 4), "want a whole number"},
		"fractional dimension":     {image(one("U8", "[4.0]", "[0,4]"), 4), "want a whole number"},
		"exponent":                 {image(one("U8", "[4e0]", "[0,4]"), 4), "want a whole number"},
		"dimension of 2^64":        {image(one("U8", "[18446744073709551616]", "[0,4]"), 4), "want a whole number"},
		"elements overflow":        {image(one("U8", "[4294967296,4294967296]", "[0,4]"), 4), "more than 2^64 elements"},
		"bits overflow":            {image(one("F32", "[1152921504606846976]", "[0,4]"), 4), "more than 2^64 bits"},
		"overflow to a fitting 0":  {image(one("NEW", "[4294967296,4294967296]", "[0,4]"), 4), "more than 2^64 elements"},
		"2^60 bytes":               {image(one("U8", "[1152921504606846976]", "[0,1152921504606846976]"), 4), "truncated"},
		"2^63-1 bytes":             {image(one("NEW", "[1]", "[9223372036854775806,9223372036854775807]"), 4), "truncated"},
		"empty 2^62":               {image(one("F32", "[4611686018427387904,4,0]", "[0,0]"), 0), "a dimension of 4611686018427387904 for 0 bytes"},
		"2^40 of an unknown dtype": {image(one("NEW", "[1099511627776]", "[0,4]"), 4), "a dimension of 1099511627776 for 4 bytes"},
		"rank 65":                  {image(one("U8", "[1"+strings.Repeat(",1", 64)+"]", "[0,1]"), 1), "more than 64 numbers"},
		"three offsets":            {image(one("U8", "[4]", "[0,4,8]"), 4), "want a begin and an end"},
		"falling offsets":          {image(one("U8", "[4]", "[4,0]"), 4), "want a begin and an end"},
		"half a byte":              {image(one("F4", "[3]", "[0,2]"), 2), "not whole bytes"},
		"size below shape":         {image(one("F32", "[2]", "[0,4]"), 4), "4 bytes, want 8"},
		"size for an empty tensor": {image(one("F32", "[0,9]", "[0,4]"), 4), "4 bytes, want 0"},
		"overlap":                  {image(two("[0,4]", "[2,6]"), 6), `inside "a"`},
		"same bytes":               {image(two("[0,4]", "[0,4]"), 4), `inside "a"`},
		"hole":                     {image(two("[0,4]", "[5,9]"), 9), "leaving a hole from 4"},
		"hole at the beginning":    {image(one("U8", "[4]", "[1,5]"), 5), "leaving a hole from 0"},
		"trailing bytes":           {image(one("U8", "[4]", "[0,4]"), 5), "1 bytes after the last tensor"},
		"long name":                {image(`{"`+strings.Repeat("n", 5000)+`":1}`, 0), "want at most 4096"},
	}
}

func TestHostileFiles(t *testing.T) {
	for name, bad := range hostile() {
		_, err := parse(bad.file)
		if err == nil || !strings.Contains(err.Error(), bad.want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 500 {
			t.Errorf("%s: error %v, want %s", name, err, bad.want)
		}
		path := filepath.Join(t.TempDir(), "bad.safetensors")
		if err := os.WriteFile(path, bad.file, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v does not name the file", name, err)
		}
	}
}

// Every file cut short is refused.
func TestTruncation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := WriteFile(context.Background(), path, simple()[:2], nil); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parse(whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if _, err := parse(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes pass", n, len(whole))
		}
	}
}

// A refused file costs at most a small multiple of its length.
func TestHostileMemory(t *testing.T) {
	var entries []string
	for i := range 20_000 {
		entries = append(entries, fmt.Sprintf(`"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`, i))
	}
	files := [][]byte{
		image("{"+strings.Join(entries, ",")+"}", 1),                        // many entries, then a trailing byte
		image(`{"__metadata__":{"a":"`+strings.Repeat("x", 1<<20)+`"}}`, 1), // long text
		image(`{"a":{"dtype":"U8","shape":[`+strings.Repeat("0,", 1<<19)+`0]}}`, 0),
	}
	for i, file := range files {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := parse(file); err == nil {
			t.Errorf("file %d: no error", i)
		}
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > uint64(40*len(file)) {
			t.Errorf("file %d of %d bytes: %d bytes allocated", i, len(file), spent)
		}
	}
}

// What is odd but allowed passes.
func TestUnusualFiles(t *testing.T) {
	cases := map[string][]byte{
		"no tensors":      image("{}", 0),
		"metadata null":   image(`{"__metadata__":null}`, 0),
		"padded":          image("{}      ", 0),
		"scalar":          image(`{"a":{"dtype":"F64","shape":[],"data_offsets":[0,8]}}`, 8),
		"zero-length":     image(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[4,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4),
		"empty 2^20":      image(`{"a":{"dtype":"F32","shape":[1048576,4,0],"data_offsets":[0,0]}}`, 0),
		"unknown dtype":   image(`{"a":{"dtype":"Q9","shape":[7],"data_offsets":[0,3]}}`, 3),
		"any order":       image(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 2),
		"name with ../":   image(`{"../../a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1),
		"two halves":      image(`{"__metadata__":{"\\ud800 \ud83d\ude00\u0041":"\uD83D\uDE00"}}`, 0),
		"odd header size": image(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} `, 4),
	}
	for name, file := range cases {
		if _, err := parse(file); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// place builds a folder of two shards with the given index text.
func place(t *testing.T, index string) string {
	t.Helper()
	dir := t.TempDir()
	for i, name := range []string{"one", "two"} {
		source := Bytes(name, "U8", []int64{1}, []byte{byte(i)})
		if err := WriteFile(context.Background(), filepath.Join(dir, name+".safetensors"), []Source{source}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, indexName), []byte(index), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func weightMap(pairs ...string) string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	text, _ := json.Marshal(map[string]any{"metadata": map[string]any{"total_size": 2}, "weight_map": m})
	return string(text)
}

func TestHostileIndex(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "outside.safetensors")
	if err := WriteFile(context.Background(), elsewhere, []Source{Bytes("two", "U8", []int64{1}, []byte{1})}, nil); err != nil {
		t.Fatal(err)
	}
	cases := []struct{ name, index, want string }{
		{"not JSON", "{", "not valid JSON"},
		{"a list", "[]", "want an object"},
		{"no weight_map", "{}", "0 weight_map"},
		{"two weight_maps", `{"weight_map":{"one":"one.safetensors"},"weight_map":{}}`, "2 weight_map"},
		{"empty", weightMap(), "weight_map is empty"},
		{"list of shards", `{"weight_map":["one.safetensors"]}`, "want an object"},
		{"number for a shard", `{"weight_map":{"one":1}}`, "want text"},
		{"named twice", `{"weight_map":{"one":"one.safetensors","one":"two.safetensors"}}`, "named twice"},
		{"parent", weightMap("one", "../one.safetensors"), "not a plain file name"},
		{"parent itself", weightMap("one", ".."), "not a plain file name"},
		{"empty name", weightMap("one", ""), "not a plain file name"},
		{"absolute", weightMap("one", elsewhere), "not a plain file name"},
		{"backslash", weightMap("one", `..\one.safetensors`), "not a plain file name"},
		{"subfolder", weightMap("one", "a/one.safetensors"), "not a plain file name"},
		{"absent shard", weightMap("one", "three.safetensors"), "no such file"},
		{"map is null", `{"weight_map":null}`, "want an object"},
		{"null for a shard", `{"weight_map":{"one":null}}`, "want text"},
		{"tensor elsewhere", weightMap("one", "two.safetensors"), `tensor "two": the index places it in ""`},
		{"tensors exchanged", weightMap("one", "two.safetensors", "two", "one.safetensors"), `tensor "one": the index places it in "two.safetensors"`},
		{"tensor not named", weightMap("one", "one.safetensors", "x", "two.safetensors"), `tensor "two": the index places it in ""`},
		{"link out", weightMap("one", "one.safetensors", "two", "link.safetensors"), "leads out of the folder"},
		{"dangling link", weightMap("one", "one.safetensors", "two", "dangling.safetensors"), "no such file"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := place(t, c.index)
			if err := os.Symlink(elsewhere, filepath.Join(dir, "link.safetensors")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("nowhere", filepath.Join(dir, "dangling.safetensors")); err != nil {
				t.Fatal(err)
			}
			_, err := OpenDir(dir)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

// What the index lists and no file holds is told, and the rest opens.
func TestAbsentTensors(t *testing.T) {
	set, err := OpenDir(place(t, weightMap("one", "one.safetensors", "two", "two.safetensors")))
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	if absent := set.Absent(); absent != nil {
		t.Errorf("absent from a whole set: %v", absent)
	}
	odd, err := OpenDir(place(t, weightMap("one", "one.safetensors", "two", "two.safetensors", "head", "one.safetensors", "x", "two.safetensors")))
	if err != nil {
		t.Fatal(err)
	}
	defer odd.Close()
	if absent := odd.Absent(); len(absent) != 2 || absent["head"] != "one.safetensors" || absent["x"] != "two.safetensors" {
		t.Errorf("absent %v", absent)
	}
	if _, ok := odd.Lookup("head"); ok || len(odd.Tensors()) != 2 {
		t.Errorf("%d tensors", len(odd.Tensors()))
	}
	if err := odd.Check(); err != nil {
		t.Error(err)
	}
	cut := odd.Files()[1].Path()
	if err := os.Truncate(cut, 20); err != nil {
		t.Fatal(err)
	}
	if err := odd.Check(); err == nil || !strings.Contains(err.Error(), cut+": cut short") {
		t.Errorf("after a shard was cut: %v", err)
	}
}

func TestLinksThatStay(t *testing.T) {
	// Beside each other in one folder.
	dir := place(t, weightMap("one", "one.safetensors", "two", "link.safetensors"))
	if err := os.Symlink("two.safetensors", filepath.Join(dir, "link.safetensors")); err != nil {
		t.Fatal(err)
	}
	set, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	set.Close()
	// As the Hugging Face cache lays them out.
	repository := t.TempDir()
	snapshot := filepath.Join(repository, "snapshots", "0123")
	for _, folder := range []string{snapshot, filepath.Join(repository, "blobs")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := WriteFile(context.Background(), filepath.Join(repository, "blobs", "abc"), simple(), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../blobs/abc", filepath.Join(snapshot, singleName)); err != nil {
		t.Fatal(err)
	}
	if set, err = OpenDir(snapshot); err != nil {
		t.Fatal(err)
	}
	set.Close()
}

func TestFolderWithoutSafetensors(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenDir(dir); err == nil || !strings.Contains(err.Error(), "neither model.safetensors nor model.safetensors.index.json") {
		t.Errorf("empty folder: %v", err)
	}
	if _, err := OpenDir(filepath.Join(dir, "absent")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("absent folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pytorch_model.bin"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDir(dir); err == nil || !strings.Contains(err.Error(), "never loaded; convert it: python3 -c") || strings.Contains(err.Error(),
		"\n") {
		t.Errorf("pickle: %v", err)
	}
}

// FuzzParse: no bytes make the reader panic, and what it accepts it writes again so that it reads the same.
func FuzzParse(f *testing.F) {
	for _, bad := range hostile() {
		if len(bad.file) < 4096 {
			f.Add(bad.file)
		}
	}
	f.Add(image(`{"__metadata__":{"a":"b"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"b":{"dtype":"NEW","shape":[],"data_offsets":[8,9]}}`,
		9))
	f.Fuzz(func(t *testing.T, file []byte) {
		found, err := parse(file)
		if err != nil {
			return
		}
		var sources []Source
		total := 0
		for _, tensor := range found.tensors {
			total += len(tensor.Data)
			sources = append(sources, Bytes(tensor.Name, tensor.DType, tensor.Shape, tensor.Data))
		}
		if total+len(found.header)+8 != len(file) {
			t.Fatalf("%d bytes of data and %d of header in a file of %d", total, len(found.header), len(file))
		}
		again, err := header(sources, found.metadata)
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range sources {
			var data bytes.Buffer
			if err := source.Stream(&data); err != nil {
				t.Fatal(err)
			}
			again = append(again, data.Bytes()...)
		}
		reread, err := parse(again)
		if err != nil {
			t.Fatalf("written again, it is refused: %v", err)
		}
		if len(reread.tensors) != len(found.tensors) {
			t.Fatalf("%d tensors, want %d", len(reread.tensors), len(found.tensors))
		}
		for i, tensor := range reread.tensors {
			if was := found.tensors[i]; tensor.Name != was.Name || tensor.DType != was.DType || !bytes.Equal(tensor.Data, was.Data) {
				t.Fatalf("tensor %d: %v, want %v", i, tensor, was)
			}
		}
	})
}

// FuzzIndex: no index makes the reader panic.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(weightMap("one", "one.safetensors", "two", "../two.safetensors")))
	f.Add([]byte(`{"metadata":{"total_size":1e400},"weight_map":{"one":"one.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"b","a":"c"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		shardOf, err := parseIndex(text)
		if err == nil && len(shardOf) == 0 {
			t.Fatal("no shards and no error")
		}
	})
}
