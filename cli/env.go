package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// defaultServer is where `weft dev` and `weft serve` listen unless told otherwise.
const defaultServer = "http://127.0.0.1:8400"

// keyID is the access key id under which a server knows its token.
const keyID = "weft"

// variable is one environment variable that points AWS clients to a server.
type variable struct{ name, value, why string }

// awsVariables are what an AWS SDK or the aws command needs to talk to server.
func awsVariables(server, region, token string) []variable {
	secret := "weft"
	if token != "" {
		secret = token
	}
	return []variable{
		{"AWS_ENDPOINT_URL_SFN", server, "where Step Functions clients connect"},
		{"AWS_REGION", region, "any region will do; the SDKs insist on one"},
		{"AWS_DEFAULT_REGION", region, "the same for the aws command, version 1, and botocore"},
		{"AWS_ACCESS_KEY_ID", keyID, "the SDKs insist on keys; a server with a token wants it as the secret one"},
		{"AWS_SECRET_ACCESS_KEY", secret, ""},
		{"AWS_DISABLE_HOST_PREFIX_INJECTION", "true", "else StartSyncExecution and TestState call sync-HOST, which does not resolve"},
	}
}

func (a *app) envCommand() *cobra.Command {
	var shell, server string
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the environment that points AWS clients to a Weft server",
		Long: `Print the environment variables that make the aws command, AWS SDKs and Terraform talk to a Weft
server instead of AWS Step Functions. Other AWS services are not redirected, but the keys set here
will not open them: use a shell of its own.

StartSyncExecution and TestState put "sync-" before the server's host name. Clients that know
AWS_DISABLE_HOST_PREFIX_INJECTION (botocore 1.37.5 and later) leave that out; older ones need a line
"127.0.0.1 sync-localhost" in /etc/hosts and --server http://localhost:8400.`,
		Example: `  eval "$(weft env)"                     # sh, bash, zsh
  weft env --shell fish | source         # fish
  weft env --shell powershell | iex      # PowerShell
  weft env --shell json                  # for programs`,
		Args: args(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			if server == "" {
				server = a.Env("WEFT_SERVER")
			}
			if server == "" {
				server = defaultServer
			}
			region := a.Env("AWS_REGION")
			if region == "" {
				region = defaultRegion
			}
			text, err := formatEnv(shell, awsVariables(strings.TrimRight(server, "/"), region, a.Env("WEFT_TOKEN")))
			if err == nil {
				fmt.Fprint(a.Out, text)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&shell, "shell", "sh", "syntax for `SHELL`: sh, fish, powershell or json")
	cmd.Flags().StringVar(&server, "server", "", "`URL` of the server (default $WEFT_SERVER, else "+defaultServer+")")
	return cmd
}

func formatEnv(shell string, vars []variable) (string, error) {
	var b strings.Builder
	if shell == "json" {
		m := map[string]string{}
		for _, v := range vars {
			m[v.name] = v.value
		}
		text, err := json.MarshalIndent(m, "", "  ")
		return string(text) + "\n", err
	}
	for _, v := range vars {
		if v.why != "" {
			fmt.Fprintf(&b, "# %s\n", v.why)
		}
		switch shell {
		case "sh", "bash", "zsh":
			fmt.Fprintf(&b, "export %s=%s\n", v.name, quoteSh(v.value))
		case "fish":
			fmt.Fprintf(&b, "set -gx %s %s\n", v.name, quoteFish(v.value))
		case "powershell", "pwsh":
			fmt.Fprintf(&b, "$Env:%s = '%s'\n", v.name, strings.ReplaceAll(v.value, "'", "''"))
		default:
			return "", usage("--shell %q is not known; use sh, fish, powershell or json", shell)
		}
	}
	return b.String(), nil
}

// quoteSh quotes s for a POSIX shell if it needs to.
func quoteSh(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:=@%+,", r))
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func quoteFish(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
