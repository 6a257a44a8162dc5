// Package kernels holds the compiled form of the CUDA kernels in this folder. Every .cu file is compiled to PTX, NVIDIA's portable assembly, by
// the CMake target "ptx"; the result is committed, so that no program of NVIDIA's is needed to build or to test.
package kernels

import (
	"embed"
	"strings"
)

//go:embed ptx/*.ptx
var files embed.FS

// PTX is the compiled form of a source, which is named relative to this folder: "add.cu" is for GPUs of compute capability 8.0 and later, what
// lies in hopper for those of 9.0 alone. The driver makes machine code of it when it is loaded, which takes a while: load what is needed.
func PTX(source string) (string, error) {
	text, err := files.ReadFile("ptx/" + fileOf(source) + ".ptx")
	return string(text), err
}

// fileOf is the name of a source's compiled form.
func fileOf(source string) string {
	name, target := strings.TrimSuffix(source, ".cu"), "sm_80"
	if strings.HasPrefix(name, "hopper/") {
		target = "sm_90a"
	}
	return strings.ReplaceAll(name, "/", "_") + "." + target
}
