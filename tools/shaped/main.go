// Command shaped writes a model of random weights in the shape of Llama 2 7B, 13.5 GB of bfloat16, or one of the same ratios.
//
//	go run ./tools/shaped -out DIR            # 13.5 GB
//	go run ./tools/shaped -scale 8 -out DIR   # an eighth as wide: 211 MB
//
// Its tokenizer is the demo's.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"avssnative/internal/demo"
	"avssnative/internal/shaped"
)

func main() {
	out := flag.String("out", "", "folder to be made")
	scale := flag.Int("scale", 1, "width and vocabulary are parted in so many")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := write(ctx, *out, *scale); err != nil {
		fmt.Fprintln(os.Stderr, "shaped:", err)
		os.Exit(1)
	}
}

func write(ctx context.Context, out string, scale int) error {
	if out == "" {
		return fmt.Errorf("-out is missing: the folder to be made")
	}
	shape, err := shaped.Llama7B.Scaled(scale)
	if err != nil {
		return err
	}
	tokenizer, err := demo.Folder()
	if err != nil {
		return err
	}
	return shaped.Write(ctx, out, shape, tokenizer)
}
