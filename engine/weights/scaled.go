package weights

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Scales are the factors of a tensor whose values are stored in eight bits: one for the tensor, an output, a group of an output's inputs, or a
// block of both (DeepSeek-V3, arXiv 2412.19437, section 3.3). A value is (code − zero point) · scale, in float32, as transformers dequantises.
type Scales struct {
	values, zeros []float32 // [outer × down × across]; zeros nil: none
	rows, cols    int       // of the matrix, of which there may be several under each other
	down, across  int       // factors
	high, wide    int       // rows and columns that share one
}

// apply multiplies values that begin at a place of the tensor.
func (s *Scales) apply(values []float32, first int) error {
	for at := 0; at < len(values); {
		row, col := (first+at)/s.cols, (first+at)%s.cols
		n := min(s.wide-col%s.wide, s.cols-col, len(values)-at)
		factor := (row/s.rows*s.down+row%s.rows/s.high)*s.across + col/s.wide
		if factor >= len(s.values) {
			return fmt.Errorf("weights: %d scales, want more than %d", len(s.values), factor)
		}
		run := values[at : at+n]
		if s.zeros != nil {
			for i := range run {
				run[i] -= s.zeros[factor]
			}
		}
		for i := range run {
			run[i] *= s.values[factor]
		}
		at += n
	}
	return nil
}

// Scaled shows a model's tensors, those of eight bits with the scales that stand beside them: name_scale_inv, or name_scale and
// name_zero_point. block is the rows and columns that share a scale where the configuration says so; nil: what the shapes say.
type Scaled struct {
	Tensors
	Block []int
}

// scaleNames are what is appended to a weight's name.
var scaleNames = []string{"_scale_inv", "_scale"}

const zeroName = "_zero_point"

// Lookup finds a tensor, with its scales where it has some. Scales that do not fit are none: the type alone cannot be computed with.
func (s Scaled) Lookup(name string) (Stored, bool) {
	stored, found := s.Tensors.Lookup(name)
	if !found || stored.Type != f8e4m3 && stored.Type != f8e5m2 && stored.Type != i8 {
		return stored, found
	}
	for _, ending := range scaleNames {
		if scale, there := s.Tensors.Lookup(name + ending); there {
			zero, _ := s.Tensors.Lookup(name + zeroName)
			stored.Scales, stored.fault = scalesOf(stored, scale, zero, s.Block)
		}
	}
	return stored, true
}

// Absent are the tensors that an index lists and no file holds.
func (s Scaled) Absent() map[string]string {
	if listed, ok := s.Tensors.(interface{ Absent() map[string]string }); ok {
		return listed.Absent()
	}
	return nil
}

// Beside says whether a tensor belongs to another, of eight bits: its scales, zero points, or what its inputs were scaled by.
func (s Scaled) Beside(name string) bool {
	for _, ending := range append(slices.Clone(scaleNames), zeroName) {
		if weight, found := strings.CutSuffix(name, ending); found {
			stored, there := s.Tensors.Lookup(weight)
			return there && (stored.Type == f8e4m3 || stored.Type == f8e5m2 || stored.Type == i8)
		}
	}
	for _, ending := range []string{"input_scale", "output_scale", "activation_scale"} {
		if module, found := strings.CutSuffix(name, ending); found {
			_, there := s.Tensors.Lookup(module + "weight")
			return there
		}
	}
	return false
}

// factors reads scales: numbers, or exponents of two (OCP Microscaling Formats 1.0, section 5.4.1), which some files keep as bytes.
func factors(scale Stored, count int) ([]float32, error) {
	if scale.Type != "F8_E8M0" && scale.Type != "U8" {
		return Decode(scale, 0, count)
	}
	if len(scale.Data) != count {
		return nil, fmt.Errorf("tensor %s: %d bytes for %d scales", scale.Name, len(scale.Data), count)
	}
	values := make([]float32, count)
	for i, exponent := range scale.Data {
		values[i] = float32(math.Ldexp(1, int(exponent)-127))
	}
	return values, nil
}

// scalesOf reads a tensor's scales.
func scalesOf(weight, scale, zero Stored, block []int) (*Scales, error) {
	wrong := func() error {
		return fmt.Errorf("tensor %s: scales of shape %v (blocks of %v) for values of shape %v", weight.Name, scale.Shape, block, weight.Shape)
	}
	if len(weight.Shape) < 2 {
		return nil, wrong()
	}
	s := &Scales{rows: weight.Shape[len(weight.Shape)-2], cols: weight.Shape[len(weight.Shape)-1], down: 1, across: 1}
	count, outer := 1, 1
	for _, n := range scale.Shape {
		count *= n
	}
	for _, n := range weight.Shape[:len(weight.Shape)-2] {
		outer *= n
	}
	if s.rows < 1 || s.cols < 1 || outer < 1 {
		return nil, wrong()
	}
	if len(scale.Shape) > 1 {
		s.down, s.across = scale.Shape[len(scale.Shape)-2], scale.Shape[len(scale.Shape)-1]
	} else if len(scale.Shape) == 1 && count > 1 {
		s.down = count
	}
	if s.down < 1 || s.across < 1 || count != outer*s.down*s.across {
		return nil, wrong()
	}
	s.high, s.wide = s.rows/s.down, s.cols/s.across
	declared := len(block) == 2 && block[0] > 0 && block[1] > 0
	switch {
	case declared && (s.rows+block[0]-1)/block[0] == s.down && (s.cols+block[1]-1)/block[1] == s.across:
		s.high, s.wide = block[0], block[1]
	case s.high*s.down != s.rows || s.wide*s.across != s.cols: // one checkpoint may hold other blocks than it declares, but whole ones
		return nil, wrong()
	}
	var err error
	if s.values, err = factors(scale, count); err != nil {
		return nil, err
	}
	if zero.Name == "" {
		return s, nil
	}
	zeros := 1
	for _, n := range zero.Shape {
		zeros *= n
	}
	if zeros != count || zero.Type != i8 || len(zero.Data) != count {
		return nil, fmt.Errorf("tensor %s: %s of shape %v, want I8 of shape %v", zero.Name, zero.Type, zero.Shape, scale.Shape)
	}
	for _, code := range zero.Data {
		s.zeros = append(s.zeros, float32(int8(code)))
	}
	return s, nil
}
