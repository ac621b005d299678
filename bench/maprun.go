package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/objectstore/dir"
)

// eachItem is a distributed Map over the lines of an object, with one call of a function for each and results in files.
const eachItem = `{"StartAt":"M","States":{"M":{"Type":"Map","Label":"each","End":true,
	"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"items","Key":"items.jsonl"},"ReaderConfig":{"InputType":"JSONL"}},
	"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"%s"},"StartAt":"T","States":{"T":{"Type":"Task","Resource":"item","End":true}}},
	"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"results","Prefix":"bench"},"WriterConfig":{"Transformation":"COMPACT","OutputType":"JSONL"}}}}}`

// benchMapRun measures a distributed Map over many items, children of either type, each in a process of its own.
func benchMapRun(r *report, c *settings) error {
	for _, kind := range []string{"EXPRESS", "STANDARD"} {
		data, err := os.MkdirTemp(c.dir, "maprun-*")
		if err != nil {
			return err
		}
		f, err := spawn("maprun", data, strconv.Itoa(c.items), kind)
		if err == nil {
			name := "maprun." + map[string]string{"EXPRESS": "express", "STANDARD": "standard"}[kind]
			r.add(name+".items", f["items"], "items", "lines of one object, each a child run with one call; results in files")
			r.add(name+".rate", f["rate"], "items/s", "from the start of the run to its end, the export included")
			r.add(name+".resident", f["peak"]/(1<<20), "MiB", "process, at its peak")
			r.add(name+".disk", f["disk"]/f["items"], "B/item", "data directory, at the end, objects included")
		}
		_ = os.RemoveAll(data)
		if err != nil {
			return err
		}
	}
	return nil
}

// mapRunPart is the part of benchMapRun that has a process of its own.
func mapRunPart(_, data string, args []string, figures map[string]float64) error {
	count, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	root := filepath.Join(data, "objects")
	if err := writeItems(root, count); err != nil {
		return err
	}
	objects, err := dir.Open(root)
	if err != nil {
		return err
	}
	functions := function.NewRegistry()
	answer := function.Go(func(_ context.Context, in []byte) ([]byte, error) { return in, nil })
	if err := functions.Register("item", answer, function.Settings{Idempotent: true}); err != nil {
		return err
	}
	n, err := engine.Open(engine.Options{
		Dir: filepath.Join(data, "node"), Functions: functions, Objects: objects, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	ctx := context.Background()
	if _, err := n.CreateMachine(ctx, engine.CreateMachine{Name: "m", Definition: fmt.Appendf(nil, eachItem, args[1])}); err != nil {
		return err
	}
	began := time.Now()
	run, err := n.StartRun(ctx, engine.StartRun{Machine: "m"})
	if err == nil {
		run, err = n.WaitRun(ctx, run.ID)
	}
	if err != nil {
		return err
	}
	if run.Status != machine.Succeeded {
		return fmt.Errorf("the run ended as %s: %s: %s", run.Status, run.Error, run.Cause)
	}
	figures["rate"] = float64(count) / time.Since(began).Seconds()
	figures["items"] = float64(count)
	figures["peak"] = status("VmHWM:")
	return nil
}

// writeItems makes the buckets, and the object of items.
func writeItems(root string, count int) error {
	for _, bucket := range []string{"items", "results"} {
		if err := os.MkdirAll(filepath.Join(root, bucket), 0o777); err != nil {
			return err
		}
	}
	f, err := os.Create(filepath.Join(root, "items", "items.jsonl"))
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for i := range count {
		_, _ = fmt.Fprintf(w, `{"id":%d,"name":"item %d","price":%d.5}`+"\n", i, i, i%1000) // the error stays in w
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
