package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// usageTemplate lays out the second half of every help text.
const usageTemplate = `Usage:
{{- if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND{{else}}
  {{.UseLine}}{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}
{{- if .HasAvailableSubCommands}}{{$cmds := .Commands}}
{{- if .Groups}}{{range $group := .Groups}}

{{.Title}}{{range $cmds}}{{if (and (eq .GroupID $group.ID) .IsAvailableCommand)}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}
{{- else}}

Commands:{{range $cmds}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{end}}
{{- if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}
{{- if .HasAvailableInheritedFlags}}

Flags of all {{.Parent.CommandPath}} commands:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}
{{- if not .HasParent}}

Help topics:
  exit-codes  What the exit codes mean{{end}}
{{- if .HasAvailableSubCommands}}

More: {{.CommandPath}} COMMAND --help{{end}}
`

const exitCodesHelp = `The exit codes of every weft command are fixed:

    0  done; a run that was waited for succeeded
    1  the run failed, timed out or was aborted; with --exit-code: there are differences
    2  wrong flags, or bad input: JSON, definition, weft.yaml, a function that does not build, name, ARN, token
    3  no such machine, run, file or directory
    4  it exists already, or another process has it in use
    5  not reachable, busy, or unable to keep more: try again
    6  stored data does not check; see weft log verify
   70  a defect of Weft: please report it
  130  interrupted by Ctrl-C before there was a result`

// topics are help texts that belong to no command.
var topics = map[string]string{"exit-codes": exitCodesHelp}

func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND|TOPIC]", Short: "Explain a command", Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && topics[args[0]] != "" {
				cmd.Println(topics[args[0]])
				return nil
			}
			target, rest, err := cmd.Root().Find(args)
			if err != nil || target == nil || (len(rest) > 0 && target.HasSubCommands()) {
				return usage("there is no help on %q", strings.Join(args, " "))
			}
			target.InitDefaultHelpFlag()
			return target.Help()
		},
	}
}
