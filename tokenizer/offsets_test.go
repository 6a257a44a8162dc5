package tokenizer

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// Offsets come by the plain way: its ids are those of the short one, and its tokens lie in order within the text.
func TestOffsetsInOrder(t *testing.T) {
	for i, v := range variants {
		tok, err := readJSON(variant(t, v.base, v.changes), v.base)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range oddTexts(uint64(2000+i), 60) {
			want, err := tok.Encode(text, true)
			if err != nil {
				t.Fatal(err)
			}
			tokens, err := tok.EncodeOffsets(t.Context(), text, true)
			if err != nil {
				t.Fatal(err)
			}
			got, last := make([]int32, len(tokens)), 0
			for k, token := range tokens {
				got[k] = token.ID
				if token.Start < last || token.Start < 0 || token.End < token.Start || token.End > len(text) {
					t.Fatalf("%d %s: %+q: token %d lies at %d to %d, behind one at %d", i, v.base, text, k, token.Start, token.End, last)
				}
				last = token.Start
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%d %s: %+q: got %v, want %v", i, v.base, text, got, want)
			}
		}
	}
}

// What nothing rewrites is covered by its tokens, byte for byte.
func TestOffsetsCover(t *testing.T) {
	for _, name := range []string{"gpt2", "llama3"} {
		tok := small(t, name)
		for _, text := range oddTexts(31, 300) {
			tokens, err := tok.EncodeOffsets(t.Context(), text, false)
			if err != nil {
				t.Fatal(err)
			}
			at := 0
			for _, token := range tokens {
				if token.Start != at {
					t.Fatalf("%s: %+q: a token begins at %d, want %d", name, text, token.Start, at)
				}
				at = token.End
			}
			if at != len(text) {
				t.Fatalf("%s: %+q: tokens end at %d of %d", name, text, at, len(text))
			}
		}
	}
}

// The tokenizers library counts in characters, and gives a token that is part of a character the whole of it. It has no offsets of its
// own for what it inserts, so tokens that stand for nothing are not compared. Of characters that were composed
// into one, put into another order, or deleted behind one, it counts only one.
func TestOffsetsAgainstOracle(t *testing.T) {
	texts := oddTexts(37, 400)
	var questions []question
	for _, name := range smallNames {
		questions = append(questions, question{variant(t, name, map[string]string{"post_processor": "null"}), "offsets", texts})
	}
	for i, answer := range ask(t, questions) {
		var want [][][2]int
		if err := json.Unmarshal(answer, &want); err != nil {
			t.Fatal(err)
		}
		tok := small(t, smallNames[i])
		composes := slices.Contains([]string{"bert", "qwen2"}, smallNames[i])
		wrong := 0
		for j, text := range texts {
			tokens, err := tok.EncodeOffsets(t.Context(), text, false)
			if err != nil || len(tokens) != len(want[j]) {
				t.Fatalf("%s: %+q: %d tokens, %v, want %d", smallNames[i], text, len(tokens), err, len(want[j]))
			}
			for k, token := range tokens {
				got, want := charactersOf(text, token), want[j][k]
				if token.Start == token.End || got == want || composes && got[0] <= want[0] && got[1] >= want[1] {
					continue
				}
				if wrong++; wrong < 4 {
					t.Errorf("%s: %+q: token %d: got %v, want %v", smallNames[i], text, k, got, want)
				}
			}
		}
	}
}

// charactersOf is a token's stretch in characters, widened to whole ones.
func charactersOf(text string, token Token) [2]int {
	for token.Start > 0 && !utf8.RuneStart(text[token.Start]) {
		token.Start--
	}
	for token.End < len(text) && !utf8.RuneStart(text[token.End]) {
		token.End++
	}
	first := utf8.RuneCountInString(text[:token.Start])
	return [2]int{first, first + utf8.RuneCountInString(text[token.Start:token.End])}
}

func TestOffsetsOfSpecials(t *testing.T) {
	tok := small(t, "bert")
	text := "The cat"
	tokens, err := tok.EncodeOffsets(t.Context(), text, true)
	if err != nil {
		t.Fatal(err)
	}
	first, last := tokens[0], tokens[len(tokens)-1]
	if first != (Token{2, 0, 0}) || last != (Token{3, len(text), len(text)}) {
		t.Errorf("the post-processor's tokens are %v and %v", first, last)
	}
	var all strings.Builder
	for _, token := range tokens {
		all.WriteString(text[token.Start:token.End])
	}
	if all.String() != "Thecat" {
		t.Errorf("tokens stand for %q", all.String())
	}
}
