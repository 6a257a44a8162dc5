//go:build amd64 || arm64

package filecalls

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// variable tells the watched process the descriptor over which it gives its listener away.
const variable = "AVSSNATIVE_TEST_FILECALLS"

// seen are the system calls that stop for the watcher.
var seen = []uint32{unix.SYS_OPENAT, unix.SYS_READ, unix.SYS_PREAD64, unix.SYS_COPY_FILE_RANGE, unix.SYS_SENDFILE, unix.SYS_GETDENTS64, unix.SYS_WRITE,
	unix.SYS_PWRITE64, unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_FTRUNCATE, unix.SYS_MKDIRAT, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_LINKAT,
	unix.SYS_UNLINKAT, unix.SYS_FLOCK}

// Watched puts this process under its watcher, if it was started by one. It ends the process where it cannot.
func Watched() {
	descriptor, err := strconv.Atoi(os.Getenv(variable))
	if err != nil {
		return
	}
	os.Unsetenv(variable)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := give(descriptor); err != nil {
		fmt.Fprintln(os.Stderr, "filecalls:", err)
		os.Exit(127)
	}
}

// give installs the filter on all threads and sends its listener.
func give(descriptor int) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}} // the call's number
	for i, number := range seen {
		filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: uint8(len(seen) - i), K: number})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	flags := unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER |
		unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	listener, _, failed := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(flags), uintptr(unsafe.Pointer(&program)))
	if failed != 0 {
		return fmt.Errorf("seccomp: %w", failed)
	}
	if err := unix.Sendmsg(descriptor, []byte{0}, unix.UnixRights(int(listener)), nil, 0); err != nil {
		return fmt.Errorf("giving the listener away: %w", err)
	}
	// The watcher alone holds the listener: with it the waiting calls end.
	return unix.Close(int(listener))
}
