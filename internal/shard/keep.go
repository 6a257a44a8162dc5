package shard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"avssnative/failure"
)

// Keep answers what is no pass, as generated text or solved layers, by bytes that lie in the folder beside the passes: one piece a part, in the
// parts' order. asked is all that the pieces depend on beside the job's facts, as JSON can carry it; piece makes that of the own part, and is not
// called where it lies there already. Where pieces are missing the error is *Missing.
func (r *Runner) Keep(ctx context.Context, phase string, asked any, piece func(Part) ([]byte, error)) ([][]byte, error) {
	text, err := json.Marshal(asked)
	if err != nil {
		return nil, fmt.Errorf("shard: %s: %w", phase, err)
	}
	sum := sha256.Sum256(text)
	h := r.next(phase, hex.EncodeToString(sum[:]))
	parts, err := r.parts(ctx, h, work(h, nil), func() (*file, error) {
		body, err := piece(r.part)
		if err != nil {
			return nil, err
		}
		return write(r.folders[0], h, body)
	})
	if err != nil {
		return nil, err
	}
	if parts[0].Whole {
		b, err := decode(parts[0].body)
		if err == nil && len(b.states) != h.Shards {
			err = fmt.Errorf("%d pieces, want %d", len(b.states), h.Shards)
		}
		if err != nil {
			return nil, fmt.Errorf("shard: %s: %w", parts[0].path, failure.Corrupt.Of(err))
		}
		return b.states, nil
	}
	pieces := make([][]byte, len(parts))
	for i, f := range parts {
		pieces[i] = f.body
	}
	r.decide(h, body{states: pieces})
	return pieces, nil
}

// Share is a part's run of count things, first to before end.
func (p Part) Share(count int) (first, end int) {
	return count * p.Index / p.count(), count * (p.Index + 1) / p.count()
}
