package fakes

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"sync"
)

// DynamoDB is tables in memory behind the JSON protocol of Amazon DynamoDB: PutItem, GetItem and DeleteItem by a key of one
// attribute called id. Every table whose name is right exists, unless its name begins with "no-such".
type DynamoDB struct {
	mu     sync.Mutex
	tables map[string]map[string]map[string]any // items by table and key
	serial int
}

var tableName = regexp.MustCompile(`^[a-zA-Z0-9_.-]+$`)

// ServeHTTP answers a request of the DynamoDB API.
func (d *DynamoDB) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.serial++
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("x-amzn-RequestId", uuid(d.serial))
	var in struct {
		TableName    string
		Item, Key    map[string]any
		ReturnValues string
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, "com.amazon.coral.service#SerializationException", err.Error())
		return
	}
	action := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810.")
	given, member := in.Key, "key"
	if action == "PutItem" {
		given, member = in.Item, "item"
	}
	var problems []string
	if given == nil {
		problems = append(problems, fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", member))
	}
	if !tableName.MatchString(in.TableName) {
		problems = append(problems, fmt.Sprintf("Value '%s' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+", in.TableName))
	}
	switch {
	case len(problems) == 1:
		refuse(w, "com.amazon.coral.validate#ValidationException", "1 validation error detected: "+problems[0])
		return
	case len(problems) > 1:
		refuse(w, "com.amazon.coral.validate#ValidationException", fmt.Sprintf("%d validation errors detected: %s", len(problems), strings.Join(problems, "; ")))
		return
	case strings.HasPrefix(in.TableName, "no-such"):
		refuse(w, "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "Requested resource not found")
		return
	}
	d.act(w, action, in.TableName, given, in.ReturnValues)
}

func (d *DynamoDB) act(w http.ResponseWriter, action, table string, given map[string]any, returned string) {
	if d.tables == nil {
		d.tables = map[string]map[string]map[string]any{}
	}
	if d.tables[table] == nil {
		d.tables[table] = map[string]map[string]any{}
	}
	items, key := d.tables[table], fmt.Sprint(given["id"])
	old := items[key]
	answer := map[string]any{}
	switch action {
	case "PutItem":
		items[key] = maps.Clone(given)
	case "GetItem":
		if old != nil {
			answer["Item"] = old
		}
	case "DeleteItem":
		delete(items, key)
	default:
		refuse(w, "com.amazon.coral.service#UnknownOperationException", "the fake has no "+action)
		return
	}
	if returned == "ALL_OLD" && old != nil {
		answer["Attributes"] = old
	}
	reply(w, answer)
}

// Has reports whether a table holds item.
func (d *DynamoDB) Has(table string, item map[string]any) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return reflect.DeepEqual(d.tables[table][fmt.Sprint(item["id"])], item)
}
