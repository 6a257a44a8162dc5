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
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"avssnative/internal/job"
	"avssnative/internal/launch"
	"avssnative/internal/mapped"
	"avssnative/internal/report/escape"

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
	exitGoesOn      = launch.GoesOn
	exitInterrupted = 130
)

// Main runs the program on the process's arguments and exits.
func Main() {
	// Computing threads are inside foreign calls, where Go's scheduler takes their processors from them as long as it has none to spare, fifty
	// times a millisecond. The number of threads stays what it was (device.Options).
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2)
	// Writing to a pipe that nobody reads shall be an error like any other, not the end of the process.
	signal.Ignore(syscall.SIGPIPE)
	signals, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, cancel := context.WithCancelCause(signals)
	stdout := &begun{Writer: os.Stdout}
	go watch(ctx, os.Stdout.Fd(), stdout, cancel) // by its number: the file is closed while it is watched
	var ended atomic.Bool
	go abandon(ctx, &ended)
	code := run(ctx, os.Args, os.Stdin, stdout, os.Stderr)
	if err := os.Stdout.Close(); err != nil && code == exitDone { // some file systems say only now that they are full
		fmt.Fprintf(os.Stderr, "avssnative: stdout: %v\n", err)
		code = exitFailed
	}
	ended.Store(true)
	os.Exit(code)
}

// patience is how long an interrupted run has to end by itself.
const patience = 700 * time.Millisecond

// abandon ends the process soon after it was interrupted, also out of what does not look at the context: a slow disk, a large header. What was
// being made is removed first. A run that has ended has its own exit code, however long the process takes to go.
func abandon(ctx context.Context, ended *atomic.Bool) {
	<-ctx.Done()
	time.Sleep(patience)
	if ended.Load() {
		return
	}
	mapped.Abandon()
	os.Exit(stopped(ctx, os.Stderr))
}

// stopped is the exit code of a run whose context was cancelled, which it says.
func stopped(ctx context.Context, stderr io.Writer) int {
	if errors.Is(context.Cause(ctx), syscall.EPIPE) {
		return exitFailed
	}
	fmt.Fprintln(stderr, interrupted)
	return exitInterrupted
}

// begun is a writer that knows whether anything was written to it.
type begun struct {
	io.Writer
	yes atomic.Bool
}

func (b *begun) Write(data []byte) (int, error) {
	b.yes.Store(true)
	return b.Writer.Write(data)
}

// watch ends a run whose results nobody is there to read. Once some are printed it goes on: what is left is to write the pruned model.
func watch(ctx context.Context, descriptor uintptr, stdout *begun, cancel context.CancelCauseFunc) {
	for ctx.Err() == nil && !stdout.yes.Load() {
		if unread(descriptor, 200) && !stdout.yes.Load() {
			cancel(syscall.EPIPE)
		}
	}
}

const interrupted = "avssnative: interrupted; nothing half-written was left behind"

// usageError is a mistake in how the program was called.
type usageError struct{ error }

func usage(format string, arguments ...any) error {
	return usageError{fmt.Errorf(format, arguments...)}
}

// run is the program: it never exits, so that tests can call it.
func run(ctx context.Context, arguments []string, stdin io.Reader, stdout, stderr io.Writer) int {
	out := &remembering{Writer: stdout}
	app := &cli.App{
		Name:           "avssnative",
		Usage:          "find the layers a language model can do without, leave them out, and prove what that cost",
		Version:        job.Version,
		Description:    description,
		Suggest:        true,
		Reader:         stdin,
		Writer:         out,
		Metadata:       map[string]any{typedArguments: arguments},
		ErrWriter:      stderr,
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   func(c *cli.Context, err error, _ bool) error { return usageError{withNearestFlag(c, err)} },
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usage("unknown command %q%s; avssnative --help lists the commands", c.Args().First(), nearestCommand(c))
			}
			return cli.ShowAppHelp(c)
		},
		Commands: commands(),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "log-level", Value: "warn", Usage: "debug, info, warn or error; debug also times kernels", EnvVars: env("log-level")},
		},
		Before: setLogLevel,
	}
	for _, command := range app.Commands {
		command.OnUsageError = app.OnUsageError
	}
	err := app.RunContext(ctx, arguments)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return stopped(ctx, stderr)
	}
	if out.failed != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = out.failed
	}
	if err == nil || waiting(app, err) {
		return exitDone
	}
	if line := complaint(err); line != "" && !errors.Is(err, errGoesOn) {
		fmt.Fprintf(stderr, "avssnative: %s\n", line)
	}
	if wrong := (usageError{}); errors.As(err, &wrong) {
		return exitUsage
	}
	if errors.Is(err, errGoesOn) {
		return exitGoesOn
	}
	return exitFailed
}

// commands are all there are.
func commands() []*cli.Command {
	return grouped(everywhere([]*cli.Command{
		runCommand(), scoreCommand(), mergeCommand(), launchCommand(), planCommand(), pruneCommand(), evalCommand(), benchCommand(), generateCommand(),
		draftCommand(), reportCommand(), devicesCommand(), pullCommand(), tokenizeCommand(), traceCommand(),
		showCommand(), compareCommand(), serveCommand(), completionCommand(), manCommand(), versionCommand(),
	}))
}

func setLogLevel(c *cli.Context) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return usage("--log-level %s: want debug, info, warn or error", c.String("log-level"))
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(c.App.ErrWriter, &slog.HandlerOptions{Level: level})))
	return nil
}

// remembering is stdout. Whoever prints need not look whether all of it got there: the first error is kept, and makes the run one that failed.
type remembering struct {
	io.Writer
	failed error
}

func (r *remembering) Write(data []byte) (int, error) {
	n, err := r.Writer.Write(data)
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	if err != nil {
		err = fmt.Errorf("stdout: %w", unwrapped(err))
		if r.failed == nil {
			r.failed = err
		}
	}
	return n, err
}

// unwrapped is the system's word without the name of a file.
func unwrapped(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// complaint is an error in one line, with nothing in it that acts on a terminal. Several that came together stand one behind the other; that
// nobody reads what was printed is not worth a word.
func complaint(err error) string {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		var lines []string
		for _, one := range several.Unwrap() {
			if line := complaint(one); line != "" && !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "; ")
	}
	if errors.Is(err, syscall.EPIPE) {
		return ""
	}
	return escape.Terminal(err.Error())
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
