package weights

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"sync"

	"avssnative/engine/device"
	"avssnative/internal/gguf"
)

// encoders are the types that values can be written in, besides F32.
var encoders = map[device.DType]gguf.Type{
	device.F16: gguf.F16, device.BF16: gguf.BF16, device.Q4_0: gguf.Q4_0, device.Q4_1: gguf.Q4_1, device.Q5_0: gguf.Q5_0, device.Q5_1: gguf.Q5_1, device.Q8_0: gguf.Q8_0,
	device.Q2_K: gguf.Q2_K, device.Q3_K: gguf.Q3_K, device.Q4_K: gguf.Q4_K, device.Q5_K: gguf.Q5_K, device.Q6_K: gguf.Q6_K,
}

// Encodes says whether values can be written in a type.
func Encodes(t device.DType) bool {
	_, known := encoders[t]
	return known || t == device.F32
}

// Encode writes values in a type, the nearest that it has, in whole blocks. Types that cannot be written are an error that says so.
func Encode(t device.DType, values []float32) ([]byte, error) {
	if t == device.F32 {
		data := make([]byte, 0, 4*len(values))
		for _, v := range values {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
		return data, nil
	}
	kind, known := encoders[t]
	if !known {
		return nil, fmt.Errorf("weights: data type %s: values cannot be written in it", t)
	}
	block, size, err := t.Block()
	if err != nil {
		return nil, err
	}
	if len(values)%block != 0 {
		return nil, fmt.Errorf("weights: %d values are no whole blocks of %s", len(values), t)
	}
	data := make([]byte, len(values)/block*size)
	// Blocks are written apart from each other, so that the search for a block's scales is shared out.
	blocks := len(values) / block
	portion := (blocks + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0)
	errs := make([]error, runtime.GOMAXPROCS(0)+1)
	var wait sync.WaitGroup
	for i, first := 0, 0; first < blocks; i, first = i+1, first+portion {
		last := min(first+portion, blocks)
		wait.Go(func() {
			errs[i] = gguf.Quantise(data[first*size:last*size], kind, values[first*block:last*block])
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("weights: %w", err)
		}
	}
	return data, nil
}
