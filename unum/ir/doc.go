// Package ir is the language of workflows without an orchestrator: what each function does when its code has
// answered.
package ir
