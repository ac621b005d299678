package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const shopTemplate = `Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: {Type: String, Default: hello}
  Stage: {Type: String}
Resources:
  Greet:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: !Sub greet-${Stage}
      DefinitionUri: greet.yaml
      DefinitionSubstitutions: {Greeting: !Ref Greeting}
      Tags: {stage: !Ref Stage}
      Logging: {Level: ALL, IncludeExecutionData: true, Destinations: [CloudWatchLogsLogGroup: {LogGroupArn: !GetAtt Logs.Arn}]}
      Events:
        Daily: {Type: Schedule}
  Outer:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      RoleArn: arn:aws:iam::000000000000:role/outer
      DefinitionString: !Sub |
        {"StartAt": "Call", "States": {
          "Call": {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2",
            "Parameters": {"StateMachineArn": "${Greet}"}, "OutputPath": "$.Output", "End": true}}}
  Logs: {Type: AWS::Logs::LogGroup}
`

func TestImport(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{"shop.yaml": shopTemplate, "bad.yaml": strings.Replace(shopTemplate, "!Ref Greeting", "!Ref Greting", 1),
		"wrong.yaml": strings.Replace(shopTemplate, `"Call", "States"`, `"Cal", "States"`, 1),
		"greet.yaml": "StartAt: P\nStates:\n  P: {Type: Pass, Result: \"${Greeting}\", End: true}\n"})
	at := func(p string) string { return filepath.Join(dir, p) }
	url, _ := startServer(t, nil, "serve", "--data", t.TempDir())
	s := session{t, map[string]string{"WEFT_SERVER": url}}

	_, stderr := s.run(2, "machines", "import", at("shop.yaml"))
	if !strings.Contains(stderr, "shop.yaml:9:13:") || !strings.Contains(stderr, "--parameter Stage=VALUE") {
		t.Errorf("without a parameter: %s", stderr)
	}
	if _, stderr = s.run(2, "machines", "import", at("bad.yaml"), "--parameter", "Stage=dev"); !strings.Contains(stderr, `did you mean "Greeting"?`) {
		t.Errorf("a bad template: %s", stderr)
	}
	if _, stderr = s.run(2, "machines", "import", at("wrong.yaml"), "--parameter", "Stage=dev"); !strings.Contains(stderr, `, Outer:1:`) {
		t.Errorf("a bad definition: %s", stderr)
	}
	s.run(2, "machines", "import", at("shop.yaml"), "--parameter", "Stage")
	s.run(3, "machines", "import", at("none.yaml"))

	out, stderr := s.run(0, "machines", "import", at("shop.yaml"), "--parameter", "Stage=dev", "--dry-run")
	if !strings.Contains(out, "greet-dev") || !strings.Contains(out, `"hello"`) || !strings.Contains(stderr, "event Daily (Schedule) is not imported") {
		t.Errorf("--dry-run printed %s\n%s", out, stderr)
	}
	if listed, _ := s.run(0, "machines", "list", "--json"); listed != "" {
		t.Errorf("--dry-run created %s", listed)
	}

	out, _ = s.run(0, "machines", "import", at("shop.yaml"), "--parameter", "Stage=dev", "--json")
	if lines := strings.Split(out, "\n"); len(lines) != 3 || !strings.Contains(lines[0], `"did":"created"`) || !strings.Contains(lines[1], `"logical_id":"Outer"`) {
		t.Errorf("import --json printed %s", out)
	}
	if out, _ = s.run(0, "runs", "start", "Outer", "--wait"); out != "\"hello\"\n" {
		t.Errorf("the imported machine printed %q", out)
	}
	s.run(0, "machines", "import", at("shop.yaml"), "--parameter", "Stage=dev") // the same again
	s.run(4, "machines", "import", at("shop.yaml"), "--parameter", "Stage=dev", "--parameter", "Greeting=hi")
	_, stderr = s.run(0, "machines", "import", at("shop.yaml"), "--parameter", "Stage=dev", "--parameter", "Greeting=hi", "--update")
	if !strings.Contains(stderr, "updated greet-dev") {
		t.Errorf("--update said %s", stderr)
	}
	if out, _ = s.run(0, "runs", "start", "Outer", "--wait"); out != "\"hi\"\n" {
		t.Errorf("the updated machine printed %q", out)
	}
}

func TestImportIntoFiles(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{"shop.yaml": shopTemplate,
		"greet.yaml": "StartAt: P\nStates:\n  P: {Type: Pass, Result: \"${Greeting}\", End: true}\n"})
	out := filepath.Join(dir, "machines")
	code, stdout, stderr := weft("machines", "import", filepath.Join(dir, "shop.yaml"), "--parameter", "Stage=x", "--out", out, "--region", "eu-north-1", "--account", "123456789012")
	text, err := os.ReadFile(filepath.Join(out, "Outer.asl.json"))
	if code != 0 || err != nil || !strings.Contains(string(text), `"arn:aws:states:eu-north-1:123456789012:stateMachine:greet-x"`) || strings.Count(stdout, ".asl.json\n") != 2 {
		t.Errorf("%d %s %s\n%v %s", code, stdout, stderr, err, text)
	}
	if code, stdout, stderr := weft("machines", "validate", filepath.Join(out, "greet-x.asl.json"), filepath.Join(out, "Outer.asl.json")); code != 0 {
		t.Errorf("the files: %d %s %s", code, stdout, stderr)
	}
	if code, _, _ := weft("machines", "import", filepath.Join(dir, "shop.yaml"), "--out", out, "--update"); code != 2 {
		t.Errorf("--out with --update: %d", code)
	}
}
