// Package imatrix makes importance matrices: of every linear layer the mean square of each column of what enters it, by which llama-quantize weighs
// what rounding loses there. They are summed in the walk that measures the layers, by a device that looks at the inputs of products.
//
// Source: tools/imatrix of llama.cpp, which sums x² by columns and counts rows.
package imatrix

import (
	"fmt"
	"sync"

	"avssnative/engine/device"
)

// Kind is the name under which the watching CPU is opened. It computes what the CPU computes, and is slower.
const Kind = "watched"

func init() { device.Register(Kind, driver{}) }

type driver struct{}

// List names none: whoever wants to watch knows the name.
func (driver) List() ([]device.Info, error) { return nil, nil }

func (driver) Open(_ int, o device.Options) (device.Device, error) {
	inner, err := device.Open("cpu", o)
	if err != nil {
		return nil, err
	}
	return &Device{Device: inner, names: map[device.Matrix]string{}, sums: map[string]*Sum{}}, nil
}

func (driver) Automatic() int { return -1 }

// Device is another device whose products' inputs are summed while it watches. What a device may do beyond device.Device it does not offer, so
// that every product comes by here.
type Device struct {
	device.Device
	mutex    sync.Mutex
	names    map[device.Matrix]string
	sums     map[string]*Sum
	watching bool
	row      []float32
}

// Sum is what entered the products by one stored matrix.
type Sum struct {
	Squares []float64 // Σ x² a column
	Rows    int64
}

// Add adds what entered another matrix of as many columns; an empty sum takes any number.
func (s *Sum) Add(other *Sum) error {
	if s.Squares == nil {
		s.Squares = make([]float64, len(other.Squares))
	}
	if len(s.Squares) != len(other.Squares) {
		return fmt.Errorf("inputs of %d and of %d columns", len(s.Squares), len(other.Squares))
	}
	for c, v := range other.Squares {
		s.Squares[c] += v
	}
	s.Rows += other.Rows
	return nil
}

// Watch begins to sum, on to what there is, or ends it.
func (d *Device) Watch(on bool) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.watching = on
}

// Clear forgets the sums.
func (d *Device) Clear() {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	clear(d.sums)
}

// Sums are by the stored tensor's name.
func (d *Device) Sums() map[string]*Sum { return d.sums }

// Matrix notes whose matrix it is.
func (d *Device) Matrix(w device.Weight) (device.Matrix, error) {
	m, err := d.Device.Matrix(w)
	if err == nil {
		d.mutex.Lock()
		d.names[m] = w.Name
		d.mutex.Unlock()
	}
	return m, err
}

// Product sums the squares of x, which the product does not change.
func (d *Device) Product(dst, x device.Tensor, w device.Matrix, bias device.Tensor) {
	d.Device.Product(dst, x, w, bias)
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if !d.watching {
		return
	}
	name, columns := d.names[w], x.Cols()
	s := d.sums[name]
	if s == nil {
		s = &Sum{Squares: make([]float64, columns)}
		d.sums[name] = s
	}
	if len(d.row) < columns {
		d.row = make([]float32, columns)
	}
	for i := range x.Rows() {
		d.Download(d.row[:columns], x, i)
		for c, v := range d.row[:columns] {
			s.Squares[c] += float64(v) * float64(v)
		}
	}
	s.Rows += int64(x.Rows())
}
