package report

// The explorer: what a page lets its reader turn over. A slider goes over the shares that were judged, from the dense model on; what goes there,
// what that costs and what the model then says is here in words, so that the page's script puts them in their places and computes nothing.

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"avssnative/internal/report/escape"
	"avssnative/prune"
)

// mostStops is how many judged sets a page has a slider for, and mostBoxes of how many units it draws a box each.
const (
	mostStops = 4096
	mostBoxes = 1024
)

// explorer is the slider's data. Every text in it can be seen as it is.
type explorer struct {
	Figures []figureName `json:"figures"`
	Prompts []string     `json:"prompts"`
	Boxes   []box        `json:"-"`     // the units, in their order
	Halves  bool         `json:"-"`     // they are halves of layers
	Lines   []line       `json:"lines"` // rankings, plain or repaired
	Line    int          `json:"line"`  // where the page begins
	Stop    int          `json:"stop"`
}

// box is a unit of the model, and whether it goes where the page begins.
type box struct {
	Name string
	Gone bool
}

// figureName is what one figure of a stop is called, and what that means.
type figureName struct {
	Name  string `json:"name"`
	About string `json:"about"`
}

// line is what one ranking drops, more and more.
type line struct {
	Name  string `json:"name"`
	Stops []stop `json:"stops"`
}

// stop is one place of the slider.
type stop struct {
	Share   float64   `json:"share"` // per cent
	Amount  string    `json:"amount"`
	Which   string    `json:"which"`
	Gone    []int     `json:"gone"`
	Grade   string    `json:"grade"`
	Finding string    `json:"finding"`
	Command string    `json:"command"` // what to type for it; empty: nothing
	Figures []string  `json:"figures"`
	Says    []passage `json:"says"`
}

// passage is a text beside the dense model's: how it begins alike, and how it goes on.
type passage struct {
	Same  string `json:"same"`
	Other string `json:"other"`
}

// gradeWords are the classes of what a cut is worth.
var gradeWords = map[grade]string{spared: "spared", costly: "costly", ruinous: "ruinous", unjudged: "unjudged"}

// explore is the slider's data; nil where no shares were judged beside the dense model, or more than a slider has places for.
func (r *Report) explore() *explorer {
	s := r.Sweep
	if s == nil || s.Dense == nil || len(s.Points) == 0 || len(s.Points) > mostStops {
		return nil
	}
	e := &explorer{Halves: s.Unit == prune.Sublayer}
	for _, prompt := range s.Prompts {
		e.Prompts = append(e.Prompts, escape.Visible(prompt))
	}
	if units := unitsOf(s.Layers, s.Unit); units <= mostBoxes {
		for i := range units {
			e.Boxes = append(e.Boxes, box{Name: boxName(s.Unit, i)})
		}
	}
	rows := s.figures()
	for _, row := range rows {
		e.Figures = append(e.Figures, figureName{escape.Visible(row.name), escape.Visible(row.about)})
	}
	at := map[string]int{}
	for i := range s.Points {
		p := &s.Points[i]
		name := p.line()
		if _, has := at[name]; !has {
			at[name] = len(e.Lines)
			e.Lines = append(e.Lines, line{escape.Visible(r.label(p.Metric) + strings.TrimPrefix(name, p.Metric)), []stop{r.stop(s.Dense, rows)}})
		}
		l := &e.Lines[at[name]]
		l.Stops = append(l.Stops, r.stop(p, rows))
		if r.begins(p) && e.Stop == 0 {
			e.Line, e.Stop = at[name], len(l.Stops)-1
		}
	}
	if e.Stop == 0 {
		e.Stop = 1
	}
	for _, unit := range e.Lines[e.Line].Stops[e.Stop].Gone {
		if unit < len(e.Boxes) {
			e.Boxes[unit].Gone = true
		}
	}
	return e
}

// boxName is what stands in a unit's box: halves have one letter.
func boxName(unit string, i int) string {
	if unit != prune.Sublayer {
		return fmt.Sprint(i)
	}
	return fmt.Sprint(i/2) + [2]string{"a", "m"}[i%2]
}

// begins says whether a point is the one that the verdict tells of.
func (r *Report) begins(p *SweepPoint) bool {
	if r.Plan != nil {
		return slices.Equal(p.Dropped, r.Plan.Dropped)
	}
	f := r.recommended()
	return f != nil && f.divergence == &p.Divergence // the very point: a set may have been judged plain and repaired
}

// stop is a point of the sweep as a place of the slider.
func (r *Report) stop(p *SweepPoint, rows []figureRow) stop {
	s := r.Sweep
	to := stop{Share: 100 * p.Share, Gone: append([]int{}, p.Dropped...), Which: "nothing", Grade: gradeWords[spared]}
	for i := range rows {
		to.Figures = append(to.Figures, parted(escape.Visible(rows[i].of(p))))
	}
	for i, text := range p.Says {
		dense := "" // it may have said less
		if i < len(s.Dense.Says) {
			dense = s.Dense.Says[i]
		}
		to.Says = append(to.Says, beside(dense, text))
	}
	if p == s.Dense {
		to.Amount, to.Finding = "nothing", "This is the dense model, as it came: nothing goes."
		return to
	}
	which, of := r.which(p.Dropped)
	if s.Unit != prune.Sublayer {
		of += " layers"
	}
	to.Amount, to.Which = fmt.Sprintf("%d of %s (%.3g %%)", len(p.Dropped), of, 100*p.Share), which
	f := r.found(p)
	f.chosenBy = "chosen by " + r.label(p.Metric)
	to.Grade, to.Finding = gradeWords[f.grade()], escape.Visible(r.whatGoes(f))
	if f.grade() != ruinous {
		to.Command = escape.Visible(r.commandFor(p, f))
	}
	return to
}

// commandFor is what to type to have the model that a point was judged as.
func (r *Report) commandFor(p *SweepPoint, f *finding) string {
	if r.Plan == nil {
		command := r.nextCommand(f)
		if r.Sweep.repaired() { // else what run does by itself is as good or better
			command += " " + typed([]string{"--repair=" + cmp.Or(p.Repair, string(prune.RepairNone))})
		}
		return command
	}
	return typed(r.again(map[string]string{"drop": fmt.Sprint(p.Count), "drop-mass": "", "target": "", "shares": "", "out": r.proposedName(f),
		"report": "", "force": "", "resume": ""}))
}

// repaired says whether sets were judged with the layers that stay repaired.
func (s *Sweep) repaired() bool {
	return slices.ContainsFunc(s.Points, func(p SweepPoint) bool { return p.Repair != "" })
}

// parted is a figure that a narrow page breaks before ± or a bracket alone.
func parted(figure string) string {
	if strings.ContainsAny(figure, "±(") {
		return strings.NewReplacer(" %", "\u00a0%", "± ", "±\u00a0").Replace(figure)
	}
	return strings.ReplaceAll(figure, " ", "\u00a0")
}

// beside is a text held against what the dense model says in its place, parted where a word differs first.
func beside(dense, text string) passage {
	text = escape.Visible(text)
	other, same := escape.Visible(dense), 0
	for same < len(text) && same < len(other) && text[same] == other[same] {
		same++
	}
	if same == len(text) && same == len(other) {
		return passage{Same: text}
	}
	if space := strings.LastIndexByte(text[:same], ' '); space >= 0 {
		same = space + 1
	}
	for !utf8.ValidString(text[:same]) {
		same--
	}
	return passage{text[:same], text[same:]}
}

// figureRow is a figure that every point has.
type figureRow struct {
	name, about string
	of          func(*SweepPoint) string
}

// figures are those that this sweep has measured.
func (s *Sweep) figures() []figureRow {
	var rows []figureRow
	add := func(measured bool, name, about string, of func(*SweepPoint) string) {
		if measured {
			rows = append(rows, figureRow{name, about, of})
		}
	}
	add(isFinite(float64(s.Dense.Retention.MeanOfCorrected)), "kept beyond chance",
		"what is left of what the model knows beyond guessing, in brackets 95 % of the doubt; 100 % is all of it",
		func(p *SweepPoint) string {
			if p == s.Dense { // of all that it has
				return shown(Share(p.Retention.MeanOfCorrected))
			}
			return shown(Kept{Share(p.Retention.MeanOfCorrected), p.Retention.CorrectedSpan})
		})
	add(s.Dense.Divergence.Tokens > 0 || s.Points[0].Divergence.Tokens > 0, "divergence",
		"how far its next words are from the dense model's (KL, nats a token): up to 0.5 is little, above 2 another model",
		func(p *SweepPoint) string {
			if p.Divergence.Stderr == 0 {
				return short(p.Divergence.KL)
			}
			return short(p.Divergence.KL) + " ± " + short(1.96*p.Divergence.Stderr)
		})
	add(s.Points[0].Divergence.Tokens > 0, "same next word", "how often both models find the same next word most likely",
		func(p *SweepPoint) string { return shown(Share(p.Divergence.SameTop)) })
	for i := range s.Dense.Tasks {
		t := &s.Dense.Tasks[i]
		about := "share of the questions answered rightly (" + t.Metric + ")"
		if t.Convention != "" {
			about = "how surprised it is by this text (perplexity, " + t.Metric + "); lower is better"
		}
		add(true, t.Name, about, func(p *SweepPoint) string { return shown(Figure{p.Tasks[i].Value, p.Tasks[i].Stderr}) })
	}
	add(s.Dense.Fluency != nil, "repeats itself", "share of the runs of four tokens that it had said before", func(p *SweepPoint) string {
		if p.Fluency == nil {
			return unknown
		}
		return shown(Share(p.Fluency.Repeats))
	})
	add(s.Dense.Parameters > 0, "parameters", "numbers that the model is made of", func(p *SweepPoint) string { return shown(Quantity(p.Parameters)) })
	add(s.Dense.Bytes > 0, "weights", "what they take on a disk and in memory", func(p *SweepPoint) string { return shown(Bytes(p.Bytes)) })
	add(s.Dense.TokensPerSecond > 0, "tokens/s read", "how fast it reads, here",
		func(p *SweepPoint) string { return shown(measured(p.TokensPerSecond)) })
	add(s.Dense.Generated > 0, "tokens/s made", "how fast it writes, here",
		func(p *SweepPoint) string { return shown(measured(p.Generated)) })
	return rows
}
