package statemachine

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
)

// Token is what a task token says: which task of which run waits. Check makes tokens hard to guess: it is derived
// from the run's secret seed.
type Token struct {
	Machine, Run string
	Task         uint64
	Check        uint64
}

// String returns the token as it is handed out.
func (t Token) String() string {
	b := []byte{formatVersion}
	b = wire.AppendString(b, t.Machine)
	b = wire.AppendString(b, t.Run)
	b = wire.AppendUint(b, t.Task)
	b = binary.BigEndian.AppendUint64(b, t.Check)
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseToken undoes String.
func ParseToken(text string) (Token, error) {
	var t Token
	if len(text) <= limits.TokenChars {
		if b, err := base64.RawURLEncoding.DecodeString(text); err == nil && len(b) > 9 && b[0] == formatVersion {
			n := len(b) - 8
			r := wire.NewReader(b[1:n])
			t = Token{Machine: r.String(), Run: r.String(), Task: r.Uint(), Check: binary.BigEndian.Uint64(b[n:])}
			if r.Err() == nil && r.Len() == 0 {
				return t, nil
			}
		}
	}
	return t, fault.New("", fault.InvalidToken, "", "Invalid Token: 'Invalid token'")
}

// check mixes seed and task (splitmix64).
func check(seed, task uint64) uint64 {
	z := seed + (task+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (l *Library) token(exec *machine.Execution, id uint64) string {
	return Token{Machine: exec.MachineName, Run: exec.Name, Task: id, Check: check(exec.Seed, id)}.String()
}
