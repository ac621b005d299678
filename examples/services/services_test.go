package main

func Example() {
	for _, item := range []string{"teapot", "kettle"} {
		if err := run(item); err != nil {
			panic(err)
		}
	}
	// Output:
	// the warehouse hears {"item":"teapot","number":17,"price":19.5}
	// SUCCEEDED {"item":"teapot","number":17,"price":19.5}
	// FAILED UnknownItem there is no /prices/kettle
}
