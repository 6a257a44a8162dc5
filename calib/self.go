package calib

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"avssnative/engine"
	"avssnative/failure"
	"avssnative/internal/home"
	"avssnative/internal/mapped"
	"avssnative/tokenizer"
)

// Text that a model writes itself, sampled at temperature 1 from its beginning: as good for calibration as text of the web, or better (Williams
// et al., arXiv 2410.17170), and always in the model's own domain. It is kept by model and options in the user's cache folder.

// selfKept is the form of a kept text.
type selfKept struct {
	Sequences [][]int32 `json:"sequences"`
}

// own gives the model's own text, written now or before.
func own(ctx context.Context, m *engine.Model, t *tokenizer.Tokenizer, o Options) (*Text, error) {
	begin, err := beginning(m, t)
	if err != nil {
		return nil, err
	}
	key := sha256.Sum256(fmt.Appendf(nil, "1 %s %d %d %d %d", m.Fingerprint(), begin, o.Tokens, o.Length, o.Seed))
	place := ""
	if cache, err := home.Cache(); err == nil {
		place = filepath.Join(cache, "avssnative", "self", hex.EncodeToString(key[:16])+".json")
	}
	if sequences, found := kept(place, m.Spec.Vocab, o); found {
		return selfText(sequences, o), nil
	}
	var requests []engine.Request
	ends := map[int32]bool{}
	if eos, has := t.EOS(); has {
		ends[eos] = true
	}
	count := (o.Tokens + o.Length - 1) / o.Length
	var sequences [][]int32
	for written := 0; written < o.Tokens; {
		// Texts that end early leave room for more; a model whose texts are all but empty is left at a bounded number.
		if len(requests) > 0 && len(sequences) >= 64*count {
			return nil, fmt.Errorf("calib: %s: its own texts end after %d tokens on average: give it text to be measured on", m.Ref, written/len(sequences))
		}
		need := (o.Tokens - written + o.Length - 1) / o.Length
		requests = requests[:0]
		for range need {
			requests = append(requests, engine.Request{IDs: []int32{begin}, Tokens: o.Length - 1,
				Stop: func(made []int32) bool { return ends[made[len(made)-1]] }})
		}
		made, err := m.Generate(ctx, requests, engine.Generating{Sampling: engine.Sampling{Temperature: 1, Seed: o.Seed + uint64(len(sequences))},
			Progress: func(_, tokens int) {
				if o.Progress != nil {
					o.Progress(written+tokens, o.Tokens)
				}
			}})
		if err != nil {
			return nil, fmt.Errorf("calib: the model's own text: %w", err)
		}
		for _, ids := range made {
			sequences = append(sequences, append([]int32{begin}, ids...))
			written += 1 + len(ids)
		}
	}
	keep(place, sequences)
	return selfText(sequences, o), nil
}

// beginning is the token that the model's own texts begin with.
func beginning(m *engine.Model, t *tokenizer.Tokenizer) (int32, error) {
	for _, find := range []func() (int32, bool){t.BOS, t.EOS} {
		if id, has := find(); has && int(id) < m.Spec.Vocab {
			return id, nil
		}
	}
	return 0, failure.Unsupported.Errorf("calib: the tokenizer has neither a token that begins a text nor one that ends it, " +
		"so the model cannot write its own; give it text")
}

// selfText makes sequences of what the model wrote, as many tokens as were asked for.
func selfText(sequences [][]int32, o Options) *Text {
	text := &Text{Source: Self, Asked: o.Tokens}
	sum := sha256.New()
	for _, ids := range sequences {
		n := min(len(ids), o.Tokens-text.Tokens)
		if n < 2 {
			continue
		}
		text.add(ids[:n:n])
		for _, id := range ids[:n] {
			sum.Write(binary.LittleEndian.AppendUint32(nil, uint32(id)))
		}
		sum.Write([]byte{0})
	}
	text.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return text
}

// largestKept bounds a kept text that is read, in bytes.
const largestKept = 256 << 20

// kept reads a text that was written before; anything that is not one is as if it were not there.
func kept(place string, vocab int, o Options) ([][]int32, bool) {
	if place == "" {
		return nil, false
	}
	data, err := mapped.ReadSmall(place, largestKept)
	if err != nil {
		return nil, false
	}
	var k selfKept
	if json.Unmarshal(data, &k) != nil {
		return nil, false
	}
	tokens := 0
	for _, ids := range k.Sequences {
		tokens += len(ids)
		if len(ids) > o.Length {
			return nil, false
		}
		for _, id := range ids {
			if id < 0 || int(id) >= vocab {
				return nil, false
			}
		}
	}
	return k.Sequences, tokens >= o.Tokens
}

// keep writes a text for the next time. Where that cannot be done the next time costs what this one did.
func keep(place string, sequences [][]int32) {
	if place == "" || os.MkdirAll(filepath.Dir(place), 0o755) != nil {
		return
	}
	data, err := json.Marshal(selfKept{sequences})
	if err != nil {
		return
	}
	_ = mapped.WriteBytes(place, data)
}
