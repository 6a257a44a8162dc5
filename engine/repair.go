package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unsafe"

	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/engine/weights"
)

// Repair is stored tensors of a model with other values, under their own names: what a variant computes with instead. Make one with NewRepair
// and Set; once it is used in a pass it must not change.
type Repair struct {
	model    *Model
	replaced map[string]weights.Stored
	layers   map[int][]string        // the replaced tensors of each layer
	outside  string                  // a replaced tensor of no layer; empty: none
	bypasses map[int]*bypass         // by layer left out
	maps     map[int]*arch.BlockSpec // by layer whose attention is left out: its block with a linear map there
}

// NewRepair makes one that replaces nothing.
func (m *Model) NewRepair() *Repair {
	return &Repair{model: m, replaced: map[string]weights.Stored{}, layers: map[int][]string{}, bypasses: map[int]*bypass{}, maps: map[int]*arch.BlockSpec{}}
}

// Set replaces a stored tensor, whose name and shape stay as they are.
func (r *Repair) Set(stored weights.Stored) {
	_, again := r.replaced[stored.Name]
	r.replaced[stored.Name] = stored
	if layer, _, inside := r.model.Spec.BlockOf(stored.Name); inside {
		if !again {
			r.layers[layer] = append(r.layers[layer], stored.Name)
		}
	} else {
		r.outside = stored.Name
	}
}

// Names lists the replaced tensors in the order of the model's files.
func (r *Repair) Names() []string {
	if r == nil {
		return nil
	}
	var names []string
	for _, name := range r.model.Tensors.Names() {
		if _, found := r.replaced[name]; found {
			names = append(names, name)
		}
	}
	return names
}

// Stored is a replaced tensor.
func (r *Repair) Stored(name string) weights.Stored { return r.replaced[name] }

// Fingerprint is the SHA-256 of all that the repair replaces, in hexadecimal; empty where it replaces nothing.
func (r *Repair) Fingerprint() string {
	names := r.Names()
	if len(names) == 0 && (r == nil || len(r.bypasses)+len(r.maps) == 0) {
		return ""
	}
	for _, layer := range r.Linears() {
		names = append(names, r.mapName(layer))
	}
	sum := sha256.New()
	for _, name := range names {
		s := r.replaced[name]
		fmt.Fprintln(sum, name, s.Type, s.Shape, len(s.Data))
		sum.Write(s.Data)
	}
	for _, layer := range slices.Sorted(maps.Keys(r.bypasses)) {
		b := r.bypasses[layer]
		fmt.Fprintln(sum, "bypass", layer, b.origin)
		if b.origin == "" {
			sum.Write(bytesOf(b.matrix))
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// And replaces what another repair replaces too, by the very same bytes: variants whose repairs have a layer's tensors from one place walk it
// together.
func (r *Repair) And(other *Repair) {
	for _, name := range other.Names() {
		r.Set(other.replaced[name])
	}
	maps.Copy(r.bypasses, other.bypasses)
	for layer, block := range other.maps {
		r.Set(other.replaced[other.mapName(layer)])
		r.maps[layer] = block
	}
}

// identity tells apart what repairs do to a layer without a part, or instead of one that is left out, by where its bytes lie; empty for nothing.
func (r *Repair) identity(layer int, without Part) string {
	if r == nil {
		return ""
	}
	if without == Layer {
		if b := r.bypasses[layer]; b != nil {
			return fmt.Sprintf("%p", b)
		}
		return ""
	}
	var text strings.Builder
	for _, name := range slices.Sorted(slices.Values(r.layers[layer])) {
		if without != Attention && name == r.mapName(layer) {
			continue
		}
		stored := r.replaced[name]
		fmt.Fprintf(&text, "%s %s %v %p;", name, stored.Type, stored.Shape, unsafe.SliceData(stored.Data))
	}
	return text.String()
}

// tensors are the model's as they are after the repair.
func (r *Repair) tensors() weights.Tensors {
	if r == nil {
		return nil
	}
	return repaired{r.model.Tensors, r}
}

// repaired shows a model's tensors, some of them replaced.
type repaired struct {
	weights.Tensors
	repair *Repair
}

func (t repaired) Lookup(name string) (weights.Stored, bool) {
	if s, found := t.repair.replaced[name]; found {
		return s, true
	}
	return t.Tensors.Lookup(name)
}

func (t repaired) Prefetch(names []string) { t.Tensors.Prefetch(t.own(names)) }

func (t repaired) Discard(names []string) { t.Tensors.Discard(t.own(names)) }

func (t repaired) own(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { _, found := t.repair.replaced[name]; return found })
}

// Repaired is the model with a repair, on the same device and files: close the original, after it, and not both. Passes of the two must not run
// at the same time.
func (m *Model) Repaired(r *Repair) *Model {
	if r == nil {
		return m
	}
	return &Model{Ref: m.Ref, Folder: m.Folder, File: m.File, Spec: r.spec(), Config: m.Config, Tensors: r.tensors(), options: m.options,
		devices: slices.Clone[[]device.Device](m.devices), linears: r.Linears()}
}

// setRows replaces the part of a stored tensor that a reference names by rows in the tensor's own type.
func (r *Repair) setRows(ref *arch.Ref, rows []byte) error {
	stored, found := r.tensors().Lookup(ref.Name)
	if !found || ref.Offset != 0 || len(ref.Joined) > 0 || len(stored.Shape) != 2 || ref.Transposed {
		return fmt.Errorf("engine: fit: %s: rows cannot be replaced where they are stored", ref.Name)
	}
	block, size, err := stored.Type.Block()
	if err != nil {
		return fmt.Errorf("engine: fit: %s: %w", ref.Name, err)
	}
	length := stored.Shape[1] / block * size
	if len(rows)%length != 0 || len(rows) > len(stored.Data) {
		return fmt.Errorf("engine: fit: %s: %d bytes of rows, each takes %d", ref.Name, len(rows), length)
	}
	data, at := slices.Clone(stored.Data), device.Weight{Segments: ref.Segments}
	for i := range len(rows) / length {
		copy(data[at.Row(i)*length:], rows[i*length:(i+1)*length])
	}
	stored.Data = data
	r.Set(stored)
	return nil
}

// setRef replaces the part of a stored tensor that a reference names by float32 values, the rest staying as it is.
func (r *Repair) setRef(ref *arch.Ref, values []float32) error {
	stored, found := r.tensors().Lookup(ref.Name)
	if !found || ref.Offset != 0 || len(ref.Joined) > 0 || len(stored.Shape) > 2 {
		return fmt.Errorf("engine: fit: %s: cannot be replaced where it is stored", ref.Name)
	}
	count := 1
	for _, n := range stored.Shape {
		count *= n
	}
	all, err := weights.Decode(stored, 0, count)
	if err != nil {
		return err
	}
	in := max(ref.In, 1)
	cols := in
	if ref.Transposed {
		cols = stored.Shape[1]
	}
	at := device.Weight{Segments: ref.Segments}
	for i := range len(values) / in {
		row := at.Row(i)
		for k := range in {
			if ref.Transposed {
				all[k*cols+row] = values[i*in+k]
			} else {
				all[row*cols+k] = values[i*in+k]
			}
		}
	}
	stored.Scales, stored.Type, stored.Data = nil, device.F32, slices.Clone(bytesOf(all))
	r.Set(stored)
	return nil
}

// setValues replaces the part of a stored tensor that a reference names by values in the tensor's own type, the nearest that it has. owned are the
// bytes of tensors that are the caller's already, so that one of many parts is copied once.
func (r *Repair) setValues(owned map[string][]byte, ref *arch.Ref, values []float32) error {
	stored, found := r.tensors().Lookup(ref.Name)
	if !found || stored.Scales != nil {
		return fmt.Errorf("engine: fit: %s: cannot be replaced where it is stored", ref.Name)
	}
	if ref.Transposed {
		turned := make([]float32, len(values))
		transpose(turned, values, ref.Out, ref.In)
		values = turned
	}
	data, err := weights.Encode(stored.Type, values)
	if err != nil {
		return fmt.Errorf("engine: fit: %s: %w", ref.Name, err)
	}
	return r.setBytes(owned, ref, stored, data)
}

// setPart is setValues with what is stored.
func (r *Repair) setPart(owned map[string][]byte, ref *arch.Ref, rows []byte) error {
	stored, found := r.tensors().Lookup(ref.Name)
	if !found || ref.Transposed {
		return fmt.Errorf("engine: fit: %s: rows cannot be replaced where they are stored", ref.Name)
	}
	return r.setBytes(owned, ref, stored, rows)
}

func (r *Repair) setBytes(owned map[string][]byte, ref *arch.Ref, stored weights.Stored, data []byte) error {
	values, size, err := stored.Type.Block()
	if err != nil {
		return fmt.Errorf("engine: fit: %s: %w", ref.Name, err)
	}
	begin := ref.Offset / values * size
	if len(ref.Segments)+len(ref.Joined) > 0 || ref.Offset%values != 0 || len(data) != ref.Out*max(ref.In, 1)/values*size || begin+len(data) > len(stored.Data) {
		return fmt.Errorf("engine: fit: %s: %d bytes from value %d on cannot be replaced where they are stored", ref.Name, len(data), ref.Offset)
	}
	if owned[ref.Name] == nil {
		owned[ref.Name] = slices.Clone(stored.Data)
	}
	stored.Data = owned[ref.Name]
	copy(stored.Data[begin:], data)
	r.Set(stored)
	return nil
}
