package cpu_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"avssnative/engine/device"
)

// A program is a random list of operations over some tensors and views of them, the same for the same seed. What waits for company must give
// the bits of what is done at once, whatever follows whatever.
type program struct {
	random  *rand.Rand
	device  device.Device
	tensors []device.Tensor // whole ones
	weights []device.Matrix
	rows    int
	hidden  int
}

func newProgram(t *testing.T, seed uint64, d device.Device) *program {
	p := &program{random: rand.New(rand.NewPCG(seed, 1)), device: d, rows: 1 + int(seed*37%400), hidden: 64 << (seed % 3)}
	for range 7 {
		values := make([]float32, (p.rows+3)*p.hidden)
		for i := range values {
			values[i] = p.random.Float32()*2 - 1
		}
		x := d.NewTensor(p.rows+3, p.hidden)
		d.Upload(x, 0, values)
		p.tensors = append(p.tensors, x)
	}
	for range 3 {
		values := make([]byte, 2*p.hidden*p.hidden) // bfloat16 near 2⁻⁴, either sign
		for i := range p.hidden * p.hidden {
			values[2*i], values[2*i+1] = byte(p.random.IntN(256)), []byte{0x3d, 0xbd}[p.random.IntN(2)]
		}
		w, err := d.Matrix(device.Weight{Type: device.BF16, Data: values, Out: p.hidden, In: p.hidden, Stride: p.hidden})
		if err != nil {
			t.Fatal(err)
		}
		p.weights = append(p.weights, w)
	}
	return p
}

// view is rows rows of a whole tensor.
type view struct {
	device.Tensor
	of int
}

// views are n views of different tensors: of the first row on, mostly.
func (p *program) views(n int) []view {
	var all []view
	for _, i := range p.random.Perm(len(p.tensors))[:n] {
		row := 0
		if p.random.IntN(5) == 0 {
			row = 1 + p.random.IntN(3)
		}
		all = append(all, view{p.tensors[i].Slice(row, p.rows), i})
	}
	return all
}

// step does one operation.
func (p *program) step() {
	v := p.views(4)
	in := v[1]
	if p.random.IntN(2) == 0 {
		in = v[0] // in place
	}
	half := p.hidden / 2
	positions := make([]int32, p.rows)
	for i := range positions {
		positions[i] = int32(p.random.IntN(min(9, p.rows)))
	}
	to, from, other := v[0].Tensor, in.Tensor, v[2].Tensor
	switch p.random.IntN(13) {
	case 0:
		p.device.Add(to, from, other, 0.5)
	case 1:
		p.device.Norm(to, from, device.Norm{Kind: device.NormRMS, Eps: 1e-5, Weight: other.Slice(0, 1)})
	case 2:
		p.device.Scale(to, 0.75, nil)
	case 3:
		p.device.Clamp(to, 1.5)
	case 4:
		p.device.Activate(to, from, other, device.Activation{Kind: device.SiLU})
	case 5:
		p.device.Rope(to, device.Rope{HeadDim: p.hidden, Frequencies: []float64{1, 0.1}}, positions)
	case 6:
		p.device.Columns(to.Columns(half, half), v[1].Columns(0, half), []device.Move{{From: 0, To: 0, Count: half}})
	case 7:
		p.device.Columns(to.Columns(0, half), to.Columns(half, half), []device.Move{{From: 0, To: 0, Count: half}})
	case 8:
		p.device.Gather(to, v[1].Tensor, positions)
	case 9:
		l := &device.Layout{Start: []int32{0, int32(p.rows / 3), int32(p.rows)}}
		p.device.Measure(&device.Measure{X: v[1].Tensor, Y: to, MLP: other, Layout: l, Eps: []float32{0.1}, Relative: 0.01})
	default: // often several in a row
		for range 1 + p.random.IntN(3) {
			out := v[3]
			for _, other := range p.views(2) {
				if other.of != in.of {
					out = other
				}
			}
			var bias device.Tensor
			if p.random.IntN(2) == 0 && v[2].of != out.of {
				bias = other.Slice(0, 1)
			}
			p.device.Product(out.Tensor, from, p.weights[p.random.IntN(3)], bias)
		}
	}
}

func TestPutOff(t *testing.T) {
	for _, compute := range []device.Compute{device.ComputeF32, device.ComputeBF16} {
		later, atOnce := openCPU(t, device.Options{Compute: compute, Threads: 3}), openCPU(t, device.Options{Compute: compute, Threads: 1})
		for seed := range uint64(30) {
			t.Run(fmt.Sprintf("%s/%d", compute, seed), func(t *testing.T) {
				a, b := newProgram(t, seed, later), newProgram(t, seed, atOnce)
				for range 40 {
					a.step()
					b.step()
					if err := atOnce.Sync(); err != nil {
						t.Fatal(err)
					}
				}
				for i := range a.tensors {
					if got, want := download(t, a, i), download(t, b, i); !slices.Equal(got, want) {
						t.Fatalf("tensor %d differs", i)
					}
				}
				for i := range a.tensors {
					a.tensors[i].Free()
					b.tensors[i].Free()
				}
			})
		}
	}
}

// download is a tensor's bits.
func download(t *testing.T, p *program, i int) []uint32 {
	values := make([]float32, p.tensors[i].Rows()*p.tensors[i].Cols())
	p.device.Download(values, p.tensors[i], 0)
	if err := p.device.Sync(); err != nil {
		t.Fatal(err)
	}
	bits := make([]uint32, len(values))
	for i, v := range values {
		bits[i] = math.Float32bits(v)
	}
	return bits
}
