package image_test

import (
	"testing"
	"time"

	"github.com/weftworks/weft/bench/mode/modetest"
	"github.com/weftworks/weft/bench/workload/image"
)

func TestImageRecognition(t *testing.T) {
	t.Parallel()
	modetest.Check(t, 2, nil, image.New(time.Millisecond))
}
