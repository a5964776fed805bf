// The sample server that the tests of runtime-inspect build with several Go releases and linker modes.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
)

type key struct{}

// keepStructs makes the linker keep the debugging information of the structs that the tests compare.
func keepStructs(request *http.Request) int {
	ctx, cancel := context.WithCancel(context.WithValue(request.Context(), key{}, len(os.Args)))
	defer cancel()
	counts := map[string]int{}
	for _, argument := range os.Args {
		counts[argument]++
	}
	response, err := http.DefaultClient.Do(request.WithContext(ctx))
	if err != nil {
		return len(counts)
	}
	return response.StatusCode + len(counts)
}

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, extra(), keepStructs(r))
	})
	fmt.Println(http.ListenAndServe(os.Args[1], nil))
}
