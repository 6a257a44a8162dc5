package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"avssnative/internal/mapped"
)

// blob is a file's content as the hub describes it.
type blob struct {
	address string
	etag    string // SHA-256 of large files, git's SHA-1 of small ones
	size    int64
}

var etagForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// file makes snapshot/name a link to a whole blob.
func (p *puller) file(ctx context.Context, snapshot, name string) error {
	b, err := p.describe(ctx, name)
	if err != nil {
		return err
	}
	if !strings.HasSuffix(name, ".safetensors") && b.size > maxCompanion {
		return fmt.Errorf("%d bytes, want at most %d of a file beside the weights", b.size, maxCompanion)
	}
	content := filepath.Join(p.repository, "blobs", b.etag)
	if !whole(content, b.size) {
		if err := p.locked(ctx, content, b, name); err != nil {
			return err
		}
	}
	if p.Progress != nil {
		p.Progress(Progress{name, b.size, b.size})
	}
	up := strings.Repeat("../", 2+strings.Count(name, "/"))
	return link(filepath.Join(snapshot, filepath.FromSlash(name)), filepath.FromSlash(up+"blobs/"+b.etag))
}

// address is where a file's content is asked for.
func (p *puller) address(name string) string {
	parts := []string{p.name.Repository, "resolve", p.commit}
	if p.name.dataset {
		parts = append([]string{p.name.kind()}, parts...)
	}
	for _, part := range strings.Split(name, "/") {
		parts = append(parts, url.PathEscape(part))
	}
	return p.endpoint.JoinPath(parts...).String()
}

func whole(path string, size int64) bool {
	stat, err := os.Stat(path)
	return err == nil && stat.Mode().IsRegular() && stat.Size() == size
}

// describe asks for etag and size without the content.
func (p *puller) describe(ctx context.Context, name string) (blob, error) {
	b := blob{address: p.address(name)}
	err := p.retry(ctx, func() (bool, error) {
		response, err := p.get(ctx, http.MethodHead, b.address, nil)
		if err != nil {
			return false, err
		}
		response.Body.Close()
		header := response.Header
		if found := header.Get("X-Repo-Commit"); found != "" && found != p.commit {
			return false, fmt.Errorf("the server speaks of commit %.60q, want %s", found, p.commit)
		}
		etag, size := header.Get("X-Linked-Etag"), header.Get("X-Linked-Size")
		if etag == "" {
			etag = header.Get("ETag")
		}
		if size == "" {
			size = header.Get("Content-Length")
		}
		b.etag = strings.Trim(strings.TrimPrefix(etag, "W/"), `"`)
		if !etagForm.MatchString(b.etag) {
			return false, fmt.Errorf("etag %.100q cannot name a file", etag)
		}
		if b.size, err = strconv.ParseInt(size, 10, 64); err != nil || b.size < 0 {
			return false, fmt.Errorf("size %.40q, want a number of bytes", size)
		}
		return false, nil
	})
	return b, err
}

// locked fetches the content while no other process does.
func (p *puller) locked(ctx context.Context, content string, b blob, name string) error {
	locks := filepath.Join(p.Cache, ".locks", p.name.folder())
	for _, folder := range []string{locks, filepath.Dir(content)} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	unlock, err := lock(ctx, filepath.Join(locks, b.etag+".lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if whole(content, b.size) { // the other process fetched it while we waited
		return nil
	}
	incomplete := content + ".incomplete"
	begun := false // by a Pull that failed or was killed
	switch found, err := os.Lstat(incomplete); {
	case err == nil && !found.Mode().IsRegular():
		return fmt.Errorf("%s: want a regular file, or nothing", incomplete)
	case err == nil:
		begun = found.Size() > 0
	}
	file, err := os.OpenFile(incomplete, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	if err = p.fill(ctx, file, b, name, begun); err == nil {
		err = file.Sync() // a power cut behind the rename would leave a name of the right size over other bytes
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		return os.Rename(incomplete, content)
	}
	if broken := (damage{}); ctx.Err() != nil || errors.As(err, &broken) {
		os.Remove(incomplete)
	}
	return err
}

// fill brings the content into a file, which begun says that there is a part of already. A part that turns out to be of something else, as after
// a crash of the system, is fetched anew.
func (p *puller) fill(ctx context.Context, file *os.File, b blob, name string, begun bool) error {
	for {
		if err := p.room(file, b); err != nil {
			return err
		}
		if err := p.fetch(ctx, file, b, name); err != nil {
			return err
		}
		err := verify(ctx, file, b)
		if err == nil {
			return settle(ctx, file)
		}
		if broken := (damage{}); !begun || !errors.As(err, &broken) {
			return err
		}
		begun = false
		if err := file.Truncate(0); err != nil {
			return err
		}
	}
}

// settle waits until the disk has the file, which may take longer than a person who interrupts will wait.
func settle(ctx context.Context, file *os.File) error {
	done := make(chan error, 1)
	go func() { done <- file.Sync() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// room returns an error where the disk cannot take what the file lacks: a server may announce any size, and send it.
func (p *puller) room(file *os.File, b blob) error {
	stat, err := file.Stat()
	if err != nil {
		return err
	}
	free, known := freeBytes(file)
	if missing := b.size - stat.Size(); known && missing > free {
		return fmt.Errorf("%d bytes to fetch, but %s has room for %d", missing, p.Cache, free)
	}
	return nil
}

// fetch appends to the file what it lacks. What arrived before an error stays, so that the next attempt or Pull goes on from there.
func (p *puller) fetch(ctx context.Context, file *os.File, b blob, name string) error {
	var furthest int64 // a server that begins anew each time makes no progress
	return p.retry(ctx, func() (progress bool, err error) {
		done, err := file.Seek(0, io.SeekEnd)
		if err == nil && done > b.size {
			done = 0
			err = file.Truncate(0)
		}
		if err != nil || done == b.size {
			return false, err
		}
		furthest = max(furthest, done)
		before := furthest
		header := http.Header{}
		if done > 0 {
			header.Set("Range", fmt.Sprintf("bytes=%d-", done))
		}
		response, err := p.get(ctx, http.MethodGet, b.address, header)
		if errors.Is(err, errRange) {
			if err := file.Truncate(0); err != nil {
				return false, err
			}
			return false, temporary(err)
		}
		if err != nil {
			return false, err
		}
		defer response.Body.Close()
		if response.StatusCode == http.StatusPartialContent {
			if want := fmt.Sprintf("bytes %d-", done); !strings.HasPrefix(response.Header.Get("Content-Range"), want) {
				return false, fmt.Errorf("content range %.60q, want %s…", response.Header.Get("Content-Range"), want)
			}
		} else if done > 0 { // the server sends everything
			done = 0
			if err := file.Truncate(0); err != nil {
				return false, err
			}
		}
		buffer := make([]byte, 1<<18)
		for {
			n, read := response.Body.Read(buffer)
			if int64(n) > b.size-done {
				if err := file.Truncate(0); err != nil {
					return false, err
				}
				return false, fmt.Errorf("more than the %d bytes announced", b.size)
			}
			if _, err := file.WriteAt(buffer[:n], done); err != nil {
				return false, err
			}
			done += int64(n)
			if p.Progress != nil && n > 0 {
				p.Progress(Progress{name, done, b.size})
			}
			switch {
			case read == io.EOF && done < b.size:
				return done > before, temporary(fmt.Errorf("connection closed after %d of %d bytes", done, b.size))
			case read == io.EOF:
				return true, nil
			case read != nil:
				return done > before, temporary(fmt.Errorf("after %d of %d bytes: %w", done, b.size, read))
			}
		}
	})
}

// damage is content that is not what its name says.
type damage struct{ error }

// verify checks a file's size, and its hash where the etag is one: 64 hexadecimal digits are its SHA-256, 40 the SHA-1 of git's blob.
func verify(ctx context.Context, file *os.File, b blob) error {
	stat, err := file.Stat()
	if err != nil {
		return err
	}
	if stat.Size() != b.size {
		return damage{fmt.Errorf("%d bytes arrived, want %d", stat.Size(), b.size)}
	}
	var sum hash.Hash
	switch _, err := hex.DecodeString(b.etag); {
	case err != nil:
		return nil
	case len(b.etag) == 2*sha256.Size:
		sum = sha256.New()
	case len(b.etag) == 2*sha1.Size:
		sum = sha1.New()
		fmt.Fprintf(sum, "blob %d\x00", b.size)
	default:
		return nil
	}
	for at := int64(0); at < b.size; at += 1 << 22 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := io.Copy(sum, io.NewSectionReader(file, at, min(1<<22, b.size-at))); err != nil {
			return err
		}
	}
	if found := hex.EncodeToString(sum.Sum(nil)); found != b.etag {
		return damage{fmt.Errorf("content has hash %s, want %s: it was removed, try again", found, b.etag)}
	}
	return nil
}

// link makes path a link to target, replacing what is there.
func link(path, target string) error {
	if found, err := os.Readlink(path); err == nil && found == target {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temporary := mapped.Temporary(path)
	if err := os.Symlink(target, temporary); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		os.Remove(temporary)
		return err
	}
	return nil
}
