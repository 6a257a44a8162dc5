package job

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"avssnative/avss"
	"avssnative/bench"
	"avssnative/engine"
	"avssnative/internal/corpus"
	"avssnative/internal/smallworld"
)

// Calibration says which text the layers are measured on.
type Calibration struct {
	Files  []string  // .txt, .jsonl, .parquet, also .gz and .zst; none: the text inside the program
	Stdin  io.Reader // what the file "-" stands for: text, or JSON lines where Field is given; nil: a file of that name
	Field  string    // where a .jsonl or .parquet holds its text
	Tokens int       // tokens to take; 0: DefaultTokens
	Length int       // tokens a sequence has at most; 0: 512, or what the model takes
	BOS    bench.BOS
}

// DefaultTokens is how much calibration text is measured unless told otherwise: on the demo a doubling moves no score by more than its interval.
const DefaultTokens = 16384

// defaultLength is how many tokens a calibration sequence has at most unless told otherwise.
const defaultLength = 512

// Calibrate reads the calibration text into sequences: every document on its own, cut into pieces of at most Length tokens; pieces of a single
// token are left out, because nothing follows them.
func (j *Job) Calibrate(ctx context.Context, c Calibration) error {
	defer j.phase("calibration text")()
	t, err := j.Tokenizer()
	if err != nil {
		return err
	}
	if c.Tokens <= 0 {
		c.Tokens = DefaultTokens
	}
	if c.Length <= 0 {
		c.Length = defaultLength
	}
	length := j.length(c.Length)
	begin, bos := t.BOS()
	if c.BOS == bench.BOSYes && !bos {
		return fmt.Errorf("calibration: --bos yes, but the tokenizer of %s has no beginning-of-sequence token", j.Model.Ref)
	}
	sum, tokens, source := sha256.New(), 0, "demo"
	var sequences []engine.Sequence
	take := func(text string) (more bool, err error) {
		io.WriteString(sum, text)
		sum.Write([]byte{0})
		ids, err := t.EncodeContext(ctx, text, c.BOS == bench.BOSAuto || c.BOS == "")
		if err != nil {
			return false, err
		}
		if c.BOS == bench.BOSYes {
			ids = append([]int32{begin}, ids...)
		}
		for len(ids) > 1 && tokens < c.Tokens {
			n := min(len(ids), length, c.Tokens-tokens)
			if n > 1 {
				sequences = append(sequences, engine.Sequence{IDs: ids[:n:n]})
			}
			tokens += n
			ids = ids[n:]
		}
		return tokens < c.Tokens, nil
	}
	documents := inside()
	if len(c.Files) > 0 {
		source = strings.Join(c.Files, ", ")
		documents = c.documents(ctx)
	}
	for text, err := range documents {
		if err != nil {
			return err
		}
		if more, err := take(text); err != nil {
			return err
		} else if !more {
			break
		}
	}
	if len(sequences) == 0 {
		return fmt.Errorf("calibration: %s: no text of two tokens or more; give other files with --calib", source)
	}
	tokens = 0
	for _, s := range sequences {
		tokens += len(s.IDs)
	}
	j.calibration = sequences
	j.Report.Calibration = &avss.CalibrationInfo{Source: source, SHA256: hex.EncodeToString(sum.Sum(nil)), Sequences: int64(len(sequences)), Tokens: int64(tokens)}
	return nil
}

// inside is the calibration text in the program.
func inside() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, text := range strings.Split(string(smallworld.Calibration()), smallworld.EndOfText) {
			if text = strings.TrimSpace(text); text != "" && !yield(text, nil) {
				return
			}
		}
	}
}

// source is what one of the files stands for.
func (c Calibration) source(path string) corpus.Source {
	if path != "-" || c.Stdin == nil {
		return corpus.Source{Path: path, Field: c.Field}
	}
	kind := ".txt"
	if c.Field != "" {
		kind = ".jsonl"
	}
	return corpus.Source{Path: "standard input", From: c.Stdin, Kind: kind, Field: c.Field}
}

// documents are those of the files, one after the other.
func (c Calibration) documents(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for i, path := range c.Files {
			if path == "-" && c.Stdin != nil && slices.Contains(c.Files[:i], "-") {
				yield("", errors.New("calibration: standard input (-) is named twice, and can be read once"))
				return
			}
			for d, err := range c.source(path).Documents(ctx) {
				if err != nil {
					yield("", err)
					return
				}
				if text := strings.TrimSpace(d.Text); text != "" && !yield(text, nil) {
					return
				}
			}
		}
	}
}
