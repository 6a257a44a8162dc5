package corpus

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"avssnative/internal/need"
)

type inner struct {
	B string `parquet:"b"`
	N int64  `parquet:"n"`
}

type record struct {
	Text    string   `parquet:"text,dict"`
	A       inner    `parquet:"a"`
	Gold    int32    `parquet:"gold"`
	Score   float64  `parquet:"score"`
	Yes     bool     `parquet:"yes"`
	Choices []string `parquet:"choices,list"`
	Maybe   *string  `parquet:"maybe,optional"`
}

// table of n rows in row groups of 100, small pages.
func tableOf(t testing.TB, n int, options ...parquet.WriterOption) []byte {
	t.Helper()
	var out bytes.Buffer
	options = append([]parquet.WriterOption{parquet.MaxRowsPerRowGroup(100), parquet.PageBufferSize(512)}, options...)
	w := parquet.NewGenericWriter[record](&out, options...)
	for i := range n {
		text := fmt.Sprintf("maybe %d", i)
		r := record{Text: fmt.Sprintf("text %d ö", i), A: inner{fmt.Sprintf("b%d", i), int64(i)}, Gold: int32(i % 3), Score: 0.5, Yes: i%2 == 0,
			Choices: []string{"x", "y"}}
		if i%2 == 0 {
			r.Maybe = &text
		}
		if _, err := w.Write([]record{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestParquet(t *testing.T) {
	for _, options := range [][]parquet.WriterOption{nil, {parquet.Compression(&parquet.Snappy)}, {parquet.Compression(&parquet.Zstd)},
		{parquet.Compression(&parquet.Gzip), parquet.DataPageVersion(1)},
		{parquet.Compression(&parquet.Snappy), parquet.DataPageVersion(1)}} {
		path := save(t, "x.parquet", tableOf(t, 250, options...))
		for field, form := range map[string]string{"": "text %d ö", "a.b": "b%d"} {
			got, err := read(path, field)
			if err != nil || len(got) != 250 {
				t.Fatalf("%d documents: %v", len(got), err)
			}
			for i, document := range got {
				if want := (Document{i + 1, fmt.Sprintf(form, i)}); document != want {
					t.Fatalf("%v, want %v", document, want)
				}
			}
		}
		rows, err := list(path, nil)
		if err != nil || len(rows) != 250 {
			t.Fatalf("%d rows: %v", len(rows), err)
		}
		want := `202 {"a":{"b":"b201","n":201},"choices":["x","y"],"gold":0,"maybe":null,"score":0.5,"text":"text 201 ö","yes":false}`
		if rows[201] != want {
			t.Errorf("row %s, want %s", rows[201], want)
		}
		for field, want := range map[string]string{
			"none": `no column "none", it has text, a.b, a.n`, "gold": `column "gold" holds INT(32,true), want text`, "a": `no column "a"`,
			"choices.list.element": "holds lists, want text", "maybe": "row 2: no text (null)",
		} {
			if _, err := read(path, field); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", field, err, want)
			}
		}
		n := 0
		for range (Source{Path: path}).Rows(context.Background()) {
			if n++; n == 5 {
				break
			}
		}
		for range (Source{Path: path}).Documents(context.Background()) {
			if n++; n == 10 {
				break
			}
		}
		if n != 10 {
			t.Errorf("%d after two breaks at 5", n)
		}
	}
}

func TestPyarrowFile(t *testing.T) {
	python := need.Python(t, "pyarrow")
	path := filepath.Join(t.TempDir(), "x.parquet")
	if out, err := exec.Command(python, "-c", `
import sys, pyarrow as pa, pyarrow.parquet as pq
rows = [{"question": f"q{i}", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "A", "n": i} for i in range(3)]
pq.write_table(pa.Table.from_pylist(rows), sys.argv[1])`, path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	rows, err := list(path, nil)
	if diff := cmp.Diff([]string{
		`1 {"answerKey":"A","choices":{"label":["A","B"],"text":["a","b"]},"n":0,"question":"q0"}`,
		`2 {"answerKey":"A","choices":{"label":["A","B"],"text":["a","b"]},"n":1,"question":"q1"}`,
		`3 {"answerKey":"A","choices":{"label":["A","B"],"text":["a","b"]},"n":2,"question":"q2"}`,
	}, rows); diff != "" || err != nil {
		t.Error(err, diff)
	}
	documents, err := read(path, "question")
	if diff := cmp.Diff([]Document{{1, "q0"}, {2, "q1"}, {3, "q2"}}, documents); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

// Cut anywhere, a file is refused; with any byte changed, it is refused or read, never a panic, and in bounded memory.
func TestDamagedParquet(t *testing.T) {
	whole := tableOf(t, 8, parquet.Compression(&parquet.Snappy))
	path := filepath.Join(t.TempDir(), "x.parquet")
	try := func(file []byte) error {
		os.Remove(path) // a new file; some file systems flush one that is cut and written again
		if err := os.WriteFile(path, file, 0o644); err != nil {
			t.Fatal(err)
		}
		_, first := read(path, "")
		_, second := list(path, nil)
		if first != nil {
			return first
		}
		return second
	}
	if err := try(whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if try(whole[:n]) == nil {
			t.Errorf("the first %d of %d bytes pass", n, len(whole))
		}
	}
	var before, after runtime.MemStats
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] = []byte{0, 0xff, whole[i] ^ 0x80, whole[i] + 1}[i%4]
		runtime.ReadMemStats(&before)
		_ = try(damaged)
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 256<<20 {
			t.Errorf("byte %d set to %d: %d bytes allocated", i, damaged[i], spent)
		}
	}
}

func FuzzParquet(f *testing.F) {
	f.Add(tableOf(f, 3))
	f.Add(tableOf(f, 3, parquet.Compression(&parquet.Snappy), parquet.DataPageVersion(1)))
	f.Add(tableOf(f, 3, parquet.Compression(&parquet.Zstd)))
	f.Add([]byte("PAR1\x15\x02\x19\xff\xff\xff\xff\x7f\x0c\x00\x00\x00\x08\x00\x00\x00PAR1"))
	path := filepath.Join(f.TempDir(), "x.parquet")
	f.Fuzz(func(t *testing.T, file []byte) {
		os.Remove(path) // a new file; some file systems flush one that is cut and written again
		if err := os.WriteFile(path, file, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, read := range []func() error{
			func() error { _, err := read(path, ""); return err },
			func() error { _, err := list(path, nil); return err },
		} {
			if err := read(); err != nil && strings.Contains(err.Error(), "\n") {
				t.Fatalf("an error of several lines: %v", err)
			}
		}
	})
}
