package prune

// How much shall go, said by what must hold afterwards instead of by a share: at most so much divergence, at least so much retention, a memory that
// it must fit into, a speed. The number of layers is sought between those that hold and those that do not; who measures is the caller's matter.

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// TargetKind is what a target is about.
type TargetKind string

const (
	TargetKL        TargetKind = "kl"        // at most so many nats a token of KL(dense ‖ pruned)
	TargetRetention TargetKind = "retention" // at least such a share of what the dense model reaches on the tasks
	TargetMemory    TargetKind = "memory"    // at most so many bytes of weights, and keys and values of so many tokens
	TargetSpeed     TargetKind = "speed"     // at least so many times the dense model's tokens a second
)

// Target is what must hold. Make one with ParseTarget; the zero value is none.
type Target struct {
	Kind    TargetKind
	Value   float64 // nats, a share, bytes, a factor
	Context int     // tokens, of a memory; 0: what the model takes
	text    string
}

const wantTarget = `want "kl 0.1", "retention 95%", "memory 12GiB ctx 8192" or "speed 1.3x"`

var (
	targetForm = regexp.MustCompile(`^(kl|retention|memory|speed)\s+([0-9]*\.?[0-9]+)\s*(%|[KMGT]iB|x)?(?:\s+ctx\s+([0-9]{1,9}))?$`)
	iecUnits   = map[string]float64{"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
)

// ParseTarget reads "kl 0.1", "retention 95%", "memory 12GiB ctx 8192" (ctx may be left out) or "speed 1.3x".
func ParseTarget(text string) (Target, error) {
	refuse := func(why string) (Target, error) {
		return Target{}, fmt.Errorf("target %.60q: %s; %s", text, why, wantTarget)
	}
	found := targetForm.FindStringSubmatch(strings.TrimSpace(text))
	if found == nil {
		return refuse("is none that is known")
	}
	t := Target{Kind: TargetKind(found[1]), text: strings.Join(strings.Fields(text), " ")}
	unit := found[3]
	value, err := strconv.ParseFloat(found[2], 64)
	if err != nil || !(value > 0) {
		return refuse("the number must be above 0")
	}
	if t.Value = value; found[4] != "" {
		if t.Kind != TargetMemory {
			return refuse("ctx belongs to memory alone")
		}
		if t.Context, _ = strconv.Atoi(found[4]); t.Context == 0 {
			return refuse("a context of no tokens")
		}
	}
	bytes, isBytes := iecUnits[unit]
	switch {
	case t.Kind == TargetKL && unit == "":
	case t.Kind == TargetRetention && unit == "%" && value <= 100:
		t.Value = value / 100
	case t.Kind == TargetRetention && unit == "%":
		return refuse("more than 100 %")
	case t.Kind == TargetMemory && isBytes:
		if t.Value = math.Floor(value * bytes); !(1 <= t.Value && t.Value <= math.MaxInt64/2) {
			return refuse("no size that a memory has")
		}
	case t.Kind == TargetSpeed && unit == "x" && value > 1:
	case t.Kind == TargetSpeed && unit == "x":
		return refuse("the dense model is as fast as that")
	default:
		return refuse(fmt.Sprintf("%s %q has the wrong unit", t.Kind, found[2]+unit))
	}
	return t, nil
}

// String is the target as it was typed.
func (t Target) String() string { return t.text }

// Holds says whether a value reaches the target.
func (t Target) Holds(value float64) bool {
	if t.bound() {
		return value <= t.Value
	}
	return value >= t.Value
}

// bound says whether the target is a most, not a least.
func (t Target) bound() bool { return t.Kind == TargetKL || t.Kind == TargetMemory }

// most says whether as many layers as possible shall go, since each makes it worse; otherwise as few as are needed.
func (t Target) most() bool { return t.Kind == TargetKL || t.Kind == TargetRetention }

// Shown is a value of the target's kind for a person.
func (t Target) Shown(value float64) string {
	switch t.Kind {
	case TargetKL:
		return fmt.Sprintf("a KL of %.3g", value)
	case TargetRetention:
		return fmt.Sprintf("a retention of %.1f %%", 100*value)
	case TargetMemory:
		if value < 1<<30 {
			return fmt.Sprintf("%.1f MiB", value/(1<<20))
		}
		return fmt.Sprintf("%.2f GiB", value/(1<<30))
	}
	return fmt.Sprintf("%.2f times the speed", value)
}

// Aimed is what came of a target.
type Aimed struct {
	Target string     `json:"target"`
	Count  int        `json:"count"` // layers that go
	Value  float64    `json:"value"` // what was measured with them gone
	Tried  []Measured `json:"tried"` // in the order they were measured
}

// Measured is what a target's measure is without so many layers.
type Measured struct {
	Count int     `json:"count"`
	Value float64 `json:"value"`
}

// Unmet says that no number of layers reaches a target.
type Unmet struct{ Target, Why string }

func (u *Unmet) Error() string { return fmt.Sprintf("target %s: %s", u.Target, u.Why) }

// Solve seeks the number of layers that reaches the target, of at most so many that may go: the most that may where each costs something, the
// fewest that must where each gains. It halves the range, so what it measures must grow or fall with the number of layers. Where none reaches the
// target the error is *Unmet.
func (t Target) Solve(most int, measure func(count int) (float64, error)) (*Aimed, error) {
	a := &Aimed{Target: t.String()}
	known := map[int]float64{}
	holds := func(count int) (bool, error) {
		value, err := measure(count)
		if err != nil {
			return false, err
		}
		if math.IsNaN(value) {
			return false, &Unmet{t.String(), fmt.Sprintf("without %s there is nothing to measure it by", layersGone(count))}
		}
		known[count] = value
		a.Tried = append(a.Tried, Measured{count, value})
		return t.Holds(value), nil
	}
	if most < 1 {
		return nil, &Unmet{t.String(), "cannot be met: no layer may go"}
	}
	low, high := 0, most+1 // the first side holds for a target of the most that may go, the second for one of the fewest
	for high-low > 1 {
		middle := (low + high) / 2
		held, err := holds(middle)
		if err != nil {
			return nil, err
		}
		if held == t.most() {
			low = middle
		} else {
			high = middle
		}
	}
	switch {
	case t.most() && low == 0:
		return nil, &Unmet{t.String(), fmt.Sprintf("cannot be met: the most that can go is nothing; one layer less already is %s", t.Shown(known[1]))}
	case !t.most() && high > most:
		return nil, &Unmet{t.String(), fmt.Sprintf("cannot be met: the most that can go is %s, which is %s", layersGone(most), t.Shown(known[most]))}
	case t.most():
		a.Count = low
	default:
		a.Count = high
	}
	a.Value = known[a.Count]
	return a, nil
}

func layersGone(count int) string {
	if count == 1 {
		return "1 layer"
	}
	return fmt.Sprintf("%d layers", count)
}
