package corpus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"avssnative/internal/need"
)

func save(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	var packed bytes.Buffer
	switch filepath.Ext(name) {
	case ".gz":
		w := gzip.NewWriter(&packed)
		w.Write(content)
		w.Close()
		content = packed.Bytes()
	case ".zst":
		w, err := zstd.NewWriter(&packed)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(content)
		w.Close()
		content = packed.Bytes()
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(path, field string) (all []Document, err error) {
	for document, err := range (Source{Path: path, Field: field}).Documents(context.Background()) {
		if err != nil {
			return all, err
		}
		all = append(all, document)
	}
	return all, nil
}

func list(path string, columns []string) (all []string, err error) {
	for row, err := range (Source{Path: path, Columns: columns}).Rows(context.Background()) {
		if err != nil {
			return all, err
		}
		all = append(all, fmt.Sprintf("%d %s", row.Number, row.JSON))
	}
	return all, nil
}

func TestTexts(t *testing.T) {
	cases := []struct {
		name, content string
		want          []Document
	}{
		{"empty", "", nil},
		{"whole file", "\n one\n\ntwo \n", []Document{{1, "\n one\n\ntwo \n"}}},
		{"separated", "one\n<|endoftext|>\ntwo\n\nlines\n<|endoftext|>\n", []Document{{1, "one"}, {2, "two\n\nlines"}}},
		{"in a line", "one<|endoftext|> two", []Document{{1, "one"}, {2, " two"}}},
		{"windows", "one\r\n<|endoftext|>\r\ntwo\r\n", []Document{{1, "one"}, {2, "two"}}},
		{"nothing between", "<|endoftext|><|endoftext|>\n\n<|endoftext|>x", []Document{{1, "x"}}},
		{"nearly", "one <|endoftext| two", []Document{{1, "one <|endoftext| two"}}},
	}
	for _, c := range cases {
		for _, packed := range []string{"", ".gz", ".zst"} {
			got, err := read(save(t, "x.txt"+packed, []byte(c.content)), "")
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%s%s: %v %s", c.name, packed, err, diff)
			}
		}
	}
}

func TestJSONLines(t *testing.T) {
	content := `{"text":"one","n":1}` + "\r\n\n" + ` {"n":2,"text":"tw\u00f6"} ` + "\n" + `{"text":""}`
	for _, name := range []string{"x.jsonl", "x.jsonl.gz", "x.ndjson.zst"} {
		path := save(t, name, []byte(content))
		got, err := read(path, "")
		if diff := cmp.Diff([]Document{{1, "one"}, {3, "twö"}, {4, ""}}, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
		rows, err := list(path, nil)
		if diff := cmp.Diff([]string{`1 {"text":"one","n":1}`, `3 {"n":2,"text":"tw\u00f6"}`, `4 {"text":""}`}, rows); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}

func TestFields(t *testing.T) {
	path := save(t, "x.jsonl", []byte(`{"a":{"b":{"c":"deep"},"x.y":"dotted"},"a.b":"whole","n":7,"z":null}`))
	for field, want := range map[string]string{"a.b": "whole", "a.b.c": "deep", "a.x.y": "dotted"} {
		if got, err := read(path, field); err != nil || len(got) != 1 || got[0].Text != want {
			t.Errorf("%s: %v %v", field, got, err)
		}
	}
	for field, want := range map[string]string{
		"":      `record 1: no field "text", it has a, a.b, n, z`,
		"n":     `field "n" is no text`,
		"z":     `field "z" is no text`,
		"a":     `field "a" is no text`,
		"n.x":   `field "n": not a JSON object`,
		"a.b.d": `field "a": field "b": no field "d", it has c`,
	} {
		if _, err := read(path, field); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "x.jsonl") {
			t.Errorf("%s: %v, want %s", field, err, want)
		}
	}
}

func TestTabLines(t *testing.T) {
	content := "sentence\tlabel\na \"b\t0\n\nc <d\t1\n"
	got, err := list(save(t, "x.tsv", []byte(content)), nil)
	if diff := cmp.Diff([]string{`2 {"label":"0","sentence":"a \"b"}`, `4 {"label":"1","sentence":"c <d"}`}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	path := save(t, "x.tsv.gz", []byte("good\t1\n"))
	got, err = list(path, []string{"text", "label"})
	if diff := cmp.Diff([]string{`1 {"label":"1","text":"good"}`}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	for row, err := range (Source{Path: path, Columns: []string{"text", "label"}}).Rows(context.Background()) {
		var item struct {
			Text  string
			Label int `json:",string"`
		}
		if err != nil || row.Decode(&item) != nil || item.Text != "good" || item.Label != 1 {
			t.Errorf("%v %v", item, err)
		}
		var wrong struct{ Text int }
		if err := row.Decode(&wrong); err == nil || !strings.Contains(err.Error(), "x.tsv.gz: record 1:") {
			t.Errorf("error %v", err)
		}
	}
	documents, err := read(save(t, "x.tsv", []byte(content)), "sentence")
	if diff := cmp.Diff([]Document{{2, `a "b`}, {4, "c <d"}}, documents); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestRefused(t *testing.T) {
	gz := save(t, "x.jsonl.gz", []byte(strings.Repeat(`{"text":"abcdefg"}`+"\n", 1000)))
	packed, err := os.ReadFile(gz)
	if err != nil {
		t.Fatal(err)
	}
	zst, err := os.ReadFile(save(t, "x.jsonl.zst", []byte(strings.Repeat(`{"text":"abcdefg"}`+"\n", 1000))))
	if err != nil {
		t.Fatal(err)
	}
	raw := func(name string, content []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	long := bytes.Repeat([]byte("x"), MaxBytes+1)
	cases := []struct{ name, path, want string }{
		{"unknown name", save(t, "x.csv", nil), "want a name ending in"},
		{"no extension", save(t, "x", nil), "want a name ending in"},
		{"absent", filepath.Join(t.TempDir(), "x.txt"), "no such file"},
		{"not JSON", save(t, "x.jsonl", []byte("{\"text\":\"a\"}\nx\n")), "line 2: not a JSON object"},
		{"a list", save(t, "x.jsonl", []byte("[1]")), "line 1: not a JSON object"},
		{"deep", save(t, "x.jsonl", []byte(`{"text":`+strings.Repeat("[", 100000)+strings.Repeat("]", 100000)+"}")), "line 1: not a JSON object"},
		{"text not UTF-8", save(t, "x.txt", []byte("a<|endoftext|>\xff")), "document 2: not UTF-8"},
		{"line not UTF-8", save(t, "x.jsonl", []byte("\n{\"text\":\"\xff\"}")), "line 2: not UTF-8"},
		{"no gzip", raw("x.txt.gz", []byte("hello")), "x.txt.gz"},
		{"no zstd", raw("x.txt.zst", []byte("hello world")), "x.txt.zst"},
		{"gzip cut", raw("x.jsonl.gz", packed[:len(packed)-9]), "unexpected EOF"},
		{"zstd cut", raw("x.jsonl.zst", zst[:len(zst)-9]), "EOF"},
		{"long line", save(t, "x.jsonl", long), "line 1: longer than 67108864 bytes"},
		{"long document", save(t, "x.txt", long), "document 1: longer than 67108864 bytes (put <|endoftext|> between documents)"},
		{"no parquet", save(t, "x.parquet", []byte("hello")), "not a parquet file"},
		{"parquet in gzip", save(t, "x.parquet.gz", []byte("hello")), "compressed inside"},
	}
	for _, c := range cases {
		_, err := read(c.path, "")
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), filepath.Base(c.path)) || strings.Contains(err.Error(),
			"\n") {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		path    string
		columns []string
		want    string
	}{
		"too few cells":    {save(t, "x.tsv", []byte("a\tb\n1\n")), nil, "line 2: 1 cells, want 2"},
		"name taken":       {save(t, "x.tsv", []byte("a\ta\n1\t2\n")), nil, `column 2: name "a" is empty or taken`},
		"columns of jsonl": {save(t, "x.jsonl", []byte("{}")), []string{"a"}, "only a .tsv takes them"},
		"rows of txt":      {save(t, "x.txt", []byte("a")), nil, "holds text, want records"},
	} {
		if _, err := list(c.path, c.columns); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", name, err, c.want)
		}
	}
}

func TestStopAndCancel(t *testing.T) {
	path := save(t, "x.jsonl", []byte(strings.Repeat(`{"text":"a"}`+"\n", 10)))
	n := 0
	for range (Source{Path: path}).Documents(context.Background()) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d documents before the break", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n = 0
	for _, err := range (Source{Path: path}).Documents(ctx) {
		if n++; n == 3 {
			cancel()
		}
		if n == 4 && !errors.Is(err, context.Canceled) {
			t.Errorf("after the cancel: %v", err)
		}
	}
	if n != 4 {
		t.Errorf("%d documents and errors", n)
	}
}

// The pieces are those of strings.Split, however the stream arrives.
func TestSplitter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		separator := rapid.SampledFrom([]string{"\n", "ab", "aab"}).Draw(t, "separator")
		content := rapid.StringOfN(rapid.SampledFrom([]rune("ab\n")), 0, 200, -1).Draw(t, "content")
		var from io.Reader = strings.NewReader(content)
		if rapid.Bool().Draw(t, "byte by byte") {
			from = iotest.OneByteReader(from)
		}
		most := rapid.IntRange(0, 200).Draw(t, "most")
		s := newSplitter(from, separator, most)
		want := strings.Split(content, separator)
		for i, piece := range want {
			got, last, err := s.next()
			if len(piece) > most {
				if err == nil || !strings.Contains(err.Error(), "longer than") {
					t.Fatalf("piece %d of %d bytes: %v", i, len(piece), err)
				}
				return
			}
			if err != nil || string(got) != piece || last != (i == len(want)-1) {
				t.Fatalf("piece %d: %q %v %v, want %q", i, got, last, err, piece)
			}
		}
	})
	s := newSplitter(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(io.ErrClosedPipe)), "\n", 10)
	if piece, _, err := s.next(); string(piece) != "a" || err != nil {
		t.Errorf("%q %v", piece, err)
	}
	if _, _, err := s.next(); err != io.ErrClosedPipe {
		t.Errorf("error %v", err)
	}
}

func TestRealFiles(t *testing.T) {
	for path, want := range map[string]int{"eval/tinystories/stories.txt": 2317, "eval/small_world/calibration.txt": 300,
		"eval/wikitext-2/valid.txt": 1} {
		got, err := read(need.Data(t, path), "")
		if err != nil || len(got) != want {
			t.Errorf("%s: %d documents, want %d (%v)", path, len(got), want, err)
		}
	}
	rows, err := list(need.Data(t, "eval/sst2/dev.tsv"), []string{"sentence", "label"})
	if err != nil || len(rows) != 872 {
		t.Errorf("sst2: %d rows (%v)", len(rows), err)
	}
	rows, err = list(need.Data(t, "eval/small_world/qa.jsonl"), nil)
	if err != nil || len(rows) != 500 {
		t.Errorf("qa: %d rows (%v)", len(rows), err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(uint8(0), []byte("one\n<|endoftext|>\ntwo"))
	f.Add(uint8(1), []byte(`{"text":"a"}`+"\n{}\n"))
	f.Add(uint8(2), []byte("text\tlabel\na\t1\n"))
	f.Add(uint8(3), []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"))
	f.Add(uint8(4), []byte("\x28\xb5\x2f\xfd\x04\x00\x29\x00\x00hello"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, kind uint8, content []byte) {
		name := []string{"x.txt", "x.jsonl", "x.tsv", "x.txt.gz", "x.jsonl.zst"}[kind%5]
		path := filepath.Join(dir, name)
		os.Remove(path)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		documents, err := read(path, "")
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Fatalf("an error of several lines: %v", err)
		}
		total := 0
		for _, document := range documents {
			total += len(document.Text)
		}
		if kind%5 < 3 && total > 6*len(content) {
			t.Fatalf("%d bytes of text in a file of %d", total, len(content))
		}
	})
}
