//go:build !windows

package cuda

import "github.com/ebitengine/purego"

// libraryName is the driver library as NVIDIA's driver installs it.
const libraryName = "libcuda.so.1"

func loadLibrary(name string) (uintptr, error) {
	return purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_GLOBAL)
}

func lookUp(handle uintptr, symbol string) (uintptr, error) { return purego.Dlsym(handle, symbol) }
