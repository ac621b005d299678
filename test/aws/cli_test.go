package aws

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// command is the aws command against one server.
type command struct {
	t       *testing.T
	address string
	secret  string
}

// run calls `aws stepfunctions ARGS` and decodes its answer into v, which may be nil.
func (c *command) run(v any, args ...string) error {
	cmd := exec.Command("aws", append([]string{"stepfunctions"}, args...)...)
	own := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	cmd.Env = append(own,
		"AWS_ENDPOINT_URL_SFN=http://"+c.address, "AWS_REGION=eu-central-1", "AWS_DEFAULT_REGION=eu-central-1",
		"AWS_ACCESS_KEY_ID=weft", "AWS_SECRET_ACCESS_KEY="+c.secret,
		"AWS_DISABLE_HOST_PREFIX_INJECTION=true", "AWS_MAX_ATTEMPTS=1", "AWS_PAGER=", "AWS_CONFIG_FILE=/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE=/dev/null")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return &buildError{errs.String(), err}
	}
	if v != nil {
		return json.Unmarshal(out, v)
	}
	return nil
}

func (c *command) must(v any, args ...string) {
	c.t.Helper()
	if err := c.run(v, args...); err != nil {
		c.t.Fatalf("aws stepfunctions %s: %v", args[0], err)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("aws"); err != nil {
		// The project cannot install it, so it is not required in CI either.
		t.Skip("the aws command is not here; `pip install awscli` installs it")
	}
	const token = "Zm9yIHRlc3RzIG9ubHkgMg=="
	c := &command{t, serve(t, token), token}
	var machine, fast struct{ StateMachineArn string }
	c.must(&machine, "create-state-machine", "--name", "greet", "--definition", greet, "--role-arn", role)
	c.must(&fast, "create-state-machine", "--name", "fast", "--definition", greet, "--role-arn", role, "--type", "EXPRESS")

	var run struct{ ExecutionArn string }
	c.must(&run, "start-execution", "--state-machine-arn", machine.StateMachineArn, "--input", `{"city":"Oslo"}`)
	sdk := client(c.address, "weft", token)
	wait(t, sdk, &run.ExecutionArn)
	var got struct{ Status, Output string }
	c.must(&got, "describe-execution", "--execution-arn", run.ExecutionArn)
	if got.Status != "SUCCEEDED" || got.Output != `{"hello":"Oslo"}` {
		t.Errorf("describe-execution: %+v", got)
	}
	var history struct{ Events []struct{ Type string } }
	c.must(&history, "get-execution-history", "--execution-arn", run.ExecutionArn, "--page-size", "2")
	if len(history.Events) != 6 {
		t.Errorf("get-execution-history: %+v", history)
	}
	var list struct {
		Executions []struct{ ExecutionArn string }
	}
	c.must(&list, "list-executions", "--state-machine-arn", machine.StateMachineArn, "--status-filter", "SUCCEEDED")
	if len(list.Executions) != 1 || list.Executions[0].ExecutionArn != run.ExecutionArn {
		t.Errorf("list-executions: %+v", list)
	}
	var sync struct{ Status, Output string }
	c.must(&sync, "start-sync-execution", "--state-machine-arn", fast.StateMachineArn, "--input", `{"city":"Bergen"}`)
	if sync.Status != "SUCCEEDED" || sync.Output != `{"hello":"Bergen"}` {
		t.Errorf("start-sync-execution: %+v", sync)
	}

	c.must(nil, "update-state-machine", "--state-machine-arn", machine.StateMachineArn, "--definition", sleep)
	c.must(&run, "start-execution", "--state-machine-arn", machine.StateMachineArn, "--name", "long")
	c.must(nil, "stop-execution", "--execution-arn", run.ExecutionArn, "--error", "Enough", "--cause", "of it")
	c.must(&got, "describe-execution", "--execution-arn", run.ExecutionArn)
	if got.Status != "ABORTED" {
		t.Errorf("after stop-execution: %+v", got)
	}
	checkVersions(c, machine.StateMachineArn)
	err := c.run(nil, "describe-state-machine", "--state-machine-arn", machine.StateMachineArn+"x")
	if err == nil || !strings.Contains(err.Error(), "StateMachineDoesNotExist") {
		t.Errorf("describe-state-machine of none: %v", err)
	}
	c.secret = "wrong"
	if err := c.run(nil, "list-state-machines"); err == nil || !strings.Contains(err.Error(), "InvalidSignatureException") {
		t.Errorf("with a wrong secret: %v", err)
	}
}

// checkVersions publishes the machine and starts it by an alias.
func checkVersions(c *command, machine string) {
	c.t.Helper()
	var version, alias struct{ StateMachineVersionArn, StateMachineAliasArn string }
	c.must(&version, "publish-state-machine-version", "--state-machine-arn", machine, "--description", "sleeps")
	c.must(&alias, "create-state-machine-alias", "--name", "prod",
		"--routing-configuration", "stateMachineVersionArn="+version.StateMachineVersionArn+",weight=100")
	var versions struct{ StateMachineVersions []any }
	var aliases struct{ StateMachineAliases []any }
	c.must(&versions, "list-state-machine-versions", "--state-machine-arn", machine)
	c.must(&aliases, "list-state-machine-aliases", "--state-machine-arn", machine)
	if len(versions.StateMachineVersions) != 1 || len(aliases.StateMachineAliases) != 1 {
		c.t.Errorf("%+v, %+v", versions, aliases)
	}
	var run, got struct{ ExecutionArn, StateMachineAliasArn, StateMachineVersionArn string }
	c.must(&run, "start-execution", "--state-machine-arn", alias.StateMachineAliasArn)
	c.must(nil, "stop-execution", "--execution-arn", run.ExecutionArn)
	c.must(&got, "describe-execution", "--execution-arn", run.ExecutionArn)
	if got.StateMachineAliasArn != alias.StateMachineAliasArn || got.StateMachineVersionArn != version.StateMachineVersionArn {
		c.t.Errorf("describe-execution: %+v", got)
	}
	if err := c.run(nil, "delete-state-machine-version", "--state-machine-version-arn", version.StateMachineVersionArn); err == nil || !strings.Contains(err.Error(), "ConflictException") {
		c.t.Errorf("delete-state-machine-version of one that an alias needs: %v", err)
	}
	c.must(nil, "delete-state-machine-alias", "--state-machine-alias-arn", alias.StateMachineAliasArn)
	c.must(nil, "delete-state-machine-version", "--state-machine-version-arn", version.StateMachineVersionArn)
}
