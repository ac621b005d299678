package jsonata_test

import (
	"errors"
	"fmt"

	"github.com/weftworks/weft/asl/jsonata"
	"github.com/weftworks/weft/asl/jsonvalue"
)

func Example() {
	order, err := jsonvalue.ParseString(`{"items": [{"sku": "a", "price": 2.5, "quantity": 4}, {"sku": "b", "price": 10, "quantity": 1}]}`)
	if err != nil {
		panic(err)
	}
	x, err := jsonata.Compile(`{"total": $sum(items.(price * quantity)), "dear": items[price > 5].sku}`)
	if err != nil {
		panic(err)
	}
	v, defined, err := x.Eval(&jsonata.Env{Input: order, HasInput: true})
	fmt.Println(jsonvalue.Text(v), defined, err)
	// Output: {"total":20,"dear":"b"} true <nil>
}

// Variables come from the caller, when they are asked for.
func ExampleExpr_Eval_variables() {
	x, err := jsonata.Compile(`"Hello, " & $who & $nobody`)
	if err != nil {
		panic(err)
	}
	v, _, err := x.Eval(&jsonata.Env{Variable: func(name string) (any, bool) {
		fmt.Println("asked for", name)
		return "Ann", name == "who"
	}})
	fmt.Println(v, err)
	// Output:
	// asked for who
	// asked for nobody
	// Hello, Ann <nil>
}

// Whoever allows only variables, as Step Functions does, looks at what an expression uses.
func ExampleExpr_Uses() {
	x, err := jsonata.Compile(`$states.input.total > limit`)
	if err != nil {
		panic(err)
	}
	uses := x.Uses()
	fmt.Println("variables", uses.Variables, "fields of the input", uses.Fields)
	// Output: variables [states] fields of the input [limit]
}

func ExampleError() {
	_, err := jsonata.Compile(`items[price > ]`)
	var e *jsonata.Error
	if errors.As(err, &e) {
		fmt.Println(e.Code, e.Position, e.Token)
		fmt.Println(e.Message)
	}
	// Output:
	// S0211 15 ]
	// The symbol "]" cannot be used as a unary operator
}

func ExampleLimits() {
	x, err := jsonata.Compile(`($f := function($n) { $f($n + 1) }; $f(1))`)
	if err != nil {
		panic(err)
	}
	_, _, err = x.Eval(&jsonata.Env{Limits: jsonata.Limits{Steps: 10_000}})
	fmt.Println(err)
	// Output: U1001: Expression evaluation timeout: Check for infinite loop
}
