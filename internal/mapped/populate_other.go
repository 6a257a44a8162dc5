//go:build darwin || freebsd || netbsd || openbsd || dragonfly

package mapped

import "golang.org/x/sys/unix"

func populate([]byte) error { return unix.ENOTSUP }
