package command

// The moments at which a process is killed. A moment of the clock comes anywhere, most often while something is computed; the moment of a change
// comes between two steps of writing a file, where a torn or stray one would come from.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// moment is when to kill: at the n-th change below the watched folders, or else after some time. The zero value is never.
type moment struct {
	change int64
	after  time.Duration
}

func (m moment) String() string {
	switch {
	case m.change > 0:
		return fmt.Sprintf("change %d", m.change)
	case m.after > 0:
		return m.after.String()
	}
	return "the end"
}

// span is how long a run lasts, in both measures.
type span struct {
	changes int64
	lasts   time.Duration
}

// draw takes a moment of a run, of the one kind or of the other.
func (s span) draw(r *rand.Rand, change bool) moment {
	if change && s.changes > 0 {
		return moment{change: 1 + r.Int64N(s.changes)}
	}
	return moment{after: 1 + time.Duration(r.Int64N(int64(s.lasts)))}
}

// ended is what a process came to.
type ended struct {
	span
	killed bool
	stdout string
}

// killedAt runs the program in a folder until a moment.
func killedAt(t *testing.T, folder, temporary string, at moment, arguments ...string) ended {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c := exec.CommandContext(t.Context(), os.Args[0], arguments...)
	c.Dir, c.Stdout, c.Stderr = folder, &stdout, &stderr
	c.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+temporary)
	counted, stop := changes(t, folder, func(n int64) {
		if n == at.change {
			_ = c.Process.Kill()
		}
	})
	began := time.Now()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if at.after > 0 {
		timer := time.AfterFunc(at.after, func() { _ = c.Process.Kill() })
		defer timer.Stop()
	}
	err := c.Wait()
	e := ended{span{0, time.Since(began)}, err != nil, stdout.String()}
	stop()
	e.changes = counted.Load()
	if err != nil && (at == moment{} || c.ProcessState.Exited()) {
		t.Fatalf("%v, to be killed at %v: %v: %s", arguments, at, err, &stderr)
	}
	return e
}

const watched = unix.IN_CREATE | unix.IN_MODIFY | unix.IN_CLOSE_WRITE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE

// changes calls on at every change below a folder, by its number from 1, until it is stopped.
func changes(t *testing.T, folder string, on func(n int64)) (counted *atomic.Int64, stop func()) {
	t.Helper()
	descriptor, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(descriptor), "changes")
	folders := map[int32]string{}
	watch := func(path string) {
		if wd, err := unix.InotifyAddWatch(descriptor, path, watched); err == nil { // it may be gone again
			folders[int32(wd)] = path
		}
	}
	watch(folder)
	for _, path := range tree(t, folder) {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			watch(path)
		}
	}
	counted = &atomic.Int64{}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		buffer := make([]byte, 1<<16)
		for {
			n, err := file.Read(buffer)
			if err != nil {
				return
			}
			for at := 0; at+unix.SizeofInotifyEvent <= n; {
				wd, mask := int32(binary.NativeEndian.Uint32(buffer[at:])), binary.NativeEndian.Uint32(buffer[at+4:])
				length := int(binary.NativeEndian.Uint32(buffer[at+12:]))
				at += unix.SizeofInotifyEvent
				name := strings.TrimRight(string(buffer[at:at+length]), "\x00")
				at += length
				if mask&watched == 0 {
					continue
				}
				if mask&unix.IN_ISDIR != 0 && mask&(unix.IN_CREATE|unix.IN_MOVED_TO) != 0 {
					watch(filepath.Join(folders[wd], name))
				}
				on(counted.Add(1))
			}
		}
	}()
	return counted, func() {
		file.Close()
		<-finished
	}
}
