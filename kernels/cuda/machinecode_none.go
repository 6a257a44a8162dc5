//go:build !machinecode

package kernels

// archives gives no machine code: without the tag machinecode the driver compiles the PTX.
func archives(string) []byte { return nil }
