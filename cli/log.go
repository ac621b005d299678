package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) logCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "log",
		Short: "Check and repair the commit log of a data directory",
	})
}
