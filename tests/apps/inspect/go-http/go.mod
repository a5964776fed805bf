module example.com/inspect/go-http

go 1.15
