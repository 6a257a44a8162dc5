//go:build unix

package yardstick

import (
	"syscall"
	"time"
)

// ProcessorTime is what this process has used so far, all threads together; 0 where that is not known.
func ProcessorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
