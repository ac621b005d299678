// Command dying is the function count, but it kills once: the process that counts batch 7, or the engine above
// it, as $WORDCOUNT_KILLS says ("function" or "engine"), before or after the work as $WORDCOUNT_WHEN says. It
// remembers in the file $WORDCOUNT_KILLED that it has done so.
package main

import (
	"context"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/weftworks/weft/examples/wordcount/mapreduce"
)

func main() {
	lambda.Start(func(ctx context.Context, req mapreduce.CountRequest) (*mapreduce.Counted, error) {
		when := os.Getenv("WORDCOUNT_WHEN")
		if when == "before" {
			die(req.Batch)
		}
		counted, err := mapreduce.Count(ctx, req)
		if when == "after" {
			die(req.Batch)
		}
		return counted, err
	})
}

func die(batch int) {
	if batch != 7 {
		return
	}
	f, err := os.OpenFile(os.Getenv("WORDCOUNT_KILLED"), os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return // it has killed already
	}
	_ = f.Close()
	victim := os.Getpid()
	if os.Getenv("WORDCOUNT_KILLS") == "engine" {
		victim = os.Getppid()
	}
	p, err := os.FindProcess(victim)
	if err != nil {
		panic(err)
	}
	if err := p.Kill(); err != nil {
		panic(err)
	}
	select {} // until the kill arrives, here or through the engine's end
}
