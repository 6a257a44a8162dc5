package command

import (
	"fmt"
	"io"
	"os"
	"time"

	"avssnative/engine"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far a pass has come: a bar with time left on a terminal, a plain line every few seconds elsewhere.
type progress struct {
	out      io.Writer
	terminal bool
	bar      *progressbar.ProgressBar
	name     string
	began    time.Time
	said     time.Time
	told     bool // how a search goes on after it was interrupted
}

const (
	barSteps    = 1000            // a bar's resolution
	quietBefore = 3 * time.Second // a phase that ends sooner says nothing where there is no terminal
	lineEvery   = 5 * time.Second
)

func newProgress(out io.Writer) *progress {
	file, ok := out.(*os.File)
	return &progress{out: out, terminal: ok && term.IsTerminal(int(file.Fd()))}
}

// phase begins a phase.
func (p *progress) phase(name string) {
	p.close()
	p.name, p.began, p.said = name, time.Now(), time.Now()
}

// close takes a bar off the screen.
func (p *progress) close() {
	if p.bar != nil {
		_ = p.bar.Clear() // what a terminal does not take is not worth a failure
		p.bar = nil
	}
}

// step shows one step of a pass.
func (p *progress) step(name string, s engine.Step) {
	share := 0.0
	if s.Total > 0 {
		share = min(s.Done/s.Total, 1)
	}
	elapsed := time.Since(p.began)
	rate := float64(s.Rows) / max(elapsed.Seconds(), 1e-3)
	if p.terminal {
		if p.bar == nil {
			p.bar = progressbar.NewOptions(barSteps, progressbar.OptionSetWriter(p.out), progressbar.OptionSetPredictTime(true),
				progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth())
		}
		p.bar.Describe(fmt.Sprintf("%s: layer %d of %d, %.0f rows/s", name, min(s.Layer+1, s.Layers), s.Layers, rate))
		_ = p.bar.Set(int(share * barSteps))
		if share >= 1 {
			p.close()
		}
		return
	}
	if elapsed < quietBefore || time.Since(p.said) < lineEvery {
		return
	}
	p.said = time.Now()
	left := time.Duration(float64(elapsed) * (1 - share) / max(share, 1e-6)).Round(time.Second)
	fmt.Fprintf(p.out, "%s: layer %d of %d, %.0f %%, %.0f rows/s, %v left\n", name, min(s.Layer+1, s.Layers), s.Layers, 100*share, rate, left)
}
