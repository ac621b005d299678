// Package lib is of another module.
package lib

import (
	"fmt"
	"math/rand"
	"os"
)

func Token() string { return fmt.Sprint(rand.Int()) }

func Debug() string { return os.Getenv("LIB_DEBUG") }

func Values(m map[string]int) (out []int) {
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

var Level int

func SetLevel(n int) { Level = n }
