package devicetest

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"

	"avssnative/engine/device"
)

// What the tensors of the cases hold. A row depends on the tensor's name and its number alone.

// A filling makes a row of values.
type filling func(tensor string, row, cols int) []float32

func source(tensor string, row int) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(tensor))
	return rand.New(rand.NewPCG(h.Sum64(), uint64(row)))
}

// filled makes a row of f's values.
func filled(f func(r *rand.Rand) float64) filling {
	return func(tensor string, row, cols int) []float32 {
		r := source(tensor, row)
		out := make([]float32, cols)
		for j := range out {
			out[j] = float32(f(r))
		}
		return out
	}
}

// within makes values spread evenly over ±limit.
func within(limit float64) filling {
	return filled(func(r *rand.Rand) float64 { return limit * (2*r.Float64() - 1) })
}

var (
	uniform = within(1)
	// grid makes multiples of 1/64, whose differences float32 holds exactly.
	grid = filled(func(r *rand.Rand) float64 { return float64(r.IntN(513)-256) / 64 })
	// whole makes small whole numbers, whose products and sums are exact in every precision.
	whole = filled(func(r *rand.Rand) float64 { return float64(r.IntN(5) - 2) })
	// aloft has a mean far larger than its spread.
	aloft = filled(func(r *rand.Rand) float64 { return 1000 + r.Float64() })
	// tiny makes numbers around the smallest normal one, most below it.
	tiny = filled(func(r *rand.Rand) float64 { return (2*r.Float64() - 1) * 0x1p-125 })
	// extreme makes numbers across the whole range of exponents.
	extreme = filled(func(r *rand.Rand) float64 { return math.Ldexp(2*r.Float64()-1, r.IntN(60)-30) })
)

// broken holds an infinity in rows 1, 4, 7 …, and a NaN in rows 2, 5, 8 …
func broken(tensor string, row, cols int) []float32 {
	out := uniform(tensor, row, cols)
	switch row % 3 {
	case 1:
		out[row%cols] = float32(math.Inf(1 - 2*(row/3%2)))
	case 2:
		out[row%cols] = float32(math.NaN())
	}
	return out
}

// zeroed leaves every third row of a filling zero.
func zeroed(f filling) filling {
	return func(tensor string, row, cols int) []float32 {
		if row%3 == 1 {
			return make([]float32, cols)
		}
		return f(tensor, row, cols)
	}
}

// rows makes the rows of some units.
func (f filling) rows(tensor string, units []int, cols int) [][]float32 {
	out := make([][]float32, len(units))
	for i, unit := range units {
		out[i] = f(tensor, unit, cols)
	}
	return out
}

// weight stores [out × in] values of a filling in a type without blocks, with some stride beyond the least.
func weight(t device.DType, f filling, out, in, gap int) device.Weight {
	w := device.Weight{Name: fmt.Sprintf("weight of %s", t), Type: t, Out: out, In: in, Stride: in + gap}
	for o := range out {
		row := f("weight", o, in+gap)
		for k := in; k < len(row); k++ {
			row[k] = float32(math.NaN())
		}
		if o == out-1 {
			row = row[:in]
		}
		w.Data = encode(w.Data, t, row)
	}
	return w
}

// encode appends values stored in a type without blocks.
func encode(data []byte, t device.DType, values []float32) []byte {
	for _, v := range values {
		bits := math.Float32bits(v)
		switch t {
		case device.F64:
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(float64(v)))
		case device.BF16:
			data = binary.LittleEndian.AppendUint16(data, uint16(bits>>16))
		case device.F16:
			data = binary.LittleEndian.AppendUint16(data, toHalf(v))
		default:
			data = binary.LittleEndian.AppendUint32(data, bits)
		}
	}
	return data
}

// toHalf cuts a float32 down to binary16; what is too small for a normal number becomes a subnormal one.
func toHalf(v float32) uint16 {
	sign := uint16(math.Float32bits(v) >> 16 & 0x8000)
	fraction, exponent := math.Frexp(math.Abs(float64(v)))
	switch {
	case v != v:
		return 0x7e00
	case v == 0:
		return sign
	case exponent > 16 || math.IsInf(float64(v), 0):
		return sign | 0x7c00
	case exponent < -13:
		return sign | uint16(math.Ldexp(math.Abs(float64(v)), 24))
	}
	return sign | uint16(exponent+14)<<10 | uint16(fraction*2048)&1023
}

// blockScales says where in a block its half-precision factors lie.
var blockScales = map[device.DType][]int{
	device.Q4_0: {0}, device.Q4_1: {0, 2}, device.Q5_0: {0}, device.Q5_1: {0, 2}, device.Q8_0: {0},
	device.Q2_K: {80, 82}, device.Q3_K: {108}, device.Q4_K: {0, 2}, device.Q5_K: {0, 2}, device.Q6_K: {208},
}

// blockWeight makes a weight of random blocks, scaled so that its values are of the order of one.
func blockWeight(t device.DType, out, in int) device.Weight {
	values, size, _ := t.Block()
	random := source("blocks of "+string(t), 0)
	data := make([]byte, out*in/values*size)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	scale := float32(1. / 64)
	if values > 32 {
		scale = 1. / 1024
	}
	for at := 0; at < len(data); at += size {
		for _, offset := range blockScales[t] {
			binary.LittleEndian.PutUint16(data[at+offset:], toHalf(scale*(0.5+random.Float32())))
		}
	}
	return device.Weight{Name: "weight of " + string(t), Type: t, Data: data, Out: out, In: in, Stride: in}
}

// decoded gives a weight's rows.
func decoded(w device.Weight) [][]float64 {
	out := make([][]float64, w.Out)
	for o := range out {
		out[o] = make([]float64, w.In)
		if err := w.Float64s(out[o], o); err != nil {
			panic(err) // the table itself is wrong
		}
	}
	return out
}
