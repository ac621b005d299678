package dynamodb

import (
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
)

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func textOf(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func numberOf(v types.AttributeValue) int64 {
	if n, ok := v.(*types.AttributeValueMemberN); ok {
		i, err := strconv.ParseInt(n.Value, 10, 64)
		if err == nil {
			return i
		}
	}
	return 0
}

func bytesOf(v types.AttributeValue) []byte {
	if b, ok := v.(*types.AttributeValueMemberB); ok {
		return b.Value
	}
	return nil
}

// encode returns a record's item. What is zero is left out, but for nonce and step, which conditions compare.
func encode(key string, r *unum.Record) map[string]types.AttributeValue {
	item := address(key)
	item["n"], item["s"] = text(r.Nonce), number(r.Step)
	if len(r.Value) > 0 {
		item["v"] = &types.AttributeValueMemberB{Value: r.Value}
	}
	if r.Width != 0 {
		item["w"] = number(r.Width)
	}
	if len(r.Members) > 0 {
		item["m"] = &types.AttributeValueMemberSS{Value: r.Members}
	}
	if r.Failed != "" {
		item["f"] = text(r.Failed)
	}
	if r.Ended {
		item["e"] = &types.AttributeValueMemberBOOL{Value: true}
	}
	expiring(item, r.Expires)
	return item
}

// expiring gives an item its time to live; 0: none.
func expiring(item map[string]types.AttributeValue, expires int64) {
	if expires != 0 {
		item[TTLAttribute] = number(expires)
	}
}

// decode returns the record of an item.
func decode(key string, item map[string]types.AttributeValue) (*unum.Record, error) {
	_, hasNonce := item["n"].(*types.AttributeValueMemberS)
	_, hasStep := item["s"].(*types.AttributeValueMemberN)
	if !hasNonce || !hasStep {
		return nil, fault.New("dynamodb", fault.Corrupt, key, "the item is no record: something else writes to the table")
	}
	r := &unum.Record{
		Nonce: textOf(item["n"]), Step: numberOf(item["s"]), Value: bytesOf(item["v"]), Width: numberOf(item["w"]),
		Failed: textOf(item["f"]), Expires: numberOf(item[TTLAttribute]),
	}
	_, r.Ended = item["e"]
	if m, ok := item["m"].(*types.AttributeValueMemberSS); ok {
		slices.Sort(m.Value) // a set has no order
		r.Members = m.Value
	}
	return r, nil
}
