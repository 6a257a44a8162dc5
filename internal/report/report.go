// Package report holds what a run found (report.json, schema 1) and shows it: tables on a terminal, Markdown, CSV, and one HTML page with
// its pictures inside. Every table and picture comes from the Report alone, so that a saved one renders again.
package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"avssnative/avss"
	"avssnative/internal/mapped"
	"avssnative/prune"
)

// Schema is the version of report.json that this package writes and reads.
const Schema = 1

// Report is everything a run found. Parts that a command does not compute stay nil.
type Report struct {
	Schema      int                    `json:"schema"`
	Tool        avss.ToolInfo          `json:"tool"`
	Created     time.Time              `json:"created"`
	Command     []string               `json:"command"`
	Model       avss.ModelInfo         `json:"model"`
	Device      Device                 `json:"device"`
	Calibration *avss.CalibrationInfo  `json:"calibration,omitempty"`
	Scores      map[string]avss.Scores `json:"scores,omitempty"` // by avss.Scores.Key
	Layers      []avss.LayerRow        `json:"layers,omitempty"`
	Plan        *prune.Plan            `json:"plan,omitempty"`
	Others      []prune.Plan           `json:"others,omitempty"` // what other metrics of the same pass would have dropped
	Tasks       Tasks                  `json:"tasks,omitempty"`
	Retention   *Retention             `json:"retention,omitempty"`
	Divergence  *Divergence            `json:"divergence,omitempty"`
	Size        *Size                  `json:"size,omitempty"`
	Speed       *Speed                 `json:"speed,omitempty"`
	Sweep       *Sweep                 `json:"sweep,omitempty"`
	Generation  []Generation           `json:"generation,omitempty"`
	Output      string                 `json:"output,omitempty"` // where the smaller model was written
	Warnings    []string               `json:"warnings,omitempty"`
	References  []avss.Citation        `json:"references"`
}

// Device is what computed.
type Device struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	ISA         string `json:"isa"`
	Threads     int    `json:"threads"`
	Compute     string `json:"compute"`
}

// Task is what one task came to before and after.
type Task struct {
	Name            string     `json:"name"`
	Version         string     `json:"version"`
	N               int        `json:"n"`
	Metric          string     `json:"metric"`
	Convention      string     `json:"convention,omitempty"` // of a perplexity
	BOS             bool       `json:"bos"`
	MaxLength       int        `json:"max_length"`
	Chance          float64    `json:"chance,omitempty"`
	Dense           Figure     `json:"dense"`
	Pruned          *Figure    `json:"pruned,omitempty"`
	Retention       avss.Value `json:"retention,omitzero"`
	ChanceCorrected avss.Value `json:"retention_chance_corrected,omitzero"`
	P               avss.Value `json:"p_value,omitzero"`
	Test            string     `json:"test,omitempty"`
	KL              float64    `json:"kl,omitempty"`
	SameTop         float64    `json:"same_top,omitempty"`
	All             []Named    `json:"all,omitempty"` // every metric of the task, dense and pruned
	Note            string     `json:"note,omitempty"`
}

// Figure is a value with its standard error.
type Figure struct {
	Value  avss.Value `json:"value"`
	Stderr avss.Value `json:"stderr"`
}

// Named is one of a task's metrics.
type Named struct {
	Metric string  `json:"metric"`
	Dense  Figure  `json:"dense"`
	Pruned *Figure `json:"pruned,omitempty"`
}

// Tasks are written as an object by name, in the order they were asked.
type Tasks []Task

// Retention is what was kept over all tasks, in the two ways to average.
type Retention struct {
	MeanOfRatios    avss.Value `json:"mean_of_ratios"`
	MeanOfCorrected avss.Value `json:"mean_of_ratios_chance_corrected"`
	RatioOfMeans    avss.Value `json:"ratio_of_means"`
}

// Divergence compares the distributions of the smaller model with the whole one's, a mean over scored tokens.
type Divergence struct {
	KL      float64 `json:"kl"` // nats
	SameTop float64 `json:"same_top"`
	Tokens  int     `json:"tokens"`
}

// Size is what the models weigh.
type Size struct {
	ParametersDense  int64 `json:"parameters_dense"`
	ParametersPruned int64 `json:"parameters_pruned"`
	BytesDense       int64 `json:"bytes_dense"`
	BytesPruned      int64 `json:"bytes_pruned"`
}

// Speed is how fast the models read text here, and where the time went.
type Speed struct {
	TokensPerSecondDense  float64   `json:"tokens_per_s_dense,omitempty"`
	TokensPerSecondPruned float64   `json:"tokens_per_s_pruned,omitempty"`
	Seconds               []Seconds `json:"seconds,omitempty"`
	PeakRSS               int64     `json:"peak_rss_bytes,omitempty"`
}

// Seconds is the time a phase of the run took.
type Seconds struct {
	Phase   string  `json:"phase"`
	Seconds float64 `json:"seconds"`
}

// Sweep is what bench found: what several metrics choose at several counts, and what that costs.
type Sweep struct {
	Layers       int           `json:"layers"`
	Points       []SweepPoint  `json:"points"` // metric by metric, counts ascending
	Metrics      []string      `json:"agreement_metrics,omitempty"`
	Tau          []avss.Values `json:"agreement_tau,omitempty"` // Kendall's τ between metrics
	Passes       int           `json:"passes"`
	PassesAlone  int           `json:"passes_alone"`
	Blocks       int           `json:"blocks"`
	BlocksAlone  int           `json:"blocks_alone"`
	Seconds      float64       `json:"seconds"`
	SecondsAlone float64       `json:"seconds_alone,omitempty"` // measured, where asked for
}

// SweepPoint is one metric's choice at one count.
type SweepPoint struct {
	Metric          string      `json:"metric"`
	Count           int         `json:"count"`
	Share           float64     `json:"share"`
	Dropped         []int       `json:"dropped"`
	Retention       Retention   `json:"retention"`
	Divergence      Divergence  `json:"divergence"`
	Tasks           []TaskPoint `json:"tasks"`
	Parameters      int64       `json:"parameters,omitempty"`
	Bytes           int64       `json:"bytes,omitempty"`
	TokensPerSecond float64     `json:"tokens_per_s,omitempty"`
}

// TaskPoint is one task's figure at one point of a sweep.
type TaskPoint struct {
	Name       string     `json:"name"`
	Metric     string     `json:"metric"`
	Convention string     `json:"convention,omitempty"`
	Value      avss.Value `json:"value"`
	Stderr     avss.Value `json:"stderr"`
	Retention  avss.Value `json:"retention"`
}

// Generation is a text that the models continued.
type Generation struct {
	Prompt  string  `json:"prompt"`
	Dense   string  `json:"dense"`
	Pruned  string  `json:"pruned"`
	Repeats float64 `json:"repeat_rate"` // share of the smaller model's 4-grams that it had already said
}

// FileName is what a report is called in its folder.
const FileName = "report.json"

// maxBytes bounds what Read takes.
const maxBytes = 256 << 20

// Read reads and checks DIR/report.json.
func Read(dir string) (*Report, error) {
	path := filepath.Join(dir, FileName)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("report: %s: no %s in this folder; run with --report %s first", dir, FileName, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("report: %s: %w", path, err)
	}
	if len(data) > maxBytes {
		return nil, fmt.Errorf("report: %s: larger than %d MiB", path, maxBytes>>20)
	}
	r, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("report: %s: %w", path, err)
	}
	return r, nil
}

// Parse reads and checks a report's bytes.
func Parse(data []byte) (*Report, error) {
	r := &Report{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, err
	}
	if r.Schema != Schema {
		return nil, fmt.Errorf("schema %d, this program reads schema %d", r.Schema, Schema)
	}
	return r, r.check()
}

// JSON is the report as it is saved.
func (r *Report) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(r)
	return b.Bytes(), err
}

// save writes a file of the report's folder whole.
func save(path string, data []byte) error {
	return mapped.Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteFile gives a file to write, which appears whole or not at all.
func WriteFile(path string, write func(io.Writer) error) error { return mapped.Write(path, write) }

// MarshalJSON writes {"name": {…}, …}.
func (t Tasks) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, task := range t {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(task.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(task)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads the object in its order.
func (t *Tasks) UnmarshalJSON(data []byte) error {
	*t = nil
	d := json.NewDecoder(bytes.NewReader(data))
	first, err := d.Token()
	if err != nil || first == nil {
		return err
	}
	if first != json.Delim('{') {
		return fmt.Errorf("tasks: want an object")
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var task Task
		if err := d.Decode(&task); err != nil {
			return fmt.Errorf("tasks: %v: %w", name, err)
		}
		task.Name, _ = name.(string)
		*t = append(*t, task)
	}
	return nil
}

// check makes sure that what refers to layers refers to layers there are, so that nothing that renders has to.
func (r *Report) check() error {
	layers := r.Model.Layers
	for key, s := range r.Scores {
		if len(s.Values) != layers || s.Low != nil && (len(s.Low) != layers || len(s.High) != layers) {
			return fmt.Errorf("scores.%s: %d values for %d layers", key, len(s.Values), layers)
		}
	}
	plans := r.Others
	if r.Plan != nil {
		plans = append([]prune.Plan{*r.Plan}, plans...)
	}
	for _, p := range plans {
		for _, layer := range append(append([]int{}, p.Dropped...), p.Kept...) {
			if layer < 0 || layer >= layers {
				return fmt.Errorf("plan %s: layer %d of %d", p.Metric, layer, layers)
			}
		}
	}
	if r.Sweep != nil && len(r.Sweep.Metrics) != len(r.Sweep.Tau) {
		return fmt.Errorf("sweep: %d metrics, agreement of %d", len(r.Sweep.Metrics), len(r.Sweep.Tau))
	}
	return nil
}
