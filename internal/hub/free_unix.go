//go:build linux || darwin

package hub

import (
	"os"

	"golang.org/x/sys/unix"
)

// freeBytes is the room that the file's disk has for this user.
func freeBytes(file *os.File) (free int64, known bool) {
	var stat unix.Statfs_t
	if unix.Fstatfs(int(file.Fd()), &stat) != nil {
		return 0, false
	}
	blocks, size := stat.Bavail, uint64(stat.Bsize)
	if size > 0 && blocks > (1<<62)/size {
		return 1 << 62, true
	}
	return int64(blocks * size), true
}
