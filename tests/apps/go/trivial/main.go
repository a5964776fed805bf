// A server that does next to nothing for a request, so that what a probe adds shows.
package main

import (
	"io"
	"net/http"
	"os"
)

func main() {
	handler := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello\n") }
	if err := http.ListenAndServe(os.Args[1], http.HandlerFunc(handler)); err != nil {
		panic(err)
	}
}
