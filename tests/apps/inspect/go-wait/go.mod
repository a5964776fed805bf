module example.com/inspect/go-wait

go 1.15
