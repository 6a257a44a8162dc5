//go:build !unix

package command

import "time"

// unread waits for a time; whether a pipe is read shows when it is written to.
func unread(_ uintptr, milliseconds int) bool {
	time.Sleep(time.Duration(milliseconds) * time.Millisecond)
	return false
}
