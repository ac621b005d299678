package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/conformance"
)

// historyBytesMax bounds the file of an exported history. Step Functions keeps 25,000 events of up to 256 KiB; what is larger
// than this nobody compares by eye.
const historyBytesMax = 256 << 20

func (a *app) runsCompare(r *remote) *cobra.Command {
	var exit bool
	var limit int
	cmd := &cobra.Command{
		Use:   "compare RUN FILE|-",
		Short: "Compare a run's history with one exported from AWS",
		Long: `Compare the history of a machine's run with one that AWS Step Functions answered, and print where they differ first.
Types, ids and previous ids of events have to be the same, and payloads as JSON; branches that run at once may take turns
otherwise. Times, ARNs and UUIDs are equal to others of their sort.`,
		Example: `  aws stepfunctions get-execution-history --execution-arn "$ARN" --output json > aws.json    # from AWS
  weft runs compare order/7 aws.json --exit-code`,
		Args: args(2, 2, "RUN FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			recorded, err := a.readHistory(args[1])
			if err != nil {
				return err
			}
			arn, err := r.machineRunARN(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			ours, err := r.history(cmd.Context(), arn)
			if err != nil {
				return err
			}
			found, err := conformance.Histories(recorded, ours)
			if err != nil {
				return fault.New("", fault.InvalidInput, args[1], "%w", err)
			}
			return a.showDifferences(r, found, [2]string{args[1], args[0]}, int64(len(ours)), limit, exit)
		},
	}
	exitCodeFlag(cmd, &exit)
	limitFlag(cmd, &limit, 10)
	return cmd
}

// readHistory reads the events of an answer of GetExecutionHistory.
func (a *app) readHistory(path string) ([]json.RawMessage, error) {
	in := a.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fault.New("", fault.ResourceNotFound, path, "cannot read the history: %w", errors.Unwrap(err))
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, historyBytesMax+1))
	if err != nil {
		return nil, fault.New("", fault.InvalidInput, path, "cannot read the history: %w", err)
	}
	if len(text) > historyBytesMax {
		return nil, fault.New("", fault.InvalidInput, path, "the history is larger than %s bytes", console.Number(historyBytesMax))
	}
	var answer struct {
		Events    []json.RawMessage `json:"events"`
		NextToken *string           `json:"NextToken"` // also nextToken
	}
	if err := json.Unmarshal(bytes.TrimSpace(text), &answer); err != nil {
		return nil, fault.New("", fault.InvalidInput, path, "this is no answer of GetExecutionHistory: %w; export it with `aws stepfunctions get-execution-history --output json`", err)
	}
	switch {
	case answer.NextToken != nil && *answer.NextToken != "":
		return nil, fault.New("", fault.InvalidInput, path, "this is the first part of a history: export all of it, without --max-items")
	case len(answer.Events) == 0:
		return nil, fault.New("", fault.InvalidInput, path, "there are no events in it; export them with `aws stepfunctions get-execution-history --output json`")
	}
	return answer.Events, nil
}

// history returns all events of a run, as the API shows them.
func (r *remote) history(ctx context.Context, arn string) (events []json.RawMessage, err error) {
	for e, err := range r.c.History(ctx, arn, 1000, false, true) {
		if err != nil {
			return nil, err
		}
		events = append(events, e.Raw)
	}
	return events, nil
}

// differenceLine is what --json prints for a difference.
type differenceLine struct {
	Event int    `json:"event,omitempty"`
	Type  string `json:"type,omitempty"`
	What  string `json:"what"`
}

// showDifferences prints what differs between two histories, named, of which the second has so many events.
func (a *app) showDifferences(r *remote, found []conformance.Difference, names [2]string, events int64, limit int, exit bool) error {
	if len(found) == 0 {
		a.note("%s and %s agree: %s", names[0], names[1], console.Count(events, "event"))
		return nil
	}
	s := a.outStyle()
	for i, d := range found {
		if i == limit && limit > 0 {
			a.note("and %s more; --limit 0 shows all", console.Count(int64(len(found)-i), "difference"))
			break
		}
		var err error
		switch {
		case r.json:
			err = r.line(differenceLine(d))
		case d.Event == 0:
			_, err = fmt.Fprintln(a.Out, s.Red(console.Clean(d.What)))
		default:
			_, err = fmt.Fprintf(a.Out, "%s %s\n", s.Bold(fmt.Sprintf("event %d (%s):", d.Event, console.Clean(d.Type))), console.Clean(d.What))
		}
		if err != nil {
			return err
		}
	}
	if exit {
		return differs{}
	}
	return nil
}
