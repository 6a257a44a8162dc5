package command

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"avssnative/internal/demo"
	"avssnative/internal/shaped"
)

// shapedModel writes a model in the shape of Llama 7B, so many times narrower and with so many layers.
func shapedModel(t *testing.T, scale, layers int) string {
	t.Helper()
	shape, err := shaped.Llama7B.Scaled(scale)
	if err != nil {
		t.Fatal(err)
	}
	shape.Layers, shape.Vocab = layers, 2048 // as many as the tokenizer has
	tokenizer, err := demo.Folder()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "shaped")
	if err := shaped.Write(t.Context(), dir, shape, tokenizer); err != nil {
		t.Fatal(err)
	}
	return dir
}

// mostResident runs the program in a process of its own and gives the most that it had resident (VmHWM), in bytes, and what it complained of.
func mostResident(t *testing.T, arguments ...string) (most int64, complaint string, err error) {
	t.Helper()
	c, complaints := program(t, arguments...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for {
		select {
		case err := <-ended:
			return most, complaints.String(), err
		case <-time.After(2 * time.Millisecond): // the figure only grows, so that what is missed is what comes in the last of these
		}
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Process.Pid))
		_, figure, _ := strings.Cut(string(status), "VmHWM:")
		if fields := strings.Fields(figure); len(fields) > 0 && bytes.Contains(status, []byte("VmHWM")) {
			kib, _ := strconv.ParseInt(fields[0], 10, 64)
			most = max(most, kib<<10)
		}
	}
}

var enoughMemory = regexp.MustCompile(`memory (\d+)MiB fits`)

// within runs a command in less and less of too little memory: until it fits, every error must say what would, and each figure be more than the
// last. What fits must be kept to.
func within(t *testing.T, mib int64, arguments ...string) (kept int64) {
	t.Helper()
	for range 5 {
		most, complaint, err := mostResident(t, append(arguments, fmt.Sprintf("--memory=%dMiB", mib))...)
		if err == nil {
			t.Logf("%s: %d MiB allowed, %d MiB resident at most", arguments[0], mib, most>>20)
			if most > mib<<20*11/10 {
				t.Errorf("%v: %d MiB resident, %d MiB allowed", arguments, most>>20, mib)
			}
			return mib
		}
		figure := enoughMemory.FindStringSubmatch(complaint)
		if figure == nil {
			t.Fatalf("%v: in %d MiB: %v: %s", arguments, mib, err, complaint)
		}
		enough, _ := strconv.ParseInt(figure[1], 10, 64)
		if enough <= mib {
			t.Fatalf("%v: in %d MiB: %s", arguments, mib, complaint)
		}
		mib = enough
	}
	t.Fatalf("%v: each error's figure was too little for what came next", arguments)
	return 0
}

// --memory is what the process holds, for every command that computes: it keeps to it within a tenth, or says what would fit.
func TestMemoryIsKept(t *testing.T) {
	t.Parallel()
	model := shapedModel(t, 8, 6)
	text := []string{"--calib=demo", "--calib-tokens=2048", "--seq-len=256"}
	for _, command := range [][]string{
		append([]string{"score"}, text...),
		append([]string{"score", "--metrics=ppl"}, text...),
		append([]string{"run", "--drop=2", "--limit=5", "--generate=0"}, text...),
		append([]string{"bench", "--metrics=avss,random", "--shares=30", "--limit=5"}, text...),
		{"eval", "--limit=50"},
		{"prune", "--drop=2,3", "--out=" + filepath.Join(t.TempDir(), "pruned")},
		{"generate", "--prompt=What is", "--tokens=8", "--ignore-eos"},
	} {
		within(t, 32, append(command, "--model="+model, "--threads=2")...)
	}
}

// A search, or repairs of several sets, that will not fit end before anything is scored, with a figure that does; what was scored would lie in a folder.
func TestSearchesAreRefusedBeforehand(t *testing.T) {
	t.Parallel()
	model := shapedModel(t, 8, 6)
	text := []string{"--model=" + model, "--threads=2", "--calib=demo", "--calib-tokens=4096", "--seq-len=256"}
	mib := within(t, 32, append([]string{"score"}, text...)...) // scoring fits
	for _, command := range [][]string{
		{"score", "--metrics=search", "--greedy-layers=2"},
		{"score", "--metrics=search", "--greedy-layers=2", "--objective=nll", "--search-tokens=512"},
		{"score", "--metrics=greedy", "--greedy-layers=2"},
		{"score", "--metrics=lorp"},
		{"run", "--drop=1", "--shares=20,40", "--repair=auto", "--limit=3", "--generate=0", "--no-timing", "--alternatives=none"},
	} {
		command = append(command, text...)
		state := filepath.Join(t.TempDir(), "state")
		_, complaint, err := mostResident(t, append(command, "--resume="+state, fmt.Sprintf("--memory=%dMiB", mib))...)
		if err == nil || enoughMemory.FindString(complaint) == "" {
			t.Errorf("%v: in %d MiB: %v, %s", command, mib, err, complaint)
		}
		if kept, _ := filepath.Glob(filepath.Join(state, "*.shard")); len(kept) > 0 {
			t.Errorf("%v: %v were computed before it was refused", command, kept)
		}
		if !testing.Short() {
			within(t, mib, command...)
		}
	}
}

// A model of the ratios of Llama 7B in 4 GiB is scored with 2,048 tokens: all of its weights are read, and they are never all there.
func TestMemoryOfALargerModel(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("computes for some seconds")
	}
	model := shapedModel(t, 8, shaped.Llama7B.Layers)
	weights := size(t, filepath.Join(model, "model.safetensors"))
	score := []string{"score", "--model", model, "--threads=2", "--calib=demo", "--calib-tokens=2048", "--seq-len=512"}
	if kept := within(t, 32, score...); kept<<20 > weights*2/3 {
		t.Errorf("%d MiB of memory for %d MiB of weights", kept, weights>>20)
	}
}

// A text of many megabytes of which little is taken costs little.
func TestMemoryOfALongText(t *testing.T) {
	t.Parallel()
	long := written(t, strings.Repeat("The red fox sleeps in the garden. ", 60_000_000/34), t.TempDir(), "long.txt")
	within(t, 32, "score", "--calib", long, "--calib-tokens=2048", "--threads=2")
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
