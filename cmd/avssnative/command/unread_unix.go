//go:build unix

package command

import "golang.org/x/sys/unix"

// unread waits for a time and says whether a descriptor is of a pipe that nobody reads any more.
func unread(descriptor uintptr, milliseconds int) bool {
	watched := []unix.PollFd{{Fd: int32(descriptor)}}
	n, err := unix.Poll(watched, milliseconds)
	return err == nil && n > 0 && watched[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
}
