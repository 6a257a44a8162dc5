//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package mapped

import (
	"os"

	"golang.org/x/sys/unix"
)

func load(file *os.File, size int) ([]byte, error) {
	data, err := unix.Mmap(int(file.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return data, nil
}

func unload(data []byte) error { return os.NewSyscallError("munmap", unix.Munmap(data)) }

func advise(data []byte, advice Advice) error {
	how := unix.MADV_WILLNEED
	switch advice {
	case Populate:
		if populate(data) == nil {
			return nil
		}
	case DontNeed:
		how = unix.MADV_DONTNEED
	}
	return os.NewSyscallError("madvise", unix.Madvise(data, how))
}
