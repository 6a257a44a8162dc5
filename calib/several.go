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

// Several texts side by side. Their sequences stand in turns, two of a text at a time: the even and the odd sequences, which choose and judge
// elsewhere, thus hold half of each text, and so does the beginning.

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
	for more := true; more; {
		more = false
		for i, p := range t.Parts {
			end := min(len(p.Sequences), from[i]+2)
			for _, s := range p.Sequences[from[i]:end] {
				t.add(s.IDs)
				t.Of = append(t.Of, i)
			}
			from[i] = end
			more = more || end < len(p.Sequences)
		}
	}
	sum := sha256.New()
	t.DoubleBOS = 0
	for _, p := range t.Parts {
		fmt.Fprintln(sum, p.SHA256)
		t.DoubleBOS += p.DoubleBOS
	}
	t.SHA256 = hex.EncodeToString(sum.Sum(nil))
}
