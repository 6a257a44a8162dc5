package avss

// scores.json: what `score` writes and `prune --scores` reads.

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"

	"avssnative/failure"
	"avssnative/internal/mapped"
)

// FileSchema is the version of scores.json that this package writes and reads.
const FileSchema = 1

// maxFile bounds what is read: a model of 1,000 layers with its matrix of distances takes 25 MB.
const maxFile = 64 << 20

// File holds the scores of one model.
type File struct {
	Schema      int               `json:"schema"`
	Tool        ToolInfo          `json:"tool"`
	Model       ModelInfo         `json:"model"`
	Unit        string            `json:"unit,omitempty"` // what the scores are of: empty: layers; "sublayer": their halves, attention and MLP by turns
	Calibration CalibrationInfo   `json:"calibration"`
	Scores      map[string]Scores `json:"scores"` // by Scores.Key
	Layers      []LayerRow        `json:"layers,omitempty"`
}

// ToolInfo names the program that measured.
type ToolInfo struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
}

// ModelInfo identifies a model; SHA256 is (*engine.Model).Fingerprint.
type ModelInfo struct {
	Ref          string `json:"ref"`
	Name         string `json:"name,omitempty"` // what a person calls it
	Architecture string `json:"architecture"`
	Layers       int    `json:"layers"`
	Hidden       int    `json:"hidden"`
	Parameters   int64  `json:"parameters"`
	Bytes        int64  `json:"bytes"`
	SHA256       string `json:"sha256"`
}

// CalibrationInfo identifies the text that was measured on.
type CalibrationInfo struct {
	Source    string `json:"source"`
	SHA256    string `json:"sha256"`
	Sequences int64  `json:"sequences"`
	Tokens    int64  `json:"tokens"`
}

// NewFile makes a file of some scores; unit is File.Unit.
func NewFile(m ModelInfo, c CalibrationInfo, unit string, rows []LayerRow, scores ...Scores) (*File, error) {
	f := &File{Schema: FileSchema, Tool: ToolInfo{Name: "avssnative"}, Model: m, Unit: unit, Calibration: c, Scores: map[string]Scores{}, Layers: rows}
	for _, s := range scores {
		if _, double := f.Scores[s.Key()]; double {
			return nil, fmt.Errorf("avss: scores %q are given twice", s.Key())
		}
		f.Scores[s.Key()] = s
	}
	return f, f.check()
}

// Find gives the scores of a key; the error lists those there are.
func (f *File) Find(key string) (Scores, error) {
	if s, ok := f.Scores[key]; ok {
		return s, nil
	}
	return Scores{}, failure.NotFound.Errorf("avss: scores of %q are not in the file: it has %v", key, f.Keys())
}

// Keys are the names of the scores, sorted.
func (f *File) Keys() []string {
	var keys []string
	for k := range f.Scores {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// Matches says how the file's model differs from one that it shall be used with.
func (f *File) Matches(m ModelInfo) error {
	switch have := f.Model; {
	case have.Layers != m.Layers:
		return fmt.Errorf("avss: the scores are of a model with %d layers, this one has %d: score this model first", have.Layers, m.Layers)
	case have.Hidden != m.Hidden:
		return fmt.Errorf("avss: the scores are of a model with hidden size %d, this one has %d: score this model first", have.Hidden, m.Hidden)
	case have.SHA256 != "" && m.SHA256 != "" && have.SHA256 != m.SHA256:
		return fmt.Errorf("avss: the scores are of another model (sha256 %.12s, this one %.12s): score this model first", have.SHA256, m.SHA256)
	}
	return nil
}

// WriteFile writes the file whole or not at all. It replaces a former file of scores, and nothing else.
func (f *File) WriteFile(path string) error {
	if err := f.check(); err != nil {
		return err
	}
	data, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return fmt.Errorf("avss: %s: %w", path, err)
	}
	err = mapped.Place{Path: path, Force: true, Former: FormerFile}.Write(func(path string) error {
		return mapped.WriteBytes(path, append(data, '\n'))
	})
	if err != nil {
		return fmt.Errorf("avss: %w", err)
	}
	return nil
}

// FormerFile returns why what stands at path is no file of scores; nil if it is one.
func FormerFile(path string) error {
	if _, err := ReadFile(path); err != nil {
		return errors.New("no file of scores")
	}
	return nil
}

// ReadFile reads and checks a file.
func ReadFile(path string) (*File, error) {
	data, err := mapped.ReadSmall(path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("avss: %w", err)
	}
	f, err := ParseFile(data)
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, path)
	}
	return f, nil
}

// ParseFile reads and checks a file's bytes; what is no such file is failure.Corrupt.
func ParseFile(data []byte) (*File, error) {
	if len(data) > maxFile {
		return nil, failure.Corrupt.Errorf("avss: scores file: longer than %d bytes", maxFile)
	}
	f := &File{}
	if err := json.Unmarshal(data, f); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, failure.Corrupt.Errorf("avss: scores file: at byte %d: %w", syntax.Offset, err)
		}
		return nil, failure.Corrupt.Errorf("avss: scores file: %w", err)
	}
	if err := f.check(); err != nil {
		return nil, failure.Corrupt.Of(err)
	}
	return f, nil
}

// check says what is wrong with a file.
func (f *File) check() error {
	layers := f.Model.Layers
	if f.Unit == "sublayer" {
		layers *= 2
	} else if f.Unit != "" {
		return fmt.Errorf("avss: scores file: scores of units %.40q, want layers or sublayer", f.Unit)
	}
	switch {
	case f.Schema != FileSchema:
		return fmt.Errorf("avss: scores file: schema %d, want %d", f.Schema, FileSchema)
	case layers < 1 || layers > maxLayers:
		return fmt.Errorf("avss: scores file: a model with %d layers", layers)
	case len(f.Layers) != 0 && len(f.Layers) != layers:
		return fmt.Errorf("avss: scores file: %d rows of layers, want %d", len(f.Layers), layers)
	}
	for i, row := range f.Layers {
		if row.Index != i {
			return fmt.Errorf("avss: scores file: layers[%d]: index %d, want %d", i, row.Index, i)
		}
	}
	for _, key := range f.Keys() {
		s := f.Scores[key]
		if err := s.check(key, layers); err != nil {
			return fmt.Errorf("avss: scores file: %s: %w", key, err)
		}
	}
	return nil
}

// check says what is wrong with scores of so many layers.
func (s *Scores) check(key string, layers int) error {
	if _, err := Lookup(s.Metric); err != nil {
		return err
	}
	if s.Key() != key {
		return fmt.Errorf("holds the scores of %s", s.Key())
	}
	if len(s.Values) != layers {
		return fmt.Errorf("%d scores, want %d", len(s.Values), layers)
	}
	for l, v := range s.Values {
		if math.IsNaN(v) {
			return fmt.Errorf("layer %d has no score", l)
		}
	}
	if len(s.Low) != len(s.High) || len(s.Low) != 0 && len(s.Low) != layers {
		return fmt.Errorf("%d lower and %d upper bounds, want %d of each or none", len(s.Low), len(s.High), layers)
	}
	for l := range s.Low {
		if !(s.Low[l] <= s.High[l]) {
			return fmt.Errorf("layer %d: interval from %v to %v", l, s.Low[l], s.High[l])
		}
	}
	if err := s.checkOrder(layers); err != nil {
		return err
	}
	if err := s.checkSets(layers); err != nil {
		return err
	}
	return s.checkDistances(layers)
}

// checkOrder says what is wrong with what a search found.
func (s *Scores) checkOrder(layers int) error {
	if len(s.Order) > layers || len(s.Losses) != len(s.Order) {
		return fmt.Errorf("%d layers in order with %d losses, of %d layers", len(s.Order), len(s.Losses), layers)
	}
	for i, l := range s.Order {
		if l < 0 || l >= layers || slices.Contains(s.Order[:i], l) {
			return fmt.Errorf("order %v: layer %d does not exist or comes twice", s.Order, l)
		}
	}
	return nil
}

// checkSets says what is wrong with the sets that a search found or measured.
func (s *Scores) checkSets(layers int) error {
	for i, set := range s.Sets {
		if i > 0 && len(set.Layers) <= len(s.Sets[i-1].Layers) {
			return fmt.Errorf("set %v follows one of %d layers: want sets that ascend in size", set.Layers, len(s.Sets[i-1].Layers))
		}
	}
	for _, set := range slices.Concat(s.Sets, s.Proposed) {
		if len(set.Layers) == 0 || len(set.Layers) >= layers {
			return fmt.Errorf("set %v: want some of %d layers", set.Layers, layers)
		}
		for k, l := range set.Layers {
			if l < 0 || l >= layers || k > 0 && l <= set.Layers[k-1] {
				return fmt.Errorf("set %v: layer %d does not exist or does not ascend", set.Layers, l)
			}
		}
	}
	return nil
}

// checkDistances says what is wrong with the distances of runs of layers.
func (s *Scores) checkDistances(layers int) error {
	if len(s.Distance) != 0 && len(s.Distance) != layers {
		return fmt.Errorf("%d rows of distances, want %d", len(s.Distance), layers)
	}
	for start, row := range s.Distance {
		if len(row) != layers+1 {
			return fmt.Errorf("distances from layer %d: %d, want %d", start, len(row), layers+1)
		}
		for end, v := range row {
			if end > start && !(0 <= v && v <= 1) {
				return fmt.Errorf("distance of layers %d to %d is %v, want 0 to 1", start, end-1, v)
			}
		}
	}
	return nil
}
