// Package kernels holds the compiled form of the CUDA kernels in this folder. The .cu files are compiled to PTX, NVIDIA's portable
// assembly, by the CMake target "ptx"; the result is committed, so that no program of NVIDIA's is needed to build or to test.
package kernels

import _ "embed"

// SM80 is the PTX of every kernel, for GPUs of compute capability 8.0 and later.
//
//go:embed ptx/sm_80.ptx
var SM80 string

// SM90A is the PTX of the kernels in hopper, for GPUs of compute capability 9.0 alone.
//
//go:embed ptx/sm_90a.ptx
var SM90A string
