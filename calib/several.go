package calib

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"avssnative/engine"
	"avssnative/tokenizer"
)

// Several texts side by side. Their sequences stand in turns, two of a text at a time, of the one of which least stands there: the even and the odd
// sequences, which choose and judge elsewhere, thus hold half of each text, and every stretch holds as much of each, however long its sequences are.

// several are the texts of some sources, joined.
func several(ctx context.Context, m *engine.Model, t *tokenizer.Tokenizer, o Options) (*Text, error) {
	if err := distinct(o.Files); err != nil {
		return nil, err
	}
	var parts []*Text
	left := o.Tokens
	for i, file := range o.Files {
		p := o
		p.Files, p.Tokens = []string{file}, max(2, left/(len(o.Files)-i))
		text, err := one(ctx, m, t, p)
		if err != nil {
			return nil, err
		}
		left -= text.Tokens
		parts = append(parts, text)
	}
	joined := &Text{Source: strings.Join(o.Files, ", "), Asked: o.Tokens, Parts: parts}
	joined.join(make([]int, len(parts)))
	return joined, nil
}

// distinct refuses a text that is named twice.
func distinct(files []string) error {
	for i, file := range files {
		if !slices.Contains(files[:i], file) {
			continue
		}
		if file == "-" {
			return errors.New("calib: standard input (-) is named twice, and can be read once")
		}
		return fmt.Errorf("calib: %s is named twice: want each text once", file)
	}
	return nil
}

// join puts those of the parts' sequences that are not there yet behind the others; from says how many of each are.
func (t *Text) join(from []int) {
	placed, coming := make([]int, len(t.Parts)), make([]int, len(t.Parts)) // tokens of what is not there yet
	for i, p := range t.Parts {
		for _, s := range p.Sequences[from[i]:] {
			coming[i] += len(s.IDs)
		}
	}
	for {
		next := -1
		for i, p := range t.Parts {
			if from[i] < len(p.Sequences) && (next < 0 || placed[i]*coming[next] < placed[next]*coming[i]) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		p := t.Parts[next]
		end := min(len(p.Sequences), from[next]+2)
		for _, s := range p.Sequences[from[next]:end] {
			t.add(s.IDs)
			t.Of = append(t.Of, next)
			placed[next] += len(s.IDs)
		}
		from[next] = end
	}
	sum := sha256.New()
	t.DoubleBOS = 0
	for _, p := range t.Parts {
		fmt.Fprintln(sum, p.SHA256)
		t.DoubleBOS += p.DoubleBOS
	}
	t.SHA256 = hex.EncodeToString(sum.Sum(nil))
}
