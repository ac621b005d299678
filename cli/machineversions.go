package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/cli/client"
	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/fault"
)

func (a *app) machinesPublish(r *remote) *cobra.Command {
	var description, revision string
	cmd := &cobra.Command{
		Use: "publish NAME|ARN", Short: "Publish a state machine as it is now as its next version", Args: args(1, 1, "NAME"),
		Long: "Publish a state machine as it is now as its next version. What is published already is not published again.",
		Example: `  weft machines publish greet --description "says hello"
  weft runs start greet:1                 # a run of that version, whatever becomes of greet`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.dial()
			if err != nil {
				return err
			}
			arn, err := r.machineARN(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			var text *string
			if cmd.Flags().Changed("description") {
				text = &description
			}
			v, err := c.PublishVersion(cmd.Context(), arn, revision, text)
			if err != nil {
				return err
			}
			if r.json {
				return r.object(versionLineOf(v))
			}
			_, err = fmt.Fprintln(a.Out, v.ARN)
			return err
		},
	}
	cmd.Flags().StringVar(&description, "description", "", "`TEXT` to keep with the version")
	cmd.Flags().StringVar(&revision, "if", "", "publish only if this is the current `REVISION`; INITIAL is the first")
	return cmd
}

func (a *app) machinesUnpublish(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "unpublish NAME:VERSION|ARN", Short: "Delete a version; runs of it go on", Args: args(1, 1, "NAME:VERSION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.dial()
			if err != nil {
				return err
			}
			arn, err := r.qualifiedARN(cmd.Context(), args[0], "NAME:VERSION, for example greet:1")
			if err != nil {
				return err
			}
			if err := c.DeleteVersion(cmd.Context(), arn); err != nil {
				return err
			}
			a.note("deleted %s", args[0])
			return nil
		},
	}
}

// versionLine is what --json prints for a version.
type versionLine struct {
	Version int     `json:"version"`
	ARN     string  `json:"arn"`
	Created *string `json:"created"`
}

func versionLineOf(v *client.Version) versionLine {
	n, _ := strconv.Atoi(qualifier(v.ARN)) // the server's ARNs of versions end in their number
	return versionLine{Version: n, ARN: v.ARN, Created: stamp(v.Created)}
}

func (a *app) machinesVersions(r *remote) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "versions NAME|ARN", Short: "List the versions of a state machine, newest first", Args: args(1, 1, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.dial()
			if err != nil {
				return err
			}
			arn, err := r.machineARN(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			t := console.Table{Header: []string{"VERSION", "CREATED", "ARN"}, Right: map[int]bool{0: true}, Width: a.tableWidth(), Style: a.outStyle()}
			n := 0
			for v, err := range c.Versions(cmd.Context(), arn, min(max(limit, 1), 1000)) {
				if err != nil {
					return err
				}
				if r.json {
					err = r.line(versionLineOf(v))
				}
				if err != nil {
					return err
				}
				t.Add(qualifier(v.ARN), r.clock(v.Created), v.ARN)
				if n++; n == limit {
					break
				}
			}
			return a.printTable(r, &t, "no versions; publish one with `weft machines publish "+args[0]+"`")
		},
	}
	limitFlag(cmd, &limit, 1000)
	return cmd
}

// qualifier returns what follows a machine's name in an ARN: the number of a version or the name of an alias.
func qualifier(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }

// qualifiedARN returns the ARN of a version or an alias, which may be written NAME:VERSION or NAME:ALIAS.
func (r *remote) qualifiedARN(ctx context.Context, ref, form string) (string, error) {
	machine, rest, ok := strings.Cut(ref, ":")
	if !strings.HasPrefix(ref, "arn:") && (!ok || machine == "" || rest == "") {
		return "", usage("%q is not what this works on; write %s", ref, form)
	}
	return r.machineARN(ctx, ref)
}

const aliasForm = "NAME:ALIAS, for example greet:prod"

func (a *app) machinesAlias(r *remote) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "alias",
		Short: "Set, list, show and delete aliases: names for one or two versions",
		Long:  "Work with aliases. A run that is started by one gets a version of it, chosen by weight.",
	})
	cmd.AddCommand(a.aliasSet(r), a.aliasList(r), a.aliasShow(r), a.aliasDelete(r))
	return cmd
}

func (a *app) aliasSet(r *remote) *cobra.Command {
	var description string
	cmd := &cobra.Command{
		Use: "set NAME:ALIAS VERSION[=PERCENT]...", Short: "Create an alias, or lead it to other versions", Args: args(2, 3, "NAME:ALIAS VERSION"),
		Example: `  weft machines alias set greet:prod 1
  weft machines alias set greet:prod 1=90 2=10   # try version 2 with every tenth run`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.dial()
			if err != nil {
				return err
			}
			arn, err := r.qualifiedARN(cmd.Context(), args[0], aliasForm)
			if err != nil {
				return err
			}
			alias := client.Alias{ARN: arn}
			if cmd.Flags().Changed("description") {
				alias.Description = &description
			}
			if alias.Routes, err = routes(strings.TrimSuffix(arn, ":"+qualifier(arn)), args[1:]); err != nil {
				return err
			}
			return a.setAlias(cmd.Context(), r, c, alias)
		},
	}
	cmd.Flags().StringVar(&description, "description", "", "`TEXT` to keep with the alias")
	return cmd
}

// routes reads VERSION[=PERCENT] of a machine.
func routes(machineARN string, texts []string) (out []client.Route, err error) {
	for _, text := range texts {
		version, percent, weighted := strings.Cut(text, "=")
		weight := 100
		if weighted {
			weight, err = strconv.Atoi(percent)
		}
		if number, bad := strconv.Atoi(version); err != nil || bad != nil || number < 1 {
			return nil, usage("%q is no VERSION or VERSION=PERCENT; write 1, or 1=90 2=10", text)
		}
		out = append(out, client.Route{VersionARN: machineARN + ":" + version, Weight: weight})
	}
	return out, nil
}

func (a *app) setAlias(ctx context.Context, r *remote, c *client.Client, alias client.Alias) error {
	verb := "updated"
	err := c.UpdateAlias(ctx, alias)
	if fault.Is(err, fault.ResourceNotFound) { // the alias, or a version of it, of which creating tells
		verb = "created"
		create := alias
		create.ARN, create.Name = "", qualifier(alias.ARN)
		err = c.CreateAlias(ctx, create)
	}
	if fault.Is(err, fault.ResourceNotFound) {
		return fault.New("", fault.ResourceNotFound, qualifier(alias.ARN), "the machine does not have all of these versions; list what there is with `weft machines versions NAME`")
	}
	if err != nil {
		return err
	}
	a.note("%s %s", verb, qualifier(alias.ARN))
	if r.json {
		return r.object(map[string]string{"alias": qualifier(alias.ARN), "arn": alias.ARN, "did": verb})
	}
	_, err = fmt.Fprintln(a.Out, alias.ARN)
	return err
}

// aliasLine is what --json prints for an alias.
type aliasLine struct {
	Alias       string      `json:"alias"`
	ARN         string      `json:"arn"`
	Description *string     `json:"description,omitempty"`
	Versions    []aliasPart `json:"versions"`
	Created     *string     `json:"created"`
	Updated     *string     `json:"updated"`
}

type aliasPart struct {
	Version string `json:"version"`
	Percent int    `json:"percent"`
}

func aliasLineOf(alias *client.Alias) aliasLine {
	l := aliasLine{Alias: alias.Name, ARN: alias.ARN, Description: alias.Description, Created: stamp(alias.Created), Updated: stamp(alias.Updated)}
	for _, route := range alias.Routes {
		l.Versions = append(l.Versions, aliasPart{Version: qualifier(route.VersionARN), Percent: route.Weight})
	}
	return l
}

// shares writes an alias's versions as `alias set` takes them.
func shares(alias *client.Alias) string {
	parts := make([]string, len(alias.Routes))
	for i, route := range alias.Routes {
		parts[i] = fmt.Sprintf("%s=%d", qualifier(route.VersionARN), route.Weight)
	}
	return strings.Join(parts, " ")
}

func (a *app) aliasList(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "list NAME|ARN", Short: "List the aliases of a state machine", Args: args(1, 1, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.dial()
			if err != nil {
				return err
			}
			arn, err := r.machineARN(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			t := console.Table{Header: []string{"ALIAS", "VERSIONS", "UPDATED", "ARN"}, Width: a.tableWidth(), Style: a.outStyle()}
			for item, err := range c.Aliases(cmd.Context(), arn, 100) {
				if err != nil {
					return err
				}
				alias, err := c.DescribeAlias(cmd.Context(), item.ARN)
				if fault.Is(err, fault.ResourceNotFound) {
					continue // deleted since it was listed
				}
				if err == nil && r.json {
					err = r.line(aliasLineOf(alias))
				}
				if err != nil {
					return err
				}
				t.Add(alias.Name, shares(alias), r.clock(alias.Updated), alias.ARN)
			}
			return a.printTable(r, &t, "no aliases; make one with `weft machines alias set "+args[0]+":ALIAS VERSION`")
		},
	}
}

func (a *app) aliasShow(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME:ALIAS|ARN", Short: "Show an alias and the versions that it leads to", Args: args(1, 1, "NAME:ALIAS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.dial()
			if err != nil {
				return err
			}
			arn, err := r.qualifiedARN(cmd.Context(), args[0], aliasForm)
			if err != nil {
				return err
			}
			alias, err := c.DescribeAlias(cmd.Context(), arn)
			if fault.Is(err, fault.ResourceNotFound) {
				return fault.New("", fault.ResourceNotFound, args[0], "there is no such alias; list what there is with `weft machines alias list NAME`")
			}
			if err != nil {
				return err
			}
			if r.json {
				return r.object(aliasLineOf(alias))
			}
			f := a.fields()
			f.head(alias.Name)
			f.line("arn", alias.ARN)
			f.line("versions", shares(alias))
			if alias.Description != nil {
				f.line("about", *alias.Description)
			}
			f.line("created", r.clock(alias.Created))
			f.line("updated", r.clock(alias.Updated))
			return f.flush()
		},
	}
}

func (a *app) aliasDelete(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME:ALIAS|ARN", Short: "Delete an alias; its versions stay", Args: args(1, 1, "NAME:ALIAS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.dial()
			if err != nil {
				return err
			}
			arn, err := r.qualifiedARN(cmd.Context(), args[0], aliasForm)
			if err != nil {
				return err
			}
			if err := c.DeleteAlias(cmd.Context(), arn); err != nil {
				return err
			}
			a.note("deleted %s", args[0])
			return nil
		},
	}
}
