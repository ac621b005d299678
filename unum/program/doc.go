// Package program is what a protocol.Program does: the instructions of package ir, and the glue between functions of
// compiled machines.
package program
