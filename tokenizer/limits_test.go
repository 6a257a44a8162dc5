package tokenizer

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

const letters = `"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"aa":3,"aaaa":4},"merges":["a b","a a","aa aa"]`

func ofFile(t testing.TB, parts string) *Tokenizer {
	t.Helper()
	tok, err := readJSON([]byte(`{`+parts+`"model":{`+letters+`}}`), "file")
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// What the rules of a file make of a text is bounded, however they are put together.
func TestGrowth(t *testing.T) {
	list := func(part string, n int) string { return strings.TrimSuffix(strings.Repeat(part+",", n), ",") }
	double := `{"type":"Replace","pattern":{"String":"a"},"content":"aa"}`
	for name, parts := range map[string]string{
		"strings":     `"normalizer":{"type":"Sequence","normalizers":[` + list(double, 60) + `]},`,
		"expressions": `"normalizer":{"type":"Sequence","normalizers":[` + list(`{"type":"Replace","pattern":{"Regex":"a"},"content":"aa"}`, 60) + `]},`,
		"nothing":     `"normalizer":{"type":"Sequence","normalizers":[` + list(`{"type":"Replace","pattern":{"String":""},"content":"a"}`, 60) + `]},`,
		"one":         `"normalizer":{"type":"Replace","pattern":{"String":"a"},"content":"` + strings.Repeat("a", 1<<17) + `"},`,
		"prepended":   `"normalizer":{"type":"Prepend","prepend":"` + strings.Repeat("a", 1<<17) + `"},`,
		"spelled": `"pre_tokenizer":{"type":"Sequence","pretokenizers":[` + list(`{"type":"ByteLevel","add_prefix_space":true,"use_regex":false}`,
			60) + `]},`,
	} {
		tok := ofFile(t, parts)
		_, err := tok.Encode("aaaé", false)
		if !errors.Is(err, ErrLimit) || len(err.Error()) > 200 {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := tok.EncodeOffsets(t.Context(), "aaaé", false); !errors.Is(err, ErrLimit) {
			t.Errorf("%s, with offsets: %v", name, err)
		}
	}
	for name, parts := range map[string]string{
		"strings":     `"decoder":{"type":"Sequence","decoders":[` + list(double, 60) + `]},`,
		"expressions": `"decoder":{"type":"Sequence","decoders":[` + list(`{"type":"Replace","pattern":{"Regex":"a"},"content":"aa"}`, 60) + `]},`,
		"ends":        `"decoder":{"type":"Sequence","decoders":[` + list(`{"type":"BPEDecoder","suffix":""}`, 60) + `]},`,
	} {
		if _, err := ofFile(t, parts).Decode([]int32{0, 0, 1}, false); !errors.Is(err, ErrLimit) {
			t.Errorf("decoder, %s: %v", name, err)
		}
	}
	for key, part := range map[string]string{
		"normalizer":    `{"type":"Sequence","normalizers":[` + list(`{"type":"NFC"}`, 2000) + `]}`,
		"pre_tokenizer": `{"type":"Sequence","pretokenizers":[` + list(`{"type":"Whitespace"}`, 2000) + `]}`,
		"decoder":       `{"type":"Sequence","decoders":[` + list(`{"type":"Fuse"}`, 2000) + `]}`,
	} {
		_, err := readJSON([]byte(`{"`+key+`":`+part+`,"model":{`+letters+`}}`), "file")
		checkRefusal(t, err, "more than 1024")
	}
	if _, err := ofFile(t, `"normalizer":`+double+`,`).Encode(strings.Repeat("a", 1<<20), false); err != nil {
		t.Errorf("twice a long text: %v", err)
	}
}

// A search that takes too long is an error of one line that repeats 40 characters, not a part of the result.
func TestSearchTimeout(t *testing.T) {
	tok := ofFile(t, `"pre_tokenizer":{"type":"Split","pattern":{"Regex":"b|(a|a)*c"},"behavior":"Isolated"},`)
	split := tok.plain.splitters[0].(*patternSplit)
	split.regex.compiled.MatchTimeout = 50 * time.Millisecond
	ids, err := tok.Encode("b\x1b"+strings.Repeat("a", 3000), false)
	if !errors.Is(err, ErrLimit) || ids != nil || len(err.Error()) > 200 || strings.ContainsRune(err.Error(), '\x1b') {
		t.Errorf("%d ids, %v", len(ids), err)
	}
}

// An encoding ends with its context, whichever part it is in.
func TestCancel(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	searching := `"pre_tokenizer":{"type":"Split","pattern":{"Regex":"b|(a|a)*c"},"behavior":"Isolated"},`
	for name, c := range map[string]struct{ parts, text string }{
		"one word":    {"", strings.Repeat("a", 1<<20)},
		"search":      {searching, strings.Repeat("a", 100)},
		"replacement": {`"normalizer":{"type":"Replace","pattern":{"String":"b"},"content":"a"},`, strings.Repeat("ab", 1<<18)},
		"added":       {`"added_tokens":[{"id":9,"content":"aaaaab"}],`, strings.Repeat("a", 1<<20)},
		"normal form": {`"normalizer":{"type":"NFD"},`, strings.Repeat("é", 1<<18)},
		"digits":      {`"pre_tokenizer":{"type":"Digits","individual_digits":true},`, strings.Repeat("1", 1<<18)},
	} {
		if ids, err := ofFile(t, c.parts).EncodeContext(cancelled, c.text, false); !errors.Is(err, context.Canceled) || ids != nil {
			t.Errorf("%s: %d ids, %v", name, len(ids), err)
		}
	}
	soon, stop := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, stop)
	if _, err := ofFile(t, searching).EncodeContext(soon, strings.Repeat("a", 5000), false); !errors.Is(err, context.Canceled) {
		t.Errorf("a search that does not end by itself: %v", err)
	}
	for _, name := range smallNames {
		if _, err := small(t, name).EncodeContext(cancelled, strings.Repeat("the cat ", 1<<16), false); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// White space that does not end its line is looked at once, not once a character; so are spaces before a token that takes them along.
func TestNoSquares(t *testing.T) {
	spaces := strings.Repeat(" ", 1<<21) + "x"
	c := &call{ctx: t.Context()}
	looked := 0
	cutMatches(c, spaceAtEnd{}, spaces, func(int, int, bool) { looked++ })
	if looked != 1 {
		t.Errorf("%d stretches", looked)
	}
	tok := ofFile(t, `"added_tokens":[{"id":9,"content":" ","lstrip":true}],`)
	ids, err := tok.Encode(spaces, false)
	if err != nil || len(ids) != 1<<21 {
		t.Errorf("%d ids, %v", len(ids), err)
	}
}

// A word longer than any is merged as a short one is; each of these is one word of one repeated character.
func TestLongWord(t *testing.T) {
	const n = longWord + 1003
	tok := ofFile(t, "")
	ids, err := tok.Encode(strings.Repeat("a", n), false)
	if err != nil || len(ids) != n/4+2 || ids[0] != 4 || ids[len(ids)-1] != 0 || ids[len(ids)-2] != 3 {
		t.Fatalf("%d ids, %v", len(ids), err)
	}
	tokens, err := tok.EncodeOffsets(t.Context(), strings.Repeat("ab", n), false)
	if err != nil || len(tokens) != n || tokens[n-1] != (Token{2, 2*n - 2, 2 * n}) {
		t.Fatalf("%d tokens, %v", len(tokens), err)
	}
	for _, name := range smallNames {
		tok := small(t, name)
		for _, char := range []string{"a", " ", "é", "1"} {
			text := strings.Repeat(char, n)
			got, err := tok.Encode(text, false)
			if err != nil {
				t.Fatal(err)
			}
			var want []int32
			tokens, err := tok.EncodeOffsets(t.Context(), text, false)
			for _, token := range tokens {
				want = append(want, token.ID)
			}
			if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %d of %q: %d ids, %d with offsets, %v", name, n, char, len(got), len(want), err)
			}
		}
	}
}

// 60 MB of one letter take less than 1 GB.
func TestLongWordMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 10 s")
	}
	const size = 60e6
	for _, name := range []string{"gpt2", "llama2-metaspace", "unigram"} {
		tok := small(t, name)
		text := strings.Repeat("a", size)
		var before, now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		ids, err := tok.Encode(text, false)
		runtime.ReadMemStats(&now)
		if grown := now.TotalAlloc - before.TotalAlloc; err != nil || len(ids) == 0 || grown > 800<<20 {
			t.Errorf("%s: %d ids from %d MB allocated, %v", name, len(ids), grown>>20, err)
		}
	}
}
