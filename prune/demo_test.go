package prune

import (
	"testing"

	"avssnative/calib"
	"avssnative/engine"
	"avssnative/tokenizer"
)

// DemoAndText is the demo and so many tokens of its calibration text.
func DemoAndText(t *testing.T, tokens, length int) (*engine.Model, *calib.Text) {
	t.Helper()
	m, err := engine.Open(t.Context(), "demo", engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	words, err := tokenizer.Open(m.Path())
	if err != nil {
		t.Fatal(err)
	}
	text, err := calib.Read(t.Context(), m, words, calib.Options{Tokens: tokens, Length: length})
	if err != nil {
		t.Fatal(err)
	}
	return m, text
}
