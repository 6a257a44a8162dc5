package report

// The verdict: five plain sentences at the top of every form. What to drop, what that costs, how sure it is, what would be better, and what to
// run next. Each is made of what the report holds and says nothing that was not measured.

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"avssnative/avss"
	"avssnative/prune"
)

// verdictLayers is how long the sentence's list of layers may be.
const verdictLayers = 120

// grade is what a cut is worth.
type grade int

const (
	spared   grade = iota // the model hardly misses what went
	costly                // it does, and may still be worth it
	ruinous               // it is no longer the model that it was
	unjudged              // nothing says
)

// commandSentence is the place of the sentence that is a command line, behind next.
const (
	commandSentence = 4
	next            = "Next: "
)

// The bounds of the grades: what the paper promises of a quarter of the layers, and where a model answers other questions than it was asked.
const (
	sparedKept, ruinousKept = 0.9, 0.75
	sparedKL, ruinousKL     = 0.5, 2.0
	hardlyKL                = 0.1
)

// finding is a cut as the sentences tell of it: that of a run, or the best of a sweep.
type finding struct {
	dropped    []int
	chosenBy   string
	retention  *Retention
	tasks      int
	divergence *Divergence
	perplexity string // what became of it
	bytes      int64
	of         int64 // bytes of the dense model
}

// grade judges by what lies beyond chance, and by how far the next words differ.
func (f *finding) grade() grade {
	kept := float64(f.retention.MeanOfCorrected)
	known, kl := isFinite(kept), 0.0
	if f.divergence != nil && f.divergence.Tokens > 0 {
		kl, known = f.divergence.KL, true
	}
	// Where few items leave open what was kept, next words that hardly differ settle it.
	if s := f.retention.CorrectedSpan; !isFinite(kept) || s != nil && float64(s.High-s.Low) > unsure && float64(s.High) > sparedKept && known &&
		kl > 0 && kl < hardlyKL {
		kept = 1
	}
	switch {
	case !known:
		return unjudged
	case kept < ruinousKept || kl > ruinousKL:
		return ruinous
	case kept < sparedKept || kl > sparedKL:
		return costly
	}
	return spared
}

// Verdict is what was found in five sentences; nil where nothing was compared.
func (r *Report) Verdict() []string {
	if r.Sweep != nil && len(r.Sweep.Points) > 0 && r.Plan == nil {
		return r.sweepVerdict()
	}
	kept := r.means()
	if r.Plan == nil || kept == nil {
		return nil
	}
	f := &finding{dropped: r.Plan.Dropped, chosenBy: r.chosenBy(), retention: kept, tasks: len(r.Tasks.averaged()), divergence: r.Divergence}
	for i := range r.Tasks {
		if t := &r.Tasks[i]; t.Convention != "" && t.Pruned != nil && f.perplexity == "" {
			f.perplexity = grown(t.Name, float64(t.Dense.Value), float64(t.Pruned.Value))
		}
	}
	if s := r.Size; s != nil {
		f.bytes, f.of = s.BytesPruned, s.BytesDense
	}
	return []string{r.whatGoes(f), r.whatItCosts(f), r.howSure(f), r.whatIsBetter(f), next + r.nextCommand(f)}
}

// grown says what became of a perplexity.
func grown(name string, dense, pruned float64) string {
	if !isFinite(dense) || !isFinite(pruned) || dense <= 0 {
		return ""
	}
	return fmt.Sprintf("perplexity of %s from %s to %s, %s times", name, short(dense), short(pruned), short(pruned/dense))
}

func (r *Report) chosenBy() string {
	if r.Plan.Metric == "" {
		return "named by hand"
	}
	return "chosen by " + r.label(r.Plan.Metric)
}

// whatGoes is the first sentence.
func (r *Report) whatGoes(f *finding) string {
	which, of := r.which(f.dropped)
	if len(which) > verdictLayers {
		which = fmt.Sprintf("%d layers", len(f.dropped))
		if r.unit() == prune.Sublayer {
			which = fmt.Sprintf("%d halves of layers", len(f.dropped))
		}
	}
	about := fmt.Sprintf("%d of %s, %s", len(f.dropped), of, f.chosenBy)
	if r.Repair != nil && r.Repair.Repair != nil || r.Repair != nil && len(r.Repair.Types) > 0 {
		if len(r.Repair.Linear) > 0 {
			about += fmt.Sprintf(", linear maps in the place of %d %s", len(r.Repair.Linear), some("attention", len(r.Repair.Linear)))
		}
		if r.Repair.Method != prune.RepairLinear {
			about += fmt.Sprintf(", the others repaired by %s", r.Repair.Method)
		}
	}
	switch f.grade() {
	case spared:
		return fmt.Sprintf("%s can do without %s (%s).", r.name(), which, about)
	case costly:
		return fmt.Sprintf("%s misses %s (%s): leave them out only where the loss below is worth it.", r.name(), which, about)
	case ruinous:
		return fmt.Sprintf("%s cannot spare %s (%s): do not leave them out.", r.name(), which, about)
	}
	return fmt.Sprintf("%s without %s (%s) was judged on no task that tells what it keeps.", r.name(), which, about)
}

// whatItCosts is the second sentence.
func (r *Report) whatItCosts(f *finding) string {
	var parts []string
	if k := f.retention; isFinite(float64(k.MeanOfCorrected)) {
		parts = append(parts, fmt.Sprintf("it keeps %s of what lies beyond chance%s and %s raw, on %d %s", Percent(k.MeanOfCorrected),
			k.CorrectedSpan.said(),
			Percent(k.MeanOfRatios), f.tasks, some("task", f.tasks)))
	}
	if f.perplexity != "" {
		parts = append(parts, f.perplexity)
	}
	if d := f.divergence; d != nil && d.Tokens > 0 {
		parts = append(parts, fmt.Sprintf("its next words differ by %s nats a token, %s of the most likely ones are the same", short(d.KL),
			Percent(avss.Value(d.SameTop))))
	}
	if f.of > 0 && f.bytes > 0 {
		parts = append(parts, fmt.Sprintf("weights go from %s to %s", size(f.of), size(f.bytes)))
	}
	if s := r.Speed; s != nil && s.TokensPerSecondPruned > 0 && s.TokensPerSecondDense > 0 && r.Sweep == nil {
		parts = append(parts, fmt.Sprintf("text is read %.2f times as fast", s.TokensPerSecondPruned/s.TokensPerSecondDense))
	}
	if len(parts) == 0 {
		return "What that costs was not measured."
	}
	return "The cost: " + strings.Join(parts, "; ") + "."
}

// said is an interval in a sentence.
func (s *Span) said() string {
	if s == nil || !isFinite(float64(s.Low)) || !isFinite(float64(s.High)) {
		return ""
	}
	return fmt.Sprintf(" (95 %%: %.0f to %.0f %%)", 100*float64(s.Low), 100*float64(s.High))
}

const (
	// unstable is the split-half τ below which other text would choose other layers.
	unstable = 0.7
	// unsure is how wide an interval of what was kept may be before it says little.
	unsure = 0.2
)

// howSure is the third sentence.
func (r *Report) howSure(f *finding) string {
	var parts []string
	switch s := f.retention.CorrectedSpan; {
	case s != nil && isFinite(float64(s.High-s.Low)) && s.High-s.Low > unsure:
		parts = append(parts, fmt.Sprintf("there are too few items to tell within %.0f points", 100*float64(s.High-s.Low)/2))
	case s != nil && isFinite(float64(s.High-s.Low)):
		parts = append(parts, "there are enough items for that interval to be narrow")
	}
	if d := f.divergence; d != nil && d.Stderr > 0 {
		parts = append(parts, fmt.Sprintf("the divergence is known to ± %s", short(1.96*d.Stderr)))
	}
	if r.Plan != nil {
		if s, measured := r.Scores[r.Plan.Metric]; measured && isFinite(float64(s.Tau)) && len(s.Low) > 0 {
			word := "stable"
			if s.Tau < unstable {
				word = "unstable, other text would choose others"
			}
			parts = append(parts, fmt.Sprintf("the ranking is %s (split-half τ %.2f)", word, float64(s.Tau)))
		}
	}
	if r.Sweep != nil && r.Plan == nil {
		parts = append(parts, r.Sweep.agreed(len(f.dropped)))
		if left := r.Sweep.atChance(); len(left) > 0 {
			parts = append(parts, "not counted: "+named(left, inSentence)+" ("+notAbove+")")
		}
	}
	if left := r.Tasks.notCounted(inSentence); left != "" {
		parts = append(parts, "n"+strings.TrimSuffix(left, ".")[1:])
	}
	if len(parts) == 0 {
		return "How sure that is nothing here says."
	}
	return "How sure: " + strings.Join(parts, "; ") + "."
}

// whatIsBetter is the fourth sentence.
func (r *Report) whatIsBetter(f *finding) string {
	var parts []string
	if a := r.betterAlternative(f); a != nil {
		parts = append(parts, fmt.Sprintf("for bytes alone the dense model in %s, %s at %s nats a token (leaving layers out saves time and cache "+
			"as well, and "+
			"goes on top of it)", a.Name, size(a.Bytes), short(a.Divergence.KL)))
	}
	if best := r.betterChoice(f); best != "" {
		parts = append(parts, best)
	}
	if f.grade() == costly || f.grade() == ruinous {
		if len(f.dropped) > 1 {
			parts = append(parts, "fewer layers")
		}
		if r.Plan != nil && r.Plan.Metric != "" && r.Plan.Metric != "search" && r.unit() != prune.Sublayer {
			parts = append(parts, "a set chosen by what it costs once it is repaired (--metric search)")
		}
	}
	if r.Repair == nil && f.grade() != unjudged && len(parts) < 3 {
		parts = append(parts, "a repair of the layers that stay (--repair auto), of which there is none here")
	}
	if len(parts) == 0 {
		return "Better: nothing that was measured here."
	}
	return "Better: " + strings.Join(parts, "; ") + "."
}

// betterAlternative is the coarser dense model that is no larger than the pruned one and nearer to the dense one, the nearest.
func (r *Report) betterAlternative(f *finding) *Alternative {
	var best *Alternative
	for i := range r.Alternatives {
		a := &r.Alternatives[i]
		if a.Divergence == nil || f.divergence == nil || f.bytes == 0 || a.Bytes > f.bytes || a.Divergence.KL >= f.divergence.KL {
			continue
		}
		if best == nil || a.Divergence.KL < best.Divergence.KL {
			best = a
		}
	}
	return best
}

// nextCommand is the fifth sentence: what to type.
func (r *Report) nextCommand(f *finding) string {
	if r.Sweep != nil && r.Plan == nil {
		words := append([]string{"avssnative", "run"}, r.flags("model", "unit", "calib", "calib-field", "calib-tokens", "tasks", "task-data", "limit", "device", "threads")...)
		list := strings.ReplaceAll(spaced(f.dropped), " ", ",")
		if r.unit() == prune.Sublayer {
			list = strings.Join(UnitSet(f.dropped).words(), ",")
		} else if len(f.dropped) == 1 { // a number alone is how many shall go
			list += ","
		}
		words = append(words, "--drop="+list)
		if len(f.dropped) > 0 && f.grade() != ruinous {
			words = append(words, "--out="+r.proposedName(f))
		}
		return typed(words)
	}
	of := max(1, unitsOf(r.Model.Layers, r.unit()))
	switch g := f.grade(); {
	case (g == ruinous || g == costly) && len(f.dropped) > 1:
		fewer := len(f.dropped) / 2
		return typed(r.again(map[string]string{"drop": fmt.Sprint(fewer), "drop-mass": "", "out": "", "report": "", "force": ""}))
	case r.Output != "" && r.Unwritten == "" && r.Uncomputed == "" && r.Written != "mergekit":
		return typed([]string{"avssnative", "generate", "--model=" + r.Output, "--prompt=Once upon a time"})
	case r.Output == "" && g == spared && len(r.Command) > 1 && r.Command[1] == "run":
		return typed(r.again(map[string]string{"out": r.proposedName(f), "report": "", "force": ""}))
	}
	share := 100 * float64(len(f.dropped)) / float64(of)
	words := append([]string{"avssnative", "bench"}, r.flags("model", "unit", "calib", "calib-field", "calib-tokens", "tasks", "task-data", "limit", "device", "threads")...)
	return typed(append(words, fmt.Sprintf("--shares=%.3g,%.3g,%.3g", max(share/2, 1), max(share, 1), min(max(1.5*share, 2), 95))))
}

// proposedName is where a pruned model might be written.
func (r *Report) proposedName(f *finding) string {
	name := slug(r.name(), "-") + fmt.Sprintf("-without-%d", len(f.dropped))
	if strings.HasSuffix(strings.ToLower(r.Model.Ref), ".gguf") {
		name += ".gguf"
	}
	return name
}

// flags are those of the command that made the report that have these names.
func (r *Report) flags(names ...string) []string {
	var kept []string
	for _, word := range r.Command[min(2, len(r.Command)):] {
		name, _, _ := strings.Cut(strings.TrimPrefix(word, "--"), "=")
		if name == "calib-tokens" && r.Settled != nil && r.Calibration != nil { // what it came to
			word = fmt.Sprintf("--%s=%d", name, r.Calibration.Tokens)
		}
		if strings.HasPrefix(word, "--") && slices.Contains(names, name) {
			kept = append(kept, word)
		}
	}
	return kept
}

// again is the command that made the report with other values of some flags; an empty one takes the flag away.
func (r *Report) again(with map[string]string) []string {
	words := slices.Clone(r.Command[:min(2, len(r.Command))])
	for _, word := range r.Command[len(words):] {
		name, _, _ := strings.Cut(strings.TrimPrefix(word, "--"), "=")
		if _, other := with[name]; !other {
			words = append(words, word)
		}
	}
	for _, name := range []string{"drop", "out"} {
		if value := with[name]; value != "" {
			words = append(words, "--"+name+"="+value)
		}
	}
	return words
}

// unquoted are words that no shell reads in another way.
var unquoted = regexp.MustCompile(`^[A-Za-z0-9_./:=,%@+-]+$`)

// typed is a command line that can be pasted into a shell.
func typed(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		if quoted[i] = word; !unquoted.MatchString(word) {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// name is what the model is called: by itself, else by its file or folder, never by a path.
func (r *Report) name() string {
	switch ref := r.Model.Ref; {
	case r.Model.Name != "":
		return r.Model.Name
	case filepath.IsAbs(ref) || strings.HasPrefix(ref, ".") || strings.Count(ref, "/") > 1 || strings.HasSuffix(ref, ".gguf"):
		return strings.TrimSuffix(filepath.Base(filepath.Clean(ref)), ".gguf")
	default:
		return ref
	}
}

// finite is a number to order by, the largest where it is none.
func finite(v float64) float64 {
	if math.IsNaN(v) {
		return math.Inf(1)
	}
	return v
}
