//go:build unix

package command

import (
	"os"

	"golang.org/x/sys/unix"
)

// unread waits for a time and says whether a file is a pipe that nobody reads any more.
func unread(file *os.File, milliseconds int) bool {
	watched := []unix.PollFd{{Fd: int32(file.Fd())}}
	n, err := unix.Poll(watched, milliseconds)
	return err == nil && n > 0 && watched[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
}
