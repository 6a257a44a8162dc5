package cpu_test

import (
	"fmt"
	"testing"

	"avssnative/engine/device"
)

// BenchmarkCPUTiny is what an operation of a tiny model costs: at hidden 64, arithmetic takes a microsecond, so what surrounds it shows.
func BenchmarkCPUTiny(b *testing.B) {
	d := openCPU(b, device.Options{})
	const hidden = 64
	for _, rows := range []int{1, 32} {
		x, y := d.NewTensor(rows, hidden), d.NewTensor(rows, hidden)
		w, err := d.Matrix(device.Weight{Type: device.F32, Data: make([]byte, 4*hidden*hidden), Out: hidden, In: hidden, Stride: hidden})
		if err != nil {
			b.Fatal(err)
		}
		for name, operation := range map[string]func(){
			"add":     func() { d.Add(y, x, x, 1) },
			"norm":    func() { d.Norm(y, x, device.Norm{Kind: device.NormRMS, Eps: 1e-5}) },
			"product": func() { d.Product(y, x, w, nil) },
		} {
			b.Run(fmt.Sprintf("operation=%s/rows=%d", name, rows), func(b *testing.B) {
				for b.Loop() {
					operation()
				}
			})
		}
		w.Release()
	}
}
