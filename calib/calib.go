// Package calib turns calibration text into the sequences on which layers are measured: documents of files, of the demo, or text that the model
// writes itself.
package calib

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"strings"

	"avssnative/engine"
	"avssnative/failure"
	"avssnative/internal/corpus"
	"avssnative/internal/smallworld"
	"avssnative/tokenizer"
)

// Options say which text, and how much of it. The zero value is the demo's text, 16,384 tokens in sequences of at most 512.
type Options struct {
	// Files are .txt, .jsonl, .parquet, also .gz and .zst; "-" is Stdin, "demo" the text inside the program, "self" what the model writes. Each is a
	// text of its own: several share the tokens evenly, and what one is too short for goes to those behind it.
	Files []string
	Stdin io.Reader // text, or JSON lines where Field is given; nil: "-" is a file of that name
	Field string    // where a .jsonl or .parquet holds its text; "": "text"

	Tokens int // to take; 0: DefaultTokens
	Length int // tokens of a sequence, at most; 0: 512, or as many as the model takes
	BOS    tokenizer.BOS
	Seed   uint64 // of text that the model writes
	// Progress is shown how much of its text a model has written; nil: nobody looks.
	Progress func(tokens, of int)
}

// DefaultTokens is how much text is measured unless told otherwise: on the demo a doubling moves no score by more than its interval.
const DefaultTokens = 16384

// defaultLength is how many tokens a sequence has at most unless told otherwise.
const defaultLength = 512

// What a caller may do something about.
var (
	ErrNoText = failure.NotFound.Errorf("no text of two tokens or more")
	ErrNoBOS  = failure.Unsupported.Errorf("the tokenizer has no beginning-of-sequence token for documents to begin with")
)

// Names of texts that are not files.
const (
	Demo = "demo"
	Self = "self"
)

// Text is calibration text as token ids.
type Text struct {
	Sequences []engine.Sequence // ids alone; nothing is scored
	Source    string            // files, "demo" or "self"
	SHA256    string            // of the documents taken
	Tokens    int               // of all sequences
	Asked     int               // tokens that were asked for
	DoubleBOS int               // documents whose text begins with the token that the tokenizer adds
	Parts     []*Text           // the texts that this one is made of, in the order of Options.Files; nil: it is one
	Of        []int             // where it is made of several: of each sequence, which of Parts it is from
}

// Read takes documents of every text until there are enough tokens. Each is cut into pieces of at most Length tokens; pieces of a single token are
// left out, because nothing follows them.
func Read(ctx context.Context, m *engine.Model, t *tokenizer.Tokenizer, o Options) (*Text, error) {
	o = o.whole(m)
	if len(o.Files) == 1 {
		return one(ctx, m, t, o)
	}
	return several(ctx, m, t, o)
}

// whole are the options with what the zero value means written out.
func (o Options) whole(m *engine.Model) Options {
	if o.Tokens <= 0 {
		o.Tokens = DefaultTokens
	}
	if o.Length <= 0 {
		o.Length = defaultLength
	}
	if context := m.Spec.Context; context > 0 {
		o.Length = min(o.Length, context)
	}
	if len(o.Files) == 0 {
		o.Files = []string{Demo}
	}
	return o
}

// one is the text of one source.
func one(ctx context.Context, m *engine.Model, t *tokenizer.Tokenizer, o Options) (*Text, error) {
	if o.Files[0] == Self {
		return own(ctx, m, t, o)
	}
	r, err := readAll(ctx, m, t, o)
	if err != nil {
		return nil, err
	}
	return r.text, nil
}

// longDocument is from how many bytes on a document counts beside a model.
const longDocument = 4 << 20

// readAll reads documents until there are enough tokens.
func readAll(ctx context.Context, m *engine.Model, t *tokenizer.Tokenizer, o Options) (*reader, error) {
	r := &reader{options: o, tokenizer: t, sum: sha256.New(), text: &Text{Source: o.Files[0], Asked: o.Tokens}}
	if err := r.begin(); err != nil {
		return nil, err
	}
	for document, err := range documents(ctx, o) {
		if err != nil {
			return nil, err
		}
		if len(document) >= longDocument {
			if err := m.Fits(0, fmt.Sprintf("to hold a document of %d bytes", len(document))); err != nil {
				return nil, err
			}
		}
		if more, err := r.take(ctx, document); err != nil {
			return nil, err
		} else if !more {
			break
		}
	}
	if len(r.text.Sequences) == 0 {
		return nil, fmt.Errorf("calib: %s: %w", r.text.Source, ErrNoText)
	}
	r.text.SHA256 = hex.EncodeToString(r.sum.Sum(nil))
	return r, nil
}

// Add puts sequences behind a text and counts their tokens.
func (t *Text) add(ids []int32) {
	t.Sequences = append(t.Sequences, engine.Sequence{IDs: ids})
	t.Tokens += len(ids)
}

// Split parts a text in two by sequences, even and odd: one to fit or choose on, one to judge by.
func (t *Text) Split() (even, odd *Text) {
	even, odd = &Text{Source: t.Source, SHA256: t.SHA256}, &Text{Source: t.Source, SHA256: t.SHA256}
	for i, s := range t.Sequences {
		if i%2 == 0 {
			even.add(s.IDs)
		} else {
			odd.add(s.IDs)
		}
	}
	even.Asked, odd.Asked = even.Tokens, odd.Tokens
	return even, odd
}

// reader turns documents into sequences.
type reader struct {
	options   Options
	tokenizer *tokenizer.Tokenizer
	sum       interface {
		io.Writer
		Sum([]byte) []byte
	}
	text  *Text
	bos   int32
	taken int
	marks []mark // the ends of the documents
}

// mark is how far a text goes with one of its documents.
type mark struct {
	sequences, double int
	sha256            string // of the documents so far
}

func (r *reader) begin() error {
	bos, found := r.tokenizer.BOS()
	r.bos = bos
	switch r.options.BOS {
	case "", tokenizer.BOSAuto, tokenizer.BOSNo:
	case tokenizer.BOSYes:
		if !found {
			return fmt.Errorf("calib: %w", ErrNoBOS)
		}
	default:
		return fmt.Errorf("calib: BOS %q: want auto, yes or no", string(r.options.BOS))
	}
	return nil
}

// summedAtATime is how many bytes of a document are hashed at a time.
const summedAtATime = 1 << 20

// take adds a document's pieces and says whether more are wanted.
func (r *reader) take(ctx context.Context, document string) (more bool, err error) {
	for at := 0; at < len(document); at += summedAtATime { // which is copied
		io.WriteString(r.sum, document[at:min(at+summedAtATime, len(document))])
	}
	r.sum.Write([]byte{0})
	auto := r.options.BOS == tokenizer.BOSAuto || r.options.BOS == ""
	// Two more than are taken: of two ids it is told whether the text has a beginning-of-sequence token of its own.
	ids, err := r.tokenizer.EncodeFirst(ctx, document, auto, r.options.Tokens-r.taken+2)
	if err != nil {
		return false, err
	}
	if r.options.BOS == tokenizer.BOSYes {
		ids = append([]int32{r.bos}, ids...)
	}
	if _, has := r.tokenizer.BOS(); has && len(ids) > 1 && ids[0] == r.bos && ids[1] == r.bos {
		r.text.DoubleBOS++
	}
	for len(ids) > 1 && r.taken < r.options.Tokens {
		n := min(len(ids), r.options.Length, r.options.Tokens-r.taken)
		if n > 1 {
			r.text.add(ids[:n:n])
		}
		r.taken += n
		ids = ids[n:]
	}
	r.marks = append(r.marks, mark{len(r.text.Sequences), r.text.DoubleBOS, hex.EncodeToString(r.sum.Sum(nil))})
	return r.taken < r.options.Tokens, nil
}

// documents are those of the one source.
func documents(ctx context.Context, o Options) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		path := o.Files[0]
		if path == Demo {
			for _, text := range strings.Split(string(smallworld.Calibration()), smallworld.EndOfText) {
				if text = strings.TrimSpace(text); text != "" && !yield(text, nil) {
					return
				}
			}
			return
		}
		for d, err := range source(path, o).Documents(ctx) {
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

// source is what one of the files stands for.
func source(path string, o Options) corpus.Source {
	if path != "-" || o.Stdin == nil {
		return corpus.Source{Path: path, Field: o.Field}
	}
	kind := ".txt"
	if o.Field != "" {
		kind = ".jsonl"
	}
	return corpus.Source{Path: "standard input", From: o.Stdin, Kind: kind, Field: o.Field}
}
