//go:build unix

package mapped

import "syscall"

// withoutWaiting opens a pipe at once, and a terminal without making it the process's own.
const withoutWaiting = syscall.O_NONBLOCK | syscall.O_NOCTTY
