package devicetest

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	"avssnative/engine/device"
)

// Every parameter that an operation could forget or take for another.
func TestForgottenParametersAreCaught(t *testing.T) {
	reference := openReference(t, device.ComputeF64)
	try := func(operation, what string, f *faulty) {
		t.Helper()
		f.Device = reference
		if !caught(f, reference, operation) {
			t.Errorf("%s: %s was not noticed", operation, what)
		}
	}
	mutants := activationMutants()
	maps.Copy(mutants, parameterMutants)
	for name, m := range mutants {
		operation, what, _ := strings.Cut(name, "/")
		try(operation, what, &faulty{mutant: m})
	}
	for name, forget := range map[string]func(*device.Head){
		"no bias": func(h *device.Head) { h.Bias = nil }, "no scale": func(h *device.Head) { h.Scale = 0 },
		"no cap": func(h *device.Head) { h.SoftCap = 0 }, "no divergence": func(h *device.Head) { h.Diverge = false },
		"divergence unasked": func(h *device.Head) { h.Diverge = true },
	} {
		try("Head", name, &faulty{head: forget})
	}
	for name, forget := range map[string]func(*device.Measure){
		"no pooling": func(m *device.Measure) { m.Pooled = false }, "another threshold": func(m *device.Measure) { m.Relative *= 1.01 },
		"pooling unasked": func(m *device.Measure) { m.Pooled = true }, "x for y": func(m *device.Measure) {
			if m.X != nil {
				m.X, m.Y = m.Y, m.X
			}
		},
	} {
		try("Measure", name, &faulty{measure: forget})
	}
}

// parameterMutants forget a parameter of an operation, or take another for it: operation/what.
var parameterMutants = map[string]mutant{
	"Embed/no scale":        {embed: func(scale *float32, _ []int32) { *scale = 1 }},
	"Embed/the id before":   {embed: func(_ *float32, ids []int32) { decrement(ids) }},
	"Product/no bias":       {product: func(bias *device.Tensor) { *bias = nil }},
	"Norm/no ε":             {norm: func(n *device.Norm) { n.Eps = 0 }},
	"Norm/no groups":        {norm: func(n *device.Norm) { n.Groups = 0; n.Weight, n.Bias = nil, nil }},
	"Norm/no weight":        {norm: func(n *device.Norm) { n.Weight = nil }},
	"Norm/no bias":          {norm: func(n *device.Norm) { n.Bias = nil }},
	"Norm/no offset":        {norm: func(n *device.Norm) { n.Offset = 0 }},
	"Add/no scale":          {add: func(scale *float32) { *scale = 1 }},
	"Scale/no factor":       {scale: func(factor *float32, _ *[]float32) { *factor = 1 }},
	"Scale/no row factors":  {scale: func(_ *float32, rows *[]float32) { *rows = nil }},
	"Clamp/wrong limit":     {clamp: func(limit *float32) { *limit *= 1.0001 }},
	"Rope/no scale":         {rope: func(r *device.Rope, _ []int32) { r.Scale = 0 }},
	"Rope/no offset":        {rope: func(r *device.Rope, _ []int32) { r.Offset = 0 }},
	"Rope/other pairs":      {rope: func(r *device.Rope, _ []int32) { r.Interleaved = !r.Interleaved }},
	"Rope/float32 angles":   {rope: func(r *device.Rope, _ []int32) { singles(r.Frequencies) }},
	"Rope/position before":  {rope: func(_ *device.Rope, positions []int32) { decrement(positions) }},
	"Attention/not causal":  {attention: func(a *device.Attention) { a.Causal = false }},
	"Attention/causal":      {attention: func(a *device.Attention) { a.Causal = true }},
	"Attention/no window":   {attention: func(a *device.Attention) { a.Window = 0 }},
	"Attention/window +1":   {attention: func(a *device.Attention) { a.Window += min(a.Window, 1) }},
	"Attention/no chunk":    {attention: func(a *device.Attention) { a.Chunk = 0 }},
	"Attention/no cap":      {attention: func(a *device.Attention) { a.SoftCap = 0 }},
	"Attention/no slopes":   {attention: func(a *device.Attention) { a.Slopes = nil }},
	"Attention/no sinks":    {attention: func(a *device.Attention) { a.Sinks = nil }},
	"Attention/other scale": {attention: func(a *device.Attention) { a.Scale = float32(1 / math.Sqrt(float64(a.HeadDim))) }},
	"Attention/no prefix":   {layout: func(l *device.Layout) { l.Prefix = nil }},
	"Convolve/no prefix":    {layout: func(l *device.Layout) { l.Prefix = nil }},
	"Convolve/no bias":      {convolve: func(bias *device.Tensor) { *bias = nil }},
	"DeltaRule/no prefix":   {layout: func(l *device.Layout) { l.Prefix = nil }},
	"DeltaRule/gate for β":  {delta: func(d *device.DeltaRule) { d.Beta = d.Gate }},
	"DeltaRule/β for gate":  {delta: func(d *device.DeltaRule) { d.Gate = d.Beta }},
	"DeltaRule/k for q":     {delta: func(d *device.DeltaRule) { d.Q = d.K }},
	"Gather/row before":     {gather: decrement},
	"Scatter/no weights":    {scatter: func(weights *[]float32) { *weights = nil }},
	"Columns/a move less":   {columns: func(moves *[]device.Move) { *moves = (*moves)[:max(len(*moves)-1, 0)] }},
}

// activationMutants do so with every kind of activation and what it takes.
func activationMutants() map[string]mutant {
	mutants := map[string]mutant{}
	for kind := device.Identity; kind <= device.SwiGLUClamped; kind++ {
		mutants[fmt.Sprintf("Activate/kind %d for another", kind)] = mutant{activate: func(a *device.Activation, _ *device.Tensor) {
			if a.Kind == kind {
				a.Kind = (kind + 1) % device.SwiGLUClamped
			}
		}}
	}
	mutants["Activate/tanh for erf"] = mutant{activate: func(a *device.Activation, _ *device.Tensor) {
		if a.Kind == device.GELU {
			a.Kind = device.GELUTanh
		}
	}}
	for name, forget := range map[string]func(*device.Activation){
		"α": func(a *device.Activation) { a.Alpha = 1 }, "limit": func(a *device.Activation) { a.Limit = 3 },
		"αp": func(a *device.Activation) { a.AlphaP = 1 }, "αn": func(a *device.Activation) { a.AlphaN = 1 },
		"β": func(a *device.Activation) { a.Beta = 0 }, "ε": func(a *device.Activation) { a.Eps = 0 },
	} {
		mutants["Activate/no "+name] = mutant{activate: func(a *device.Activation, _ *device.Tensor) { forget(a) }}
	}
	mutants["Activate/no up"] = mutant{activate: func(a *device.Activation, up *device.Tensor) {
		if a.Kind != device.SwiGLUClamped {
			*up = nil
		}
	}}
	return mutants
}

func decrement(values []int32) {
	for i := range values {
		values[i] = max(values[i]-1, 0)
	}
}

func singles(values []float64) {
	for i := range values {
		values[i] = float64(float32(values[i]))
	}
}
