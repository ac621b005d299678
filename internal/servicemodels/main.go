// Command servicemodels makes package machine/teststate/serviceapi's models.zip: of AWS's service models, as botocore has
// them, only what actions answer. It is run by hand when AWS has new services:
//
//	go run ./internal/servicemodels BOTOCORE/data machine/teststate/serviceapi/models.zip
package main

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// services are those that machines commonly call, by the names of their directories: all 400 would be 1 MB.
var services = strings.Fields(`apigateway athena backup batch bedrock bedrock-agent bedrock-agent-runtime bedrock-runtime
	cloudformation cloudwatch codebuild cognito-identity cognito-idp comprehend databrew dynamodb ec2 ecr ecs eks emr
	emr-containers emr-serverless events firehose glue iam kinesis kms lambda logs mediaconvert opensearch pipes polly rds
	rds-data redshift-data rekognition s3 sagemaker scheduler secretsmanager ses sesv2 sns sqs ssm stepfunctions sts
	textract transcribe translate`)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: servicemodels BOTOCORE/data OUTPUT.zip")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "servicemodels:", err)
		os.Exit(1)
	}
}

func run(dir, output string) error {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	for _, name := range services {
		m, err := load(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		w, err := z.Create(strings.NewReplacer(" ", "", "-", "").Replace(strings.ToLower(m.Metadata.ServiceID)))
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, m.text()); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(output, b.Bytes(), 0o644)
}

// model is what is needed of a service-2.json.
type model struct {
	Metadata   struct{ ServiceID string }
	Operations map[string]struct{ Output *reference }
	Shapes     map[string]*shape

	numbers map[string]int
	lines   []string
}

type reference struct{ Shape string }

type shape struct {
	Type     string
	Document bool
	Required []string
	Members  map[string]reference
	Member   reference
	Value    reference
	Enum     []string
	Min, Max *float64
}

// load reads a service's newest model.
func load(dir string) (*model, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*", "service-2.json.gz"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no model in %s (%w)", dir, cmp.Or(err, os.ErrNotExist))
	}
	f, err := os.Open(slices.Max(files))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	m := &model{numbers: map[string]int{}}
	if err := json.NewDecoder(z).Decode(m); err != nil {
		return nil, err
	}
	for name, most := range recorded[m.Metadata.ServiceID] {
		m.Shapes[name].Max = &most
	}
	return m, nil
}

// recorded are bounds of shapes, by service, with which Step Functions is known to compare although the service's model has
// others since.
var recorded = map[string]map[string]float64{"Lambda": {"MemorySize": 10240}}

// text writes the model as package serviceapi reads it.
func (m *model) text() string {
	var operations []string
	for name, o := range m.Operations {
		if o.Output != nil {
			operations = append(operations, name+" "+o.Output.Shape)
		}
	}
	slices.Sort(operations)
	for i, o := range operations {
		name, output, _ := strings.Cut(o, " ")
		operations[i] = fmt.Sprintf("%s %d", name, m.number(output))
	}
	return strings.Join(operations, "\n") + "\n\n" + strings.Join(m.lines, "\n")
}

// number returns the line of a shape, and writes the line of one that has none.
func (m *model) number(name string) int {
	if n, ok := m.numbers[name]; ok {
		return n
	}
	n := len(m.lines)
	m.numbers[name] = n
	m.lines = append(m.lines, "")
	m.lines[n] = m.line(m.Shapes[name])
	return n
}

func (m *model) line(s *shape) string {
	bounds := bound(s.Min) + "," + bound(s.Max)
	switch {
	case s.Document:
		return "*"
	case s.Type == "structure":
		var members []string
		for name := range s.Members {
			members = append(members, name)
		}
		slices.Sort(members)
		for i, name := range members {
			mark := ":"
			if slices.Contains(s.Required, name) {
				mark = "!"
			}
			members[i] = fmt.Sprintf("%s%s%d", name, mark, m.number(s.Members[name].Shape))
		}
		return "{" + strings.Join(members, " ")
	case s.Type == "list":
		return fmt.Sprintf("[%d", m.number(s.Member.Shape))
	case s.Type == "map":
		return fmt.Sprintf("<%d", m.number(s.Value.Shape))
	case s.Type == "string":
		return strings.Join(append([]string{`"` + bounds}, s.Enum...), "|")
	case s.Type == "blob":
		return `"` + bounds
	case s.Type == "timestamp":
		return `",`
	case s.Type == "boolean":
		return "?"
	}
	return "#" + bounds // integer, long, float, double
}

func bound(n *float64) string {
	if n == nil {
		return ""
	}
	return fmt.Sprintf("%.0f", *n)
}
