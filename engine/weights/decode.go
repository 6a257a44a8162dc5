package weights

import (
	"avssnative/engine/device"
	"avssnative/internal/gguf"
)

// The types of GGUF files that store blocks of codes with common factors.
func init() {
	for t, kind := range map[device.DType]gguf.Type{
		device.Q4_0: gguf.Q4_0, device.Q4_1: gguf.Q4_1, device.Q5_0: gguf.Q5_0, device.Q5_1: gguf.Q5_1, device.Q8_0: gguf.Q8_0,
		device.Q2_K: gguf.Q2_K, device.Q3_K: gguf.Q3_K, device.Q4_K: gguf.Q4_K, device.Q5_K: gguf.Q5_K, device.Q6_K: gguf.Q6_K, device.MXFP4: gguf.MXFP4,
	} {
		device.RegisterDecoder(t, func(dst []float32, data []byte) error { return gguf.Dequantise(dst, kind, data) })
	}
}
