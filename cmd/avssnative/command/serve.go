package command

// serve shows the reports of a folder to the browsers of this machine, and to nobody else.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
)

func serveCommand() *cli.Command {
	return &cli.Command{
		Name: "serve", ArgsUsage: "DIR", Usage: "show the reports of a folder in a browser of this machine, until Ctrl-C",
		Description: "DIR is a folder that --report made, or one with several of them below it, which are listed. It is reached by 127.0.0.1 alone, " +
			"changes nothing, and gives out reports and nothing else; pages are made anew of each report.json, also of those that come while it runs. " +
			"A page needs no server: report.html opens by itself.",
		Flags: []cli.Flag{number("port", 0, "where it listens; 0: a port that is free"), openFlag()}, Action: serve,
	}
}

func serve(c *cli.Context) error {
	if c.NArg() != 1 {
		return usage("serve: want one folder, behind the flags, as serve --open DIR")
	}
	port := c.Int("port")
	if port < 0 || port > 1<<16-1 {
		return usage("--port %d: want 0 (a free one) to %d", port, 1<<16-1)
	}
	if c.Bool(openName) {
		if err := openable("the address that is printed"); err != nil {
			return err
		}
	}
	dir := c.Args().First()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	defer root.Close()
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("serve: --port %d: something listens there already; --port 0 takes one that is free", port)
	}
	if err != nil {
		return fmt.Errorf("serve: --port %d: %w", port, err)
	}
	s := &site{root: root, name: dir, host: listener.Addr().String()}
	found, more, err := s.find()
	if err != nil {
		return errors.Join(fmt.Errorf("serve: %w", err), listener.Close())
	}
	address := "http://" + s.host + "/"
	fmt.Fprintf(c.App.Writer, "%s in %s: %s\nCtrl-C ends it.\n", foundWords(len(found), more), shown(dir), address)
	return serveUntil(c.Context, listener, s, func() error {
		if c.Bool(openName) {
			return openAddress(address)
		}
		return nil
	})
}

// foundWords says how many reports there are.
func foundWords(n int, more string) string {
	switch {
	case more != "":
		return fmt.Sprintf("%d reports and more", n)
	case n == 1:
		return "1 report"
	}
	return fmt.Sprintf("%d reports", n)
}

// farewell is how long answers that were begun have to end.
const farewell = 300 * time.Millisecond

// serveUntil answers until the context ends, which is how it is meant to end and no error. begun is called once it listens.
func serveUntil(ctx context.Context, listener net.Listener, handler http.Handler, begun func() error) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 1 << 16, ErrorLog: log.New(io.Discard, "", 0)}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	if err := begun(); err != nil {
		return errors.Join(err, server.Close())
	}
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	patient, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	if server.Shutdown(patient) != nil { // somebody reads slowly
		_ = server.Close()
	}
	return nil
}
