package iot_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/examples/internal/exampletest"
)

func TestMain(m *testing.M) { os.Exit(exampletest.Main(m)) }

var dir = exampletest.Dir("iot")

// home is the aggregator's answer.
type home struct {
	Usable   bool
	Problem  string
	Hub      string
	Celsius  float64
	Sensors  map[string]float64
	Readings int
}

// message returns an input with the given readings, each "sensor minute temperature unit".
func message(readings ...string) string {
	var list []string
	for _, r := range readings {
		var sensor, minute, temperature, unit string
		if _, err := fmt.Sscan(r, &sensor, &minute, &temperature, &unit); err != nil {
			panic(err)
		}
		list = append(list, fmt.Sprintf(`{"sensor":%q,"at":"2026-01-12T07:%s:00Z","temperature":%s,"unit":%q}`,
			sensor, minute, temperature, unit))
	}
	return `{"hub":"h","hvac":"off","set_point":{"celsius":21,"band":0.5},"readings":[` + strings.Join(list, ",") + `]}`
}

func aggregate(t *testing.T, input string) home {
	t.Helper()
	var got home
	if err := exampletest.Python(t, dir, "aggregator.handler", input, &got); err != nil {
		t.Fatalf("aggregator: %v", err)
	}
	return got
}

func TestAggregator(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		readings []string
		celsius  float64
		sensors  map[string]float64
	}{
		{"one", []string{"a 00 20 C"}, 20, map[string]float64{"a": 20}},
		{"units", []string{"a 00 68 F", "b 00 293.15 K", "c 00 20 C"}, 20, map[string]float64{"a": 20, "b": 20, "c": 20}},
		{"smoothed in time's order", []string{"a 02 24 C", "a 00 20 C", "a 01 22 C"}, 22.5, map[string]float64{"a": 22.5}},
		{"median", []string{"a 00 20 C", "b 00 21 C", "sun 00 60 C"}, 21, map[string]float64{"a": 20, "b": 21, "sun": 60}},
		{"at the bounds", []string{"a 00 -40 F", "b 00 85 C"}, 22.5, map[string]float64{"a": -40, "b": 85}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := aggregate(t, message(c.readings...))
			want := home{Usable: true, Hub: "h", Celsius: c.celsius, Sensors: c.sensors, Readings: len(c.readings)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAggregatorSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	good := message("a 00 20 C")
	for _, c := range []struct{ name, input, want string }{
		{"no object", `[]`, "not an object"},
		{"nothing", `{}`, "hub: give the hub's name; hvac: give"},
		{"no readings", message(), "readings: give at least one"},
		{"hvac", strings.Replace(good, `"off"`, `"on"`, 1), `"heat"`},
		{"set point", strings.Replace(good, `"celsius":21`, `"celsius":true`, 1), "set_point.celsius"},
		{"band", strings.Replace(good, `0.5`, `0`, 1), "set_point.band"},
		{"too hot", message("a 00 20 C", "b 01 999 C"), "readings[1].temperature: 999 C of sensor 'b' is outside -40 to 85 C"},
		{"below zero", message("a 00 -1 K"), "outside"},
		{"unit", message("a 00 20 X"), "readings[0].unit: 'X' is not one of C, F, K"},
		{"no number", message(`a 00 "20" C`), "'20' is not a number"},
		{"no boolean", message("a 00 true C"), "True is not a number"},
		{"time", message("a 61 20 C"), "readings[0].at"},
		{"time without zone", strings.Replace(good, ":00Z", ":00", 1), "readings[0].at"},
		{"reading", strings.Replace(good, `[{`, `[7,{`, 1), "readings[0]: give sensor"},
		{"two problems", message("a 61 20 C", "b 00 20 X"), "; readings[1].unit"},
		{"many problems", message(strings.Split(strings.Repeat("a 00 999 C|", 29)+"a 00 999 C", "|")...), "and 20 more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := aggregate(t, c.input)
			if got.Usable || !strings.Contains(got.Problem, c.want) {
				t.Errorf("answer %+v, want a problem with %q", got, c.want)
			}
		})
	}
}

// command is the controller's answer.
type command struct {
	Hub     string  `json:"hub"`
	Celsius float64 `json:"celsius"`
	HVAC    string  `json:"hvac"`
	Changed bool    `json:"changed"`
	Why     string  `json:"why"`
}

func TestController(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		now     string
		celsius float64
		next    string
	}{
		{"off", 20.4, "heat"}, {"off", 20.5, "off"}, {"off", 21.5, "off"}, {"off", 21.6, "cool"},
		{"heat", 20.9, "heat"}, {"heat", 21, "off"}, {"heat", 21.6, "cool"},
		{"cool", 21.1, "cool"}, {"cool", 21, "off"}, {"cool", 20.4, "heat"},
	} {
		t.Run(fmt.Sprint(c.now, c.celsius), func(t *testing.T) {
			t.Parallel()
			input, err := json.Marshal(map[string]any{
				"hub": "h", "hvac": c.now, "celsius": c.celsius, "set_point": map[string]any{"celsius": 21, "band": 0.5},
			})
			if err != nil {
				t.Fatal(err)
			}
			var got command
			if err := exampletest.Node(t, dir, "hvac_controller.handler", string(input), &got); err != nil {
				t.Fatal(err)
			}
			if got.HVAC != c.next || got.Changed != (c.next != c.now) || got.Hub != "h" || got.Why == "" {
				t.Errorf("answer %+v, want %s", got, c.next)
			}
		})
	}
}
