package mapped

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

func load(file *os.File, size int) ([]byte, error) {
	mapping, err := windows.CreateFileMapping(windows.Handle(file.Fd()), nil, windows.PAGE_READONLY, 0, 0, nil)
	if err != nil {
		return nil, os.NewSyscallError("CreateFileMapping", err)
	}
	defer windows.CloseHandle(mapping) // the view keeps what it needs of it
	address, err := windows.MapViewOfFile(mapping, windows.FILE_MAP_READ, 0, 0, uintptr(size))
	if err != nil {
		return nil, os.NewSyscallError("MapViewOfFile", err)
	}
	// The view is no memory of Go's, so that its address can be read as a pointer.
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&address)), size), nil
}

func unload(data []byte) error {
	return os.NewSyscallError("UnmapViewOfFile", windows.UnmapViewOfFile(uintptr(unsafe.Pointer(unsafe.SliceData(data)))))
}

// A range of PrefetchVirtualMemory.
type memoryRange struct {
	address *byte
	bytes   uintptr
}

var prefetch = windows.NewLazySystemDLL("kernel32.dll").NewProc("PrefetchVirtualMemory")

// advise reads ahead with PrefetchVirtualMemory, which waits for nothing, so that Populate is WillNeed here. Pages are released by unlocking them:
// what was not locked leaves the process, and the call says that it was not locked.
func advise(data []byte, advice Advice) error {
	if advice == DontNeed {
		err := windows.VirtualUnlock(uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(len(data)))
		if errors.Is(err, windows.ERROR_NOT_LOCKED) {
			return nil
		}
		return os.NewSyscallError("VirtualUnlock", err)
	}
	wanted := memoryRange{unsafe.SliceData(data), uintptr(len(data))}
	if done, _, err := prefetch.Call(uintptr(windows.CurrentProcess()), 1, uintptr(unsafe.Pointer(&wanted)), 0); done == 0 {
		return os.NewSyscallError("PrefetchVirtualMemory", err)
	}
	return nil
}
