package engine_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/engine/arch"
	"avssnative/internal/edited"
)

// windowed is a golden whose attention sees a window or a chunk, with positions for long sequences where they are computed, and how long a
// sequence of it may be.
type windowed struct {
	folder string
	length int
}

// windows are all of them, by name.
func windows(t *testing.T) map[string]windowed {
	t.Helper()
	folders, err := filepath.Glob("testdata/architectures/*")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]windowed{}
	for _, folder := range folders {
		m := open(t, folder, "reference")
		sees := slices.ContainsFunc(m.Spec.Blocks, func(b arch.BlockSpec) bool {
			a, is := b.Mixer.(*arch.AttentionSpec)
			return is && a.Causal && a.Window+a.Chunk > 0
		})
		switch {
		case !sees:
		case m.Spec.Embed.Positions.Name != "": // a row each
			found[filepath.Base(folder)] = windowed{folder, m.Spec.Context}
		default:
			longer := edited.Folder(t, folder, func(config map[string]any) { config["max_position_embeddings"] = 4096 })
			found[filepath.Base(folder)] = windowed{longer, 330}
		}
	}
	if len(found) < 9 {
		t.Fatalf("windows and chunks in %d goldens", len(found))
	}
	return found
}

// follower continues a text in a decoder and holds every row against the walk of the whole text.
type follower struct {
	*testing.T
	d      *engine.Decoder
	slot   int
	within float64 // stepsWithin
	texts  []int32
	want   [][][]float32 // a variant, a row
	at     []int         // a variant: its tokens so far
}

func (f *follower) holds(what string, v, row int, got []float32) {
	f.Helper()
	if off := distance(got, f.want[v][row]); !(off <= f.within) {
		f.Errorf("%s: variant %d, slot %d, row %d: off by %.2g of the root mean square", what, v, f.slot, row, off)
	}
}

// on continues by so many tokens.
func (f *follower) on(what string, v, tokens int) {
	f.Helper()
	follow(what, []*follower{f}, func(*follower, int) int { return tokens }, v)
}

// follow continues variants of several followers of one decoder by so many tokens each, in one step.
func follow(what string, all []*follower, tokens func(f *follower, v int) int, variants ...int) {
	all[0].Helper()
	var next []engine.Continuation
	var who []*follower
	for _, f := range all {
		for _, v := range variants {
			if from := f.at[v]; from < len(f.texts) {
				next = append(next, engine.Continuation{Variant: v, Slot: f.slot, IDs: f.texts[from:min(from+tokens(f, v), len(f.texts))]})
				who = append(who, f)
			}
		}
	}
	if len(next) == 0 {
		return
	}
	rows, err := all[0].d.Continue(all[0].Context(), next)
	if err != nil {
		all[0].Fatalf("%s: %v", what, err)
	}
	for i, c := range next {
		for row := range c.IDs {
			who[i].holds(what, c.Variant, who[i].at[c.Variant]+row, rows[i][row])
		}
		who[i].at[c.Variant] += len(c.IDs)
	}
}

// astray continues by tokens that are not the text's, and takes them back.
func (f *follower) astray(v, tokens int) {
	f.Helper()
	goAstray([]*follower{f}, func(*follower, int) int { return tokens }, v)
}

// goAstray does so with variants of several followers, in one step.
func goAstray(all []*follower, tokens func(f *follower, v int) int, variants ...int) {
	all[0].Helper()
	var next []engine.Continuation
	for _, f := range all {
		for _, v := range variants {
			other := make([]int32, min(tokens(f, v), len(f.texts)-f.at[v]))
			for i := range other {
				other[i] = f.texts[(i*7+3)%len(f.texts)]
			}
			if len(other) > 0 {
				next = append(next, engine.Continuation{Variant: v, Slot: f.slot, IDs: other})
			}
		}
	}
	if len(next) == 0 {
		return
	}
	if _, err := all[0].d.Continue(all[0].Context(), next); err != nil {
		all[0].Fatal(err)
	}
	for _, f := range all {
		for _, v := range variants {
			f.back(v, f.at[v])
		}
	}
}

func (f *follower) back(v, to int) {
	f.Helper()
	if err := f.d.Rewind(f.Context(), v, f.slot, to); err != nil {
		f.Fatal(err)
	}
	f.at[v] = to
}

// Sequences many times as long as the windows and chunks, walked in pieces shorter and longer than these, by variants that share prompts, gone
// astray and taken back across the ends of the rings, compute the logits of the whole sequence.
func TestRingsEqualTheWalk(t *testing.T) {
	for name, w := range windows(t) {
		for _, on := range devices() {
			length := w.length
			if strings.HasPrefix(on, "cuda") {
				length = min(length, 110) // the PTX machine is slow
			}
			t.Run(name+"/"+on, func(t *testing.T) { ringed(t, open(t, w.folder, on), on, length) })
		}
	}
}

func ringed(t *testing.T, m *engine.Model, on string, length int) {
	drops := []engine.Drop{nil, engine.Units(engine.Unit{Layer: 1, Part: engine.Attention}), engine.Layers(2)}
	d, err := m.NewDecoder(engine.DecoderOptions{Variants: drops, Slots: 2, Length: length})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if whole := m.CacheBytes(nil, 1, 4) * int64(length); m.CacheBytes(nil, length, 4) >= whole {
		t.Errorf("%d bytes for %d tokens, whose keys and values take %d", m.CacheBytes(nil, length, 4), length, whole)
	}
	vocab := min(m.Spec.Vocab, 90)
	begin := []int{3, 45}
	var slots []*follower
	var prompts []engine.Prompt
	for slot := range begin {
		f := &follower{T: t, d: d, slot: slot, within: stepsWithin(m, on), texts: random(uint64(51+slot), length-slot, vocab)}
		for _, drop := range drops {
			f.want, f.at = append(f.want, uncached(t, m, f.texts, drop)), append(f.at, begin[slot])
		}
		slots, prompts = append(slots, f), append(prompts, engine.Prompt{Slot: slot, IDs: f.texts[:begin[slot]]})
	}
	logits, err := d.Start(t.Context(), prompts)
	if err != nil {
		t.Fatal(err)
	}
	for slot, f := range slots {
		for v := range drops {
			f.holds("prompt", v, begin[slot]-1, logits[v][slot])
		}
	}
	// All variants of both slots in one step: on the PTX machine a row alone costs as much as a tile of them.
	for i, tokens := range []int{1, 2, 16, 1, 17, 1, 1, 40, 5, 23, 3, 90, 1, 16, 16, 7, 11, 2, 64, 13, 1, 1, 1} {
		follow("step", slots, func(*follower, int) int { return tokens }, 0, 1, 2)
		goAstray(slots, func(f *follower, v int) int { return []int{1, 5, 16, 31}[(i+v+f.slot)%4] }, 0, 1, 2) // of which the last must be walked anew
	}
	first := slots[0]
	first.back(1, first.at[1]-50)
	first.on("far back", 1, 20)
	first.back(2, 2) // into the prompt
	first.on("into the prompt", 2, 30)
}

// A variant that reads a prompt where the dense model keeps it goes on by that prompt when the dense model has been taken back into it.
func TestPromptThatTheDenseModelLeft(t *testing.T) {
	for _, name := range []string{"llama", "gemma3", "deepseek-v3", "qwen3-next"} {
		m := open(t, "testdata/architectures/"+name, "cpu")
		drops := []engine.Drop{nil, engine.Layers(1), engine.Layers(2)}
		d, err := m.NewDecoder(engine.DecoderOptions{Variants: drops, Length: 50})
		if err != nil {
			t.Fatal(err)
		}
		f := &follower{T: t, d: d, within: stepsWithin(m, "cpu"), texts: random(63, 50, min(m.Spec.Vocab, 90)), at: []int{20, 20, 20}}
		for _, drop := range drops {
			f.want = append(f.want, uncached(t, m, f.texts, drop))
		}
		if _, err := d.Start(t.Context(), []engine.Prompt{{IDs: f.texts[:20]}}); err != nil {
			t.Fatal(err)
		}
		f.on(name, 1, 2)
		f.back(0, 5)
		f.astray(0, 12)
		f.on(name+" beside one that left the prompt", 1, 3)
		f.on(name+" beside one that left the prompt", 2, 20)
		f.on(name+" which left the prompt", 0, 3)
		d.Close()
	}
}

// patient is a context that ends after so many questions.
type patient struct {
	context.Context
	questions *int
}

func (p patient) Err() error {
	if *p.questions--; *p.questions < 0 {
		return context.Canceled
	}
	return nil
}

// A step that ended in the middle leaves nothing behind: the sequence goes on as if it had not been tried.
func TestInterruptedSteps(t *testing.T) {
	for _, name := range []string{"gemma3", "llama4", "lfm2", "qwen3-next"} {
		m := open(t, "testdata/architectures/"+name, "cpu")
		d, err := m.NewDecoder(engine.DecoderOptions{Length: 64})
		if err != nil {
			t.Fatal(err)
		}
		f := &follower{T: t, d: d, within: stepsWithin(m, "cpu"), texts: random(61, 60, min(m.Spec.Vocab, 90)), at: []int{30}}
		f.want = [][][]float32{uncached(t, m, f.texts, nil)}
		if _, err := d.Start(t.Context(), []engine.Prompt{{IDs: f.texts[:30]}}); err != nil {
			t.Fatal(err)
		}
		for _, tokens := range []int{1, 20} {
			questions := m.Layers() - 1
			ctx := patient{t.Context(), &questions}
			if _, err := d.Continue(ctx, []engine.Continuation{{IDs: random(62, tokens, 90)}}); err == nil {
				t.Fatalf("%s: was not interrupted", name)
			}
			f.on(name+" interrupted", 0, 3)
		}
		d.Close()
	}
}

// What is generated beyond the windows is what walking everything anew for every token gives, whatever is generated beside it.
func TestGenerateBeyondWindows(t *testing.T) {
	for _, name := range []string{"gemma3", "llama4", "gpt-oss", "mistral"} {
		m := open(t, edited.Folder(t, "testdata/architectures/"+name, func(config map[string]any) { config["max_position_embeddings"] = 4096 }), "cpu")
		var requests []engine.Request
		var want [][]int32
		for i, length := range []int{5, 70, 1, 33} {
			r := engine.Request{IDs: random(uint64(71+i), length, min(m.Spec.Vocab, 90)), Tokens: 20 + 15*i}
			requests, want = append(requests, r), append(want, greedily(t, m, r.IDs, nil, r.Tokens))
		}
		for _, slots := range []int{1, 3} {
			got, err := m.Generate(t.Context(), requests, engine.Generating{Slots: slots})
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if !slices.Equal(got[i], want[i]) {
					t.Errorf("%s, %d at a time, request %d: %v, want %v", name, slots, i, got[i], want[i])
				}
			}
		}
	}
}
