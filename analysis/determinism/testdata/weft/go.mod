module github.com/weftworks/weft

go 1.26.0
