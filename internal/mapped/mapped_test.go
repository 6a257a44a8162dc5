package mapped

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func write(t *testing.T, size int) (string, []byte) {
	t.Helper()
	content := make([]byte, size)
	random := rand.New(rand.NewPCG(1, uint64(size)))
	for i := range content {
		content[i] = byte(random.Uint32())
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path, content
}

func TestMappingEqualsReading(t *testing.T) {
	page := os.Getpagesize()
	for _, size := range []int{0, 1, page - 1, page, page + 1, 5*page + 7} {
		path, content := write(t, size)
		mapping, err := Open(path)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		copied, err := read(file, size)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		file.Close()
		if !bytes.Equal(mapping.Bytes(), copied) || !bytes.Equal(copied, content) {
			t.Errorf("%d bytes: mapping, reading and content differ", size)
		}
		if err := mapping.Close(); err != nil {
			t.Errorf("%d bytes: close: %v", size, err)
		}
		if err := mapping.Close(); err != nil || mapping.Bytes() != nil {
			t.Errorf("%d bytes: second close: %v, bytes %v", size, err, mapping.Bytes())
		}
	}
}

func TestReadFindsShortFile(t *testing.T) {
	if _, err := read(strings.NewReader("abc"), 4); err == nil || !strings.Contains(err.Error(), "3 of 4 bytes") {
		t.Errorf("error %v, want 3 of 4 bytes", err)
	}
}

// Advice changes when bytes are in memory, never what they are.
func TestAdvise(t *testing.T) {
	page := int64(os.Getpagesize())
	path, content := write(t, int(8*page+100))
	mapping, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer mapping.Close()
	size := int64(len(content))
	for _, advice := range []Advice{WillNeed, Populate, DontNeed} {
		for _, r := range [][2]int64{{0, size}, {0, 0}, {size, 0}, {1, 1}, {page - 1, 2}, {page + 1, 3 * page}, {7 * page, page + 100}} {
			if err := mapping.Advise(r[0], r[1], advice); err != nil {
				t.Errorf("advice %d for %v: %v", advice, r, err)
			}
			if !bytes.Equal(mapping.Bytes(), content) {
				t.Fatalf("advice %d for %v changed the bytes", advice, r)
			}
		}
		for _, r := range [][2]int64{{-1, 1}, {0, -1}, {0, size + 1}, {size + 1, 0}, {1, math.MaxInt64}, {math.MaxInt64, math.MaxInt64}} {
			if err := mapping.Advise(r[0], r[1], advice); err == nil {
				t.Errorf("advice %d for %v of %d bytes: no error", advice, r, size)
			}
		}
	}
	if err := mapping.Advise(0, 1, Advice(9)); err == nil {
		t.Error("unknown advice: no error")
	}
}

func TestCheckFindsChange(t *testing.T) {
	path, content := write(t, 1000)
	mapping, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer mapping.Close()
	if err := mapping.Check(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 10); runtime.GOOS == "windows" {
		if err == nil {
			t.Error("a mapped file was cut short")
		}
		return // Windows keeps a mapped file as it is
	} else if err != nil {
		t.Fatal(err)
	}
	if err := mapping.Check(); err == nil || !strings.Contains(err.Error(), "cut short while it was read: 10 bytes, but it had 1000") {
		t.Errorf("after truncation: %v", err)
	}
	// The same name and size, but another file.
	other := path + ".other"
	if err := os.WriteFile(other, content, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	if err := mapping.Check(); err == nil || !strings.Contains(err.Error(), "changed") {
		t.Errorf("after replacement: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := mapping.Check(); err == nil {
		t.Error("after removal: no error")
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "a folder, want a regular file") {
		t.Errorf("folder: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "absent")); err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	if _, err := os.Stat("/dev/null"); err == nil {
		if _, err := Open("/dev/null"); err == nil || !strings.Contains(err.Error(), "a device") {
			t.Errorf("device: %v", err)
		}
	}
}
