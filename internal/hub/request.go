package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// passing is an error that another attempt may not meet.
type passing struct{ error }

func (p passing) Unwrap() error { return p.error }

func temporary(err error) error {
	if err == nil {
		return nil
	}
	return passing{err}
}

// retry calls attempt until it succeeds, fails for good, or fails p.attempts times in a row without progress.
func (p *puller) retry(ctx context.Context, attempt func() (progress bool, err error)) error {
	pause := p.pause
	for failed, quiet := 0, 0; ; {
		progress, err := attempt()
		var again passing
		if err == nil {
			return nil
		}
		if stopped := ctx.Err(); stopped != nil {
			return stopped
		}
		if !errors.As(err, &again) {
			return err
		}
		if progress {
			failed, quiet, pause = 0, 0, p.pause
		}
		if silent := (silence{}); errors.As(err, &silent) {
			quiet++
		}
		if failed++; failed >= p.attempts || quiet >= 2 {
			return fmt.Errorf("after %d attempts: %w", failed, again.error)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, 16*p.pause)
	}
}

// silence is a server that did not say a byte for so long.
type silence struct {
	host string
	long time.Duration
}

func (s silence) Error() string { return fmt.Sprintf("no answer from %s for %v", s.host, s.long) }

// get is ask under a watch: once the server has been silent for p.stall, the request or the reading of its body ends with a silence.
func (p *puller) get(ctx context.Context, method, address string, header http.Header) (*http.Response, error) {
	watched, cancel := context.WithCancelCause(ctx)
	body := &watchedBody{ctx: watched, cancel: cancel, long: p.stall}
	body.watch = time.AfterFunc(p.stall, func() { cancel(silence{p.endpoint.Host, p.stall}) })
	response, err := p.ask(watched, method, address, header)
	if err != nil {
		body.Close()
		return nil, body.explained(err)
	}
	body.from, response.Body = response.Body, body
	return response, nil
}

// watchedBody is a response's body that tells the watch about every byte.
type watchedBody struct {
	from   io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	watch  *time.Timer
	long   time.Duration
}

func (b *watchedBody) Read(data []byte) (int, error) {
	n, err := b.from.Read(data)
	if n > 0 {
		b.watch.Reset(b.long)
	}
	if err != nil && err != io.EOF {
		err = b.explained(err)
	}
	return n, err
}

// explained is the error, or what the watch has to say.
func (b *watchedBody) explained(err error) error {
	if silent := (silence{}); errors.As(context.Cause(b.ctx), &silent) {
		return temporary(silent)
	}
	return err
}

func (b *watchedBody) Close() (err error) {
	b.watch.Stop()
	if b.from != nil {
		err = b.from.Close()
	}
	b.cancel(nil)
	return err
}

// ask sends a request and follows redirects. The token goes to the endpoint's scheme, host and port alone. A HEAD request stops at a
// redirect to another host: its headers describe the file, and the other host's do not. The body is that of a 200 or 206 and must be closed.
func (p *puller) ask(ctx context.Context, method, address string, header http.Header) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, err
	}
	kept := http.Header{} // what the hub says on the way
	for range 10 {
		request.Header = http.Header{"User-Agent": {"avssnative"}, "Accept-Encoding": {"identity"}}
		for key, values := range header {
			request.Header[key] = values
		}
		ours := request.URL.Scheme == p.endpoint.Scheme && request.URL.Host == p.endpoint.Host
		if p.Token != "" && ours {
			request.Header.Set("Authorization", "Bearer "+p.Token)
		}
		response, err := p.client.Do(request)
		var slow net.Error
		if errors.As(err, &slow) && slow.Timeout() {
			return nil, temporary(fmt.Errorf("%w: %w", silence{request.URL.Host, min(DefaultConnect, p.stall)}, err))
		}
		if err != nil {
			return nil, temporary(err)
		}
		if ours {
			for _, key := range []string{"X-Repo-Commit", "X-Linked-Etag", "X-Linked-Size"} {
				if value := response.Header.Get(key); value != "" {
					kept.Set(key, value)
				}
			}
		}
		for key := range kept {
			response.Header.Set(key, kept.Get(key))
		}
		if response.StatusCode < 300 || response.StatusCode > 399 {
			if err := status(response); err != nil {
				response.Body.Close()
				return nil, err
			}
			return response, nil
		}
		next, err := response.Location()
		response.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("%s without an address to go to", response.Status)
		}
		if next.Scheme != "https" && (next.Scheme != "http" || request.URL.Scheme == "https") {
			return nil, fmt.Errorf("a redirect from %s to %s is not followed", request.URL.Scheme, next.Scheme)
		}
		if method == http.MethodHead && (next.Scheme != p.endpoint.Scheme || next.Host != p.endpoint.Host) {
			return response, nil
		}
		request = request.Clone(ctx)
		request.URL, request.Host = next, ""
	}
	return nil, errors.New("more than 10 redirects")
}

func status(response *http.Response) error {
	switch code := response.StatusCode; {
	case code == http.StatusOK, code == http.StatusPartialContent:
		return nil
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		reason := strings.TrimSpace(response.Header.Get("X-Error-Message"))
		return fmt.Errorf("%s: the model is absent, private or gated; HF_TOKEN must be a token that may read it (%.200s)", response.Status, reason)
	case code == http.StatusNotFound:
		return fmt.Errorf("%s: no such model, revision or file", response.Status)
	case code == http.StatusRequestedRangeNotSatisfiable:
		return errRange
	case code == http.StatusTooManyRequests, code >= 500, code == http.StatusRequestTimeout:
		return temporary(errors.New(response.Status))
	}
	return errors.New(response.Status)
}

var errRange = errors.New("the server has no such range")
