package command

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"avssnative/engine"
	"avssnative/internal/job"
)

// What takes long is said before it starts, the whole and each long phase; what is short says nothing.
func TestAnnouncements(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out)
	p.expect([]job.Expected{{Phase: "scoring", Seconds: 20}, {Phase: "judging", Seconds: 30}})
	if out.Len() > 0 {
		t.Errorf("less than a minute: %q", out.String())
	}
	p.expect([]job.Expected{{Phase: "scoring", Seconds: 20}, {Phase: "judging", Seconds: 90}, {Phase: "timing", Seconds: 0.1}})
	if got := out.String(); got != "this will take about 1m50s: scoring 20s, judging 1m30s\n" {
		t.Errorf("%q", got)
	}
	out.Reset()
	p.phase("scoring")
	if out.Len() > 0 {
		t.Errorf("a short phase: %q", out.String())
	}
	p.began = time.Now().Add(-40 * time.Second) // twice as long as expected
	p.phase("judging")
	if got := out.String(); got != "judging: about 3m0s\n" {
		t.Errorf("%q", got)
	}
	if got := about(7230); got != "2h0m0s" {
		t.Errorf("%q", got)
	}
}

// Each phase has its part of the whole; those before correct what is expected of those to come; several things within a phase do not set it back.
func TestShareOfTheWhole(t *testing.T) {
	p := newProgress(&bytes.Buffer{})
	p.expect([]job.Expected{{Phase: "scoring", Seconds: 20}, {Phase: "judging", Seconds: 30}, {Phase: "writing", Seconds: 10}})
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 0.1 {
			t.Errorf("%s: %v seconds, want %v", what, got, want)
		}
	}
	p.phase("scoring")
	phase, whole := p.left(0)
	near("at once", phase, 20)
	near("at once, of all", whole, 60)
	p.began = time.Now().Add(-10 * time.Second)
	phase, whole = p.left(0.25) // a quarter took ten seconds
	near("a quarter", phase, 30)
	near("a quarter, of all", whole, 70)
	p.began = time.Now().Add(-40 * time.Second)
	p.phase("judging")
	phase, whole = p.left(0)
	near("behind one that took twice as long", phase, 60)
	near("and of all", whole, 80)
	p.step("one", engine.Step{Done: 1, Total: 1})
	p.step("two", engine.Step{Done: 0.1, Total: 1})
	p.began = time.Now().Add(-15 * time.Second)
	phase, _ = p.left(0.1)
	near("the second of several things", phase, 45)
	p.phase("unforeseen")
	p.began = time.Now().Add(-10 * time.Second)
	phase, _ = p.left(0.5)
	near("what nobody foresaw", phase, 10)
}

func TestNoTiming(t *testing.T) {
	out := done(t, with("run", quickText, quickTasks, []string{"--generate=0", "--no-timing", "--alternatives=none"})...)
	if strings.Contains(out, "tokens/s") || strings.Contains(out, "\ntiming ") || strings.Contains(out, "plain alternative") {
		t.Errorf("%s", out)
	}
	out = done(t, with("run", quickText, quickTasks, []string{"--generate=0", "--no-timing", "--alternatives=q4_k"})...)
	if !strings.Contains(out, "dense in Q4_K") {
		t.Errorf("%s", out)
	}
	refused(t, exitUsage, []string{"--alternatives", "q3_k", "Q4_K"}, "run", "--alternatives=q3_k")
}

// What a device is busy with before it computes is a line of its own where no bar is on the screen.
func TestBusyIsSaid(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out)
	p.busy("cuda:0: the driver compiles the kernels")
	p.phase("scoring")
	if got := out.String(); got != "cuda:0: the driver compiles the kernels\n" {
		t.Errorf("%q", got)
	}
}
