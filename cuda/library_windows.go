package cuda

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// libraryName is the driver library as NVIDIA's driver installs it, in the system's own folder.
const libraryName = "nvcuda.dll"

// loadLibrary looks for a bare name in the system's folder alone: a file of that name where the program happens to run is no driver. What
// a library at a full path needs may lie beside it.
func loadLibrary(name string) (uintptr, error) {
	flags := uintptr(windows.LOAD_LIBRARY_SEARCH_SYSTEM32)
	if filepath.IsAbs(name) {
		flags |= windows.LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR
	}
	handle, err := windows.LoadLibraryEx(name, 0, flags)
	return uintptr(handle), err
}

func lookUp(handle uintptr, symbol string) (uintptr, error) {
	return windows.GetProcAddress(windows.Handle(handle), symbol)
}
