package server

import "github.com/weftworks/weft/fault"

// RESTStatus is what external tests see of restStatus.
func RESTStatus(k fault.Kind) int { return restStatus[k] }
