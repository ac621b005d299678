package mapreduce

import "fmt"

// The names of these types are the error names a Retry or Catch in the machine matches: the Lambda
// runtime reports a Go error under the name of its type.

// BadInput says that the run's input cannot be used, and what to write instead. Trying again does
// not help.
type BadInput struct{ Problem string }

func (e BadInput) Error() string { return e.Problem }

func badInput(format string, args ...any) error {
	return BadInput{Problem: fmt.Sprintf(format, args...)}
}

// Unreadable says that a file or directory of the tree cannot be read.
type Unreadable struct{ Problem string }

func (e Unreadable) Error() string { return e.Problem }

func unreadable(err error) error {
	return Unreadable{Problem: fmt.Sprintf("cannot read the tree: %v; make it readable or give another root", err)}
}

// WordTooLong says that a file holds a word of more than maxWord bytes. Trying again does not help.
type WordTooLong struct{ Problem string }

func (e WordTooLong) Error() string { return e.Problem }

// WorkLost says that the work directory does not hold what an earlier function recorded.
type WorkLost struct{ Problem string }

func (e WorkLost) Error() string { return e.Problem }

func workLost(format string, args ...any) error {
	return WorkLost{Problem: fmt.Sprintf(format, args...) + "; start a new run"}
}
