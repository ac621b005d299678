package cli

import (
	"net/url"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/fault"
)

func (a *app) entitiesCommand() *cobra.Command {
	r := &remote{app: a}
	cmd := group(&cobra.Command{
		Use:   "entities",
		Short: "List, show and signal the entities a server keeps",
		Long:  `Work with entities: state under a key that does one operation at a time. One is named NAME/KEY.`,
	})
	r.flags(cmd)
	cmd.AddCommand(a.entitiesList(r), a.entitiesShow(r), a.entitiesSignal(r))
	return cmd
}

// splitEntity reads NAME/KEY.
func splitEntity(text string) (name, key string, err error) {
	name, key, ok := durable.SplitEntity(text)
	if !ok || name == "" || key == "" {
		return "", "", usage("%q names no entity; write NAME/KEY, for example account/ada", text)
	}
	return name, key, nil
}

func (a *app) entitiesList(r *remote) *cobra.Command {
	var limit int
	var prefix string
	cmd := &cobra.Command{
		Use: "list [NAME]", Short: "List the entities, or those of one kind, newest first", Args: args(0, 1, ""),
		Example: "  weft entities list account --prefix a",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.dial()
			if err != nil {
				return err
			}
			query := url.Values{}
			if len(args) == 1 {
				query.Set("name", args[0])
			}
			if prefix != "" {
				query.Set("prefix", prefix)
			}
			page := 1000
			if limit > 0 {
				page = limit
			}
			t := console.Table{Header: []string{"ENTITY", "MODIFIED", "WAITING", "STATE"}, Right: map[int]bool{2: true}, Width: a.tableWidth(), Style: a.outStyle()}
			n := 0
			for e, err := range c.Entities(cmd.Context(), query, page) {
				if err != nil {
					return err
				}
				if r.json {
					if err := r.line(e); err != nil {
						return err
					}
				} else {
					t.Add(durable.EntityTarget(e.Name, e.Key), r.at(e.Modified), console.Number(int64(e.Waiting)),
						console.Truncate(console.Clean(string(e.State)), detailCells))
				}
				if n++; n == limit {
					break
				}
			}
			return a.printTable(r, &t, "no entities")
		},
	}
	limitFlag(cmd, &limit, 50)
	cmd.Flags().StringVar(&prefix, "prefix", "", "only entities whose key begins with `TEXT`")
	return cmd
}

func (a *app) entitiesShow(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME/KEY", Short: "Show an entity with its state", Args: args(1, 1, "NAME/KEY"),
		Example: "  weft entities show account/ada\n  weft entities show account/ada --json | jq .state",
		RunE: func(cmd *cobra.Command, args []string) error {
			name, key, err := splitEntity(args[0])
			if err != nil {
				return err
			}
			c, err := r.dial()
			if err != nil {
				return err
			}
			e, err := c.Entity(cmd.Context(), name, key)
			if fault.Is(err, fault.ResourceNotFound) {
				return fault.New("", fault.ResourceNotFound, args[0], "there is no such entity; list what there is with `weft entities list`")
			}
			if err != nil {
				return err
			}
			if r.json {
				return r.object(e)
			}
			f := a.fields()
			f.head(durable.EntityTarget(e.Name, e.Key))
			f.line("created", r.at(e.Created))
			f.line("modified", r.at(e.Modified))
			f.line("locked by", e.LockedBy)
			if e.Waiting > 0 {
				f.line("waiting", console.Count(int64(e.Waiting), "operation"))
			}
			f.line("blocked", e.Blocked)
			if e.State != nil {
				f.block("state", string(e.State))
			}
			return f.flush()
		},
	}
}

func (a *app) entitiesSignal(r *remote) *cobra.Command {
	var at string
	cmd := &cobra.Command{
		Use:   "signal NAME/KEY OPERATION [JSON|@FILE|-]",
		Short: "Send an operation to an entity, without waiting for it to be done",
		Example: `  weft entities signal account/ada deposit 500
  weft entities signal account/ada add -- -5        # behind --, as it begins with a dash
  weft entities signal account/ada close --at 2h`,
		Args: args(2, 3, "NAME/KEY OPERATION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, key, err := splitEntity(args[0])
			if err != nil {
				return err
			}
			input, err := a.optionalJSON("the operation's input", args, 2)
			if err != nil {
				return err
			}
			due, err := a.when("--at", at, 1)
			if err != nil {
				return err
			}
			c, err := r.dial()
			if err != nil {
				return err
			}
			if err := c.Signal(cmd.Context(), name, key, args[1], input, due); err != nil {
				return err
			}
			a.note("sent %s to %s", args[1], args[0])
			return nil
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "to be done at `TIME`: 2026-03-04T05:06:07Z, 2026-03-04, or 2h for so long from now")
	return cmd
}
