// Command model writes a model of random weights, in one of the shapes that are measured.
//
//	go run ./bench/peers/model --shape small --type F32 --out DIR
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"avssnative/bench/peers/yardstick"
)

func main() {
	shape := flag.String("shape", "small", "small (12 × 768), 1b or quick")
	stored := flag.String("type", "F32", "how weights are stored: F32 or BF16")
	out := flag.String("out", "", "the folder")
	flag.Parse()
	s, err := yardstick.Named(*shape)
	if err == nil && *out == "" {
		err = fmt.Errorf("model: no folder: give --out DIR")
	}
	if err == nil {
		err = s.Write(context.Background(), *out, *stored)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
