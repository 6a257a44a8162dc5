//go:build amd64 || arm64

package filecalls

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Watch is a process being watched.
type Watch struct {
	listener int
	under    []string
	data     bool
	answer   Answer
	ended    chan error
}

// Start starts a program that calls Watched, and shows answer what it asks of files under some folders, whose names are without links. With data
// the bytes that it writes are shown too.
func Start(c *exec.Cmd, under []string, data bool, answer Answer) (*Watch, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("filecalls: %w", err)
	}
	defer unix.Close(pair[0])
	theirs := os.NewFile(uintptr(pair[1]), "listener")
	c.ExtraFiles = append(c.ExtraFiles, theirs)
	c.Env = append(c.Environ(), fmt.Sprintf("%s=%d", variable, 2+len(c.ExtraFiles)))
	err = c.Start()
	theirs.Close()
	if err != nil {
		return nil, fmt.Errorf("filecalls: %w", err)
	}
	rights := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(pair[0], make([]byte, 1), rights, unix.MSG_CMSG_CLOEXEC)
	listener := -1
	if err == nil {
		listener, err = one(rights[:n])
	}
	if err != nil {
		_ = c.Process.Kill()
		_ = c.Wait()
		return nil, fmt.Errorf("filecalls: the process has not given its listener: %w", err)
	}
	w := &Watch{listener: listener, under: under, data: data, answer: answer, ended: make(chan error, 1)}
	go func() { w.ended <- w.serve() }()
	return w, nil
}

func one(rights []byte) (int, error) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return -1, err
	}
	if len(messages) != 1 {
		return -1, errors.New("it ended, or this kernel has no such filter")
	}
	descriptors, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(descriptors) != 1 {
		return -1, errors.Join(err, fmt.Errorf("%d descriptors", len(descriptors)))
	}
	return descriptors[0], nil
}

// Wait waits until nobody is left to be watched; it follows the process's own Wait.
func (w *Watch) Wait() error { return <-w.ended }

// notice and reply are the kernel's struct seccomp_notif and seccomp_notif_resp.
type notice struct {
	id          uint64
	thread      uint32
	flags       uint32
	number      int32
	arch        uint32
	instruction uint64
	arguments   [6]uint64
}

type reply struct {
	id    uint64
	value int64
	fault int32
	flags uint32
}

const (
	receive   = 0xc0502100 // SECCOMP_IOCTL_NOTIF_RECV
	send      = 0xc0182101 // SECCOMP_IOCTL_NOTIF_SEND
	goOn      = 1          // SECCOMP_USER_NOTIF_FLAG_CONTINUE
	maxString = 4096
)

func (w *Watch) serve() error {
	defer unix.Close(w.listener)
	for {
		poll := []unix.PollFd{{Fd: int32(w.listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err == unix.EINTR {
			continue
		} else if err != nil {
			return fmt.Errorf("filecalls: %w", err)
		}
		if poll[0].Revents&unix.POLLIN == 0 {
			return nil // all have ended
		}
		var n notice
		if err := control(w.listener, receive, unsafe.Pointer(&n)); err == unix.ENOENT || err == unix.EINTR {
			continue // the thread was killed meanwhile
		} else if err != nil {
			return fmt.Errorf("filecalls: %w", err)
		}
		r := reply{id: n.id, flags: goOn}
		call, found := w.read(&n)
		if found && w.below(call) {
			if fault := w.answer(call); fault != 0 {
				r.fault, r.flags = -int32(fault), 0
			}
		}
		if err := control(w.listener, send, unsafe.Pointer(&r)); err != nil && err != unix.ENOENT {
			return fmt.Errorf("filecalls: %w", err)
		}
	}
}

func control(descriptor int, what uintptr, with unsafe.Pointer) error {
	if _, _, failed := unix.Syscall(unix.SYS_IOCTL, uintptr(descriptor), what, uintptr(with)); failed != 0 {
		return failed
	}
	return nil
}

// below reports whether a call is about something in the watched folders.
func (w *Watch) below(c Call) bool {
	for _, folder := range w.under {
		for _, path := range []string{c.Path, c.To} {
			if path == folder || strings.HasPrefix(path, folder+"/") {
				return true
			}
		}
	}
	return false
}

// read takes a call apart.
func (w *Watch) read(n *notice) (Call, bool) {
	a := n.arguments
	c := Call{At: -1}
	switch n.number {
	case unix.SYS_OPENAT:
		c.Kind, c.Path = Open, n.path(a[0], a[1])
		if flags := a[2]; flags&unix.O_CREAT != 0 {
			c.Kind, c.Exclusive, c.Truncates = Create, flags&unix.O_EXCL != 0, flags&unix.O_TRUNC != 0
		}
	case unix.SYS_READ, unix.SYS_PREAD64:
		c.Kind, c.Path = Read, n.descriptor(a[0])
	case unix.SYS_COPY_FILE_RANGE:
		c.Kind, c.Path = Write, n.descriptor(a[2])
	case unix.SYS_SENDFILE:
		c.Kind, c.Path = Write, n.descriptor(a[0])
	case unix.SYS_GETDENTS64:
		c.Kind, c.Path = List, n.descriptor(a[0])
	case unix.SYS_WRITE, unix.SYS_PWRITE64:
		c.Kind, c.Path = Write, n.descriptor(a[0])
		if n.number == unix.SYS_PWRITE64 {
			c.At = int64(a[3])
		}
		if w.data && w.below(c) {
			c.Data = n.memory(a[1], int(a[2]))
		}
	case unix.SYS_FSYNC, unix.SYS_FDATASYNC:
		c.Kind, c.Path = Sync, n.descriptor(a[0])
	case unix.SYS_FTRUNCATE:
		c.Kind, c.Path, c.Size = Truncate, n.descriptor(a[0]), int64(a[1])
	case unix.SYS_FLOCK:
		c.Kind, c.Path = Lock, n.descriptor(a[0])
	case unix.SYS_MKDIRAT:
		c.Kind, c.Path = Folder, n.path(a[0], a[1])
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		c.Kind, c.Path, c.To = Rename, n.path(a[0], a[1]), n.path(a[2], a[3])
		if n.number == unix.SYS_RENAMEAT2 {
			c.Exchange, c.NoReplace = a[4]&unix.RENAME_EXCHANGE != 0, a[4]&unix.RENAME_NOREPLACE != 0
		}
	case unix.SYS_LINKAT:
		c.Kind, c.Path, c.To = Link, n.path(a[0], a[1]), n.path(a[2], a[3])
	case unix.SYS_UNLINKAT:
		if c.Kind, c.Path = Remove, n.path(a[0], a[1]); a[2]&unix.AT_REMOVEDIR != 0 {
			c.Kind = Removed
		}
	default:
		return c, false
	}
	return c, c.Path != ""
}

// descriptor is the name of what a descriptor is open on; "" where it has none.
func (n *notice) descriptor(number uint64) string {
	name, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", n.thread, int32(number)))
	if err != nil || !filepath.IsAbs(name) {
		return ""
	}
	return strings.TrimSuffix(name, " (deleted)")
}

// path is a name that a call gives, whole.
func (n *notice) path(folder, address uint64) string {
	text := n.memory(address, maxString)
	end := bytes.IndexByte(text, 0)
	if end < 0 {
		return ""
	}
	name := string(text[:end])
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	base, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", n.thread))
	if int32(folder) != unix.AT_FDCWD {
		base, err = n.descriptor(folder), nil
	}
	if err != nil || base == "" {
		return ""
	}
	return filepath.Join(base, name)
}

// memory is what the process has at an address: less than count bytes where a page is not there.
func (n *notice) memory(address uint64, count int) []byte {
	out := make([]byte, count)
	got := 0
	for got < count {
		// To the end of a page at most: the next one may belong to nobody.
		length := min(count-got, os.Getpagesize()-int((address+uint64(got))%uint64(os.Getpagesize())))
		local := []unix.Iovec{{Base: &out[got], Len: uint64(length)}}
		remote := []unix.RemoteIovec{{Base: uintptr(address) + uintptr(got), Len: length}}
		m, err := unix.ProcessVMReadv(int(n.thread), local, remote, 0)
		if err != nil || m <= 0 {
			break
		}
		got += m
	}
	return out[:got]
}
