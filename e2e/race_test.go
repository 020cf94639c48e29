//go:build race

package e2e_test

// raceDetector says that the tests were built with the race detector. The
// command is then, too: its races are what is looked for.
const raceDetector = true
