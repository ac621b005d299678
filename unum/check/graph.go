package check

import "github.com/weftworks/weft/unum/protocol"

// Graph is a hand-written graph.
type Graph struct{}

type graphProgram struct{ g *Graph }

func (p *graphProgram) Entry(string, []byte, int64) (c protocol.Call, err error) { return c, err }
func (p *graphProgram) Work(*protocol.Request, [][]byte) (w protocol.Work, err error) {
	return w, err
}
func (p *graphProgram) Plan(*protocol.Request, [][]byte, *protocol.Outcome) (*protocol.Plan, error) {
	return nil, nil
}
func (p *graphProgram) Head([]protocol.Line, []byte, int64, int64) (c protocol.Call, err error) {
	return
}
func (p *graphProgram) Join(string, []protocol.Line, []byte, []*protocol.End, int64) (*protocol.Plan, error) {
	return nil, nil
}
func (p *graphProgram) run(*protocol.Request, string, int) *protocol.Outcome { return nil }
func (p *graphProgram) results(bool) (string, bool, bool)                    { return "", true, true }
