package mapped

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// within runs do and fails if it hangs.
func within(t *testing.T, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("still waiting after a minute")
	}
}

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("file", link); err != nil {
		t.Skipf("skipped: no links here: %v", err)
	}
	for _, path := range []string{file, link} {
		opened, err := OpenRegular(path)
		if err != nil {
			t.Fatal(err)
		}
		if content, err := io.ReadAll(opened); string(content) != "content" || err != nil {
			t.Errorf("%s: %q %v", path, content, err)
		}
		opened.Close()
	}
	cases := map[string]string{dir: "a folder", "/dev/zero": "a device", "/dev/null": "a device"}
	if pipe := filepath.Join(dir, "pipe"); makePipe(pipe) == nil {
		cases[pipe] = "a pipe"
	}
	if socket := filepath.Join(dir, "socket"); true {
		if listener, err := net.Listen("unix", socket); err == nil {
			defer listener.Close()
			cases[socket] = "a socket"
		}
	}
	for path, want := range cases {
		if _, err := os.Stat(path); err != nil {
			continue
		}
		to := filepath.Join(dir, "to "+filepath.Base(path))
		if err := os.Symlink(path, to); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{path, to} {
			within(t, func() {
				if _, err := OpenRegular(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
					t.Errorf("%s: error %v, want %s", path, err, want)
				}
				if _, err := ReadSmall(path, 10); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: error %v, want %s", path, err, want)
				}
			})
		}
	}
	for _, open := range []func(string) error{
		func(path string) error { _, err := OpenRegular(path); return err },
		func(path string) error { _, err := ReadSmall(path, 10); return err },
	} {
		if err := open(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("absent: %v", err)
		}
	}
}

func TestReadSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	for size := range 5 {
		content := bytes.Repeat([]byte("x"), size)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := ReadSmall(path, 3)
		switch {
		case size <= 3 && (err != nil || !bytes.Equal(got, content)):
			t.Errorf("%d bytes: %q %v", size, got, err)
		case size > 3 && (err == nil || !strings.Contains(err.Error(), "config.json: 4 bytes, want at most 3")):
			t.Errorf("%d bytes: error %v", size, err)
		}
	}
	// A file that says that it is empty and is not.
	const status = "/proc/self/status"
	if want, err := os.ReadFile(status); err == nil {
		if got, err := ReadSmall(status, 1<<20); err != nil || len(got) < len(want)/2 {
			t.Errorf("%s: %d bytes, want about %d (%v)", status, len(got), len(want), err)
		}
		if _, err := ReadSmall(status, 10); err == nil || !strings.Contains(err.Error(), "more than 10 bytes") {
			t.Errorf("%s: error %v", status, err)
		}
	}
}
