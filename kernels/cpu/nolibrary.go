//go:build (!cgo && !((amd64 || arm64) && (linux || darwin))) || (cgo && !amd64 && !arm64)

package cpu

// openLibrary finds none: this system's libraries cannot be opened without cgo.
func openLibrary() (backend, string, error) { return nil, "", nil }
