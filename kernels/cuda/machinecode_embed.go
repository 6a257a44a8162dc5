//go:build machinecode

package kernels

import "embed"

//go:embed machinecode/*.tar.zst
var machineFiles embed.FS

// archives gives the archive of a compute capability, nil where there is none.
func archives(capability string) []byte {
	packed, err := machineFiles.ReadFile("machinecode/sm_" + capability + ".tar.zst")
	if err != nil {
		return nil // of a capability that nothing was assembled for
	}
	return packed
}
