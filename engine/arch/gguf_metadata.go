package arch

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"

	"avssnative/internal/gguf"
)

// ggufMetadata reads the keys of a GGUF file's architecture. Getters remember the first thing that is wrong, as those of Config do.
type ggufMetadata struct {
	file   *gguf.File
	arch   string
	uneven bool // blocks differ in size
	fault  error
}

func (m *ggufMetadata) fail(format string, arguments ...any) {
	if m.fault == nil {
		m.fault = fmt.Errorf(format, arguments...)
	}
}

// get is the value of <arch>.key, nil where the file has none. Lists with one value a block count as that value where all are equal,
// of an uneven architecture as the largest; else blocks of different sizes have no Spec here.
func (m *ggufMetadata) get(key string) any {
	value, present := m.raw(key)
	if !present {
		return nil
	}
	list := reflect.ValueOf(value)
	if list.Kind() != reflect.Slice {
		return value
	}
	if list.Len() == 0 {
		m.fail("%s.%s: an empty list", m.arch, key)
		return nil
	}
	first := list.Index(0).Interface()
	if m.uneven && list.Index(0).CanInt() || m.uneven && list.Index(0).CanUint() {
		for i := range list.Len() {
			if m.whole(key, list.Index(i).Interface()) > m.whole(key, first) {
				first = list.Index(i).Interface()
			}
		}
		return first
	}
	for i := range list.Len() {
		if other := list.Index(i).Interface(); !reflect.DeepEqual(first, other) {
			m.fail("%s.%s: %.40s in block 0 and %.40s in block %d; blocks of different sizes are not supported", m.arch, key, fmt.Sprint(first), fmt.Sprint(other), i)
			return nil
		}
	}
	return first
}

// raw is the value of <arch>.key as it is stored.
func (m *ggufMetadata) raw(key string) (value any, present bool) {
	value, present, _ = gguf.Get[any](m.file, m.arch+"."+key)
	return value, present
}

// has says whether the file has <arch>.key.
func (m *ggufMetadata) has(key string) bool {
	_, present := m.raw(key)
	return present
}

// size reads a whole number from 1 to most; otherwise where the file has none, and an error where otherwise is 0 too.
func (m *ggufMetadata) size(key string, otherwise, most int) int {
	value := m.get(key)
	if value == nil {
		if otherwise < 1 {
			m.fail("%s.%s: missing", m.arch, key)
			return 1
		}
		return otherwise
	}
	n := m.whole(key, value)
	if n < 1 || n > most {
		m.fail("%s.%s: %d, want 1 to %d", m.arch, key, n, most)
		return 1
	}
	return n
}

// count is a whole number that may be 0, which is what it is where the file has none.
func (m *ggufMetadata) count(key string) int {
	value := m.get(key)
	if value == nil {
		return 0
	}
	return m.whole(key, value)
}

func (m *ggufMetadata) whole(key string, value any) int {
	v := reflect.ValueOf(value)
	switch {
	case v.CanInt() && v.Int() >= 0 && v.Int() <= math.MaxInt32:
		return int(v.Int())
	case v.CanUint() && v.Uint() <= math.MaxInt32:
		return int(v.Uint())
	}
	m.fail("%s.%s: %.40s (%T), want a whole number below 2^31", m.arch, key, fmt.Sprint(value), value)
	return 0
}

// number reads a float of either width as the shortest decimal that means it, so that 1e-05 stored in 32 bits is 1e-05 again; "" where the
// file has none.
func (m *ggufMetadata) number(key string) json.Number {
	value := m.get(key)
	v := reflect.ValueOf(value)
	if value == nil || !v.CanFloat() || !(math.Abs(v.Float()) <= mostNumber) {
		if value != nil {
			m.fail("%s.%s: %.40s (%T), want a number of at most %g", m.arch, key, fmt.Sprint(value), value, float64(mostNumber))
		}
		return ""
	}
	return json.Number(strconv.FormatFloat(v.Float(), 'g', -1, v.Type().Bits()))
}

// float is number as a float64.
func (m *ggufMetadata) float(key string, otherwise float64) float64 {
	if n := m.number(key); n != "" {
		x, _ := n.Float64()
		return x
	}
	return otherwise
}

// text reads a text, "" where the file has none.
func (m *ggufMetadata) text(key string) string {
	value := m.get(key)
	s, ok := value.(string)
	if value != nil && !ok {
		m.fail("%s.%s: %.40s (%T), want a text", m.arch, key, fmt.Sprint(value), value)
	}
	return s
}

// truth reads a bool.
func (m *ggufMetadata) truth(key string, otherwise bool) bool {
	value := m.get(key)
	if value == nil {
		return otherwise
	}
	b, ok := value.(bool)
	if !ok {
		m.fail("%s.%s: %.40s (%T), want true or false", m.arch, key, fmt.Sprint(value), value)
	}
	return b
}

// floats reads a list with one number a layer, or one number for all of them.
func (m *ggufMetadata) floats(key string, layers int) []float32 {
	value, _ := m.raw(key)
	list := reflect.ValueOf(value)
	if list.Kind() != reflect.Slice {
		x := float32(m.float(key, math.NaN()))
		if x != x {
			m.fail("%s.%s: missing", m.arch, key)
		}
		return slices.Repeat([]float32{x}, layers)
	}
	if list.Len() != layers {
		m.fail("%s.%s: %d values for %d layers", m.arch, key, list.Len(), layers)
		return nil
	}
	all := make([]float32, layers)
	for i := range all {
		v := list.Index(i)
		if !v.CanFloat() {
			m.fail("%s.%s: %.40s (%T), want numbers", m.arch, key, fmt.Sprint(value), value)
			return nil
		}
		all[i] = float32(v.Float())
	}
	return all
}

// blk is the name of a block's tensor.
func blk(layer int, rest string) string { return fmt.Sprintf("blk.%d.%s", layer, rest) }

// stored says whether the file has a tensor.
func (m *ggufMetadata) stored(name string) bool {
	_, found := m.file.Lookup(name)
	return found
}

// values are the float32 values of a small tensor, nil where the file has none.
func (m *ggufMetadata) values(name string, most int) []float32 {
	t, found := m.file.Lookup(name)
	if !found {
		return nil
	}
	elements, bytes := t.Type.Block()
	if elements != 1 || len(t.Data) == 0 || len(t.Data)/bytes > most {
		m.fail("tensor %s: %s of shape %v, want at most %d plain numbers", name, t.Type, t.Shape, most)
		return nil
	}
	values := make([]float32, len(t.Data)/bytes)
	if err := gguf.Dequantise(values, t.Type, t.Data); err != nil {
		m.fail("tensor %s: %w", name, err)
	}
	return values
}
