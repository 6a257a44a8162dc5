package mapped

import (
	"fmt"
	"io"
	"os"
)

// OpenRegular opens the regular file at path for reading. Links are followed; what they lead to must be a regular file too. A folder, a pipe,
// a device or a socket is an error and is not opened: opening one may wait for ever, or do something. Errors wrap those of package os, so
// errors.Is(err, fs.ErrNotExist) tells whether there is nothing.
func OpenRegular(path string) (*os.File, error) {
	before, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("mapped: %w", err)
	}
	if !before.Mode().IsRegular() {
		return nil, fmt.Errorf("mapped: %s: %s, want a regular file", path, kind(before.Mode()))
	}
	// Between the two calls a pipe may have taken the name; without the flag, opening it would wait for a writer.
	file, err := os.OpenFile(path, os.O_RDONLY|withoutWaiting, 0)
	if err != nil {
		return nil, fmt.Errorf("mapped: %w", err)
	}
	after, err := file.Stat()
	if err == nil && (!after.Mode().IsRegular() || !os.SameFile(before, after)) {
		err = fmt.Errorf("%s: replaced by another file while it was opened", path)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("mapped: %w", err)
	}
	return file, nil
}

// ReadSmall returns the content of the regular file at path, which has at most limit bytes: configurations, indices and other companions of
// weights. A longer file is an error that names both numbers, and so is one that never ends.
func ReadSmall(path string, limit int64) ([]byte, error) {
	file, err := OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	stat, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("mapped: %w", err)
	}
	if stat.Size() > limit {
		return nil, fmt.Errorf("mapped: %s: %d bytes, want at most %d", path, stat.Size(), limit)
	}
	// The size may be wrong: a file grows while it is read, and those of /proc say 0.
	content := make([]byte, 0, stat.Size()+1)
	for int64(len(content)) <= limit {
		if len(content) == cap(content) {
			content = append(content, 0)[:len(content)]
		}
		n, err := file.Read(content[len(content):cap(content)])
		content = content[:len(content)+n]
		if err == io.EOF && int64(len(content)) <= limit {
			return content, nil
		}
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("mapped: %w", err)
		}
	}
	return nil, fmt.Errorf("mapped: %s: more than %d bytes", path, limit)
}
