// Package command is the program: Main is all of cmd/avssnative, and of a program of one's own that adds metrics, tasks or architectures by
// importing the packages that register them.
//
// This file is the frame: commands, exit codes, signals. Each command has a file of its own whose Action turns flags into a plain struct
// and calls a library.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"avssnative/internal/job"

	// Devices, and where models are found, as database/sql programs import a driver.
	_ "avssnative/cuda"
	_ "avssnative/engine/cpu"
	_ "avssnative/engine/reference"
	_ "avssnative/engine/weights/demo"
	_ "avssnative/engine/weights/hub"

	"github.com/urfave/cli/v2"
)

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// Main runs the program on the process's arguments and exits.
func Main() {
	// Computing threads are inside foreign calls, where Go's scheduler takes their processors from them as long as it has none to spare, fifty
	// times a millisecond. The number of threads stays what it was (device.Options).
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// usageError is a mistake in how the program was called.
type usageError struct{ error }

func usage(format string, arguments ...any) error {
	return usageError{fmt.Errorf(format, arguments...)}
}

// run is the program: it never exits, so that tests can call it.
func run(ctx context.Context, arguments []string, stdin io.Reader, stdout, stderr io.Writer) int {
	app := &cli.App{
		Name:                 "avssnative",
		Usage:                "find the layers a language model can do without, leave them out, and prove what that cost",
		Version:              job.Version,
		Suggest:              true,
		EnableBashCompletion: true,
		Reader:               stdin,
		Writer:               stdout,
		ErrWriter:            stderr,
		ExitErrHandler:       func(*cli.Context, error) {},
		OnUsageError:         func(c *cli.Context, err error, _ bool) error { return usageError{withNearestFlag(c, err)} },
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usage("unknown command %q%s; avssnative --help lists the commands", c.Args().First(), nearestCommand(c))
			}
			return cli.ShowAppHelp(c)
		},
		Commands: []*cli.Command{
			runCommand(), scoreCommand(), mergeCommand(), launchCommand(), planCommand(), pruneCommand(), evalCommand(), benchCommand(), reportCommand(), devicesCommand(), pullCommand(),
			tokenizeCommand(), traceCommand(),
		},
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "log-level", Value: "warn", Usage: "debug, info, warn or error; debug also times kernels", EnvVars: env("log-level")},
		},
		Before: func(c *cli.Context) error {
			var level slog.Level
			if err := level.UnmarshalText([]byte(c.String("log-level"))); err != nil {
				return usage("--log-level %s: want debug, info, warn or error", c.String("log-level"))
			}
			slog.SetDefault(slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})))
			return nil
		},
	}
	for _, command := range app.Commands {
		command.OnUsageError = app.OnUsageError
	}
	err := app.RunContext(ctx, arguments)
	switch {
	case err == nil || waiting(app, err):
		return exitDone
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "avssnative: interrupted; nothing half-written was left behind")
		return exitInterrupted
	}
	fmt.Fprintf(stderr, "avssnative: %v\n", err)
	if wrong := (usageError{}); errors.As(err, &wrong) {
		return exitUsage
	}
	return exitFailed
}

// nearestCommand suggests a command for one that does not exist, as ", perhaps score", where one is near enough.
func nearestCommand(c *cli.Context) string {
	// The library's suggestion is a sentence with the name between quotes.
	_, near, found := strings.Cut(cli.SuggestCommand(c.App.Commands, c.Args().First()), `"`)
	near, _, _ = strings.Cut(near, `"`)
	if !found || near == "help" {
		return ""
	}
	return ", perhaps " + near
}

// withNearestFlag adds to the error about a flag that does not exist the one that may have been meant.
func withNearestFlag(c *cli.Context, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return err
	}
	known := c.App.Flags
	command := "avssnative"
	if c.Command != nil && len(c.Command.Flags) > 0 {
		known, command = c.Command.Flags, c.Command.Name
	}
	if near := cli.SuggestFlag(known, name, true); near != "" {
		return fmt.Errorf("%s: no flag --%s, perhaps %s; --help lists them", command, name, near)
	}
	return fmt.Errorf("%s: no flag --%s; --help lists them", command, name)
}
