// Command soak runs small jobs of every kind in one process for a stated time and writes down what the process holds meanwhile: memory, open
// descriptors, goroutines, files in its temporary folder. What a job forgets to give back shows as a line that climbs.
//
//	go run ./tools/soak -for 10m -out docs/pictures/soak.svg -table soak.csv
//
// It fails where what is held at the end is more than what was held when a fifth of the time was over, by more than it swings in between.
package main

import (
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	_ "avssnative/engine/cpu"
	_ "avssnative/engine/weights/demo"
)

func main() {
	length := flag.Duration("for", time.Minute, "how long to run jobs")
	picture := flag.String("out", "", "where to draw what was held, as .svg")
	table := flag.String("table", "", "where to write it, as .csv")
	flag.Parse()
	if err := soak(context.Background(), *length, *picture, *table); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func soak(ctx context.Context, length time.Duration, picture, table string) error {
	folder, err := os.MkdirTemp("", "avssnative-soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	// What jobs leave in the system's temporary folder is theirs alone.
	if err := os.Setenv("TMPDIR", folder); err != nil {
		return err
	}
	began, done := time.Now(), map[string]int{}
	var samples []sample
	for round := 0; time.Since(began) < length; round++ {
		for _, j := range jobs {
			if err := j.run(ctx, folder, round); err != nil {
				return fmt.Errorf("round %d, %s: %w", round, j.name, err)
			}
			done[j.name]++
		}
		s, err := held(folder)
		if err != nil {
			return err
		}
		s.at = time.Since(began)
		samples = append(samples, s)
	}
	for _, j := range jobs {
		fmt.Printf("%-10s %5d times\n", j.name, done[j.name])
	}
	if table != "" {
		if err := write(table, samples); err != nil {
			return err
		}
	}
	if picture != "" {
		if err := drawn(picture, samples); err != nil {
			return err
		}
	}
	return judge(samples)
}

// sample is what the process holds at a moment.
type sample struct {
	at                                    time.Duration
	resident, heap                        float64 // MiB
	descriptors, goroutines, temporaryNow float64
}

// quantities are what is written down.
var quantities = []struct {
	name string
	of   func(sample) float64
}{
	{"resident, MiB", func(s sample) float64 { return s.resident }},
	{"heap in use, MiB", func(s sample) float64 { return s.heap }},
	{"descriptors", func(s sample) float64 { return s.descriptors }},
	{"goroutines", func(s sample) float64 { return s.goroutines }},
	{"temporary files", func(s sample) float64 { return s.temporaryNow }},
}

// held measures between two rounds, when no job is running.
func held(folder string) (sample, error) {
	runtime.GC() // what is unreachable is not held
	var s sample
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return s, err
	}
	var all, resident float64
	if _, err := fmt.Sscan(string(data), &all, &resident); err != nil {
		return s, err
	}
	s.resident = resident * float64(os.Getpagesize()) / (1 << 20)
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	s.heap = float64(memory.HeapInuse) / (1 << 20)
	s.goroutines = float64(runtime.NumGoroutine())
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return s, err
	}
	s.descriptors = float64(len(open) - 1) // one lists them
	err = filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		if path != folder {
			s.temporaryNow++
		}
		return err
	})
	return s, err
}

func write(path string, samples []sample) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := csv.NewWriter(file)
	head := []string{"seconds"}
	for _, q := range quantities {
		head = append(head, q.name)
	}
	rows := [][]string{head}
	for _, s := range samples {
		row := []string{strconv.FormatFloat(s.at.Seconds(), 'f', 1, 64)}
		for _, q := range quantities {
			row = append(row, strconv.FormatFloat(q.of(s), 'f', -1, 64))
		}
		rows = append(rows, row)
	}
	return errors.Join(w.WriteAll(rows), file.Close())
}

// judge compares the last fifth with the second one: the first has caches still to fill.
func judge(samples []sample) error {
	n := len(samples) / 5
	if n < 4 {
		fmt.Printf("%d rounds: too few to say whether anything climbs\n", len(samples))
		return nil
	}
	var climbs []error
	for _, q := range quantities {
		var early, late []float64
		for _, s := range samples[n : 2*n] {
			early = append(early, q.of(s))
		}
		for _, s := range samples[len(samples)-n:] {
			late = append(late, q.of(s))
		}
		slices.Sort(early)
		slices.Sort(late)
		before, after := early[n/2], late[n/2]
		swing := max(early[n-1]-early[0], late[n-1]-late[0])
		fmt.Printf("%-18s %8.1f  then %8.1f  (swings by %.1f)\n", q.name, before, after, swing)
		if after > before+swing+0.02*before {
			climbs = append(climbs, fmt.Errorf("%s climbs: %.1f, then %.1f", q.name, before, after))
		}
	}
	return errors.Join(climbs...)
}
