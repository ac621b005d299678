package glue

import (
	"errors"

	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/machine"
)

// exitVersion is the first byte of a stored exit. It begins no JSON text.
const exitVersion = 1

var errExit = errors.New("glue: the state of a line is malformed, of a newer version, or of another machine")

// AppendBinary appends the exit's encoding, from which Decode makes it again but for what only its maker needs (Function).
func (x *Exit) AppendBinary(b []byte) []byte {
	b = append(b, exitVersion, byte(x.Kind))
	b = wire.AppendInt(b, x.Asked)
	b = wire.AppendInt(b, x.At)
	switch x.Kind {
	case Invoke:
		b = wire.AppendUint(b, x.ID)
		b = wire.AppendUint(b, x.Timer)
		b = wire.AppendInt(b, x.Expires)
		if b = wire.AppendBool(b, x.same); !x.same {
			b = wire.AppendBytes(b, x.Input)
		}
		return append(b, x.Frame...)
	case Pause:
		b = wire.AppendUint(b, x.Timer)
		return append(b, x.Frame...)
	case Fork:
		b = wire.AppendUint(b, x.ID)
		b = wire.AppendUint(b, uint64(x.Width))
		b = wire.AppendUint(b, uint64(x.Concurrency))
		return append(b, x.Frame...)
	}
	for _, flag := range [...]bool{x.Failed, x.Tolerated, x.HasError, x.HasCause} {
		b = wire.AppendBool(b, flag)
	}
	b = wire.AppendBytes(b, x.Output)
	for _, text := range [...]string{x.Error, x.Cause, x.Alias} {
		b = wire.AppendString(b, text)
	}
	return b
}

// Decode returns the exit that AppendBinary wrote. It keeps b.
func (m *Machine) Decode(b []byte) (*Exit, error) {
	r := wire.NewReader(b)
	if r.Byte() != exitVersion {
		r.Fail(errExit)
	}
	x := &Exit{Kind: Kind(r.Byte()), Asked: r.Int(), At: r.Int()}
	switch x.Kind {
	case Invoke:
		x.ID, x.Timer, x.Expires, x.same = r.Uint(), r.Uint(), r.Int(), r.Bool()
		if !x.same {
			x.Input = r.Bytes()
		}
		x.Frame = r.Rest()
	case Fork:
		x.ID, x.Width, x.Concurrency = r.Uint(), int(r.Uint()), int(r.Uint())
		x.Frame = r.Rest()
	case Pause:
		x.Timer, x.Frame = r.Uint(), r.Rest()
	case End:
		x.Failed, x.Tolerated, x.HasError, x.HasCause = r.Bool(), r.Bool(), r.Bool(), r.Bool()
		if x.Output = r.Bytes(); len(x.Output) == 0 {
			x.Output = nil
		}
		x.Error, x.Cause, x.Alias = r.String(), r.String(), r.String()
	default:
		r.Fail(errExit)
	}
	if err := r.Err(); err != nil || x.Kind == End {
		return x, err
	}
	f, err := machine.DecodeFrame(x.Frame, m.in)
	if err != nil {
		return nil, err
	}
	var input []byte
	x.frame = f
	if x.State, input = f.Stands(); x.same {
		x.Input = input
	}
	return x, nil
}
