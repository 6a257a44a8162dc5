package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"avssnative/avss"
	"avssnative/bench/peers/yardstick"
	"avssnative/engine"
	_ "avssnative/engine/cpu"
	"avssnative/engine/device"
	"avssnative/kernels/cpu"
)

// worker does jobs on an opened model.
type worker struct {
	model  *engine.Model
	device device.Device
	shape  yardstick.Shape
	ids    [][]int32
}

func open(ctx context.Context, model, shape, ids string, o device.Options) (*worker, error) {
	w := &worker{}
	var err error
	if shape != "" {
		if w.shape, err = yardstick.Named(shape); err != nil {
			return nil, err
		}
	}
	data, err := os.ReadFile(ids)
	if err != nil {
		return nil, fmt.Errorf("timed: %w", err)
	}
	if err := json.Unmarshal(data, &w.ids); err != nil {
		return nil, fmt.Errorf("timed: %s: %w", ids, err)
	}
	if w.model, err = engine.Open(ctx, model, engine.Options{Device: "cpu", Options: o}); err != nil {
		return nil, err
	}
	if w.device, err = w.model.Device(); err != nil {
		w.model.Close()
		return nil, err
	}
	if shape != "" && (w.model.Layers() != w.shape.Layers || w.model.Spec.Hidden != w.shape.Hidden) {
		w.model.Close()
		return nil, fmt.Errorf("timed: model %s: %d layers × %d, shape %s has %d × %d", model, w.model.Layers(), w.model.Spec.Hidden, shape,
			w.shape.Layers, w.shape.Hidden)
	}
	return w, nil
}

func (w *worker) info() map[string]any {
	i := w.device.Info()
	info := map[string]any{"isa": i.ISA, "threads": i.Threads, "compute": i.Compute, "processor": i.Description, "memory": i.Memory}
	if w.shape.Layers > 0 {
		info["parameters"] = w.shape.Parameters()
	}
	return info
}

// sequences are the first of the ids, of which the last scored tokens are scored.
func (w *worker) sequences(r request, scored int) ([]engine.Sequence, error) {
	if r.Sequences < 1 || r.Tokens < 2 || r.Sequences > len(w.ids) || r.Tokens > len(w.ids[0]) {
		return nil, fmt.Errorf("timed: %d sequences of %d tokens: the file has %d", r.Sequences, r.Tokens, len(w.ids))
	}
	var all []engine.Sequence
	for _, ids := range w.ids[:r.Sequences] {
		s := engine.Sequence{IDs: ids[:r.Tokens]}
		if scored > 0 {
			s.ScoreFrom, s.ScoreTo = r.Tokens-scored, r.Tokens
		}
		all = append(all, s)
	}
	return all, nil
}

// once does one job.
func (w *worker) once(ctx context.Context, r request) (answer, error) {
	switch r.Job {
	case "forward":
		return w.forward(ctx, r)
	case "measure":
		return w.measure(ctx, r)
	case "removal":
		return w.removal(ctx, r)
	case "generate":
		return w.generate(ctx, r)
	case "peak":
		k, err := cpu.Open()
		if err != nil {
			return answer{}, err
		}
		i := w.device.Info()
		return answer{Peak: yardstick.MeasurePeak(k, i.Threads, i.Compute == device.ComputeBF16, 3).Clock}, nil
	}
	return answer{}, fmt.Errorf("timed: job %q: want forward, measure, removal, generate or peak", r.Job)
}

// forward is the whole model over some sequences, with every token's log-likelihood.
func (w *worker) forward(ctx context.Context, r request) (answer, error) {
	sequences, err := w.sequences(r, r.Tokens-1)
	if err != nil {
		return answer{}, err
	}
	o, err := w.model.Run(ctx, engine.Pass{Sequences: sequences})
	if err != nil {
		return answer{}, err
	}
	a := answer{Found: map[string]numbers{"loss": {loss(o, 0)}}}
	if w.shape.Layers > 0 {
		a.Flops = float64(r.Sequences) * w.shape.Flops(r.Tokens, w.shape.Layers, r.Tokens-1)
	}
	return a, nil
}

// loss is the mean negative log-likelihood of a variant's scored tokens.
func loss(o *engine.Outcome, variant int) float64 {
	var sum engine.Score
	for _, s := range o.Scores[variant] {
		sum = sum.Add(s.Score)
	}
	return -sum.LogLikelihood / float64(sum.Tokens)
}

// measure is the job that comes before dropping: all activation metrics, with intervals, at all sites.
func (w *worker) measure(ctx context.Context, r request) (answer, error) {
	sequences, err := w.sequences(r, 0)
	if err != nil {
		return answer{}, err
	}
	p := engine.Pass{Sequences: sequences}
	var metrics []avss.Metric
	for _, d := range avss.Metrics(avss.Activation) {
		m := d.New(d, avss.Options{})
		metrics, p.Observe = append(metrics, m), append(p.Observe, m)
	}
	if _, err := w.model.Run(ctx, p); err != nil {
		return answer{}, err
	}
	a := answer{Flops: float64(r.Sequences) * w.shape.Flops(r.Tokens, w.shape.Layers, 0), Found: map[string]numbers{}}
	for _, m := range metrics {
		scores, err := m.Scores()
		if err != nil {
			return answer{}, err
		}
		a.Found[scores.Metric] = numbers(scores.Values)
		if own, ok := m.(*avss.AVSS); ok {
			paper, err := own.Of(avss.Paper, avss.SiteBlock, device.DefaultEps[1])
			if err != nil {
				return answer{}, err
			}
			a.Found["avss-paper"] = numbers(paper.Values)
		}
	}
	return a, nil
}

// removal is the loss of the whole model and of every model that lacks one layer.
func (w *worker) removal(ctx context.Context, r request) (answer, error) {
	sequences, err := w.sequences(r, r.Tokens-1)
	if err != nil {
		return answer{}, err
	}
	variants := []engine.Drop{nil}
	for l := range w.shape.Layers {
		variants = append(variants, engine.Layers(l))
	}
	o, err := w.model.Run(ctx, engine.Pass{Sequences: sequences, Variants: variants})
	if err != nil {
		return answer{}, err
	}
	var losses numbers
	for v := range variants {
		losses = append(losses, loss(o, v))
	}
	return answer{Flops: float64(r.Sequences) * w.shape.Flops(r.Tokens, o.Blocks, len(variants)*(r.Tokens-1)),
		Found: map[string]numbers{"losses": losses}}, nil
}

// generate is a prompt of one sequence and the most likely tokens behind it, one after the other, whatever they say.
func (w *worker) generate(ctx context.Context, r request) (answer, error) {
	sequences, err := w.sequences(r, 0)
	if err != nil {
		return answer{}, err
	}
	d, err := w.model.NewDecoder(engine.DecoderOptions{Length: r.Tokens + r.New})
	if err != nil {
		return answer{}, err
	}
	defer d.Close()
	started, err := d.Start(ctx, []engine.Prompt{{IDs: sequences[0].IDs}})
	if err != nil {
		return answer{}, err
	}
	behind, said, greedy := started[0][0], make(numbers, 0, r.New), engine.NewSampler(engine.Sampling{}, 0)
	for {
		token := greedy.Next(behind)
		if said = append(said, float64(token)); len(said) == r.New {
			return answer{Found: map[string]numbers{"said": said}}, nil
		}
		continued, err := d.Continue(ctx, []engine.Continuation{{IDs: []int32{token}}})
		if err != nil {
			return answer{}, err
		}
		behind = continued[0][0]
	}
}
