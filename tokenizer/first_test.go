package tokenizer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// However many ids are asked for, they are the first of the whole text's.
func TestEncodeFirst(t *testing.T) {
	for _, name := range smallNames {
		tok := small(t, name)
		var texts []string
		for _, c := range goldenCases(t, name) {
			texts = append(texts, c.Text)
		}
		text := strings.Join(texts[:min(len(texts), 100)], " ")
		for _, special := range []bool{false, true} {
			all, err := tok.Encode(text, special)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{0, 1, 2, 3, 10, 100, len(all) - 1, len(all), len(all) + 5} {
				got, err := tok.EncodeFirst(t.Context(), text, special, n)
				if err != nil || !slices.Equal(got, all[:min(n, len(all))]) {
					t.Fatalf("%s, special %v: the first %d ids: %v, %v; want %v", name, special, n, got, err, all[:min(n, len(all))])
				}
			}
		}
	}
}

// A long text costs no more than the ids that are asked for.
func TestEncodeFirstOfALongText(t *testing.T) {
	tok := small(t, "gpt2")
	c := &call{ctx: t.Context(), enough: 100}
	tok.encode(c, strings.Repeat("some words that go on ", 1<<20), false)
	if c.err != errEnough || len(c.all()) > 200 {
		t.Errorf("%d ids, %v", len(c.all()), c.err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tok.EncodeFirst(ended, strings.Repeat("a b ", 1<<20), false, 1<<20); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
