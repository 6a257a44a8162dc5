package command

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"avssnative/internal/need"
)

// tensors is a safetensors file taken apart, so that a test can damage it.
type tensors struct {
	names  []string
	header map[string]*tensorEntry
	data   map[string][]byte
}

type tensorEntry struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

func takeApart(t *testing.T, path string) *tensors {
	t.Helper()
	raw := []byte(readFile(t, path))
	start := 8 + int(binary.LittleEndian.Uint64(raw))
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw[8:start], &all); err != nil {
		t.Fatal(err)
	}
	delete(all, "__metadata__")
	f := &tensors{header: map[string]*tensorEntry{}, data: map[string][]byte{}}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		e := &tensorEntry{}
		if err := json.Unmarshal(all[name], e); err != nil {
			t.Fatal(err)
		}
		f.names = append(f.names, name)
		f.header[name], f.data[name] = e, raw[start+e.Offsets[0]:start+e.Offsets[1]]
	}
	return f
}

// bytes puts the file together again.
func (f *tensors) bytes(t *testing.T) []byte {
	t.Helper()
	var body []byte
	for _, name := range f.names {
		e := f.header[name]
		e.Offsets = [2]int{len(body), len(body) + len(f.data[name])}
		body = append(body, f.data[name]...)
	}
	present := map[string]*tensorEntry{}
	for _, name := range f.names {
		present[name] = f.header[name]
	}
	header := must(json.Marshal(present))
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), body...)
}

// small is a model of the demo's first three layers with its tokenizer, quick to copy and to damage.
func small(t *testing.T) map[string][]byte {
	t.Helper()
	from := demoFolder(t)
	files := map[string][]byte{}
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json", "generation_config.json", "special_tokens_map.json"} {
		if data, err := os.ReadFile(filepath.Join(from, name)); err == nil {
			files[name] = data
		}
	}
	var config map[string]any
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(from, "config.json"))), &config); err != nil {
		t.Fatal(err)
	}
	config["num_hidden_layers"] = 3
	files["config.json"] = must(json.Marshal(config))
	f := takeApart(t, filepath.Join(from, "model.safetensors"))
	f.names = slices.DeleteFunc(f.names, func(name string) bool {
		var layer int
		n, _ := fmt.Sscanf(name, "model.layers.%d.", &layer)
		return n == 1 && layer >= 3
	})
	files["model.safetensors"] = f.bytes(t)
	return files
}

// damaged writes the small model after something was done to its files.
func damaged(t *testing.T, do func(files map[string][]byte)) string {
	t.Helper()
	files := small(t)
	do(files)
	folder := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// reweigh gives the small model's tensors to a function.
func reweigh(t *testing.T, change func(*tensors)) func(map[string][]byte) {
	return func(files map[string][]byte) {
		path := filepath.Join(t.TempDir(), "x.safetensors")
		if err := os.WriteFile(path, files["model.safetensors"], 0o600); err != nil {
			t.Fatal(err)
		}
		f := takeApart(t, path)
		change(f)
		files["model.safetensors"] = f.bytes(t)
	}
}

// setting changes a field of config.json.
func setting(t *testing.T, key string, value any) func(map[string][]byte) {
	return func(files map[string][]byte) {
		var config map[string]any
		if err := json.Unmarshal(files["config.json"], &config); err != nil {
			t.Fatal(err)
		}
		config[key] = value
		files["config.json"] = must(json.Marshal(config))
	}
}

const projection = "model.layers.1.mlp.down_proj.weight"

func TestBadModels(t *testing.T) {
	good := damaged(t, func(map[string][]byte) {})
	done(t, "score", "--model", good, "--calib-tokens=100", "--json")
	for name, c := range map[string]struct {
		do    func(map[string][]byte)
		words []string
	}{
		"no config":          {func(f map[string][]byte) { delete(f, "config.json") }, []string{"config.json"}},
		"config is not JSON": {func(f map[string][]byte) { f["config.json"] = []byte("{layers: 3") }, []string{"config.json"}},
		"config is a list":   {func(f map[string][]byte) { f["config.json"] = []byte("[1]") }, []string{"config.json"}},
		"unknown architecture": {func(f map[string][]byte) {
			setting(t, "model_type", "frobnicator")(f)
			setting(t, "architectures", []string{"FrobnicatorForCausalLM"})(f)
		}, []string{"robnicator", "llama"}},
		"fewer layers than said": {setting(t, "num_hidden_layers", 4), []string{"model.layers.3."}},
		"more layers than said":  {setting(t, "num_hidden_layers", 2), []string{"model.layers.2."}},
		"wrong shape":            {reweigh(t, func(f *tensors) { slices.Reverse(f.header[projection].Shape) }), []string{projection, "shape"}},
		"missing tensor": {reweigh(t, func(f *tensors) {
			f.names = slices.DeleteFunc(f.names, func(n string) bool { return n == projection })
		}), []string{projection}},
		"extra tensor": {reweigh(t, func(f *tensors) {
			f.names = append(f.names, "model.layers.1.mlp.extra.weight")
			f.header["model.layers.1.mlp.extra.weight"], f.data["model.layers.1.mlp.extra.weight"] = &tensorEntry{DType: "F32", Shape: []int{1}}, make([]byte, 4)
		}), []string{"model.layers.1.mlp.extra.weight"}},
		"unknown dtype": {reweigh(t, func(f *tensors) { f.header[projection].DType = "Q9" }), []string{"Q9"}},
		"truncated": {func(f map[string][]byte) {
			f["model.safetensors"] = f["model.safetensors"][:len(f["model.safetensors"])-100]
		}, []string{"model.safetensors"}},
		"header cut":       {func(f map[string][]byte) { f["model.safetensors"] = f["model.safetensors"][:50] }, []string{"model.safetensors"}},
		"empty weights":    {func(f map[string][]byte) { f["model.safetensors"] = nil }, []string{"model.safetensors"}},
		"corrupted header": {func(f map[string][]byte) { f["model.safetensors"][9] = 0xff }, []string{"model.safetensors"}},
		"huge header":      {func(f map[string][]byte) { binary.LittleEndian.PutUint64(f["model.safetensors"], 1<<60) }, []string{"model.safetensors"}},
		"no weights":       {func(f map[string][]byte) { delete(f, "model.safetensors") }, []string{"safetensors"}},
		"index is not JSON": {func(f map[string][]byte) {
			f["model.safetensors.index.json"] = []byte("{\"weight_map\": ")
			delete(f, "model.safetensors")
		}, []string{"model.safetensors.index.json"}},
		"index names a missing file": {func(f map[string][]byte) {
			f["model.safetensors.index.json"] = []byte(`{"weight_map": {"` + projection + `": "model-00001-of-00002.safetensors"}}`)
			delete(f, "model.safetensors")
		}, []string{"model-00001-of-00002.safetensors"}},
		"index leads outside": {func(f map[string][]byte) {
			f["model.safetensors.index.json"] = []byte(`{"weight_map": {"` + projection + `": "../../etc/passwd"}}`)
			delete(f, "model.safetensors")
		}, []string{"../../etc/passwd"}},
		"NaN weights": {reweigh(t, func(f *tensors) {
			data := bytes.Clone(f.data[projection])
			for i := range data[:64] {
				data[i] = 0xff // NaN in F32, F16 and BF16
			}
			f.data[projection] = data
		}), []string{projection, "NaN"}},
		"no tokenizer":          {func(f map[string][]byte) { delete(f, "tokenizer.json") }, []string{"tokenizer"}},
		"tokenizer is not JSON": {func(f map[string][]byte) { f["tokenizer.json"] = []byte("{") }, []string{"tokenizer.json"}},
		"unknown tokenizer part": {func(f map[string][]byte) {
			f["tokenizer.json"] = bytes.Replace(f["tokenizer.json"], []byte(`"ByteLevel"`), []byte(`"Frobnicate"`), 1)
		}, []string{"robnicate"}},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "unknown tokenizer part" && !bytes.Contains(small(t)["tokenizer.json"], []byte(`"ByteLevel"`)) {
				t.Fatal("the demo's tokenizer has no part of this name any more")
			}
			model, out := damaged(t, c.do), t.TempDir()
			scores, report := filepath.Join(out, "scores.json"), filepath.Join(out, "report")
			refused(t, exitFailed, c.words, "score", "--model", model, "--calib-tokens=100", "--out", scores, "--report", report)
			if left := tree(t, out); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	refused(t, exitFailed, []string{"/nowhere/at/all"}, "score", "--model", "/nowhere/at/all")
	refused(t, exitFailed, []string{"some-org/some-model"}, "score", "--model", "some-org/some-model")
	refused(t, exitFailed, []string{"x.gguf"}, "score", "--model", filepath.Join(t.TempDir(), "x.gguf"))
}

func TestBadText(t *testing.T) {
	model, dir := damaged(t, func(map[string][]byte) {}), t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	empty := write("empty.txt", "")
	for _, c := range []struct {
		words []string
		flags []string
	}{
		{[]string{"empty.txt", "--calib"}, []string{"--calib", empty}},
		{[]string{"blank.txt", "--calib"}, []string{"--calib", write("blank.txt", " \n\n\t\n")}},
		{[]string{"absent.txt"}, []string{"--calib", filepath.Join(dir, "absent.txt")}},
		{[]string{"bad.jsonl", "2"}, []string{"--calib", write("bad.jsonl", "{\"text\":\"one two three\"}\n{\"text\":\n")}},
		{[]string{"body", "field.jsonl"}, []string{"--calib", write("field.jsonl", "{\"text\":\"one two three\"}\n"), "--calib-field", "body"}},
		{[]string{"cut.txt.gz"}, []string{"--calib", write("cut.txt.gz", "\x1f\x8b\x08\x00")}},
		{[]string{"bad.parquet"}, []string{"--calib", write("bad.parquet", "PAR1nonsensePAR1")}},
	} {
		refused(t, exitFailed, c.words, append([]string{"score", "--model", model}, c.flags...)...)
	}
	bare := damaged(t, func(f map[string][]byte) {
		for _, name := range []string{"tokenizer_config.json", "special_tokens_map.json", "generation_config.json"} {
			delete(f, name)
		}
		var config map[string]any
		if err := json.Unmarshal(f["config.json"], &config); err != nil {
			t.Fatal(err)
		}
		delete(config, "bos_token_id")
		delete(config, "eos_token_id")
		f["config.json"] = must(json.Marshal(config))
		var tokenizer map[string]any
		if err := json.Unmarshal(f["tokenizer.json"], &tokenizer); err != nil {
			t.Fatal(err)
		}
		tokenizer["post_processor"] = nil
		f["tokenizer.json"] = must(json.Marshal(tokenizer))
	})
	refused(t, exitFailed, []string{"--bos yes", "beginning-of-sequence"}, "score", "--model", bare, "--bos", "yes", "--calib", "demo", "--calib-tokens=100")
}

func TestBadFlags(t *testing.T) {
	model, out := damaged(t, func(map[string][]byte) {}), filepath.Join(t.TempDir(), "out")
	wrong := filepath.Join(t.TempDir(), "wrong.jsonl")
	if err := os.WriteFile(wrong, []byte(`{"query": "a"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		code      int
		words     []string
		arguments []string
	}{
		{exitUsage, []string{"all 3 layers", "at least one must stay"}, []string{"prune", "--drop", "0,1,2", "--out", out}},
		{exitUsage, []string{"3 of 3 layers"}, []string{"run", "--drop", "3", "--out", out, "--calib-tokens=100"}},
		{exitUsage, []string{"layer 3 does not exist", "0 to 2"}, []string{"prune", "--drop", "1,3", "--out", out}},
		{exitUsage, []string{"--drop", "some", "25%"}, []string{"run", "--drop", "some", "--out", out}},
		{exitUsage, []string{"--drop", "twice"}, []string{"prune", "--drop", "1,1", "--out", out}},
		{exitUsage, []string{"--drop", "100"}, []string{"run", "--drop", "101%", "--out", out}},
		{exitUsage, []string{"--drop", "nothing"}, []string{"run", "--drop", "0%", "--out", out}},
		{exitUsage, []string{"--drop-mass", "5%"}, []string{"run", "--drop-mass", "much", "--out", out}},
		{exitUsage, []string{"--drop-mass", "one of them"}, []string{"run", "--drop-mass", "5%", "--drop", "25%", "--out", out}},
		{exitUsage, []string{"all 3 layers", "lower the share"}, []string{"run", "--drop-mass", "100%", "--out", out, "--calib-tokens=100"}},
		{exitFailed, []string{"drop-mass", "raise the share"}, []string{"run", "--drop-mass", "0.000001%", "--out", out, "--calib-tokens=100"}},
		{exitUsage, []string{"--protect-first 3", "protect"}, []string{"run", "--protect-first", "3", "--out", out, "--calib-tokens=100"}},
		{exitUsage, []string{"--scores"}, []string{"prune", "--drop", "25%", "--out", out}},
		{exitUsage, []string{"--out"}, []string{"prune", "--drop", "1,"}},
		{exitUsage, []string{"--drop", "x"}, []string{"eval", "--drop", "x"}},
		{exitUsage, []string{"layer 9 does not exist"}, []string{"eval", "--drop", "9"}},
		{exitFailed, []string{"nope", "cpu"}, []string{"eval", "--device", "nope"}},
		{exitUsage, []string{"--compute", "f32"}, []string{"eval", "--compute", "f8"}},
		{exitUsage, []string{"--memory", "8GiB"}, []string{"eval", "--memory", "plenty"}},
		{exitUsage, []string{"--memory", "8GiB"}, []string{"eval", "--memory", "-1GiB"}},
		{exitUsage, []string{"--threads"}, []string{"eval", "--threads", "-1"}},
		{exitUsage, []string{"--threads", "4096"}, []string{"eval", "--threads", "2147483648"}},
		{exitUsage, []string{"--memory NaN"}, []string{"eval", "--memory", "NaN"}},
		{exitUsage, []string{"--memory 1e38"}, []string{"eval", "--memory", "1e38"}},
		{exitUsage, []string{"--memory 1e-9"}, []string{"eval", "--memory", "1e-9"}},
		{exitUsage, []string{"--seq-len 9223372036854775807"}, []string{"score", "--seq-len", "9223372036854775807"}},
		{exitUsage, []string{"--calib-tokens -1"}, []string{"score", "--calib-tokens", "-1"}},
		{exitUsage, []string{"--shares"}, []string{"bench", "--shares", "25,NaN"}},
		{exitUsage, []string{"--limit"}, []string{"eval", "--limit", "-1"}},
		{exitUsage, []string{"--bos", "auto"}, []string{"eval", "--bos", "maybe"}},
		{exitUsage, []string{"--calib-tokens"}, []string{"score", "--calib-tokens", "1"}},
		{exitUsage, []string{"nonsense", "bi"}, []string{"run", "--metric", "nonsense"}},
		{exitUsage, []string{"nonsense", "robust"}, []string{"score", "--avss-mode", "nonsense"}},
		{exitUsage, []string{"nonsense", "delta"}, []string{"score", "--site", "nonsense"}},
		{exitUsage, []string{"tar", "gguf"}, []string{"prune", "--drop", "1,", "--format", "tar", "--out", out}},
		{exitUsage, []string{"mine=", "record 1", "want context, choices and gold, or text"}, []string{"eval", "--tasks", "mine=" + wrong}},
		{exitUsage, []string{"mine=", "no file"}, []string{"run", "--tasks", "mine=" + wrong + ".gone"}},
		{exitUsage, []string{"arc_esy", "arc_easy"}, []string{"eval", "--tasks", "arc_esy"}},
		{exitUsage, []string{"sst2", "folder of task files", "--task-data"}, []string{"eval", "--tasks", "sst2"}},
		{exitUsage, []string{"sst2"}, []string{"eval", "--tasks", "sst2", "--task-data", t.TempDir()}},
		{exitFailed, []string{"absent.json"}, []string{"prune", "--scores", "/absent.json", "--out", out}},
	} {
		refused(t, c.code, c.words, append([]string{c.arguments[0], "--model", model}, c.arguments[1:]...)...)
	}
	if left := tree(t, filepath.Dir(out)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := os.Stat("/dev/nvidiactl"); err != nil {
		refused(t, exitFailed, []string{"cuda"}, "eval", "--model", model, "--device", "cuda:0")
	}
}

func TestBadReports(t *testing.T) {
	for content, words := range map[string][]string{
		"":               {"report.json"},
		"{":              {"report.json", "byte"},
		"[]":             {"report.json"},
		`{"schema": 99}`: {"schema 99"},
		`{"schema": 1, "model": {"layers": 2}, "plan": {"dropped": [7]}}`:          {"layer 7"},
		`{"schema": 1, "model": {"layers": 2}, "scores": {"bi": {"values": [1]}}}`: {"scores.bi", "2 layers"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "report.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, exitFailed, words, "report", dir)
	}
}

// An output that cannot be written: in a folder that may not be written to, in one whose parent is a file, on a disk that is full.
func TestOutputsThatCannotBe(t *testing.T) {
	model := damaged(t, func(map[string][]byte) {})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, exitUsage, []string{file}, "prune", "--model", model, "--drop", "1,", "--out", filepath.Join(file, "smaller"))
	refused(t, exitUsage, []string{file}, "score", "--model", model, "--calib-tokens=100", "--report", filepath.Join(file, "report"))
	refused(t, exitUsage, []string{file, "exists already"}, "prune", "--model", model, "--drop", "1,", "--out", file)
	t.Run("unwritable", func(t *testing.T) {
		folder := readOnly(t)
		refused(t, exitUsage, []string{folder}, "prune", "--model", model, "--drop", "1,", "--out", filepath.Join(folder, "smaller"))
		refused(t, exitUsage, []string{folder}, "score", "--model", model, "--calib-tokens=100", "--out", filepath.Join(folder, "scores.json"))
		refused(t, exitUsage, []string{folder}, "eval", "--model", model, "--limit=1", "--samples", filepath.Join(folder, "samples.jsonl"))
		if left := tree(t, folder); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	t.Run("full", func(t *testing.T) {
		folder := fullDisk(t)
		for _, c := range [][]string{
			{"prune", "--drop", "1,", "--out", filepath.Join(folder, "smaller")},
			{"score", "--calib-tokens=100", "--out", filepath.Join(folder, "scores.json")},
			{"score", "--calib-tokens=100", "--report", filepath.Join(folder, "report")},
			{"eval", "--limit=40", "--samples", filepath.Join(folder, "samples.jsonl")},
			{"trace", "--ids", "5,6,7", "--out", filepath.Join(folder, "trace.safetensors")},
		} {
			called := call(t, append([]string{c[0], "--model", model}, c[1:]...)...)
			if called.code != exitFailed || strings.Count(called.stderr, "\n") != 1 || !strings.Contains(called.stderr, "no space") {
				t.Errorf("%v: %+v", c, called)
			}
			// What was found is printed all the same.
			if c[0] != "trace" && !strings.Contains(called.stdout, "3 layers") {
				t.Errorf("%v: stdout %q", c, called.stdout)
			}
		}
		if left := tree(t, folder); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// Interrupted at every step of a pass that the program shows, it leaves nothing behind.
func TestInterrupted(t *testing.T) {
	model := damaged(t, func(map[string][]byte) {})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	out := t.TempDir()
	flags := []string{"--model", model, "--calib", "demo", "--calib-tokens=200", "--limit=2", "--generate=2", "--metric=ppl", "--out", filepath.Join(out, "smaller"), "--report", filepath.Join(out, "report"),
		"--samples", filepath.Join(out, "samples.jsonl")}
	if c := callWith(gone, "", append([]string{"run"}, flags...)...); c.code != exitInterrupted || strings.Count(c.stderr, "\n") != 1 || !strings.Contains(c.stderr, "interrupted") {
		t.Errorf("before it began: %+v", c)
	}
	asked := &countdown{Context: t.Context(), left: -1}
	if c := callWith(asked, "", append([]string{"run"}, flags...)...); c.code != exitDone {
		t.Fatalf("%+v", c)
	}
	total := -1 - asked.left
	if err := os.RemoveAll(out); err != nil {
		t.Fatal(err)
	}
	if total < 20 {
		t.Fatalf("the context was asked %d times only", total)
	}
	stops := 14
	if testing.Short() {
		stops = 5
	}
	for i := range stops {
		if err := os.MkdirAll(out, 0o755); err != nil {
			t.Fatal(err)
		}
		after := 1 + i*(total-2)/(stops-1)
		c := callWith(&countdown{Context: t.Context(), left: after}, "", append([]string{"run"}, flags...)...)
		// How often the timing looks at it depends on how fast the machine is just now: a late stop may come too late.
		late := c.code == exitDone && after > total*3/4
		quiet := c.stdout == "" || strings.Contains(c.stdout, "not written to")
		if !late && (c.code != exitInterrupted || !strings.Contains(c.stderr, "interrupted") || !quiet) {
			t.Errorf("after %d of %d looks at the context: %+v", after, total, c)
		}
		for _, path := range tree(t, out) {
			if base := filepath.Base(path); strings.HasPrefix(base, ".") || strings.Contains(base, "incomplete") {
				t.Errorf("after %d of %d looks at the context: %s was left behind", after, total, path)
			}
		}
		if err := os.RemoveAll(out); err != nil {
			t.Fatal(err)
		}
	}
}

func readOnly(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "read-only")
	if err := os.Mkdir(folder, 0o500); err != nil {
		t.Fatal(err)
	}
	probe := filepath.Join(folder, "probe")
	if err := os.WriteFile(probe, nil, 0o600); err == nil {
		os.Remove(probe)
		if runtime.GOOS == "linux" {
			return mounted(t, "size=64k,ro")
		}
		need.Missing(t, "a user whom permissions bind")
	}
	return folder
}
