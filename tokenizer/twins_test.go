package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"avssnative/internal/need"
)

// The slow twins: what the fast parts must agree with.

// slowMerge looks for the best pair anew after every merge.
func slowMerge(symbols []int32, merges *mergeTable) []int32 {
	symbols = slices.Clone(symbols)
	for {
		best, found := merge{}, -1
		for i := 0; i+1 < len(symbols); i++ {
			if m, ok := merges.get(symbols[i], symbols[i+1]); ok && (found < 0 || m.rank < best.rank) {
				best, found = m, i
			}
		}
		if found < 0 {
			return symbols
		}
		symbols[found] = best.id
		symbols = slices.Delete(symbols, found+1, found+2)
	}
}

func TestMergeAgainstSlow(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		letters := 2 + random.IntN(4)
		merges := newMergeTable(0)
		pairs := map[[2]int32]merge{}
		tokens := int32(letters)
		for rank := range int32(40) {
			left, right := random.Int32N(tokens), random.Int32N(tokens)
			m := merge{rank / (1 + int32(random.IntN(2))), tokens} // ranks may be shared, as with scores
			merges.set(left, right, m)
			pairs[[2]int32{left, right}] = m
			tokens++
		}
		if merges.count != len(pairs) {
			t.Fatalf("%d merges, want %d", merges.count, len(pairs))
		}
		for pair, want := range pairs {
			if got, ok := merges.get(pair[0], pair[1]); !ok || got != want {
				t.Fatalf("%v: %v %v, want %v", pair, got, ok, want)
			}
		}
		symbols := make([]int32, 1+random.IntN(60))
		w, long := new(workspace), new(workspace)
		w.begin(len(symbols), true)
		long.begin(len(symbols), true)
		for i := range symbols {
			symbols[i] = int32(random.IntN(letters))
			w.add(symbols[i], i)
			long.add(symbols[i], i)
		}
		c := &call{ctx: t.Context()}
		w.merge(c, merges)
		long.mergeLong(c, merges, 1+random.IntN(5))
		if want := slowMerge(symbols, merges); !slices.Equal(w.symbols, want) || !slices.Equal(long.symbols, want) {
			t.Fatalf("%v: got %v and %v, want %v", symbols, w.symbols, long.symbols, want)
		}
		if !slices.Equal(w.starts, long.starts) {
			t.Fatalf("%v: tokens begin at %v and %v", symbols, w.starts, long.starts)
		}
	}
}

func TestScannersAgainstPatterns(t *testing.T) {
	texts := oddTexts(3, 3000)
	for _, pattern := range []string{patternGPT2, patternLlama3, patternQwen2, patternO200k, patternTekken,
		`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`} {
		scan := scannerFor(pattern)
		if scan == nil {
			t.Fatalf("%s is not recognised", pattern)
		}
		slow, err := compileRegex(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			text = strings.ReplaceAll(text, "ſ", "s") // regexp2 does not know that ſ is an s in another case
			var got, want []int
			for i := 0; i < len(text); {
				i = scan.next(text, i)
				got = append(got, i)
			}
			for _, c := range cutsOf(t, slow, text) {
				want = append(want, c.end)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s: %+q: got %v, want %v", pattern, text, got, want)
			}
		}
	}
}

func TestMatchersAgainstPatterns(t *testing.T) {
	texts := oddTexts(7, 3000)
	known := 0
	for name, recipe := range gpt2Pre {
		for _, pattern := range recipe.patterns {
			if scannerFor(pattern) != nil {
				continue
			}
			match := matcherFor(pattern)
			if match == nil {
				t.Errorf("%s: %s is not recognised", name, pattern)
				continue
			}
			known++
			againstRegex(t, pattern, match, texts)
		}
	}
	if known < 10 {
		t.Errorf("%d patterns", known)
	}
	for _, pattern := range []string{`[^\s\p{L}]+`, ` ?[a-f\-\]\u0400-\u04ff]+`, `\s?\p{S}+`, `[\p{L}\p{M}\p{N}]{1,3}`, `[\r\n][\r\n][\r\n]`, `\s`,
		`\p{N}`, `[\r\n]`} {
		match := matcherFor(pattern)
		if match == nil {
			t.Fatalf("%s is not recognised", pattern)
		}
		againstRegex(t, pattern, match, texts)
	}
	for _, pattern := range []string{`\s?`, `[a-z`, `\s?[a-z]`, `[a-z]*`, `[z-a]+`, `[\w]+`, `[\p{Han}]+`, `[a&&b]+`, `[[:alpha:]]+`, `[^[^a]]+`,
		`\p{L}\p{N}`, `a+`, `\p{L`, `[\`, ``} {
		if matcherFor(pattern) != nil {
			t.Errorf("%s is recognised", pattern)
		}
	}
}

func cutsOf(t *testing.T, r *regex, text string) (cuts []matched) {
	t.Helper()
	c := &call{ctx: t.Context()}
	r.each(c, text, func(start, end int, match bool) { cuts = append(cuts, matched{start, end, match}) })
	if c.err != nil {
		t.Fatal(c.err)
	}
	return cuts
}

func againstRegex(t *testing.T, pattern string, match matcher, texts []string) {
	t.Helper()
	slow, err := compileRegex(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		var got []matched
		cutMatches(&call{ctx: t.Context()}, match, text, func(start, end int, match bool) { got = append(got, matched{start, end, match}) })
		want := cutsOf(t, slow, text)
		if !slices.Equal(got, want) {
			t.Fatalf("%s: %+q: got %v, want %v", pattern, text, got, want)
		}
	}
}

// plain returns tok without short ways and without memory of words.
func plain(t testing.TB, tok *Tokenizer, splitters []splitter, m model) *Tokenizer {
	t.Helper()
	slow := *tok
	slow.words = &pipeline{splitters: splitters, model: m}
	return &slow
}

func TestShortWaysAgainstPipeline(t *testing.T) {
	for i, v := range variants {
		file := variant(t, v.base, v.changes)
		tok, err := readJSON(file, v.base)
		if err != nil {
			t.Fatal(err)
		}
		splitters, m := partsOf(t, file)
		slow := plain(t, tok, splitters, m)
		for _, text := range oddTexts(uint64(1000+i), 150) {
			for range 2 { // the second time, words are remembered
				got, err := tok.Encode(text, true)
				if err != nil {
					t.Fatal(err)
				}
				want, err := slow.Encode(text, true)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got, want) {
					t.Fatalf("%d %s: %+q: got %v, want %v", i, v.base, text, got, want)
				}
			}
		}
	}
}

func TestPublishedShortWays(t *testing.T) {
	tok := open(t, need.Data(t, "tokenizers/mistral"))
	fast, ok := tok.words.(*spacedBPE)
	if !ok {
		t.Fatalf("mistral is encoded by %T", tok.words)
	}
	if gpt2 := open(t, need.Data(t, "tokenizers/gpt2")); gpt2.words.(*byteBPE).scan == nil {
		t.Error("gpt2 has no scanner")
	}
	slow := plain(t, tok, nil, fast.words.model)
	var all strings.Builder
	for _, text := range oddTexts(5, 500) {
		all.WriteString(text)
		got, _ := tok.Encode(text, false)
		want, _ := slow.Encode(text, false)
		if !slices.Equal(got, want) {
			t.Fatalf("%+q: got %v, want %v", text, got, want)
		}
	}
	got, _ := tok.Encode(all.String(), false)
	want, _ := slow.Encode(all.String(), false)
	if !slices.Equal(got, want) {
		t.Error("one long text differs")
	}
}

// Composition and order of marks against the definition by x/text, on texts without what the two disagree on by design.
func TestNormalForms(t *testing.T) {
	for name, form := range normalForms {
		for _, text := range oddTexts(11, 2000) {
			if strings.ContainsFunc(text, func(r rune) bool { return within(inert, r) || r == 0x11935 }) {
				continue
			}
			if got, want := form.string(text), textForm(name, text); got != want {
				t.Fatalf("%s: %+q: got %+q, want %+q", name, text, got, want)
			}
		}
	}
	marks := "a" + strings.Repeat("\u0301", 40) // x/text would put U+034F between
	if got := normalForms["NFD"].string(marks); got != marks {
		t.Errorf("40 marks: %+q", got)
	}
}
