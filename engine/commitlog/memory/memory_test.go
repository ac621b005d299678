package memory_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/engine/commitlog/logtest"
	"github.com/weftworks/weft/engine/commitlog/memory"
	"github.com/weftworks/weft/fault"
)

func harness(manual bool) func(*testing.T) logtest.Harness {
	return func(*testing.T) logtest.Harness {
		disk := &memory.Disk{}
		return logtest.Harness{
			Open: func(durable commitlog.DurableFunc) (commitlog.Log, error) {
				return memory.Open(disk, &memory.Options{Durable: durable, Manual: manual})
			},
			Crash: func(_ commitlog.Log, rng *rand.Rand) error {
				disk.Crash(rng.IntN(disk.Unsynced() + 1))
				return nil
			},
		}
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	logtest.Run(t, false, harness(false))
}

func TestConformanceManual(t *testing.T) {
	t.Parallel()
	logtest.Run(t, true, harness(true))
}

func TestFail(t *testing.T) {
	t.Parallel()
	for _, manual := range []bool{false, true} {
		disk, m := &memory.Disk{}, logtest.NewModel()
		log, err := memory.Open(disk, &memory.Options{Durable: m.Durable(), Manual: manual})
		if err != nil {
			t.Fatal(err)
		}
		broken := errors.New("broken")
		log.Fail(broken)
		if _, err := log.Append(1, nil); !fault.Is(err, fault.Unavailable) || !errors.Is(err, broken) {
			t.Errorf("Append after a failure: %v", err)
		}
		if err := m.Wait(1 << 62); !errors.Is(err, broken) {
			t.Errorf("Durable says %v", err)
		}
		if err := log.Close(); !errors.Is(err, broken) {
			t.Errorf("Close: %v", err)
		}
	}
}

func TestBufferIsBounded(t *testing.T) {
	t.Parallel()
	log, err := memory.Open(&memory.Disk{}, &memory.Options{Manual: true, BufferBytes: 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.Append(1, make([]byte, 100)); err != nil {
		t.Errorf("an entry larger than the buffer, alone: %v", err)
	}
	if _, err := log.Append(1, make([]byte, 1)); !fault.Is(err, fault.Busy) {
		t.Errorf("an entry more: %v", err)
	}
	if err := log.Flush(); err != nil {
		t.Error(err)
	}
	if _, err := log.Append(1, make([]byte, 1)); err != nil {
		t.Errorf("after Flush: %v", err)
	}
}
