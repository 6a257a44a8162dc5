package mapped

import (
	"errors"
	"os"
	"path/filepath"
)

// Room makes sure that a folder takes a new file of so many bytes now, by writing one through to the disk and removing it. A job asks before it
// begins what will be kept there: a disk that is full, or that may not be written to, is then told of before hours of work and not behind them.
func Room(folder string, bytes int) error {
	place := Place{Path: filepath.Join(folder, "room"), Force: true, Former: func(string) error { return nil }, shared: true}
	output, err := place.Begin()
	if err != nil {
		return err
	}
	return errors.Join(fill(output.Path(), bytes), output.Discard())
}

func fill(path string, bytes int) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = file.Write(make([]byte, bytes))
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}
