// Command services runs a state machine whose tasks are service integrations: an HTTP Task, one of its own in Go, and a
// message to a topic that leads to an HTTP sink. The services are all in this process.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/engine/integration"
	"github.com/weftworks/weft/engine/integration/sink"
	"github.com/weftworks/weft/engine/integration/web"
)

//go:embed machine.asl.json
var definition []byte

// shop is the API with the prices, and the warehouse's end of the topic.
func shop(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/warehouse":
		var notification struct{ Message string }
		body, _ := io.ReadAll(r.Body)
		if json.Unmarshal(body, &notification) == nil {
			fmt.Println("the warehouse hears", notification.Message)
		}
	case r.Header.Get("X-Shop-Key") != "opensesame":
		http.Error(w, "who are you?", http.StatusUnauthorized)
	case r.URL.Path == "/prices/teapot":
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"price": 19.5}`))
	default:
		http.Error(w, "there is no "+r.URL.Path, http.StatusNotFound)
	}
}

// createOrder is an integration in Go. A call may come again after a crash, with the same Key.
func createOrder(_ context.Context, req *integration.Request) ([]byte, error) {
	var order struct {
		Item  string
		Price float64
	}
	if err := json.Unmarshal(req.Arguments, &order); err != nil || order.Price <= 0 {
		return nil, integration.Errorf("Crm.BadOrder", "%s is no order", req.Arguments)
	}
	return json.Marshal(map[string]any{"number": 17, "item": order.Item, "price": order.Price})
}

func run(item string) (err error) {
	server := httptest.NewServer(http.HandlerFunc(shop))
	defer server.Close()

	set := integration.NewSet()
	defer func() { err = errors.Join(err, set.Close()) }()
	err = errors.Join(
		set.Register("crm:createOrder", integration.Func(createOrder)),
		web.Register(set, web.Config{Connections: map[string]web.Connection{"shop": {APIKeyName: "X-Shop-Key", APIKeyValue: "opensesame"}}}),
		sink.Register(set, sink.Config{Topics: map[string]string{"orders": server.URL + "/warehouse"}}),
	)
	if err != nil {
		return err
	}
	node, err := engine.Open(engine.Options{Integrations: set})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }()

	ctx := context.Background()
	if _, err := node.CreateMachine(ctx, engine.CreateMachine{Name: "order", Definition: definition}); err != nil {
		return err
	}
	input := fmt.Appendf(nil, `{"api": %q, "item": %q}`, server.URL, item)
	started, err := node.StartRun(ctx, engine.StartRun{Machine: "order", Name: "order-1", Input: input})
	if err != nil {
		return err
	}
	ended, err := node.WaitRun(ctx, started.ID)
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s", ended.Status, ended.Output, ended.Error, ended.Cause)), " "))
	return nil
}

func main() {
	item := "teapot"
	if len(os.Args) > 1 {
		item = os.Args[1]
	}
	if err := run(item); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
