package weights

import (
	"encoding/binary"
	"fmt"
	"math"

	"avssnative/engine/device"
	"avssnative/internal/gguf"
)

// Types that no device computes on as they are stored: they are widened to float32 when a layer is loaded, which costs the memory of that
// layer's float32 values while it is walked, and nothing of the device.
const (
	f8e4m3 device.DType = "F8_E4M3"
	f8e5m2 device.DType = "F8_E5M2"
	i8     device.DType = "I8"
)

// ggufWidened are the GGUF types among them.
var ggufWidened = map[device.DType]gguf.Type{"IQ4_NL": gguf.IQ4_NL, "IQ4_XS": gguf.IQ4_XS}

// float8s are the values of the 256 codes of a type of eight bits (OCP 8-bit Floating Point Specification 1.0, section 5).
var float8s = map[device.DType]*[256]float32{f8e4m3: float8(4, false), f8e5m2: float8(5, true)}

// float8 makes the table of a type with so many bits of exponent; infinities are those of IEEE 754, or there are none.
func float8(exponentBits int, infinities bool) *[256]float32 {
	fractionBits := 7 - exponentBits
	bias, most := 1<<(exponentBits-1)-1, 1<<exponentBits-1
	var table [256]float32
	for code := range table {
		exponent, fraction := code>>fractionBits&most, code&(1<<fractionBits-1)
		value := math.Ldexp(float64(1<<fractionBits+fraction), exponent-bias-fractionBits)
		switch {
		case exponent == 0:
			value = math.Ldexp(float64(fraction), 1-bias-fractionBits)
		case exponent == most && infinities && fraction == 0:
			value = math.Inf(1)
		case exponent == most && (infinities || fraction == 1<<fractionBits-1):
			value = math.NaN()
		}
		if code >= 128 {
			value = -value
		}
		table[code] = float32(value)
	}
	return &table
}

// Widened says whether a stored tensor is one of those.
func (s Stored) Widened() bool {
	_, blocks := ggufWidened[s.Type]
	return blocks || float8s[s.Type] != nil || s.Type == i8 && s.Scales != nil
}

// Computable says what of a stored tensor's type cannot be computed with; nil where nothing is in the way.
func (s Stored) Computable() error {
	if s.fault != nil {
		return s.fault
	}
	if s.Widened() {
		return nil
	}
	if _, _, err := s.Type.Block(); err != nil {
		return fmt.Errorf("tensor %s: type %s is copied, not computed: prune --drop LIST writes the pruned model without scores; "+
			"to score it, give the model in another type, as Q8_0 or BF16", s.Name, s.Type)
	}
	return nil
}

// widen gives count values from the first on.
func (s Stored) widen(first, count int) ([]float32, error) {
	if first < 0 || count < 0 {
		return nil, fmt.Errorf("weights: %s: %d values from value %d on", s.Name, count, first)
	}
	all := make([]float32, count)
	if kind, blocks := ggufWidened[s.Type]; blocks {
		values, size := kind.Block()
		begin, end := first/values*size, (first+count)/values*size
		if first%values != 0 || count%values != 0 || end > len(s.Data) {
			return nil, fmt.Errorf("weights: %s: %d bytes of %s hold no %d values from value %d on", s.Name, len(s.Data), s.Type, count, first)
		}
		return all, gguf.Dequantise(all, kind, s.Data[begin:end])
	}
	if first+count > len(s.Data) {
		return nil, fmt.Errorf("weights: %s: %d bytes of %s hold no %d values from value %d on", s.Name, len(s.Data), s.Type, count, first)
	}
	codes := s.Data[first : first+count]
	if table := float8s[s.Type]; table != nil {
		for i, code := range codes {
			all[i] = table[code]
		}
	} else {
		for i, code := range codes {
			all[i] = float32(int8(code))
		}
	}
	if s.Scales != nil {
		return all, s.Scales.apply(all, first)
	}
	return all, nil
}

// Widen is the tensor's values from the first on as stored float32 ones.
func Widen(s Stored, first, count int) (Stored, error) {
	values, err := Decode(s, first, count)
	if err != nil {
		return Stored{}, err
	}
	data := make([]byte, 4*count)
	for i, v := range values {
		binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(v))
	}
	return Stored{Name: s.Name, Type: device.F32, Shape: []int{count}, Data: data}, nil
}
