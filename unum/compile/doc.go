// Package compile makes one instruction file for each function out of a state machine.
package compile
