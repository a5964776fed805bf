// The shop's catalog: asks for the price before it answers.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

func main() {
	pricing := ""
	for _, argument := range os.Args[1:] {
		if url, found := strings.CutPrefix(argument, "pricing="); found {
			pricing = url
		}
	}
	http.HandleFunc("GET /products/{id}", func(w http.ResponseWriter, r *http.Request) {
		price := "unknown"
		if pricing != "" {
			request, err := http.NewRequestWithContext(r.Context(), "GET", pricing+"/price?id="+r.PathValue("id"), nil)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			defer response.Body.Close()
			body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
			price = string(body)
		}
		fmt.Fprintf(w, `{"id":%q,"price":%q}`, r.PathValue("id"), price)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	panic(http.Serve(listener, nil))
}
