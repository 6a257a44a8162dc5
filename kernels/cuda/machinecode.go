package kernels

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Machine code, for GPUs that a program need not compile for: the command machinecode makes it, the tag machinecode puts it into the program.

// served says, for a compute capability, whose machine code runs there: that of the same major version and no later minor one.
func served(major, minor int) (capability string, found bool) {
	for _, known := range []struct {
		major, minor int
		name         string
	}{{12, 0, "120"}, {10, 0, "100"}, {9, 0, "90"}, {8, 9, "89"}, {8, 6, "86"}, {8, 0, "80"}} {
		if known.major == major && known.minor <= minor {
			return known.name, true
		}
	}
	return "", false
}

var (
	unpacking sync.Mutex
	unpacked  = map[string]map[string][]byte{} // by capability, by the name of the PTX
)

// MachineCode is the machine code of a source for GPUs of a compute capability; nil where the program holds none, and the PTX has to serve.
func MachineCode(source string, major, minor int) ([]byte, error) {
	capability, found := served(major, minor)
	if !found {
		return nil, nil
	}
	unpacking.Lock()
	defer unpacking.Unlock()
	modules, known := unpacked[capability]
	if !known {
		var err error
		if modules, err = unpack(archives(capability)); err != nil {
			return nil, fmt.Errorf("machine code of sm_%s: %w", capability, err)
		}
		unpacked[capability] = modules
	}
	return modules[fileOf(source)], nil
}

// unpack reads an archive.
func unpack(packed []byte) (map[string][]byte, error) {
	modules := map[string][]byte{}
	if packed == nil {
		return modules, nil
	}
	plain, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	for list := tar.NewReader(plain); ; {
		head, err := list.Next()
		if err == io.EOF {
			return modules, nil
		}
		if err != nil {
			return nil, err
		}
		if modules[head.Name], err = io.ReadAll(list); err != nil {
			return nil, err
		}
	}
}
