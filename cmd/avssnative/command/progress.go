package command

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"avssnative/engine"
	"avssnative/internal/job"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far a job has come: a bar for all its phases on a terminal, a plain line every few seconds elsewhere. Each phase has its part of
// the bar by how long it is expected to take; what the phases before took corrects what is expected of those to come.
type progress struct {
	mu       sync.Mutex // a device says that it is busy whenever that is so
	out      io.Writer
	terminal bool
	bar      *progressbar.ProgressBar
	name     string // of the phase in work
	sub      string // of what the phase is at
	subs     int    // how many such things it has been at
	began    time.Time
	said     time.Time
	told     bool // how a search goes on after it was interrupted

	expected []job.Expected // all phases, as they were foreseen
	done     []string       // those that came to an end
	spent    float64        // seconds that these took
	foreseen float64        // and were expected to take
}

const (
	barSteps    = 1000            // a bar's resolution
	quietBefore = 3 * time.Second // a phase that ends sooner says nothing where there is no terminal
	lineEvery   = 5 * time.Second
	longPhase   = 60 // seconds from which it is said before a phase, and before the job, how long it will take
)

func newProgress(out io.Writer) *progress {
	file, ok := out.(*os.File)
	return &progress{out: out, terminal: ok && term.IsTerminal(int(file.Fd()))}
}

// expect is told what is to come. Where it is long that is said before anything starts.
func (p *progress) expect(all []job.Expected) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = all
	total := 0.0
	var parts []string
	for _, e := range all {
		total += e.Seconds
		if e.Seconds >= 1 {
			parts = append(parts, e.Phase+" "+about(e.Seconds))
		}
	}
	if total >= longPhase {
		fmt.Fprintf(p.out, "this will take about %s: %s\n", about(total), strings.Join(parts, ", "))
	}
}

// about is a time as an estimate is told.
func about(seconds float64) string {
	to := time.Second
	switch {
	case seconds >= 3600:
		to = 5 * time.Minute
	case seconds >= 60:
		to = 10 * time.Second
	}
	return max(time.Duration(seconds*float64(time.Second)), time.Second).Round(to).String()
}

// phase begins a phase.
func (p *progress) phase(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.close()
	if p.name != "" && !p.began.IsZero() {
		p.done = append(p.done, p.name)
		p.spent += time.Since(p.began).Seconds()
		p.foreseen += p.expects(p.name)
	}
	p.name, p.sub, p.subs, p.began, p.said = name, "", 0, time.Now(), time.Now()
	if seconds := p.expects(name) * p.correction(); seconds >= longPhase {
		fmt.Fprintf(p.out, "%s: about %s\n", name, about(seconds))
	}
}

// expects is how long a phase was foreseen to take; 0: it was not foreseen.
func (p *progress) expects(name string) float64 {
	for _, e := range p.expected {
		if e.Phase == name {
			return e.Seconds
		}
	}
	return 0
}

// correction is how much longer the phases took than expected so far. Of short ones it says little.
func (p *progress) correction() float64 {
	if p.foreseen < 2 {
		return 1
	}
	return min(max(p.spent/p.foreseen, 0.2), 5)
}

// close takes a bar off the screen.
func (p *progress) close() {
	if p.bar != nil {
		_ = p.bar.Clear() // what a terminal does not take is not worth a failure
		p.bar = nil
	}
}

// left is how many seconds the phase and the whole job still take, when so much of what the phase is at is done.
func (p *progress) left(share float64) (phase, whole float64) {
	elapsed := time.Since(p.began).Seconds()
	measured := elapsed * (1 - share) / max(share, 1e-6)
	expected := p.expects(p.name) * p.correction()
	switch {
	case expected == 0:
		phase = measured
	case p.subs > 1: // what is measured is one of several things
		phase = max(expected-elapsed, 0)
	default: // the further it has come, the more it is what is measured that counts
		phase = share*measured + (1-share)*max(expected-elapsed, 0)
		if share > 0.2 || elapsed > expected {
			phase = measured
		}
	}
	whole = phase
	for _, e := range p.expected {
		if e.Phase != p.name && !slices.Contains(p.done, e.Phase) {
			whole += e.Seconds * p.correction()
		}
	}
	return phase, whole
}

// step shows one step of what a phase is at.
func (p *progress) step(name string, s engine.Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	share := 0.0
	if s.Total > 0 {
		share = min(s.Done/s.Total, 1)
	}
	if name != p.sub {
		p.sub = name
		p.subs++
	}
	elapsed := time.Since(p.began)
	rate := float64(s.Rows) / max(elapsed.Seconds(), 1e-3)
	phase, whole := p.left(share)
	all := p.spent + elapsed.Seconds()
	all /= max(all+whole, 1e-3)
	if p.terminal {
		if p.bar == nil {
			p.bar = progressbar.NewOptions(barSteps, progressbar.OptionSetWriter(p.out), progressbar.OptionSetPredictTime(false),
				progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth())
		}
		p.bar.Describe(fmt.Sprintf("%s: layer %d of %d, %.0f rows/s, %s left, %s of all", name, min(s.Layer+1, s.Layers), s.Layers, rate, about(phase),
			about(whole)))
		_ = p.bar.Set(min(int(all*barSteps), barSteps-1))
		if share >= 1 { // what is printed next shall not stand behind a bar
			p.close()
		}
		return
	}
	if elapsed < quietBefore || time.Since(p.said) < lineEvery {
		return
	}
	p.said = time.Now()
	fmt.Fprintf(p.out, "%s: layer %d of %d, %.0f %%, %.0f rows/s, %s left", name, min(s.Layer+1, s.Layers), s.Layers, 100*share, rate, about(phase))
	if whole > phase {
		fmt.Fprintf(p.out, "; all %.0f %%, %s left", 100*all, about(whole))
	}
	fmt.Fprintln(p.out)
}
