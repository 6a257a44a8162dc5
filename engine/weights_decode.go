package engine

import "avssnative/internal/gguf"

// The types of GGUF files that store blocks of codes with common factors.
func init() {
	for t, kind := range map[DType]gguf.Type{
		Q4_0: gguf.Q4_0, Q4_1: gguf.Q4_1, Q5_0: gguf.Q5_0, Q5_1: gguf.Q5_1, Q8_0: gguf.Q8_0,
		Q2_K: gguf.Q2_K, Q3_K: gguf.Q3_K, Q4_K: gguf.Q4_K, Q5_K: gguf.Q5_K, Q6_K: gguf.Q6_K, MXFP4: gguf.MXFP4,
	} {
		RegisterDecoder(t, func(dst []float32, data []byte) error { return gguf.Dequantise(dst, kind, data) })
	}
}
