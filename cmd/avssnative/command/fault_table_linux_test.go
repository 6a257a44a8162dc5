//go:build amd64 || arm64

package command

// The fault table: every kind of job with and without --resume meets a disk that is full or broken at a random call. It ends with one line that
// names the file, leaves nothing half-made, and the same command line, called again when the disk is well, comes to the bytes of a job that met
// no fault.

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"avssnative/internal/filecalls"
)

var faults = flag.Int("faults", 6, "faults that TestFaultTable throws, at all kinds of jobs together")

func init() { filecalls.Watched() }

// diskFault is what is wrong with a disk.
type diskFault struct {
	name  string
	calls []filecalls.Kind
	fault syscall.Errno
	stays bool // for all such calls from the one on
}

var diskFaults = []diskFault{
	{"full disk", []filecalls.Kind{filecalls.Write, filecalls.Create, filecalls.Folder}, syscall.ENOSPC, true},
	{"write error", []filecalls.Kind{filecalls.Write}, syscall.EIO, false},
	{"sync error", []filecalls.Kind{filecalls.Sync}, syscall.EIO, false},
	{"rename error", []filecalls.Kind{filecalls.Rename, filecalls.Link}, syscall.EIO, false},
	{"read error", []filecalls.Kind{filecalls.Read, filecalls.Open}, syscall.EIO, false},
	{"read-only from then on", []filecalls.Kind{filecalls.Create, filecalls.Folder, filecalls.Rename, filecalls.Link, filecalls.Remove, filecalls.Removed}, syscall.EROFS, true},
}

// thrown is a call that a fault struck.
type thrown struct {
	calls int // such calls in all
	first filecalls.Call
	names []string // of all files struck, as a person knows them
}

// faulty runs the program in a folder on a disk with a fault at the n-th call of its kind; 0 counts them only.
func faulty(t *testing.T, folder, model, temporary string, d diskFault, n int, arguments ...string) (called, thrown) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c := exec.CommandContext(t.Context(), os.Args[0], arguments...)
	c.Dir, c.Stdout, c.Stderr = folder, &stdout, &stderr
	c.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+temporary)
	var met thrown
	watch, err := filecalls.Start(c, []string{folder, model}, false, func(asked filecalls.Call) syscall.Errno {
		if !slices.Contains(d.calls, asked.Kind) {
			return 0
		}
		met.calls++
		if met.calls == n {
			met.first = asked
		}
		if n > 0 && (met.calls == n || met.calls > n && d.stays) {
			met.names = append(met.names, filepath.Base(finalName(asked.Path)))
			return d.fault
		}
		return 0
	})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Wait()
	if failed := watch.Wait(); failed != nil {
		t.Fatal(failed)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return called{exitCode(err), stdout.String(), stderr.String()}, met
}

var madeIn = regexp.MustCompile(`^\.(.*)\.[0-9a-f]{16}\.incomplete$`)

// finalName is the name under which a person knows a file.
func finalName(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if found := madeIn.FindStringSubmatch(part); found != nil {
			return strings.Join(append(parts[:i:i], found[1]), "/")
		}
	}
	return path
}

// faultRow is a line of the table.
type faultRow struct{ thrown, refused, resumed, differs int }

func TestFaultTable(t *testing.T) {
	asks := written(t, strings.Repeat(`{"prompt":"Tom has a red","until":["."],"answers":["ball"]}`+"\n", 4), t.TempDir(), "asks.jsonl")
	inputs := t.TempDir()
	model := filepath.Join(inputs, "dense")
	if err := os.CopyFS(model, os.DirFS(demoFolder(t))); err != nil {
		t.Fatal(err)
	}
	kinds := killKinds(asks)
	count := *faults
	if testing.Short() {
		count = min(count, 2)
	}
	rows := make([]faultRow, len(diskFaults))
	thrown := 0
	for i, k := range kinds {
		share := (count + len(kinds) - 1 - i) / len(kinds)
		if share == 0 {
			break
		}
		t.Run(k.name, func(t *testing.T) {
			k.arguments = append(k.arguments, "--model="+model)
			throwMany(t, k, inputs, rows, thrown, share, rand.New(rand.NewPCG(18, uint64(i))))
		})
		thrown += share
	}
	var table strings.Builder
	fmt.Fprintln(&table, "| fault | thrown | ended with an error that names the file | resumed | differing bytes |\n|---|---|---|---|---|")
	var all faultRow
	line := func(name string, r faultRow) {
		fmt.Fprintf(&table, "| %s | %d | %d | %d | %d |\n", name, r.thrown, r.refused, r.resumed, r.differs)
	}
	for i, r := range rows {
		line(diskFaults[i].name, r)
		all.thrown, all.refused, all.resumed, all.differs = all.thrown+r.thrown, all.refused+r.refused, all.resumed+r.resumed, all.differs+r.differs
	}
	line("all", all)
	t.Logf("the fault table:\n%s", &table)
}

// throwMany throws faults at a kind of job, the kinds of faults in turn from the first on.
func throwMany(t *testing.T, k killKind, inputs string, rows []faultRow, first, count int, r *rand.Rand) {
	t.Helper()
	plain, temporary := t.TempDir(), t.TempDir()
	want := madeOf(t, plain, killedAt(t, plain, temporary, moment{}, k.arguments...).stdout)
	for i := first; i < first+count; i++ {
		d, row := diskFaults[i%len(diskFaults)], &rows[i%len(diskFaults)]
		command := slices.Clone(k.arguments)
		if i/len(diskFaults)%2 == 0 {
			command = append(command, "--resume=state")
		}
		counted, met := faulty(t, t.TempDir(), inputs, temporary, d, 0, command...)
		if counted.code != exitDone {
			t.Fatalf("%s, without a fault: %+v", k.name, counted)
		}
		if met.calls == 0 {
			continue
		}
		n, folder := 1+r.IntN(met.calls), t.TempDir()
		ended, struck := faulty(t, folder, inputs, temporary, d, n, command...)
		where := fmt.Sprintf("%v: %s at call %d of %d, %v", command, d.name, n, met.calls, struck.first)
		row.thrown++
		row.check(t, where, folder, ended, struck, want, d)
		if !slices.Contains(command, "--resume=state") {
			command = append(command, "--force") // what was whole before the fault is written once more
		}
		again := killedAt(t, folder, temporary, moment{}, command...)
		row.resumed++
		var k killRow
		k.compare(t, where, want, madeOf(t, folder, again.stdout))
		row.differs += k.differs
		for _, path := range append(tree(t, folder), tree(t, temporary)...) {
			if strings.HasPrefix(filepath.Base(path), ".") || strings.HasPrefix(path, temporary) {
				t.Errorf("%s: %s is left behind", where, path)
			}
		}
	}
}

// check holds what a job that met a fault said and left against what it may.
func (row *faultRow) check(t *testing.T, where, folder string, ended called, struck thrown, want made, d diskFault) {
	t.Helper()
	if struck.first.Path == "" {
		t.Errorf("%s: it made fewer calls than before", where)
		return
	}
	said := strings.Split(strings.TrimSuffix(ended.stderr, "\n"), "\n")
	line := said[len(said)-1]
	switch {
	case ended.code != exitFailed && ended.code != exitUsage:
		t.Errorf("%s: exit code %d: %s", where, ended.code, ended.stderr)
	case !strings.HasPrefix(line, "avssnative: ") || strings.Contains(ended.stderr, "goroutine "):
		t.Errorf("%s: want a line at the end, got %q", where, ended.stderr)
	case !slices.ContainsFunc(struck.names, func(name string) bool { return strings.Contains(line, name) }):
		t.Errorf("%s: %q names none of %q", where, line, struck.names)
	default:
		row.refused++
	}
	for _, wrong := range want.halfMade(t, folder) {
		t.Errorf("%s: %s", where, wrong)
	}
	for _, path := range tree(t, folder) {
		if incomplete(filepath.Base(path)) && d.fault != syscall.EROFS {
			t.Errorf("%s: %s is left behind", where, path)
		}
	}
}
