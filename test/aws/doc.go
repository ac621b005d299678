// Package aws tests that unmodified AWS clients drive Weft: the SDK for Go and, where it is installed, the aws
// command. It is a module of its own so that Weft itself does not depend on the SDK.
package aws
