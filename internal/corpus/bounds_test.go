package corpus

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// allocated is how many bytes do takes from the heap in all, which bounds what it ever holds.
func allocated(do func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

type line struct {
	Text string `parquet:"text"`
}

type lines struct {
	Text  string   `parquet:"text"`
	Words []string `parquet:"words,list,dict"`
}

func parquetOf[T any](t testing.TB, rows []T, options ...parquet.WriterOption) []byte {
	t.Helper()
	var out bytes.Buffer
	w := parquet.NewGenericWriter[T](&out, append(options, parquet.DataPageStatistics(false))...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	// The library writes the least and the greatest text of a column several times behind it; others do not, and no page needs them.
	return rewritten(t, out.Bytes(), func(metadata *format.FileMetaData) {
		for _, group := range metadata.RowGroups {
			for i := range group.Columns {
				group.Columns[i].MetaData.Statistics = format.Statistics{}
			}
		}
	})
}

// rewritten is a file with other metadata behind its pages, and nothing between them.
func rewritten(t testing.TB, content []byte, change func(*format.FileMetaData)) []byte {
	t.Helper()
	file, err := parquet.OpenFile(bytes.NewReader(content), int64(len(content)), parquet.SkipPageIndex(true))
	if err != nil {
		t.Fatal(err)
	}
	metadata, end := *file.Metadata(), int64(0)
	for _, group := range metadata.RowGroups {
		for _, column := range group.Columns {
			first := column.MetaData.DataPageOffset
			if column.MetaData.DictionaryPageOffset > 0 {
				first = column.MetaData.DictionaryPageOffset
			}
			end = max(end, first+column.MetaData.TotalCompressedSize)
		}
	}
	change(&metadata)
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), metadata)
	if err != nil {
		t.Fatal(err)
	}
	content = append(content[:end:end], footer...)
	return append(binary.LittleEndian.AppendUint32(content, uint32(len(footer))), mark...)
}

// Whatever number stands in the metadata, a file is refused or read in bounded memory.
func TestNumbersOfMetadata(t *testing.T) {
	rows := make([]lines, 50)
	for i := range rows {
		rows[i] = lines{Text: fmt.Sprint("row ", i), Words: []string{"a", "b"}}
	}
	content := parquetOf(t, rows, parquet.Compression(&parquet.Snappy))
	fields := map[string]func(*format.FileMetaData, int64){
		"rows":           func(m *format.FileMetaData, n int64) { m.NumRows = n },
		"rows of group":  func(m *format.FileMetaData, n int64) { m.RowGroups[0].NumRows = n },
		"size of group":  func(m *format.FileMetaData, n int64) { m.RowGroups[0].TotalByteSize = n },
		"children":       func(m *format.FileMetaData, n int64) { m.Schema[0].NumChildren.V = int32(n) },
		"repetition":     func(m *format.FileMetaData, n int64) { m.Schema[1].RepetitionType.V = format.FieldRepetitionType(n) },
		"type":           func(m *format.FileMetaData, n int64) { m.Schema[1].Type.V = format.Type(n) },
		"length of type": func(m *format.FileMetaData, n int64) { m.Schema[1].TypeLength.V = int32(n) },
	}
	for column, name := range []string{"text", "words"} {
		of := func(m *format.FileMetaData) *format.ColumnMetaData { return &m.RowGroups[0].Columns[column].MetaData }
		fields["codec of "+name] = func(m *format.FileMetaData, n int64) { of(m).Codec = format.CompressionCodec(n) }
		fields["values of "+name] = func(m *format.FileMetaData, n int64) { of(m).NumValues = n }
		fields["unpacked of "+name] = func(m *format.FileMetaData, n int64) { of(m).TotalUncompressedSize = n }
		fields["packed of "+name] = func(m *format.FileMetaData, n int64) { of(m).TotalCompressedSize = n }
		fields["pages of "+name] = func(m *format.FileMetaData, n int64) { of(m).DataPageOffset = n }
		fields["dictionary of "+name] = func(m *format.FileMetaData, n int64) { of(m).DictionaryPageOffset = n }
	}
	size := int64(len(content))
	path := filepath.Join(t.TempDir(), "x.parquet")
	for name, set := range fields {
		for _, n := range []int64{-1 << 63, -1, 0, 1, 4, 5, size / 2, size - 40, size - 8, size, size + 1, 1 << 31, 1<<31 - 1, 1 << 62, 1<<63 - 1} {
			os.Remove(path)
			if err := os.WriteFile(path, rewritten(t, content, func(m *format.FileMetaData) { set(m, n) }), 0o644); err != nil {
				t.Fatal(err)
			}
			var texts []Document
			var records []string
			var errs [2]error
			spent := allocated(func() {
				texts, errs[0] = read(path, "")
				records, errs[1] = list(path, nil)
			})
			if spent > 64<<20 || len(texts) > len(rows) || len(records) > len(rows) {
				t.Errorf("%s %d: %d bytes allocated, %d texts, %d records", name, n, spent, len(texts), len(records))
			}
			if errs[0] == nil && len(texts) < len(rows) || errs[1] == nil && len(records) < len(rows) {
				t.Errorf("%s %d: %d texts and %d records without an error", name, n, len(texts), len(records))
			}
			for _, err := range errs {
				if err != nil && (strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), path)) {
					t.Errorf("%s %d: %v", name, n, err)
				}
			}
		}
	}
}

// What unfolds is refused with both sizes, before it is held; documents that came before are not lost.
func TestBombs(t *testing.T) {
	long := strings.Repeat("a", 20<<20)
	var many bytes.Buffer
	for range 210 {
		fmt.Fprintf(&many, "{\"text\":\"%s\"}\n", long[:100_000])
	}
	repeated := make([]struct {
		Text string `parquet:"text,dict"`
	}, 100)
	for i := range repeated {
		repeated[i].Text = strings.Repeat("b", 1<<20)
	}
	stack := func(content []byte) []byte { // one frame behind the other
		var packed bytes.Buffer
		w, err := zstd.NewWriter(&packed)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(content)
		w.Close()
		return bytes.Repeat(packed.Bytes(), 100)
	}
	frames := filepath.Join(t.TempDir(), "frames.txt.zst")
	if err := os.WriteFile(frames, stack(bytes.Repeat([]byte("x"), 1<<20)), 0o644); err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{
		"one text, gzip":      save(t, "x.txt.gz", []byte(long)),
		"one text, zstd":      save(t, "x.txt.zst", []byte(long)),
		"many lines, gzip":    save(t, "x.jsonl.gz", many.Bytes()),
		"many lines, zstd":    save(t, "x.jsonl.zst", many.Bytes()),
		"frames":              frames,
		"one row, gzip":       save(t, "x.parquet", parquetOf(t, []line{{long}}, parquet.Compression(&parquet.Gzip))),
		"one row, zstd":       save(t, "x.parquet", parquetOf(t, []line{{long}}, parquet.Compression(&parquet.Zstd))),
		"a dictionary's text": save(t, "x.parquet", parquetOf(t, repeated, parquet.Compression(&parquet.Snappy))),
	}
	for name, path := range cases {
		for _, reader := range []func() error{
			func() error { _, err := read(path, ""); return err },
			func() error { _, err := list(path, nil); return err },
		} {
			if strings.Contains(path, ".txt") {
				reader = func() error { _, err := read(path, ""); return err }
			}
			var err error
			spent := allocated(func() { err = reader() })
			if err == nil || !strings.Contains(err.Error(), "unfold to") || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: error %v, want what it unfolds to", name, err)
			}
			if spent > 1<<30 {
				t.Errorf("%s: %d bytes allocated", name, spent)
			}
		}
	}
}

// Text that people write passes, and so does a small file of any kind.
func TestWhatUnfoldsWithinBoundsIsRead(t *testing.T) {
	short := strings.Repeat("a", 8<<20)
	var written bytes.Buffer
	for i := range 20000 {
		written.WriteString("{\"text\":\"")
		for j := range 20 {
			fmt.Fprintf(&written, "the %d of %x and, once upon a time, another; ", i*j, i*7919+j)
		}
		written.WriteString("\"}\n")
	}
	for path, want := range map[string]int{
		save(t, "x.txt.gz", []byte(short)): 1,
		save(t, "x.parquet", parquetOf(t, []line{{short}}, parquet.Compression(&parquet.Zstd))): 1,
		save(t, "x.jsonl.gz", written.Bytes()):                                                  20000,
		save(t, "x.jsonl.zst", written.Bytes()):                                                 20000,
	} {
		if got, err := read(path, ""); err != nil || len(got) != want {
			t.Errorf("%s: %d documents, want %d (%v)", path, len(got), want, err)
		}
	}
}

// 60 MB of one character, as a text and as a record: the text, and a few copies on its way.
func TestOneLongDocument(t *testing.T) {
	const size = 60_000_000
	long := bytes.Repeat([]byte("x"), size)
	contents := map[string][]byte{
		"x.txt":   long,
		"x.jsonl": fmt.Appendf(nil, "{\"text\":\"%s\"}", long),
	}
	if !testing.Short() {
		contents["x.tsv"] = fmt.Appendf(nil, "text\n%s", long)
		contents["x.parquet"] = parquetOf(t, []line{{string(long)}})
	}
	for name, content := range contents {
		path := save(t, name, content)
		var got []Document
		var err error
		spent := allocated(func() { got, err = read(path, "") })
		if err != nil || len(got) != 1 || len(got[0].Text) != size {
			t.Errorf("%s: %d documents (%v)", name, len(got), err)
		}
		if spent > 900<<20 {
			t.Errorf("%s: %d bytes allocated", name, spent)
		}
	}
}

// counted counts what has been read of an endless text.
type counted struct {
	piece string
	bytes atomic.Int64 // another goroutine reads ahead
}

func (c *counted) Read(data []byte) (int, error) {
	n := 0
	for len(data)-n >= len(c.piece) {
		n += copy(data[n:], c.piece)
	}
	c.bytes.Add(int64(n))
	return n, nil
}

// A source that has no end gives what is asked for, and little more of it is read.
func TestNoMoreIsReadThanAskedFor(t *testing.T) {
	for kind, piece := range map[string]string{".txt": "a text<|endoftext|>", ".jsonl": "{\"text\":\"a text\"}\n", ".tsv": "text\n"} {
		from := &counted{piece: piece}
		n := 0
		for document, err := range (Source{Path: "-", From: from, Kind: kind}).Documents(t.Context()) {
			if err != nil || !strings.Contains(document.Text, "text") {
				t.Fatalf("%s: %q %v", kind, document.Text, err)
			}
			if n++; n == 10 {
				break
			}
		}
		if most, read := int64(4*blockSize), from.bytes.Load(); read > most {
			t.Errorf("%s: %d bytes read for %d documents, want at most %d", kind, read, n, most)
		}
	}
}

// The rows behind those that are asked for are not looked at: here they are damaged, in the same row group.
func TestParquetIsReadPageByPage(t *testing.T) {
	rows := make([]line, 1000)
	for i := range rows {
		rows[i].Text = fmt.Sprintf("row %d %s", i, strings.Repeat("z", 1000))
	}
	content := parquetOf(t, rows, parquet.PageBufferSize(8<<10))
	at := bytes.Index(content, []byte("row 900 "))
	page := bytes.LastIndex(content[:at], []byte("row 89"))
	if at < 0 || page < 0 {
		t.Fatal("rows not found")
	}
	for i := page; i < at+20000; i++ {
		content[i] = 0xff
	}
	path := save(t, "x.parquet", content)
	for name, stream := range map[string]func(int) error{
		"documents": func(most int) error {
			for document, err := range (Source{Path: path}).Documents(t.Context()) {
				if err != nil || document.Number == most {
					return err
				}
			}
			return nil
		},
		"rows": func(most int) error {
			for row, err := range (Source{Path: path}).Rows(t.Context()) {
				if err != nil || row.Number == most {
					return err
				}
			}
			return nil
		},
	} {
		if err := stream(100); err != nil {
			t.Errorf("%s: the first 100: %v", name, err)
		}
		if err := stream(1000); err == nil {
			t.Errorf("%s: damaged rows pass", name)
		}
	}
}

// silent gives some text and then nothing for ever.
type silent struct {
	text string
	held chan struct{}
}

func (s *silent) Read(data []byte) (int, error) {
	if s.text == "" {
		<-s.held
		return 0, io.EOF
	}
	n := copy(data, s.text)
	s.text = s.text[n:]
	return n, nil
}

// A read that waits ends with its context.
func TestCancelEndsAReadThatWaits(t *testing.T) {
	for _, name := range []string{"x", "x.gz", "x.zst"} {
		text := "one<|endoftext|>two"
		if filepath.Ext(name) != "" {
			packed, err := os.ReadFile(save(t, "x.txt"+filepath.Ext(name), []byte(strings.Repeat(text, 1000))))
			if err != nil {
				t.Fatal(err)
			}
			text = string(packed[:len(packed)-10])
		}
		from := &silent{text: text, held: make(chan struct{})}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		ended := make(chan error, 1)
		go func() {
			for _, err := range (Source{Path: name, From: from, Kind: ".txt"}).Documents(ctx) {
				if err != nil {
					ended <- err
				}
			}
		}()
		select {
		case err := <-ended:
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(time.Minute):
			t.Errorf("%s: still reading a minute after the context's end", name)
		}
		cancel()
		close(from.held)
	}
	for _, path := range []string{save(t, "x.parquet", parquetOf(t, []line{{"a"}})), save(t, "x.jsonl", []byte(`{"text":"a"}`)),
		save(t, "x.txt.zst", []byte("a"))} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, err := range (Source{Path: path}).Documents(ctx) {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}

// Lists whose repetition levels say that one row has millions of elements are refused before they are built.
func TestLongListsAreRefused(t *testing.T) {
	one := lines{Text: "a", Words: make([]string, maxElements+1)}
	path := save(t, "x.parquet", parquetOf(t, []lines{one}, parquet.Compression(&parquet.Zstd)))
	var err error
	spent := allocated(func() { _, err = list(path, nil) })
	if err == nil || !strings.Contains(err.Error(), "elements, want at most") && !strings.Contains(err.Error(), "unfold to") || spent > 300<<20 {
		t.Errorf("%d bytes allocated, error %v", spent, err)
	}
	// Long texts of a dictionary in one list.
	one = lines{Text: "a", Words: make([]string, 1000)}
	for i := range one.Words {
		one.Words[i] = strings.Repeat("w", 1<<20)
	}
	path = save(t, "x.parquet", parquetOf(t, []lines{one}))
	spent = allocated(func() { _, err = list(path, nil) })
	if err == nil || !strings.Contains(err.Error(), "1001 values of 1048576001 bytes") || spent > 300<<20 {
		t.Errorf("%d bytes allocated, error %v", spent, err)
	}
	few := make([]lines, 300)
	for i := range few {
		few[i] = lines{Text: "a", Words: strings.Fields(strings.Repeat("word ", i))}
	}
	rows, err := list(save(t, "x.parquet", parquetOf(t, few, parquet.PageBufferSize(100))), nil)
	if err != nil || len(rows) != 300 || strings.Count(rows[299], `"word"`) != 299 {
		t.Errorf("%d rows (%v)", len(rows), err)
	}
}

func TestSchemas(t *testing.T) {
	deep := make([]int64, maxNested+2)
	for i := range deep[:len(deep)-1] {
		deep[i] = 1
	}
	wide := make([]int64, maxColumns+2)
	wide[0] = maxColumns + 1
	for name, c := range map[string]struct {
		children []int64
		want     string
	}{
		"one column":           {[]int64{1, 0}, ""},
		"two groups":           {[]int64{2, 2, 0, 0, 1, 0}, ""},
		"negative":             {[]int64{-1, 0}, "damaged: a group of -1"},
		"more than there are":  {[]int64{3, 0}, "damaged: a group of 3"},
		"beyond what is there": {[]int64{1 << 40, 0}, "damaged: a group of 1099511627776"},
		"deep":                 {deep, "groups inside each other"},
		"wide":                 {wide, "columns"},
	} {
		err := checkSchema(c.children)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// Names that are no regular files are refused, without waiting.
func TestOnlyRegularFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"x.txt", "x.jsonl", "x.parquet", "x.txt.gz"} {
		path := filepath.Join(dir, name)
		if err := os.Symlink("/dev/zero", path); err != nil {
			t.Skipf("skipped: no links here: %v", err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Skip("skipped: no /dev/zero here")
		}
		if _, err := read(path, ""); err == nil || !strings.Contains(err.Error(), "a device, want a regular file") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := read("-", ""); err == nil || !strings.Contains(err.Error(), "want a name ending in") {
		t.Errorf("a name that the caller did not say is a reader: %v", err)
	}
}
