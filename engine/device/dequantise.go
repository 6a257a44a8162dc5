package device

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Reading a stored weight as numbers. A device that computes on the stored bits has its own way; this one is for "reference", for
// small tensors (norms, biases, scalars) and for the types a device does not know.

// maxExtent bounds rows, columns and strides, so that no product of two of them overflows.
const MaxExtent = 1 << 29

// Check says whether the weight's data holds what its shape promises. Errors name the tensor.
func (w Weight) Check() error {
	values, bytes, err := w.Type.Block()
	if err != nil {
		return fmt.Errorf("%w (tensor %s)", err, w.Name)
	}
	if w.Out < 0 || w.In < 0 || w.Out > MaxExtent || w.In > MaxExtent || w.Stride > MaxExtent {
		return w.wrong("shape [%d %d] with stride %d: no matrix", w.Out, w.In, w.Stride)
	}
	outputs, err := w.reach()
	if err != nil {
		return err
	}
	if w.Out == 0 || w.In == 0 {
		return nil
	}
	rows, cols := outputs, w.In
	if w.Transposed {
		rows, cols = cols, rows
	}
	if w.Stride < cols {
		return w.wrong("stride %d, want at least %d", w.Stride, cols)
	}
	if values > 1 && w.Transposed {
		return w.wrong("stored transposed in blocks (%s): not supported", w.Type)
	}
	if w.In%values != 0 || w.Stride%values != 0 {
		return w.wrong("rows of %d values with stride %d: %s needs multiples of %d", w.In, w.Stride, w.Type, values)
	}
	if need := ((rows-1)*w.Stride + cols) / values * bytes; len(w.Data) < need {
		return w.wrong("%d bytes of data, want %d", len(w.Data), need)
	}
	return nil
}

// reach is one past the last stored output that the segments use.
func (w Weight) reach() (int, error) {
	if w.Segments == nil {
		return w.Out, nil
	}
	end, total := 0, 0
	for _, s := range w.Segments {
		if s.At < 0 || s.Count < 0 || s.At > MaxExtent || s.Count > MaxExtent {
			return 0, w.wrong("segment of %d rows at %d: no segment", s.Count, s.At)
		}
		end, total = max(end, s.At+s.Count), total+s.Count
	}
	if total != w.Out {
		return 0, w.wrong("segments of %d rows together, want %d", total, w.Out)
	}
	if end > MaxExtent {
		return 0, w.wrong("segments up to row %d: no matrix", end)
	}
	return end, nil
}

func (w Weight) wrong(format string, args ...any) error {
	return fmt.Errorf("device: %s: %s", w.Name, fmt.Sprintf(format, args...))
}

// Float64s decodes output row i, In values, into dst. The weight has passed Check.
func (w Weight) Float64s(dst []float64, i int) error {
	stored := w.Row(i)
	if w.Transposed {
		for k := range w.In {
			dst[k] = w.value(k*w.Stride + stored)
		}
		return nil
	}
	if w.Type.inBlocks() {
		row := make([]float32, w.In)
		if err := w.blocks(row, stored); err != nil {
			return err
		}
		for k, v := range row {
			dst[k] = float64(v)
		}
		return nil
	}
	at := stored * w.Stride
	for k := range w.In {
		dst[k] = w.value(at + k)
	}
	return nil
}

// Float32s decodes output row i as Float64s does, rounded to float32.
func (w Weight) Float32s(dst []float32, i int) error {
	if w.Type.inBlocks() {
		return w.blocks(dst, w.Row(i))
	}
	row := make([]float64, w.In)
	if err := w.Float64s(row, i); err != nil {
		return err
	}
	for k, v := range row {
		dst[k] = float32(v)
	}
	return nil
}

// value is the stored value at an index, of a type without blocks.
func (w Weight) value(at int) float64 {
	switch w.Type {
	case F32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(w.Data[4*at:])))
	case F64:
		return math.Float64frombits(binary.LittleEndian.Uint64(w.Data[8*at:]))
	case BF16:
		return float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(w.Data[2*at:])) << 16))
	default: // F16: the only other one without blocks
		return half(binary.LittleEndian.Uint16(w.Data[2*at:]))
	}
}

// half is the value of an IEEE 754 binary16.
func half(bits uint16) float64 {
	sign := 1.0
	if bits>>15 == 1 {
		sign = -1
	}
	exponent, fraction := int(bits>>10&31), float64(bits&1023)
	switch {
	case exponent == 0:
		return math.Copysign(math.Ldexp(fraction, -24), sign)
	case exponent == 31 && fraction == 0:
		return math.Inf(int(sign))
	case exponent == 31:
		return math.NaN()
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

// decoders decode the types that store blocks of codes with common factors.
var decoders = map[DType]func(dst []float32, data []byte) error{}

// RegisterDecoder makes it known how blocks of a type are decoded: data holds whole blocks, dst as many values as they encode. Package
// avssnative/engine/weights registers those of GGUF files.
func RegisterDecoder(t DType, decode func(dst []float32, data []byte) error) { decoders[t] = decode }

// inBlocks says whether a type's values are stored in blocks.
func (t DType) inBlocks() bool { return blocks[t][0] > 1 }

// blocks decodes the blocks of a stored row.
func (w Weight) blocks(dst []float32, stored int) error {
	values, size, err := w.Type.Block()
	if err != nil {
		return err
	}
	decode := decoders[w.Type]
	if decode == nil {
		return w.wrong("type %s: no decoder in this program; import avssnative/engine/weights", w.Type)
	}
	first := stored * w.Stride / values * size
	if err := decode(dst, w.Data[first:first+len(dst)/values*size]); err != nil {
		return w.wrong("%v", err)
	}
	return nil
}
