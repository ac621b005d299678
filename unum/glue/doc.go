// Package glue runs the states between functions in place, by the interpreter that the engine uses.
package glue
