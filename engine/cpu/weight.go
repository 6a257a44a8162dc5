package cpu

import (
	"fmt"
	"runtime"

	"avssnative/engine/device"
	kernels "avssnative/kernels/cpu"
)

// weightTypes maps data types to the kernels' numbers.
var weightTypes = map[device.DType]kernels.Type{
	device.F32: kernels.F32, device.F16: kernels.F16, device.BF16: kernels.BF16, device.F64: kernels.F64,
	device.Q4_0: kernels.Q40, device.Q4_1: kernels.Q41, device.Q5_0: kernels.Q50, device.Q5_1: kernels.Q51, device.Q8_0: kernels.Q80,
	device.Q2_K: kernels.Q2K, device.Q3_K: kernels.Q3K, device.Q4_K: kernels.Q4K, device.Q5_K: kernels.Q5K, device.Q6_K: kernels.Q6K,
	device.MXFP4: kernels.MXFP4,
}

// matrix reads a weight where it lies: nothing is copied, products widen or dequantise it panel by panel.
type matrix struct {
	device    *processor
	weight    device.Weight
	precision int32 // of its products: kernels.AsF32, AsBF16 or AsInt8
	released  bool
	args      kernels.Weight
	pins      *runtime.Pinner
	cleanup   runtime.Cleanup
}

func (m *matrix) Out() int { return m.weight.Out }
func (m *matrix) In() int  { return m.weight.In }
func (m *matrix) Release() {
	m.device.flush()
	m.cleanup.Stop()
	m.pins.Unpin()
	m.args, m.released = kernels.Weight{}, true
}

func (d *processor) Matrix(w device.Weight) (device.Matrix, error) {
	kind, known := weightTypes[w.Type]
	if !known {
		_, _, err := w.Type.Block()
		return nil, fmt.Errorf("cpu: %s: %w", w.Name, err)
	}
	if err := w.Check(); err != nil {
		return nil, err
	}
	m := &matrix{device: d, weight: w, precision: kernels.AsF32, pins: new(runtime.Pinner)}
	switch {
	case d.bf16:
		m.precision = kernels.AsBF16
	case d.compute == device.ComputeInt8 && w.Type.Integers():
		m.precision = kernels.AsInt8
	}
	m.args = kernels.Weight{Out: int64(w.Out), In: int64(w.In), Stride: int64(w.Stride), Type: int32(kind)}
	if w.Transposed {
		m.args.Transposed = 1
	}
	if len(w.Data) > 0 {
		m.pins.Pin(&w.Data[0])
		m.args.Data = kernels.Pointer(w.Data)
	}
	if len(w.Segments) > 0 {
		segments := make([]int64, 0, 2*len(w.Segments))
		for _, s := range w.Segments {
			segments = append(segments, int64(s.At), int64(s.Count))
		}
		m.pins.Pin(&segments[0])
		m.args.Segments, m.args.SegmentCount = kernels.Pointer(segments), int64(len(w.Segments))
	}
	m.cleanup = runtime.AddCleanup(m, func(p *runtime.Pinner) { p.Unpin() }, m.pins)
	return m, nil
}
