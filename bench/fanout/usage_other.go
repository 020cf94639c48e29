//go:build !linux

package main

import "errors"

func ownUsage() (usage, error) {
	return usage{}, errors.New("memory is measured on Linux only")
}
