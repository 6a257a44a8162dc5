package mapped

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestWriteIsWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, text := range []string{"first", "second"} {
		if err := Write(path, func(w io.Writer) error { _, err := io.WriteString(w, text); return err }); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v, want %q", got, err, text)
		}
	}
	broken := errors.New("broken")
	if err := Write(path, func(w io.Writer) error { io.WriteString(w, "third"); return broken }); err != broken {
		t.Errorf("error %v, want %v", err, broken)
	}
	if got, _ := os.ReadFile(path); string(got) != "second" {
		t.Errorf("%q after an error, want the old content", got)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d files left, want 1", len(entries))
	}
	if err := Write(filepath.Join(dir, "absent", "file"), func(io.Writer) error { return nil }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent folder: %v", err)
	}
}

func TestStreamCounts(t *testing.T) {
	give := func(n int) func(io.Writer) error {
		return func(w io.Writer) error { _, err := w.Write(make([]byte, n)); return err }
	}
	for _, c := range []struct {
		given int
		want  string
	}{{9, "9 of 10 bytes given"}, {10, ""}, {11, "more bytes given than its size says"}} {
		var out bytes.Buffer
		err := Stream(context.Background(), &out, 10, give(c.given))
		if (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("%d bytes given: %v, want %s", c.given, err, c.want)
		}
		if out.Len() > 10 {
			t.Errorf("%d bytes passed on", out.Len())
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Stream(ctx, io.Discard, 10, give(10)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestCopyTo(t *testing.T) {
	path, content := write(t, chunk+12345)
	mapping, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer mapping.Close()
	var out bytes.Buffer
	if err := mapping.CopyTo(&out, 77, int64(len(content)-77)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), content[77:]) {
		t.Error("the copy differs")
	}
	if err := mapping.CopyTo(io.Discard, 1, int64(len(content))); err == nil {
		t.Error("past the end: no error")
	}
}

// Several writers of one file of the program's own: each succeeds, and what stands there at the end is one of them, whole.
func TestWritersOfOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shared")
	errs := make(chan error, 8)
	for i := range cap(errs) {
		go func() {
			data := bytes.Repeat([]byte{byte('a' + i)}, 5000)
			var err error
			for range 20 {
				err = errors.Join(err, WriteBytes(path, data))
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil || len(data) != 5000 || !bytes.Equal(data, bytes.Repeat(data[:1], 5000)) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}
