//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly || windows)

package mapped

import "os"

func load(file *os.File, size int) ([]byte, error) { return read(file, size) }

func unload([]byte) error { return nil }

func advise([]byte, Advice) error { return nil }
