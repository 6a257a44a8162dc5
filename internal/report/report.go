// Package report holds what a run found (report.json, schema 1) and shows it: tables on a terminal, Markdown, CSV, and one HTML page with
// its pictures inside. Every table and picture comes from the Report alone, so that a saved one renders again.
package report

import (
	"time"

	"avssnative/avss"
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
	Scores      map[string]avss.Scores `json:"scores,omitempty"`  // by avss.Scores.Key
	Metrics     map[string]Metric      `json:"metrics,omitempty"` // by avss.Scores.Metric, where there is more to say than a name
	Unit        string                 `json:"unit,omitempty"`    // what scores and layers are of: empty: layers; prune.Sublayer: halves of layers
	Layers      []avss.LayerRow        `json:"layers,omitempty"`
	Plan        *prune.Plan            `json:"plan,omitempty"`
	Aimed       *prune.Aimed           `json:"target,omitempty"`  // what the plan was made for
	Others      []prune.Plan           `json:"others,omitempty"`  // what other metrics of the same pass would have dropped
	Settled     *Settled               `json:"settled,omitempty"` // how much text the set took to be settled
	Texts       *Texts                 `json:"texts,omitempty"`   // several calibration texts side by side
	Tasks       Tasks                  `json:"tasks,omitempty"`
	Retention   *Retention             `json:"retention,omitempty"`
	Divergence  *Divergence            `json:"divergence,omitempty"`
	Repair      *prune.Repaired        `json:"repair,omitempty"` // how the layers that stay were changed
	Size        *Size                  `json:"size,omitempty"`
	Speed       *Speed                 `json:"speed,omitempty"`
	Sweep       *Sweep                 `json:"sweep,omitempty"`
	Generation  []Generation           `json:"generation"`
	Fluency     *Fluencies             `json:"fluency,omitempty"` // of what Generation holds
	Output      string                 `json:"output,omitempty"`  // where the pruned model was to be written
	Written     prune.Format           `json:"output_format,omitempty"`
	Unwritten   string                 `json:"output_error,omitempty"`        // why it is not there
	Uncomputed  string                 `json:"output_not_computed,omitempty"` // why it was copied and not tried: nothing can be computed with the model
	// Alternatives are the dense model with coarser weights: what saves bytes without leaving layers out.
	Alternatives []Alternative   `json:"alternatives,omitempty"`
	Warnings     []string        `json:"warnings,omitempty"`
	References   []avss.Citation `json:"references"`
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
	Name       string   `json:"name"`
	Version    string   `json:"version"`
	N          int      `json:"n"`
	Metric     string   `json:"metric"`
	Convention string   `json:"convention,omitempty"` // of a perplexity
	BOS        bool     `json:"bos"`
	MaxLength  int      `json:"max_length"`
	Chance     float64  `json:"chance,omitempty"`
	Answers    *Answers `json:"answers,omitempty"`  // of questions with choices
	FewShot    int      `json:"few_shot,omitempty"` // examples in front of each question
	Chat       bool     `json:"chat,omitempty"`     // questions are turns of a conversation, by the model's template
	Dense      Figure   `json:"dense"`
	Pruned     *Figure  `json:"pruned,omitempty"`
	*Change             // together with Pruned; its fields stand beside the others
	All        []Named  `json:"all,omitempty"` // every metric of the task, dense and pruned
	Note       string   `json:"note,omitempty"`
}

// Change is what a pruned model kept of a task.
type Change struct {
	Retention       avss.Value `json:"retention"`
	ChanceCorrected avss.Value `json:"retention_chance_corrected"`
	RetentionSpan   *Span      `json:"retention_interval,omitempty"`
	CorrectedSpan   *Span      `json:"retention_chance_corrected_interval,omitempty"`
	P               avss.Value `json:"p_value"`
	Test            string     `json:"test"`
	KL              float64    `json:"kl"` // nats a scored token
	SameTop         float64    `json:"same_top"`
	Flips           avss.Value `json:"flips"` // share of items answered differently; none for texts
}

// Span is an interval of 95 % confidence.
type Span struct {
	Low  avss.Value `json:"low"`
	High avss.Value `json:"high"`
}

// Answers is the share of the items that were answered with each choice, by its place.
type Answers struct {
	Choices []string    `json:"choices,omitempty"` // what they say, where it is the same in all items
	Right   avss.Values `json:"right"`             // for comparison: the share for which the choice is right
	Dense   avss.Values `json:"dense"`
	Pruned  avss.Values `json:"pruned,omitempty"`
	// ConstantDense and ConstantPruned name the choice that nearly all items were answered with although it is right less often.
	ConstantDense  string `json:"constant_dense,omitempty"`
	ConstantPruned string `json:"constant_pruned,omitempty"`
}

// Alternative is the dense model with its layers' matrices in a coarser type.
type Alternative struct {
	Name       string         `json:"name"`              // the type
	Tensors    map[string]int `json:"tensors,omitempty"` // how many were written in each type
	Bytes      int64          `json:"bytes,omitempty"`
	Divergence *Divergence    `json:"divergence,omitempty"`
	Retention  *Retention     `json:"retention,omitempty"`
	Unmeasured string         `json:"not_measured,omitempty"` // why
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

// Retention is what was kept over the tasks that count: those with a defined retention on which the dense model does better than guessing.
// Perplexities stand apart where there are accuracies.
type Retention struct {
	MeanOfRatios    avss.Value `json:"mean_of_ratios"`
	MeanOfCorrected avss.Value `json:"mean_of_ratios_chance_corrected"`
	RatioOfMeans    avss.Value `json:"ratio_of_means"`
	RatiosSpan      *Span      `json:"mean_of_ratios_interval,omitempty"`
	CorrectedSpan   *Span      `json:"mean_of_ratios_chance_corrected_interval,omitempty"`
}

// Divergence compares the distributions of the pruned model with the dense one's, a mean over scored tokens.
type Divergence struct {
	KL      float64 `json:"kl"` // nats
	SameTop float64 `json:"same_top"`
	Tokens  int     `json:"tokens"`
	Stderr  float64 `json:"kl_stderr,omitempty"` // of KL, items taken as drawn independently
}

// Size is what the models weigh.
type Size struct {
	ParametersDense  int64 `json:"parameters_dense"`
	ParametersPruned int64 `json:"parameters_pruned"`
	BytesDense       int64 `json:"bytes_dense"`
	BytesPruned      int64 `json:"bytes_pruned"`
}

// Speed is how fast the models read and make text here, what they keep of it, and where the time went.
type Speed struct {
	TokensPerSecondDense     float64 `json:"tokens_per_s_dense,omitempty"`
	TokensPerSecondPruned    float64 `json:"tokens_per_s_pruned,omitempty"`
	GeneratedPerSecondDense  float64 `json:"generated_per_s_dense,omitempty"`
	GeneratedPerSecondPruned float64 `json:"generated_per_s_pruned,omitempty"`
	CacheTokens              int     `json:"cache_tokens,omitempty"` // of the text whose keys and values the next two count, in float32
	CacheBytesDense          int64   `json:"cache_bytes_dense,omitempty"`
	CacheBytesPruned         int64   `json:"cache_bytes_pruned,omitempty"`
	Seconds                  Phases  `json:"seconds,omitempty"`
	PeakRSS                  int64   `json:"peak_rss_bytes,omitempty"`
}

// Phases are written as an object of seconds by phase, in the order in which they began.
type Phases []Phase

// Phase is the time that one part of a run took.
type Phase struct {
	Name    string
	Seconds float64
}

// Add notes the seconds of a phase; a phase that ran before grows.
func (p *Phases) Add(name string, seconds float64) {
	for i := range *p {
		if (*p)[i].Name == name {
			(*p)[i].Seconds += seconds
			return
		}
	}
	*p = append(*p, Phase{name, seconds})
}

// Sweep is what bench found: what several metrics choose at several counts, and what that costs.
type Sweep struct {
	Layers       int           `json:"layers"`
	Unit         string        `json:"unit,omitempty"`  // of what is dropped, as in a plan
	Dense        *SweepPoint   `json:"dense,omitempty"` // nothing dropped
	Points       []SweepPoint  `json:"points"`          // metric by metric, counts ascending
	Metrics      []string      `json:"agreement_metrics,omitempty"`
	Tau          []avss.Values `json:"agreement_tau,omitempty"` // Kendall's τ between metrics
	Passes       int           `json:"passes"`
	PassesAlone  int           `json:"passes_alone"`
	Blocks       int           `json:"blocks"`
	BlocksAlone  int           `json:"blocks_alone"`
	Seconds      float64       `json:"seconds"`
	SecondsAlone float64       `json:"seconds_alone,omitempty"` // measured, where asked for
	CacheTokens  int           `json:"cache_tokens,omitempty"`
	Prompts      []string      `json:"prompts,omitempty"` // beginnings that every point goes on from
}

// SweepPoint is one metric's choice at one count.
type SweepPoint struct {
	Metric          string      `json:"metric"`
	Repair          string      `json:"repair,omitempty"` // of the layers that stay; empty: the plain cut
	Count           int         `json:"count"`
	Share           float64     `json:"share"`
	Dropped         []int       `json:"dropped"`
	Retention       Retention   `json:"retention"`
	Divergence      Divergence  `json:"divergence"`
	Flips           avss.Value  `json:"flips"` // mean share of items answered differently
	Tasks           []TaskPoint `json:"tasks"`
	Parameters      int64       `json:"parameters,omitempty"`
	Bytes           int64       `json:"bytes,omitempty"`
	TokensPerSecond float64     `json:"tokens_per_s,omitempty"`
	Generated       float64     `json:"generated_per_s,omitempty"`
	CacheBytes      int64       `json:"cache_bytes,omitempty"` // of a text of Sweep.CacheTokens
	Fluency         *Fluency    `json:"fluency,omitempty"`     // of what it says
	Says            []string    `json:"says,omitempty"`        // after each of Sweep.Prompts
	// Regret is what the choice costs more than the best set found, nats a token, by the measure of the search; nil where there was none or it has
	// not measured the choice.
	Regret *avss.Value `json:"regret,omitempty"`
}

// TaskPoint is one task's figure at one point of a sweep.
type TaskPoint struct {
	Name       string     `json:"name"`
	Metric     string     `json:"metric"`
	Convention string     `json:"convention,omitempty"`
	Value      avss.Value `json:"value"`
	Stderr     avss.Value `json:"stderr"`
	Retention  avss.Value `json:"retention"`
	Corrected  avss.Value `json:"retention_chance_corrected"`
	Span       *Span      `json:"retention_interval,omitempty"`
	N          int        `json:"n,omitempty"`
	Chance     float64    `json:"chance,omitempty"`
	Constant   string     `json:"constant_answer,omitempty"` // that nearly all items were answered with
}

// Generation is a text that the models continued, each taking its most likely token again and again.
type Generation struct {
	Prompt       string  `json:"prompt"`
	Dense        string  `json:"dense"`
	Pruned       *string `json:"pruned,omitempty"`
	RepeatsDense float64 `json:"repeat_rate_dense"` // share of the dense model's runs of four tokens that it had already said
	Repeats      float64 `json:"repeat_rate"`       // the same of the pruned model
}

// Fluencies are counts in what the models said.
type Fluencies struct {
	Dense  Fluency  `json:"dense"`
	Pruned *Fluency `json:"pruned,omitempty"`
}

// Fluency is what stands out of one model's texts (bench.Fluency).
type Fluency struct {
	Texts       int                `json:"texts"`
	Tokens      float64            `json:"mean_tokens"`
	Repeats     float64            `json:"repeat_rate"`
	Distinct1   float64            `json:"distinct_1"`
	Distinct2   float64            `json:"distinct_2"`
	Distinct3   float64            `json:"distinct_3"`
	Scripts     map[string]float64 `json:"scripts"`      // share of the letters
	OtherScript float64            `json:"other_script"` // share of texts in another script than the prompt's
}
