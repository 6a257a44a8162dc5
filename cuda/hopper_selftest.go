package cuda

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"avssnative/engine/device"
)

// testHopper holds the Hopper product in both shapes against product_bf16 on this device: edges in every direction, a ring that goes round,
// blocks that go on to further tiles. It says whether all results have the same bits.
//
// First with multiples of 1/16 up to 1, whose products and sums float32 holds exactly: any difference is a fault, and what the products keep of
// their results, sums and what the head wants, must be the same bit for bit. Then with values of all eight bits of precision. There both
// kernels add in steps of 16 products, and a tensor core may cut each of the 17 numbers it adds at 2^-23 of the largest, at most S = Σ|x·w|: a
// result is off by at most 17 · 2^-23 · S a step, two results differ by twice that.
func (d *gpu) testHopper() (same bool, err error) {
	const rows, in, out = 136, 330, 264
	steps := float64(upTo(in, 16))
	h := d.hopper
	defer func() { h.forced, h.blocks, d.forced = nil, 0, nil }()
	same = true
	for _, exact := range []bool{true, false} {
		x, w := hopperValues(rows*in, 5, exact), hopperValues(out*in, 11, exact)
		m, err := d.Matrix(hopperWeight(w, out, in))
		if err != nil {
			return false, err
		}
		defer m.Release()
		from, to, shift := d.NewTensor(rows, in), d.NewTensor(rows, out), d.NewTensor(1, out)
		defer from.Free()
		defer to.Free()
		defer shift.Free()
		d.Upload(from, 0, x)
		d.Upload(shift, 0, hopperValues(out, 3, true))
		want, got := make([]float32, rows*out), make([]float32, rows*out)
		d.forced = &tileBig
		d.Product(to, from, m, shift)
		d.Download(want, to, 0)
		d.forced = nil
		if exact {
			if err := d.testHopperEpilogues(from.(*tensor), to.(*tensor), m.(*matrix), shift.(*tensor)); err != nil {
				return false, err
			}
		}
		for _, t := range []hopperTile{hopperWhole, hopperHalf} {
			h.forced, h.blocks = &t, 1
			d.Upload(to, 0, make([]float32, rows*out))
			d.Product(to, from, m, shift)
			d.Download(got, to, 0)
			if err := d.Sync(); err != nil {
				return false, err
			}
			for r := range rows {
				for o := range out {
					g, v := got[r*out+o], want[r*out+o]
					if g == v {
						continue
					}
					same = false
					sum := 0.0
					for k := range in {
						sum += math.Abs(float64(x[r*in+k]) * float64(w[o*in+k]))
					}
					if off := math.Abs(float64(g) - float64(v)); exact || !(off <= 2*17*steps*0x1p-23*sum) {
						return false, fmt.Errorf("%s: row %d, column %d of %d × %d × %d: %g, by product_bf16 %g", t.kernel, r, o, rows, out, in, g, v)
					}
				}
			}
		}
	}
	return same, nil
}

// testHopperEpilogues holds what the Hopper product keeps of its results against what product_bf16 keeps: slots, stored results, wanted logits.
func (d *gpu) testHopperEpilogues(from, to *tensor, m *matrix, shift *tensor) error {
	var differs error
	d.do("self-test", func() (err error) {
		a := arguments{d: d}
		if a.matrix("weight", m); a.err != nil { // waits for the weight
			return a.err
		}
		slots, err := d.memory.take(int64(from.rows*upTo(to.cols, group)) * int64(unsafe.Sizeof(groupSums{})))
		if err != nil {
			return err
		}
		defer d.release(&err, slots)
		found, err := d.memory.take(int64(from.rows) * 8)
		if err != nil {
			return err
		}
		defer d.release(&err, found)
		offsets, targets := make([]int32, from.rows+1), make([]int32, from.rows)
		for r := range targets {
			offsets[r+1], targets[r] = int32(r+1), int32(r*31%to.cols)
		}
		return with(d, hopperLimits[:], func(limits address[float32]) error {
			return with(d, offsets, func(offsets address[int32]) error {
				return with(d, targets, func(targets address[int32]) error {
					for name, e := range map[string]epilogue{
						"sums": sumsEpilogue{address[groupSums](slots.at), limits, to.view()},
						"head": headEpilogue{address[logitGroup](slots.at), address[float64](found.at), offsets, targets, 0.5, 30},
					} {
						same, err := d.sameKept(e, from, to, m, shift, slots, found)
						if err != nil {
							return err
						}
						if !same {
							differs = fmt.Errorf("%s_%s keeps something else than %s_%s", hopperWhole.kernel, name, tileBig.kernel, name)
						}
					}
					return nil
				})
			})
		})
	})
	return differs
}

// sameKept says whether both products leave the same of their results.
func (d *gpu) sameKept(e epilogue, from, to *tensor, m *matrix, shift *tensor, slots, found *block) (bool, error) {
	defer func() { d.hopper.blocks, d.forced = 0, nil }()
	var kept [2][]uint64
	for i, force := range []*tile{&tileBig, nil} {
		d.forced, d.hopper.blocks = force, 1
		var err error
		if kept[i], err = d.kept(e, from, to, m, shift, slots, found); err != nil {
			return false, err
		}
	}
	return slices.Equal(kept[0], kept[1]), nil
}

// kept multiplies and reads all that is left.
func (d *gpu) kept(e epilogue, from, to *tensor, m *matrix, shift *tensor, slots, found *block) ([]uint64, error) {
	if err := d.product(e, from, m, 0, to.cols, shift.at()); err != nil {
		return nil, err
	}
	bytes, at, more := unsafe.Sizeof(groupSums{}), pointer(to.at()), make([]uint64, to.rows*to.stride/2)
	if _, head := e.(headEpilogue); head {
		bytes, at, more = unsafe.Sizeof(logitGroup{}), found.at, make([]uint64, from.rows)
	}
	list := make([]uint64, from.rows*upTo(to.cols, group)*int(bytes)/8)
	if err := download(d, list, slots.at); err != nil {
		return nil, err
	}
	err := download(d, more, at)
	return append(list, more...), err
}

var hopperLimits = [device.MaxEps]float32{0.5, 1, 2, 4, 8, 16, 32, 64}

// hopperWeight is a weight of values that bfloat16 holds exactly.
func hopperWeight(values []float32, out, in int) device.Weight {
	data := make([]byte, 2*len(values))
	for i, v := range values {
		b := math.Float32bits(v)
		data[2*i], data[2*i+1] = byte(b>>16), byte(b>>24)
	}
	return device.Weight{Name: "self-test", Type: device.BF16, Data: data, Out: out, In: in, Stride: in}
}

// hopperValues are bfloat16 values from −1 to 1: multiples of 1/16, or of 2^-14 with eight significant bits.
func hopperValues(n int, seed uint32, exact bool) []float32 {
	values := make([]float32, n)
	for i := range values {
		seed = seed*1664525 + 1013904223
		if exact {
			values[i] = float32(int(seed>>24)%33-16) / 16
		} else {
			values[i] = float32(int(seed>>16&0xff)-128) * float32(math.Exp2(-7-float64(seed>>24&7)))
		}
	}
	return values
}
