package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/gowebpubsub/webpubsub/check"
)

// A junitFile is where a report for build servers goes; nil for nowhere.
type junitFile struct{ file *os.File }

// openJUnit opens the file before anything is checked: a check takes its time.
func openJUnit(name string) (*junitFile, error) {
	if name == "" {
		return nil, nil
	}
	file, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("--junit: %w", err)
	}
	return &junitFile{file}, nil
}

func (j *junitFile) write(r *check.Report) error {
	if j == nil {
		return nil
	}
	if err := errors.Join(r.WriteJUnit(j.file), j.file.Close()); err != nil {
		return fmt.Errorf("--junit: %w", err)
	}
	return nil
}

// discard leaves no empty file behind when there is nothing to report. What is
// no file of its own, such as /dev/stdout, stays.
func (j *junitFile) discard() {
	if j == nil {
		return
	}
	_ = j.file.Close()
	if info, err := os.Lstat(j.file.Name()); err == nil && info.Mode().IsRegular() {
		_ = os.Remove(j.file.Name())
	}
}
