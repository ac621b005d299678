package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/cli/client"
	"github.com/weftworks/weft/cli/progress"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/server/rest"
)

// remote is what all commands that talk to a server have in common.
type remote struct {
	app    *app
	server string
	json   bool
	utc    bool

	c      *client.Client
	prefix string // of this server's ARNs, up to and with the colon after the account
}

// flags adds --server, --json and --utc to every command below cmd.
func (r *remote) flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&r.server, "server", "", "`URL` of the server (default $WEFT_SERVER, else $AWS_ENDPOINT_URL_SFN, else "+defaultServer+")")
	f.BoolVar(&r.json, "json", false, "print JSON for programs; lists as one object a line")
	f.BoolVar(&r.utc, "utc", false, "show times in UTC instead of local time")
}

// dial makes the client.
func (r *remote) dial() (*client.Client, error) {
	base := r.server
	for _, key := range []string{"WEFT_SERVER", "AWS_ENDPOINT_URL_SFN"} {
		if base == "" {
			base = r.app.Env(key)
		}
	}
	if base == "" {
		base = defaultServer
	}
	var err error
	r.c, err = client.New(base, r.app.Env("WEFT_TOKEN"))
	return r.c, err
}

// machineARN turns a machine's name or ARN into its ARN.
func (r *remote) machineARN(ctx context.Context, ref string) (string, error) {
	if strings.HasPrefix(ref, "arn:") {
		return ref, nil
	}
	prefix, err := r.arnPrefix(ctx)
	if err != nil {
		return "", err
	}
	if prefix == "" {
		return "", fault.New("", fault.MachineNotFound, ref, "the server at %s has no state machines yet; create one with `weft machines create %s FILE`", r.c.Server(), ref)
	}
	return prefix + "stateMachine:" + ref, nil
}

// arnPrefix learns region and account of the server's ARNs from any of its machines; "" when it has none.
func (r *remote) arnPrefix(ctx context.Context) (string, error) {
	if r.prefix != "" {
		return r.prefix, nil
	}
	for m, err := range r.c.Machines(ctx, 1) {
		if err != nil {
			return "", err
		}
		if i := strings.Index(m.ARN, ":stateMachine:"); i >= 0 {
			r.prefix = m.ARN[:i+1]
		}
		break
	}
	return r.prefix, nil
}

// machinesMax bounds how many machines a bare run name, or a list over all machines, looks at.
const machinesMax = 1000

// runARN turns a run's ARN, MACHINE/NAME or bare name into its ARN.
func (r *remote) runARN(ctx context.Context, ref string) (string, error) {
	if strings.HasPrefix(ref, "arn:") {
		return ref, nil
	}
	prefix, err := r.arnPrefix(ctx)
	if err != nil {
		return "", err
	}
	if prefix == "" {
		return "", fault.New("", fault.RunNotFound, ref, "there are no machines that could have a run of this name")
	}
	if i := strings.LastIndexByte(ref, '/'); i >= 0 { // the machine of a Map Run's child is MACHINE/LABEL
		return prefix + "execution:" + ref[:i] + ":" + ref[i+1:], nil
	}
	var found []string
	n := 0
	for m, err := range r.c.Machines(ctx, 1000) {
		if err != nil {
			return "", err
		}
		if n++; n > machinesMax {
			return "", fault.New("", fault.InvalidArgument, ref, "there are too many machines to search; write MACHINE/%s", ref)
		}
		arn := prefix + "execution:" + m.Name + ":" + ref
		switch _, err := r.c.DescribeExecution(ctx, arn); {
		case err == nil:
			found = append(found, arn)
		case !fault.Is(err, fault.RunNotFound):
			return "", err
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", fault.New("", fault.RunNotFound, ref, "no machine has a run of this name")
	}
	for i := range found {
		found[i] = runRef(found[i])
	}
	return "", fault.New("", fault.InvalidArgument, ref, "several machines have a run of this name: write one of %s", strings.Join(found, ", "))
}

// foundRun is a run of a server: of a state machine, or of a workflow.
type foundRun struct {
	machine  *client.Run
	workflow *rest.Run
}

// find returns the run that a person named: by an ARN, which only runs of machines have; by the id of a workflow's run; or,
// if there is none, by MACHINE/NAME or the bare name of a machine's run.
func (r *remote) find(ctx context.Context, ref string) (*foundRun, error) {
	c, err := r.dial()
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(ref, "arn:") {
		switch run, err := c.Workflow(ctx, ref); {
		case err == nil:
			return &foundRun{workflow: run}, nil
		case !fault.Is(err, fault.RunNotFound) && !fault.Is(err, fault.Unsupported): // else a server without workflows
			return nil, err
		}
	}
	run, err := r.machineRun(ctx, ref)
	if fault.Is(err, fault.RunNotFound) {
		return nil, r.noRun(ctx, ref)
	}
	if err != nil {
		return nil, err
	}
	return &foundRun{machine: run}, nil
}

func (r *remote) machineRun(ctx context.Context, ref string) (*client.Run, error) {
	arn, err := r.runARN(ctx, ref)
	if err != nil {
		return nil, err
	}
	return r.c.DescribeExecution(ctx, arn)
}

// similarMax bounds how many runs are looked at for one that a mistyped name could mean.
const similarMax = 1000

// noRun is the error of a run that does not exist. It says which one could be meant.
func (r *remote) noRun(ctx context.Context, ref string) error {
	var names []string
	for run, err := range r.c.Workflows(ctx, nil, similarMax) {
		if err != nil || len(names) >= similarMax {
			break
		}
		names = append(names, run.ID)
	}
	if machine, _, ok := strings.Cut(ref, "/"); ok && r.prefix != "" {
		for run, err := range r.c.Runs(ctx, r.prefix+"stateMachine:"+machine, "", similarMax) {
			if err != nil || len(names) >= 2*similarMax {
				break
			}
			names = append(names, runRef(run.ARN))
		}
	}
	if near := nearest(ref, names); near != "" {
		return fault.New("", fault.RunNotFound, ref, "there is no such run; did you mean %s?", near)
	}
	return fault.New("", fault.RunNotFound, ref, "there is no such run; list what there is with `weft runs list`")
}

// runRef writes an execution ARN as MACHINE/NAME.
func runRef(arn string) string {
	i := strings.Index(arn, ":execution:")
	if i < 0 {
		return arn
	}
	m, name, _ := strings.Cut(arn[i+len(":execution:"):], ":")
	return m + "/" + name
}

// clock writes a time for a table.
func (r *remote) clock(t client.Time) string {
	if t == 0 {
		return "-"
	}
	loc := r.app.Local
	if r.utc {
		loc = time.UTC
	}
	return t.Time().In(loc).Format("2006-01-02 15:04:05")
}

// at is clock for a time of the REST API.
func (r *remote) at(t rest.Time) string { return r.clock(client.Time(float64(t) / 1000)) }

// stamp writes a time for a program; nil for none.
func stamp(t client.Time) *string {
	if t == 0 {
		return nil
	}
	s := t.Time().UTC().Format("2006-01-02T15:04:05.000Z")
	return &s
}

// line prints v as one line of JSON.
func (r *remote) line(v any) error {
	text, err := marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(r.app.Out, "%s\n", text)
	return err
}

// object prints v as JSON: indented on a terminal.
func (r *remote) object(v any) error {
	text, err := marshal(v)
	if err != nil {
		return err
	}
	return r.app.printValue(text)
}

// rawOrString is text as JSON when it is JSON, else as a string; nil stays null.
func rawOrString(text *string) any {
	if text == nil {
		return nil
	}
	if json.Valid([]byte(*text)) {
		return json.RawMessage(*text)
	}
	return *text
}

// served is a source of a server's run.
type served struct {
	c   *client.Client
	arn string
}

// next reads the first events forward and later ones from the end backwards until it meets last, so that
// following a run costs what is new.
func (s served) next(ctx context.Context, last int64) ([]progress.Event, error) {
	var out []progress.Event
	for e, err := range s.c.History(ctx, s.arn, 1000, last > 0, false) {
		if err != nil {
			return nil, err
		}
		if e.ID <= last {
			break
		}
		out = append(out, boardEvent(e))
		if last == 0 && len(out) == 1000 {
			return out, nil
		}
	}
	if last > 0 {
		slices.Reverse(out)
	}
	return out, nil
}

func boardEvent(e *client.Event) progress.Event {
	p := progress.Event{ID: e.ID, Prev: e.Prev, Time: e.Time.Time().UnixMilli(), Type: e.Type, Name: e.Details.Name,
		Index: e.Details.Index, Length: e.Details.Length}
	if p.Name == "" {
		p.Name = e.Details.State
	}
	if e.Details.Error != nil {
		p.Error = *e.Details.Error
	}
	if e.Details.Cause != nil {
		p.Cause = *e.Details.Cause
	}
	return p
}

// unreachableMax is how many looks in a row may find no server before wait gives up: a server that is
// restarted comes back within them.
const unreachableMax = 8

// wait looks at the run, ever more slowly, until it has ended.
func (s served) wait(ctx context.Context) error {
	pause, lost := 20*time.Millisecond, 0
	for {
		run, err := s.c.DescribeExecution(ctx, s.arn)
		switch {
		case fault.Is(err, fault.Unavailable) && lost < unreachableMax, fault.Is(err, fault.Busy):
			lost++
		case err != nil:
			return err
		case statusByName[run.Status] != machine.Running:
			return nil
		default:
			lost = 0
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		case <-t.C:
		}
		pause = min(pause*3/2, time.Second)
	}
}
