// Command machinecode assembles the committed PTX with NVIDIA's ptxas for every GPU there is machine code for, and writes an archive a compute
// capability beside itself, which the tag machinecode puts into the program:
//
//	go run avssnative/kernels/cuda/machinecode FOLDER_OF_PTXAS [FOLDER OF kernels/cuda]
//	go build -tags machinecode ./cmd/avssnative
//
// The archives are not committed: they are ptxas's words, hundreds of kilobytes for what the PTX says in full, and the driver makes its own.
package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// targets are the compute capabilities, and what their machine code is made of.
var targets = map[string][]string{
	"80": {"sm_80"}, "86": {"sm_80"}, "89": {"sm_80"}, "90": {"sm_80", "sm_90a"}, "100": {"sm_80"}, "120": {"sm_80"},
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: machinecode FOLDER_OF_PTXAS [FOLDER OF kernels/cuda]")
		os.Exit(2)
	}
	folder := "kernels/cuda"
	if len(os.Args) > 2 {
		folder = os.Args[2]
	}
	for capability := range targets {
		bytes, err := archive(filepath.Join(os.Args[1], "ptxas"), folder, capability)
		file := filepath.Join(folder, "machinecode", "sm_"+capability+".tar.zst")
		if err == nil {
			err = os.WriteFile(file, bytes, 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "machinecode:", err)
			os.Exit(1)
		}
		fmt.Printf("%s: %d bytes\n", file, len(bytes))
	}
}

// archive is a compressed tar of the machine code of every module, named as the PTX is.
func archive(ptxas, folder, capability string) ([]byte, error) {
	scratch, err := os.MkdirTemp("", "machinecode")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	var packed bytes.Buffer
	squeezed, err := zstd.NewWriter(&packed, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	list := tar.NewWriter(squeezed)
	for _, target := range targets[capability] {
		files, err := filepath.Glob(filepath.Join(folder, "ptx", "*."+target+".ptx"))
		if err != nil || len(files) == 0 {
			return nil, fmt.Errorf("%s: no PTX for %s (%v)", folder, target, err)
		}
		slices.Sort(files)
		part := "sm_" + capability
		if target == "sm_90a" {
			part = target
		}
		for _, file := range files {
			cubin := filepath.Join(scratch, "x.cubin")
			if said, err := exec.Command(ptxas, "-arch="+part, file, "-o", cubin).CombinedOutput(); err != nil {
				return nil, fmt.Errorf("%s for %s: %w: %s", file, part, err, bytes.TrimSpace(said))
			}
			code, err := os.ReadFile(cubin)
			if err != nil {
				return nil, err
			}
			name := strings.TrimSuffix(filepath.Base(file), ".ptx")
			if err := list.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(code)), Format: tar.FormatUSTAR}); err != nil {
				return nil, err
			}
			if _, err := list.Write(code); err != nil {
				return nil, err
			}
		}
	}
	if err := list.Close(); err != nil {
		return nil, err
	}
	if err := squeezed.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
