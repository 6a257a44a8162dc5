package command

// The kill table: every kind of job with --resume, killed at random moments and called again with the same command line, comes to the bytes of
// one that was never killed, and at no moment is there anything half-made under a final name.

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var kills = flag.Int("kills", 9, "moments at which TestKillTable kills, of all kinds of jobs together")

// mostInARow bounds how often one job is killed before it may end.
const mostInARow = 3

// killKind is a kind of job. Its outputs have relative names.
type killKind struct {
	name      string
	arguments []string
}

func killKinds(asks string) []killKind {
	text := []string{"--calib-tokens=300", "--seq-len=32"}
	kind := func(name, command string, groups ...[]string) killKind {
		return killKind{name, append(with(command, groups...), "--json")}
	}
	return []killKind{
		kind("scoring", "score", text, []string{"--out=scores.json", "--report=report"}),
		kind("removal passes", "score", text, []string{"--metrics=ppl,kl,greedy", "--greedy-layers=2", "--out=scores.json"}),
		kind("repair", "prune", text, []string{"--drop=4,5", "--repair=lstsq", "--calib=demo", "--out=model"}),
		kind("search", "score", text, []string{"--metric=search", "--search-tokens=128", "--greedy-layers=2", "--beam=2", "--out=scores.json"}),
		kind("evaluation by choices", "eval", []string{"--drop=14,15", "--limit=12", "--samples=samples.jsonl", "--report=report"}),
		kind("evaluation by answers", "eval", []string{"--drop=14,15", "--tasks=asks=" + asks, "--samples=samples.jsonl"}),
		kind("writing", "prune", []string{"--drop=4,5", "--out=model"}),
		kind("run", "run", text, []string{"--metric=kl", "--drop=2", "--repair=scale", "--limit=6", "--generate=4", "--no-timing", "--alternatives=none",
			"--out=model", "--report=report", "--samples=samples.jsonl"}),
		kind("bench", "bench", text, []string{"--metrics=avss,kl", "--shares=25", "--random=1", "--limit=6", "--generate=4", "--no-timing", "--report=report"}),
	}
}

// killRow is a line of the table.
type killRow struct {
	name                             string
	clock, change                    int // moments of either kind
	resumed, kept, compared, differs int // calls behind a kill, those of them that found passes kept; ends compared; bytes that differ
}

func TestKillTable(t *testing.T) {
	asks := written(t, strings.Repeat(`{"prompt":"Tom has a red","until":["."],"answers":["ball"]}`+"\n"+`{"prompt":"Anna likes","until":["."],"answers":["dogs"]}`+"\n", 4),
		t.TempDir(), "asks.jsonl")
	moments := *kills
	if testing.Short() {
		moments = min(moments, 3)
	}
	var table strings.Builder
	fmt.Fprintln(&table, "| kind | moments | of them at a change | resumed | with passes kept | ends compared | differing bytes |\n|---|---|---|---|---|---|---|")
	all := killRow{name: "all"}
	line := func(r killRow) {
		fmt.Fprintf(&table, "| %s | %d | %d | %d | %d | %d | %d |\n", r.name, r.clock+r.change, r.change, r.resumed, r.kept, r.compared, r.differs)
	}
	kinds := killKinds(asks)
	for i, k := range kinds {
		count := moments*(i+1)/len(kinds) - moments*i/len(kinds)
		if count == 0 {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			row := killMany(t, k, count, rand.New(rand.NewPCG(17, uint64(i))))
			line(row)
			all.clock, all.change, all.resumed = all.clock+row.clock, all.change+row.change, all.resumed+row.resumed
			all.kept, all.compared, all.differs = all.kept+row.kept, all.compared+row.compared, all.differs+row.differs
		})
	}
	line(all)
	t.Logf("the kill table:\n%s", &table)
}

// killMany kills a kind of job at so many moments.
func killMany(t *testing.T, k killKind, count int, r *rand.Rand) killRow {
	t.Helper()
	row := killRow{name: k.name}
	plain, temporary := t.TempDir(), t.TempDir()
	want := madeOf(t, plain, killedAt(t, plain, temporary, moment{}, k.arguments...).stdout)
	command := append(slices.Clone(k.arguments), "--resume=state")
	folder := t.TempDir()
	whole := killedAt(t, folder, temporary, moment{}, command...)
	row.compare(t, k.name+", never killed", want, madeOf(t, folder, whole.stdout))
	for row.clock+row.change < count {
		folder, history := t.TempDir(), []string(nil)
		var last ended
		for {
			at := moment{}
			if len(history) < mostInARow && row.clock+row.change < count {
				at = whole.draw(r, (row.clock+row.change)%2 == 0)
			}
			if len(history) > 0 {
				row.resumed++
				if kept, _ := filepath.Glob(filepath.Join(folder, "state", "*.shard")); len(kept) > 0 {
					row.kept++
				}
			}
			if last = killedAt(t, folder, temporary, at, command...); !last.killed {
				break
			}
			if at.change > 0 {
				row.change++
			} else {
				row.clock++
			}
			history = append(history, at.String())
			for _, wrong := range want.halfMade(t, folder) {
				t.Errorf("%s, killed at %s: %s", k.name, strings.Join(history, ", "), wrong)
			}
		}
		where := fmt.Sprintf("%s, killed at %s", k.name, strings.Join(history, ", "))
		row.compare(t, where, want, madeOf(t, folder, last.stdout))
		for _, path := range append(tree(t, folder), tree(t, temporary)...) {
			if strings.HasPrefix(filepath.Base(path), ".") || strings.HasPrefix(path, temporary) {
				t.Errorf("%s: %s is left behind", where, path)
			}
		}
		if again := killedAt(t, folder, temporary, moment{}, command...); again.stdout != last.stdout {
			t.Errorf("%s: called again when done, it says something else", where)
		}
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
	}
	return row
}

// compare counts the bytes in which what a job made differs.
func (row *killRow) compare(t *testing.T, where string, want, got made) {
	t.Helper()
	row.compared++
	for name := range want {
		if _, there := got[name]; !there {
			got[name] = nil
		}
	}
	for name := range got {
		if n := differing(want[name], got[name]); n > 0 {
			row.differs += n
			t.Errorf("%s: %s: %d bytes differ (%d, want %d)", where, name, n, len(got[name]), len(want[name]))
		}
	}
}
