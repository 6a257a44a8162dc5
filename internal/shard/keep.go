package shard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
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
	parts, err := r.parts(ctx, h, 0, func() (*file, error) {
		body, err := piece(r.part)
		if err != nil {
			return nil, err
		}
		return write(r.folders[0], h, body)
	})
	if err != nil {
		return nil, err
	}
	pieces := make([][]byte, len(parts))
	for i, f := range parts {
		pieces[i] = f.body
	}
	return pieces, nil
}

// Share is a part's run of count things, first to before end.
func (p Part) Share(count int) (first, end int) {
	return count * p.Index / p.count(), count * (p.Index + 1) / p.count()
}
