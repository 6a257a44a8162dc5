// Command timed times passes over an opened model, so that they can be compared with other programs that do the same.
//
//	go run ./bench/peers/timed --model DIR --shape small --ids ids.json --compute f32 --job forward --tokens 512
//
// With --serve it takes jobs from standard input, one JSON object a line, and answers each with one: what bench/peers/measure.py talks to. The
// model is opened once, and jobs are timed only while a request runs, so that several programs can take turns on the same machine.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"avssnative/engine/device"
)

// request is one job to be timed.
type request struct {
	Job       string  // forward, measure, removal, generate or peak
	Sequences int     // how many of the ids file
	Tokens    int     // the first so many of each
	New       int     // tokens to be generated behind them
	Seconds   float64 // the job is done again until this much time has passed
}

// answer is what one job took, and what it found, for comparison.
type answer struct {
	Seconds float64            `json:"seconds"` // a job
	Times   int                `json:"times"`
	Flops   float64            `json:"flops"`          // the least arithmetic a job takes
	Peak    float64            `json:"peak,omitempty"` // operations a second
	Found   map[string]numbers `json:"found,omitempty"`
	Info    map[string]any     `json:"info,omitempty"`
	Error   string             `json:"error,omitempty"`
}

// numbers are values as JSON, which knows no infinities.
type numbers []float64

func (n numbers) MarshalJSON() ([]byte, error) {
	texts := make([]string, len(n))
	for i, v := range n {
		texts[i] = fmt.Sprint(v)
	}
	return json.Marshal(texts)
}

func main() {
	model := flag.String("model", "", "the model's folder")
	shape := flag.String("shape", "small", "its shape, by which its arithmetic is counted; empty: not counted")
	ids := flag.String("ids", "", "file with token ids: a JSON list of lists")
	compute := flag.String("compute", "f32", "precision of products: f32, bf16 or int8")
	threads := flag.Int("threads", 0, "threads; 0: all")
	serve := flag.Bool("serve", false, "take jobs from standard input")
	var r request
	flag.StringVar(&r.Job, "job", "forward", "forward, measure, removal, generate or peak")
	flag.IntVar(&r.Sequences, "sequences", 1, "sequences a job")
	flag.IntVar(&r.Tokens, "tokens", 512, "tokens a sequence")
	flag.IntVar(&r.New, "new", 128, "tokens to be generated")
	flag.Float64Var(&r.Seconds, "seconds", 1, "do the job again until so much time has passed")
	flag.Parse()
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2) // as avssnative does
	if err := start(*model, *shape, *ids, device.Options{Threads: *threads, Compute: device.Compute(*compute)}, *serve, r); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func start(model, shape, ids string, o device.Options, serve bool, r request) error {
	if model == "" || ids == "" {
		return errors.New("timed: give --model DIR and --ids FILE")
	}
	ctx := context.Background()
	w, err := open(ctx, model, shape, ids, o)
	if err != nil {
		return err
	}
	defer w.model.Close()
	out := json.NewEncoder(os.Stdout)
	if serve {
		return w.serve(ctx, os.Stdin, out)
	}
	if _, err := w.once(ctx, r); err != nil { // the first time, weights come from the disk
		return err
	}
	a, err := w.time(ctx, r)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s: %.4f s, %.1f tokens/s, %.1f GFLOP/s\n", r.Job, a.Seconds, float64(r.Sequences*r.Tokens)/a.Seconds, a.Flops/a.Seconds/1e9)
	return out.Encode(a)
}

// serve answers requests until there are no more. The first line it writes says that it is ready.
func (w *worker) serve(ctx context.Context, in io.Reader, out *json.Encoder) error {
	if err := out.Encode(answer{Info: w.info()}); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var r request
		err := json.Unmarshal(lines.Bytes(), &r)
		var a answer
		if err == nil {
			a, err = w.time(ctx, r)
		}
		if err != nil {
			a.Error = err.Error()
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
	return lines.Err()
}

// time does a job until enough time has passed, at least once.
func (w *worker) time(ctx context.Context, r request) (answer, error) {
	begin, times := time.Now(), 0
	var last answer
	for times == 0 || time.Since(begin).Seconds() < r.Seconds {
		var err error
		if last, err = w.once(ctx, r); err != nil {
			return answer{}, err
		}
		times++
	}
	last.Seconds, last.Times = time.Since(begin).Seconds()/float64(times), times
	return last, nil
}
