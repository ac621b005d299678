package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/fault"
)

// IO is the world outside a command.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
	Env      func(key string) string
	Now      func() time.Time
	Local    *time.Location // of times that are shown
	// InTTY, OutTTY and ErrTTY say which streams are a terminal.
	InTTY, OutTTY, ErrTTY bool
	// Size is the terminal's width and height in cells; 80 by 24 when there is none.
	Size func() (width, height int)
	// Interrupts returns a channel of Ctrl-C and termination requests, and a function that gives them back.
	Interrupts func() (<-chan os.Signal, func())
}

// Stdio is the process's own IO.
func Stdio() IO {
	return IO{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Env: os.Getenv, Now: time.Now, Local: time.Local,
		InTTY:  term.IsTerminal(int(os.Stdin.Fd())),
		OutTTY: term.IsTerminal(int(os.Stdout.Fd())),
		ErrTTY: term.IsTerminal(int(os.Stderr.Fd())),
		Size:   terminalSize,
		Interrupts: func() (<-chan os.Signal, func()) {
			c := make(chan os.Signal, 4)
			signal.Notify(c, os.Interrupt, syscall.SIGTERM)
			return c, func() { signal.Stop(c) }
		},
	}
}

func terminalSize() (int, int) {
	for _, f := range []*os.File{os.Stderr, os.Stdout} {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil && w > 0 && h > 0 {
			return w, h
		}
	}
	return 80, 24
}

// app is one run of the command.
type app struct{ IO }

// Main runs the command with these arguments (without the program's name) and returns its exit code.
func Main(args []string, std IO) int {
	a := &app{IO: std}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(std.In)
	root.SetOut(std.Out)
	root.SetErr(std.Err)
	cmd, err := root.ExecuteC()
	if err != nil && !quiet(err) {
		a.explain(cmd, err)
	}
	return exitCode(err)
}

// explain prints an error for a person: what was wrong, where, and what to do.
func (a *app) explain(cmd *cobra.Command, err error) {
	fmt.Fprintf(a.Err, "weft: %s\n", console.CleanLines(sentence(err)))
	var u *usageError
	if errors.As(err, &u) {
		fmt.Fprintf(a.Err, "See: %s --help\n", cmd.CommandPath())
	}
	if fault.KindOf(err) == fault.Internal && exitCode(err) == ExitInternal {
		fmt.Fprintf(a.Err, "This is a defect of Weft (%s). Please report it with the command that shows it.\n", version())
	}
}

// sentence is err without the name of the operation, which means nothing to whom typed a command.
func sentence(err error) string {
	var fe *fault.Error
	if !errors.As(err, &fe) {
		return err.Error()
	}
	if fe.Subject == "" {
		return fe.Message()
	}
	return fe.Subject + ": " + fe.Message()
}

// usageError is a wrong command line; its kind is InvalidArgument.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

// usage returns an error that points to the command's help.
func usage(format string, args ...any) error {
	return &fault.Error{Kind: fault.InvalidArgument, Err: &usageError{fmt.Sprintf(format, args...)}}
}

const rootHelp = `Weft runs serverless workflows: state machines in the Amazon States Language whose states call
your functions. Every step is durable before anyone sees it, in one process and one directory.

Run a state machine, its functions declared in the weft.yaml beside it:

  weft run examples/wordcount

Serve state machines behind the AWS Step Functions API, and point any AWS client there:

  weft dev .
  eval "$(weft env)"
  aws stepfunctions list-state-machines`

// goParsing is what Go's number parser says of itself in a flag's error.
var goParsing = regexp.MustCompile(`strconv\.\w+: parsing ".*": `)

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "weft",
		Short:         "Durable serverless workflows; a drop-in for AWS Step Functions",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return usage("%s", goParsing.ReplaceAllString(err.Error(), ""))
	})
	root.SetUsageTemplate(usageTemplate)
	root.SetHelpCommand(a.helpCommand())
	root.AddGroup(&cobra.Group{ID: "main", Title: "Run and serve:"}, &cobra.Group{ID: "server", Title: "What a server keeps:"},
		&cobra.Group{ID: "alone", Title: "Run without a server:"},
		&cobra.Group{ID: "other", Title: "Other:"})
	add := func(group string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("main", a.runCommand(), a.testCommand(), a.devCommand(), a.serveCommand(), a.envCommand())
	add("alone", a.compileCommand(), a.buildCommand(), a.deployCommand(), a.destroyCommand())
	add("server", a.machinesCommand(), a.workflowsCommand(), a.runsCommand(), a.mapRunsCommand(), a.entitiesCommand(), a.schedulesCommand(),
		a.activitiesCommand())
	add("other", a.logCommand(), a.versionCommand())
	root.SetCompletionCommandGroupID("other")
	group(root)
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			group(c)
		}
	}
	return root
}

// group makes cmd, which only holds commands, show its help without arguments and refuse unknown ones.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		msg := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
		if cmd.SuggestionsMinimumDistance = 2; len(args[0]) < 4 {
			cmd.SuggestionsMinimumDistance = 1
		}
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			msg += "; did you mean " + strings.Join(near, " or ") + "?"
		}
		return usage("%s", msg)
	}
	return cmd
}

// args checks the number of arguments: at least min, at most max (-1: any); names is how Use spells them.
func args(lo, hi int, names string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, got []string) error {
		switch {
		case len(got) < lo:
			return usage("%s is missing", strings.Fields(names)[len(got)])
		case hi >= 0 && len(got) > hi && cmd.Flags().Lookup("input") != nil:
			return usage("unexpected argument %q; an input goes behind --input", got[hi])
		case hi >= 0 && len(got) > hi:
			return usage("unexpected argument %q", got[hi])
		}
		return nil
	}
}

// outStyle and errStyle colour their stream if it is a terminal that wants colours.
func (a *app) outStyle() console.Style { return console.Style{On: a.OutTTY && a.colours()} }
func (a *app) errStyle() console.Style { return console.Style{On: a.ErrTTY && a.colours()} }

func (a *app) colours() bool { return a.Env("NO_COLOR") == "" && a.Env("TERM") != "dumb" }

// note prints a line of prose.
func (a *app) note(format string, args ...any) {
	fmt.Fprintln(a.Err, "weft: "+console.CleanLines(fmt.Sprintf(format, args...)))
}

// Version is set by release builds (-ldflags "-X github.com/weftworks/weft/cli.Version=v1.2.3").
var Version = ""

// version names this build: the release, else the module's version and commit.
func version() string {
	if Version != "" {
		return "weft " + Version
	}
	v := "weft devel"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v = "weft " + info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && !strings.Contains(v, s.Value[:min(12, len(s.Value))]) {
			v += " " + s.Value[:min(12, len(s.Value))]
		}
	}
	return v
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of this binary", Args: args(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintln(a.Out, version())
			return nil
		},
	}
}
