package bench

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"avssnative/internal/need"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestRollingWindows(t *testing.T) {
	ids := []int32{10, 11, 12, 13, 14, 15, 16, 17, 18, 19}
	want := []window{
		{[]int32{1}, ids[0:4]},
		{ids[3:4], ids[4:8]},
		{ids[5:8], ids[8:10]}, // the last takes in as much as fits
	}
	if diff := cmp.Diff(want, rolling(ids, 1, 4), cmp.AllowUnexported(window{})); diff != "" {
		t.Error(diff)
	}
	if got := rolling(nil, 1, 4); got != nil {
		t.Errorf("windows of nothing: %v", got)
	}
}

// lmEvalWindows is the peer's pair of functions put as it has them: windows that overlap, then made disjoint.
func lmEvalWindows(ids []int32, prefix int32, length int) []window {
	all := append([]int32{prefix}, ids...)
	var made []window
	first := min(length, len(ids))
	made = append(made, window{all[:first], ids[:first]})
	for done := first; done < len(ids); {
		predict := min(len(ids)-done, length)
		end := done + predict
		made = append(made, window{ids[end-length-1 : end-1], ids[end-predict : end]})
		done += predict
	}
	for i, w := range made {
		made[i].context = w.context[:len(w.context)-(len(w.scored)-1)]
	}
	return made
}

func TestRollingAgreesWithThePeer(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		ids := rapid.SliceOfN(rapid.Int32Range(2, 99), 1, 60).Draw(r, "ids")
		length := rapid.IntRange(2, 20).Draw(r, "length")
		got := rolling(ids, 1, length)
		if diff := cmp.Diff(lmEvalWindows(ids, 1, length), got, cmp.AllowUnexported(window{})); diff != "" {
			r.Error(diff)
		}
		var scored []int32
		for _, w := range got {
			scored = append(scored, w.scored...)
			if len(w.context)+len(w.scored)-1 > length {
				r.Errorf("window %v takes in more than %d tokens", w, length)
			}
		}
		if !cmp.Equal(scored, ids) {
			r.Errorf("scored %v, want every token once, in order", scored)
		}
	})
}

func TestChunkConventions(t *testing.T) {
	f := newFake(true, true, true)
	source := written(t, "wikitext-2/test.txt", " \n = A = \n \n a b c d e f g h i j k\n")
	sets, err := Load(t.Context(), []string{"chunk-6", "llamacpp-6"}, source, Limit{})
	if err != nil {
		t.Fatal(err)
	}
	if want := "\n\n = A = \n\n\n\n\n a b c d e f g h i j k\n"; sets[0].Items[0].Text != want {
		t.Errorf("joined %q, want %q", sets[0].Items[0].Text, want)
	}
	if want := " \n = A = \n \n a b c d e f g h i j k"; sets[1].Items[0].Text != want {
		t.Errorf("raw %q, want %q", sets[1].Items[0].Text, want)
	}
	suite, results := judge(t, sets, f, Options{MaxLength: 64})
	joined, _ := f.Encode(sets[0].Items[0].Text, true)
	raw, _ := f.Encode(sets[1].Items[0].Text, true)
	if n := len(joined)/6 + len(raw)/6; n != len(suite.Sequences) || results[0].N+results[1].N != n {
		t.Fatalf("%d chunks, want %d", len(suite.Sequences), n)
	}
	first := suite.Sequences[0]
	if diff := cmp.Diff([][]int32{joined[:1], joined[1:6]}, [][]int32{first.IDs, first.Branches[0]}); diff != "" {
		t.Error(diff)
	}
	second := suite.Sequences[len(joined)/6+1]
	// The first token gives way to BOS; rows 3 and 4 predict tokens 4 and 5.
	want := [][]int32{{0, raw[7], raw[8], raw[9]}, raw[10:12]}
	if diff := cmp.Diff(want, [][]int32{second.IDs, second.Branches[0]}); diff != "" {
		t.Error(diff)
	}
	for i, name := range []string{"chunk-6", "llamacpp-6"} {
		r := results[i]
		var nll float64
		for _, item := range r.Items {
			nll -= item.LogLikelihoods[0]
		}
		if !near(r.Main().Value, math.Exp(nll/float64(r.Tokens))) || r.Convention != name || r.MaxLength != 6 || r.Note != "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestChunkLongerThanTheModel(t *testing.T) {
	f := newFake(true, true, true)
	sets, err := Load(t.Context(), []string{"chunk-2048"}, written(t, "wikitext-2/test.txt", strings.Repeat("a b c\n", 9)), Limit{Items: 2})
	if err != nil {
		t.Fatal(err)
	}
	_, results := judge(t, sets, f, Options{MaxLength: 8})
	if r := results[0]; r.Convention != "chunk-8" || r.MaxLength != 8 || r.N != 2 || !strings.Contains(r.Note, "chunk-2048 was asked for") {
		t.Errorf("%+v", r)
	}
	_, err = Prepare(sets, f, Options{MaxLength: 1024})
	wantError(t, err, "bench: chunk-2048", "do not fill one chunk of 1024")
}

func TestDetokenise(t *testing.T) {
	for in, want := range map[string]string{
		"the dogs ' bone":             "the dogs' bone",
		"20 @-@ year @,@ 000 3 @.@ 5": "20-year,000 3.5",
		"a : b ; c . d ! e ? f , g":   "a: b; c. d! e? f, g",
		"( a b ) [ c ] { d }":         "(a b) [c] {d}",
		`he said " yes " to ' no '`:   `he said "yes" to 'no'`,
		" = = = = x = = = y = = z":    " ==== x === y == z",
		"5 ° C":                       "5°C",
		" \n = Title = \n ":           "\n= Title =\n",
		"a N b":                       "a 1 b",
		"it 's":                       "it's",
		" = = Life = = ":              " == Life == ",
		"one . . two":                 "one. . two",
		"(\u00a0a\u2003)":             "(a)",
		"a ( b [ c ) d ]":             "a (b [c) d]",
	} {
		if got := detokenise(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestPages(t *testing.T) {
	text := " \n = One = \n \n a b \n \n = = Part = = \n \n c \n \n = Two = \n d \n"
	sets, err := Load(t.Context(), []string{"wikitext"}, written(t, "wikitext-2/test.txt", text), Limit{})
	if err != nil {
		t.Fatal(err)
	}
	items := sets[0].Items
	if len(items) != 2 {
		t.Fatalf("%d pages, want 2", len(items))
	}
	if want := " = One =\n\na b\n\n== Part ==\n\nc\n"; items[0].Text != want {
		t.Errorf("page %q, want %q", items[0].Text, want)
	}
	// Words and bytes are counted before detokenisation, and a page that begins or ends with white space has an empty word there.
	if page := " = One = \n \n a b \n \n = = Part = = \n \n c \n "; items[0].Words != 13 || items[0].Bytes != len(page) {
		t.Errorf("%d words, %d bytes, want 13 and %d", items[0].Words, items[0].Bytes, len(page))
	}
}

func TestWords(t *testing.T) {
	for in, want := range map[string]int{"": 1, "a": 1, "a b": 2, " a\n\tb ": 4, "a\u00a0b\x1fc": 3, "\n": 2} {
		if got := words(in); got != want {
			t.Errorf("%q has %d words, want %d", in, got, want)
		}
	}
	for in, want := range map[string]string{"": "", "éA B": "Éa b", "1X": "1x", "ǆA": "ǅa"} {
		if got := capitalise(in); got != want {
			t.Errorf("%q capitalised is %q, want %q", in, got, want)
		}
	}
}

// What lm-evaluation-harness's own detokeniser makes of the test split, page after page, has this hash.
func TestWikiTextPages(t *testing.T) {
	sets, err := Load(t.Context(), []string{"wikitext"}, Source{Dir: need.Data(t, "eval")}, Limit{})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	words, bytes := 0, 0
	for _, item := range sets[0].Items {
		sum.Write([]byte(item.Text))
		words += item.Words
		bytes += item.Bytes
	}
	if len(sets[0].Items) != 62 || words != 241335 || bytes != 1256386 {
		t.Errorf("%d pages, %d words, %d bytes, want 62, 241335, 1256386", len(sets[0].Items), words, bytes)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != "f9a00166a051d6b7dd8b6ecf269c226f2b80e632c5fc6e68776d0ac905fcb6f3" {
		t.Errorf("pages hash to %s", got)
	}
}
