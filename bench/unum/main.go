// Command unum measures runs without an orchestrator.
package main

func main() {}
