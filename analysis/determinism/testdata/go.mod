// The module that the tests of package determinism look at. Its dependencies are stand-ins beside it.
module example.com/shop

go 1.26.0

require (
	example.com/lib v0.0.0
	github.com/google/uuid v0.0.0
	github.com/weftworks/weft v0.0.0
)

replace (
	example.com/lib => ./lib
	github.com/google/uuid => ./uuid
	github.com/weftworks/weft => ./weft
)
