package cuda

import (
	"fmt"
	"math"
	"slices"

	"avssnative/engine/device"
)

// testHopper holds the Hopper product in both shapes against product_bf16 on this device: edges in every direction, a ring that goes round,
// blocks that go on to further tiles. It says whether all results have the same bits.
//
// First with multiples of 1/16 up to 1, whose products and sums float32 holds exactly: any difference is a fault. Then with values of all
// eight bits of precision; what the products keep of exact results, their sums and what the head wants, must be the same bit for bit. There both kernels add in steps of 16 products, and a tensor core may cut each of the 17 numbers it adds at
// 2^-23 of the largest, at most S = Σ|x·w|: a result is off by at most 17 · 2^-23 · S a step, two results differ by twice that.
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
			if err := d.testHopperFinish(from.(*tensor), to.(*tensor), m.(*matrix), shift.(*tensor)); err != nil {
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

// testHopperFinish holds what the Hopper product keeps of its results against what product_bf16 keeps: slots, stored results, wanted logits.
func (d *gpu) testHopperFinish(from, to *tensor, m *matrix, shift *tensor) error {
	var differs error
	d.do("self-test", func() error {
		defer func() { d.hopper.blocks, d.forced = 0, nil }()
		a := arguments{d: d}
		if a.matrix("weight", m); a.err != nil { // waits for the weight
			return a.err
		}
		offsets, targets := make([]int32, from.rows+1), make([]int32, from.rows)
		for r := range targets {
			offsets[r+1], targets[r] = int32(r+1), int32(r*31%to.cols)
		}
		return with(d, hopperLimits[:], func(limits uint64) error {
			return with(d, offsets, func(offsets uint64) error {
				return with(d, targets, func(targets uint64) error {
					slots, err := d.memory.take(int64(from.rows) * int64(upTo(to.cols, group)) * 64)
					if err != nil {
						return err
					}
					found, err := d.memory.take(int64(from.rows) * 8)
					if err != nil {
						return err
					}
					for _, f := range []finish{
						{"_sums", []uint64{uint64(slots.at), limits, to.at(), to.ld()}},
						{"_head", []uint64{uint64(slots.at), uint64(found.at), offsets, targets, real(0.5), real(30)}},
					} {
						var kept [2][]uint64
						for i, force := range []*tile{&tileBig, nil} {
							d.forced, d.hopper.blocks = force, 1
							if kept[i], err = d.kept(f, from, to, m, shift, slots, found); err != nil {
								return err
							}
						}
						if !slices.Equal(kept[0], kept[1]) {
							differs = fmt.Errorf("%s%s keeps something else than %s%s", hopperWhole.kernel, f.suffix, tileBig.kernel, f.suffix)
						}
					}
					if err := d.memory.give(found, d.computing); err != nil {
						return err
					}
					return d.memory.give(slots, d.computing)
				})
			})
		})
	})
	return differs
}

// kept multiplies and reads all that is left.
func (d *gpu) kept(f finish, from, to *tensor, m *matrix, shift *tensor, slots, found *block) ([]uint64, error) {
	words := from.rows * upTo(to.cols, group) * 64 / 8
	if f.suffix == "_head" {
		words /= 4
	}
	if err := d.finished(f, from, m, 0, to.cols, shift.at()); err != nil {
		return nil, err
	}
	list := make([]uint64, words)
	if err := download(d, list, slots.at); err != nil {
		return nil, err
	}
	at, more := pointer(to.at()), make([]uint64, to.rows*to.stride/2)
	if f.suffix == "_head" {
		at, more = found.at, make([]uint64, from.rows)
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
