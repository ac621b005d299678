// Package jsonvalue is JSON as Weft handles it: texts that pass through untouched, and trees that keep
// the order of keys and the digits of numbers.
//
// A value is one of: nil, bool, Number, string, []any, *Object. Trees are shared freely and never
// changed once built; code that needs another value builds one.
package jsonvalue
