package command

// A disk whose pages cannot be read from some place on, under files that are mapped: what read errors of system calls cannot show. It is a file
// system of the test's own, served over /dev/fuse to the program in a process of its own, with as much of the kernel's protocol (version 7.31) as
// reading a folder of files takes.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"avssnative/internal/need"

	"golang.org/x/sys/unix"
)

// brokenDisk is a folder of files, one of which cannot be read from some byte on.
type brokenDisk struct {
	device *os.File
	names  []string
	files  [][]byte
	broken int          // the index of that file
	until  atomic.Int64 // its first byte that cannot be read
	failed atomic.Int64 // how often that was tried
}

// brokenAt serves what a folder holds.
func brokenAt(t *testing.T, folder, name string) (mounted string, disk *brokenDisk) {
	t.Helper()
	disk = &brokenDisk{}
	for _, path := range tree(t, folder) {
		disk.names, disk.files = append(disk.names, filepath.Base(path)), append(disk.files, []byte(readFile(t, path)))
	}
	disk.broken = slices.Index(disk.names, name)
	disk.until.Store(int64(len(disk.files[disk.broken])))
	mounted = filepath.Join(t.TempDir(), "mounted")
	if err := os.Mkdir(mounted, 0o700); err != nil {
		t.Fatal(err)
	}
	descriptor, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		need.Missing(t, "/dev/fuse: "+err.Error())
	}
	err = unix.Mount("avssnative-test", mounted, "fuse", unix.MS_RDONLY, fmt.Sprintf("fd=%d,rootmode=40000,user_id=%d,group_id=%d", descriptor, os.Getuid(), os.Getgid()))
	if err != nil {
		unix.Close(descriptor)
		need.Missing(t, "a mount of a file system of its own (root): "+err.Error())
	}
	disk.device = os.NewFile(uintptr(descriptor), "/dev/fuse")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		disk.serve()
	}()
	t.Cleanup(func() {
		if err := unix.Unmount(mounted, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
		<-ended
		disk.device.Close()
	})
	return mounted, disk
}

const (
	askedHead    = 40
	answeredHead = 16
	firstFile    = 2 // the number of the first file; 1 is the folder
	forever      = 3600
)

func (d *brokenDisk) serve() {
	buffer := make([]byte, 1<<20)
	for {
		n, err := unix.Read(int(d.device.Fd()), buffer)
		if err == unix.EINTR || err == unix.ENOENT {
			continue
		}
		if err != nil { // ENODEV: no longer mounted
			return
		}
		operation := binary.NativeEndian.Uint32(buffer[4:])
		if operation == 2 || operation == 36 || operation == 42 { // FORGET, INTERRUPT, BATCH_FORGET have no answer
			continue
		}
		node := binary.NativeEndian.Uint64(buffer[16:])
		answer, fault := d.answer(operation, node, buffer[askedHead:n])
		head := make([]byte, 0, answeredHead+len(answer))
		head = binary.NativeEndian.AppendUint32(head, uint32(answeredHead+len(answer)))
		head = binary.NativeEndian.AppendUint32(head, uint32(-int32(fault)))
		head = append(head, buffer[8:16]...) // which question it answers
		_, _ = unix.Write(int(d.device.Fd()), append(head, answer...))
	}
}

// answer is what a question of the kernel's gets.
func (d *brokenDisk) answer(operation uint32, node uint64, asked []byte) ([]byte, unix.Errno) {
	words := func(values ...any) []byte {
		var b bytes.Buffer
		for _, v := range values {
			if err := binary.Write(&b, binary.NativeEndian, v); err != nil {
				panic(err)
			}
		}
		return b.Bytes()
	}
	switch operation {
	case 1: // LOOKUP
		i := slices.Index(d.names, string(bytes.TrimRight(asked, "\x00")))
		if i < 0 {
			return nil, unix.ENOENT
		}
		return append(words(uint64(firstFile+i), uint64(0), uint64(forever), uint64(forever), uint64(0)), d.attributes(uint64(firstFile+i))...), 0
	case 3: // GETATTR
		return append(words(uint64(forever), uint64(0)), d.attributes(node)...), 0
	case 14, 27: // OPEN, OPENDIR
		return words(uint64(0), uint64(0)), 0
	case 15: // READ
		return d.read(int(node)-firstFile, int64(binary.NativeEndian.Uint64(asked[8:])), int64(binary.NativeEndian.Uint32(asked[16:])))
	case 17: // STATFS
		return make([]byte, 80), 0
	case 18, 25, 29, 34, 38: // RELEASE, FLUSH, RELEASEDIR, ACCESS, DESTROY
		return nil, 0
	case 26: // INIT
		return words(uint32(7), uint32(31), uint32(1<<17), make([]byte, 12), uint32(1<<17), uint32(1), make([]byte, 32)), 0
	case 28: // READDIR
		return d.list(int(binary.NativeEndian.Uint64(asked[8:])), int(binary.NativeEndian.Uint32(asked[16:]))), 0
	}
	return nil, unix.ENOSYS
}

// attributes are the kernel's struct fuse_attr of the folder or a file.
func (d *brokenDisk) attributes(node uint64) []byte {
	size, mode, links := uint64(0), uint32(unix.S_IFDIR|0o755), uint32(2)
	if node >= firstFile {
		size, mode, links = uint64(len(d.files[node-firstFile])), unix.S_IFREG|0o644, 1
	}
	out := binary.NativeEndian.AppendUint64(nil, node)
	out = binary.NativeEndian.AppendUint64(out, size)
	out = binary.NativeEndian.AppendUint64(out, (size+511)/512)
	out = append(out, make([]byte, 3*8+3*4)...) // times
	for _, v := range []uint32{mode, links, uint32(os.Getuid()), uint32(os.Getgid()), 0, 4096, 0} {
		out = binary.NativeEndian.AppendUint32(out, v)
	}
	return out
}

func (d *brokenDisk) read(file int, offset, size int64) ([]byte, unix.Errno) {
	if file < 0 || file >= len(d.files) {
		return nil, unix.EISDIR
	}
	data := d.files[file]
	first, end := min(offset, int64(len(data))), min(offset+size, int64(len(data)))
	if file == d.broken && end > d.until.Load() {
		d.failed.Add(1)
		return nil, unix.EIO
	}
	return data[first:end], 0
}

// list is the names from the n-th on, as many as fit.
func (d *brokenDisk) list(first, size int) []byte {
	var out []byte
	for i := first; i < len(d.names); i++ {
		entry := binary.NativeEndian.AppendUint64(nil, uint64(firstFile+i))
		entry = binary.NativeEndian.AppendUint64(entry, uint64(i+1))
		entry = binary.NativeEndian.AppendUint32(entry, uint32(len(d.names[i])))
		entry = binary.NativeEndian.AppendUint32(entry, unix.DT_REG)
		entry = append(entry, d.names[i]...)
		entry = append(entry, make([]byte, -len(entry)&7)...)
		if len(out)+len(entry) > size {
			break
		}
		out = append(out, entry...)
	}
	return out
}

// The weights' pages fail in the middle of the file: the program says which file it is, in one line, and nothing is written.
func TestPagesThatCannotBeRead(t *testing.T) {
	folder, disk := brokenAt(t, demoFolder(t), "model.safetensors")
	out := t.TempDir()
	jobs := [][]string{
		{"score", "--calib-tokens=100", "--seq-len=50", "--out", filepath.Join(out, "scores.json"), "--resume", filepath.Join(out, "state")},
		{"eval", "--limit=2", "--samples", filepath.Join(out, "samples.jsonl")},
		{"prune", "--drop=2,3", "--out", filepath.Join(out, "pruned")},
		{"generate", "--prompt=Tom has", "--tokens=4"},
	}
	c, complaints := program(t, append(jobs[0], "--model", folder)...)
	if code := exitCode(c.Run()); code != exitDone {
		t.Fatalf("on a disk that is well: exit code %d: %s", code, complaints)
	}
	if err := os.RemoveAll(out); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(out, 0o700); err != nil {
		t.Fatal(err)
	}
	disk.until.Store(int64(len(disk.files[disk.broken]) / 2))
	dropPages(t, filepath.Join(folder, "model.safetensors"))
	for _, job := range jobs {
		before := disk.failed.Load()
		c, complaints := program(t, append(job, "--model", folder)...)
		code, said := exitCode(c.Run()), strings.Split(strings.TrimSuffix(complaints.String(), "\n"), "\n")
		if line := said[len(said)-1]; code != exitFailed || !strings.HasPrefix(line, "avssnative: ") || !strings.Contains(line, "model.safetensors") {
			t.Errorf("%v: exit code %d: %s", job, code, complaints)
		}
		if strings.Contains(complaints.String(), "goroutine ") || disk.failed.Load() == before {
			t.Errorf("%v: %d reads failed: %s", job, disk.failed.Load()-before, complaints)
		}
		for _, path := range tree(t, out) {
			if path != filepath.Join(out, "state") {
				t.Errorf("%v: %s is left behind", job, path)
			}
		}
	}
}

// dropPages lets the kernel forget what it has of a file.
func dropPages(t *testing.T, path string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
}
