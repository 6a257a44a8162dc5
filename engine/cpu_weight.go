package engine

import (
	"fmt"
	"runtime"

	"avssnative/kernels/cpu"
)

// cpuTypes maps data types to the kernels' numbers.
var cpuTypes = map[DType]cpu.Type{
	F32: cpu.F32, F16: cpu.F16, BF16: cpu.BF16, F64: cpu.F64, Q4_0: cpu.Q40, Q4_1: cpu.Q41, Q5_0: cpu.Q50, Q5_1: cpu.Q51, Q8_0: cpu.Q80,
	Q2_K: cpu.Q2K, Q3_K: cpu.Q3K, Q4_K: cpu.Q4K, Q5_K: cpu.Q5K, Q6_K: cpu.Q6K, MXFP4: cpu.MXFP4,
}

// cpuMatrix reads a weight where it lies: nothing is copied, products widen or dequantise it panel by panel.
type cpuMatrix struct {
	device   *cpuDevice
	weight   Weight
	released bool
	args     cpu.Weight
	pins     *runtime.Pinner
	cleanup  runtime.Cleanup
}

func (m *cpuMatrix) Out() int { return m.weight.Out }
func (m *cpuMatrix) In() int  { return m.weight.In }
func (m *cpuMatrix) Release() {
	m.device.flush()
	m.cleanup.Stop()
	m.pins.Unpin()
	m.args, m.released = cpu.Weight{}, true
}

func (d *cpuDevice) Matrix(w Weight) (Matrix, error) {
	kind, known := cpuTypes[w.Type]
	if !known {
		_, _, err := w.Type.Block()
		return nil, fmt.Errorf("engine: cpu: %s: %w", w.Name, err)
	}
	if err := w.Check(); err != nil {
		return nil, err
	}
	m := &cpuMatrix{device: d, weight: w, pins: new(runtime.Pinner)}
	m.args = cpu.Weight{Out: int64(w.Out), In: int64(w.In), Stride: int64(w.Stride), Type: int32(kind)}
	if w.Transposed {
		m.args.Transposed = 1
	}
	if len(w.Data) > 0 {
		m.pins.Pin(&w.Data[0])
		m.args.Data = cpu.Pointer(w.Data)
	}
	if len(w.Segments) > 0 {
		segments := make([]int64, 0, 2*len(w.Segments))
		for _, s := range w.Segments {
			segments = append(segments, int64(s.At), int64(s.Count))
		}
		m.pins.Pin(&segments[0])
		m.args.Segments, m.args.SegmentCount = cpu.Pointer(segments), int64(len(w.Segments))
	}
	m.cleanup = runtime.AddCleanup(m, func(p *runtime.Pinner) { p.Unpin() }, m.pins)
	return m, nil
}
