package arch

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"avssnative/engine/device"
	"avssnative/engine/weights"
	"avssnative/failure"
	"avssnative/internal/gguf"
)

// describeGGUF gives a GGUF file its meaning. Its metadata becomes the configuration, its tensors get the names, that the family's file in
// this package knows; what GGUF stores otherwise than the family's own files (see revise) is then changed in the Spec.
func describeGGUF(file *gguf.File) (*Described, error) {
	meta := &ggufMetadata{file: file}
	arch, present, err := gguf.Get[string](file, "general.architecture")
	if err != nil || !present {
		return nil, errors.New("general.architecture: missing or no text")
	}
	meta.arch = arch
	family := ggufFamilies[arch]
	if family == nil {
		return nil, failure.Unsupported.Errorf("general.architecture %.80q: unknown architecture; known in GGUF files: %s", arch,
			strings.Join(ggufArchitectures(), ", "))
	}
	if family.variant != nil {
		if other := family.variant(meta); other != nil {
			family = other
		}
	}
	if architectures[family.model] == nil {
		return nil, failure.Unsupported.Errorf("general.architecture %.80q: a file of the unknown family %s; known in GGUF files: %s", arch, family.model,
			strings.Join(ggufArchitectures(), ", "))
	}
	meta.uneven = family.uneven
	n := meta.shape()
	if meta.fault != nil {
		return nil, meta.fault
	}
	values := meta.config(n)
	values["model_type"] = family.model
	if family.fill != nil {
		family.fill(meta, values, n)
	}
	source, err := family.source(file, n)
	if err == nil && family.made != nil {
		err = family.made(meta, n, source)
	}
	if meta.fault != nil || err != nil {
		return nil, errors.Join(meta.fault, err)
	}
	config, err := parsed(values)
	if err != nil {
		return nil, err
	}
	factors := meta.values("rope_freqs.weight", mostHeadDim)
	if meta.fault != nil {
		return nil, meta.fault
	}
	return reviseGGUF(config, source, func(s *Spec) error {
		s.Unused = n.blocks - n.layers
		return family.revise(s, source, factors)
	})
}

// reviseGGUF builds a Spec and changes it before it is held against the tensors.
func reviseGGUF(config *Config, source weights.Tensors, revise func(*Spec) error) (*Described, error) {
	family, err := Of(config)
	if err != nil {
		return nil, err
	}
	spec := family.Build(&Builder{Config: config, tensors: source})
	if err := config.Err(); err != nil {
		return nil, fmt.Errorf("metadata as a configuration: %w", err)
	}
	spec.Family = config.StringOr("model_type", "")
	if err := revise(spec); err != nil {
		return nil, err
	}
	if err := spec.check(source, source.Names()); err != nil {
		return nil, err
	}
	return &Described{spec, config, source}, nil
}

// source names a file's tensors as the family does. A tensor without another name keeps its own, which the check against the Spec reports.
func (f *ggufFamily) source(file *gguf.File, n ggufShape) (*weights.GGUF, error) {
	s := weights.NewGGUF(file)
	queries, values := n.heads*n.headDim, n.kvHeads*n.valueDim
	for _, t := range file.Tensors() {
		if slices.Contains(ggufTables, t.Name) {
			s.Table(t)
			continue
		}
		stem, ending := t.Name, ""
		for _, usual := range []string{".weight", ".bias"} {
			if before, found := strings.CutSuffix(t.Name, usual); found {
				stem, ending = before, usual
			}
		}
		prefix, further := "", false
		if after, inside := strings.CutPrefix(stem, "blk."); inside {
			number, rest, _ := strings.Cut(after, ".")
			layer, err := strconv.Atoi(number)
			if err != nil || layer < 0 || layer >= n.blocks {
				return nil, fmt.Errorf("tensor %.80q: want blk.N.… with N below %d", t.Name, n.blocks)
			}
			further = layer >= n.layers
			stem, prefix = "blk."+rest, strings.Replace(f.layers, "%d", number, 1)
		}
		to, known := f.names[stem]
		var err error
		switch parts := strings.Split(to, "|"); {
		case further: // carried along
			err = s.Add(prefix+strings.TrimPrefix(stem, "blk.")+ending, t)
		case !known:
			err = s.Add(t.Name, t)
		case strings.HasSuffix(to, "!"):
			err = s.Add(prefix+strings.TrimSuffix(to, "!"), t)
		case len(parts) == 3:
			for i := range parts {
				parts[i] = prefix + parts[i] + ending
			}
			err = s.Split(t, parts, []int{queries, n.kvHeads * n.headDim, values})
		case strings.Contains(to, "%e"):
			err = s.Stack(t, prefix+to+ending)
		default:
			err = s.Add(prefix+to+ending, t)
		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// ggufTables are tensors that became part of the configuration or of the rotary frequencies.
var ggufTables = []string{"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"}

// revise changes a Spec, built as for the family's own files, into that of a GGUF file:
//   - no matrix is stored [in × out], no kernel [channels × 1 × width];
//   - a gate of one output is a vector;
//   - what a delta rule decays by is stored itself, not its logarithm;
//   - the ones that a family adds to its norms' weights are in the stored weights already;
//   - queries, keys and values of a fused projection follow each other, never grouped by head;
//   - rotary pairs are neighbours where llama.cpp's converter has put them so;
//   - rotary frequencies are divided by rope_freqs.weight (Llama 3.1's scaling).
func (f *ggufFamily) revise(s *Spec, source weights.Tensors, factors []float32) error {
	walk(s, func(r *Ref) {
		if r.Transposed && len(r.Shape) == 2 {
			r.Transposed = false
			r.Shape = []int{r.Shape[1], r.Shape[0]}
		}
		if stored, found := source.Lookup(r.Name); found && r.Out == 1 && len(r.Shape) == 2 && len(stored.Shape) == 1 {
			r.Shape = r.Shape[1:]
		}
		if r.Table && len(r.Shape) == 3 && r.Shape[1] == 1 {
			r.Shape = []int{r.Shape[0], r.Shape[2]}
		}
	})
	walk(s, func(d *DeltaSpec) { d.Decaying, d.Tiled = true, f.tiled })
	walk(s, func(norm *NormSpec) { norm.Offset = 0 })
	walk(s, func(a *AttentionSpec) {
		if a.Q.Weight.Name != a.K.Weight.Name {
			return
		}
		at := 0
		for _, l := range []*Linear{&a.Q, &a.K, &a.V} {
			count := l.Weight.Out
			*l = l.Part(device.Segment{At: at, Count: count})
			at += count
		}
	})
	var fault error
	walk(s, func(r *device.Rope) {
		r.Interleaved = f.neighbours
		if factors == nil {
			return
		}
		if len(factors) != len(r.Frequencies) {
			fault = fmt.Errorf("tensor rope_freqs.weight: %d values, want %d", len(factors), len(r.Frequencies))
			return
		}
		for i, factor := range factors {
			if !(factor > 0) {
				fault = fmt.Errorf("tensor rope_freqs.weight: value %d is %v, want a number above 0", i, factor)
				return
			}
			r.Frequencies[i] /= float64(factor)
		}
	})
	return fault
}

// walk visits every T that a Spec holds, once each, whatever kinds of mixers and MLPs it is made of.
func walk[T any](s *Spec, visit func(*T)) {
	seen := map[any]bool{}
	var into func(v reflect.Value)
	into = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if v.IsNil() || v.Kind() == reflect.Pointer && seen[v.Interface()] {
				return
			}
			if v.Kind() == reflect.Pointer {
				seen[v.Interface()] = true
			}
			into(v.Elem())
		case reflect.Slice:
			if v.Type().Elem().Kind() == reflect.Struct || v.Type().Elem().Kind() == reflect.Pointer || v.Type().Elem().Kind() == reflect.Interface {
				for i := range v.Len() {
					into(v.Index(i))
				}
			}
		case reflect.Struct:
			if v.CanAddr() && v.CanInterface() {
				if found, ok := v.Addr().Interface().(*T); ok {
					visit(found)
				}
			}
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					into(v.Field(i))
				}
			}
		}
	}
	into(reflect.ValueOf(s))
}
