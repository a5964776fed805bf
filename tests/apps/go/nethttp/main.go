// A server and client of net/http for the tests: each path is one way in which programs use it. It listens where its
// argument says, on a TCP address or the path of a Unix socket, with TLS if the variable of that name is set, and prints "ready".
// If there is a second address, it listens there too, without TLS. Connections without TLS are wrapped as LAYERS says.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
)

type job struct {
	ctx  context.Context
	url  string
	done chan result
}

type result struct {
	status int
	err    error
}

// Workers that no request started.
func startPool() chan<- job {
	jobs := make(chan job)
	for i := 0; i < 4; i++ {
		go func() {
			for j := range jobs {
				status, err := fetch(j.ctx, j.url)
				j.done <- result{status, err}
			}
		}()
	}
	return jobs
}

func fetch(ctx context.Context, url string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

func answer(w http.ResponseWriter, status int, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	fmt.Fprintln(w, status)
}

func target(r *http.Request) string { return "http://" + r.URL.Query().Get("to") }

// Go before 1.22 takes the pattern for a path without wildcards, so this serves the prefix there.
func pattern(route, prefix string) string {
	if strings.Contains(os.Getenv("PATTERNS"), "wildcards") {
		return route
	}
	return prefix
}

func routes(jobs chan<- job) http.Handler {
	mux := http.NewServeMux()
	handle := func(route string, handler http.HandlerFunc) { mux.HandleFunc(route, handler) }
	handle(pattern("GET /hello/{id}", "/hello/"), func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello\n") })
	handle("/echo", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	handle("/upload", func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	handle("/empty", func(w http.ResponseWriter, r *http.Request) {})
	handle("/fail", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "failed", 500) })
	handle("/panic", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	handle("/big", func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.URL.Query().Get("size"))
		w.Write(make([]byte, size))
	})
	handle("/hijack", func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			conn.Close()
		}
	})
	mux.Handle("/strip/", http.StripPrefix("/strip", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.URL.Path)
	})))
	handle("/call", func(w http.ResponseWriter, r *http.Request) {
		status, err := fetch(context.Background(), target(r))
		answer(w, status, err)
	})
	handle("/call/goroutine", func(w http.ResponseWriter, r *http.Request) {
		done := make(chan result)
		go func() {
			status, err := fetch(context.Background(), target(r))
			done <- result{status, err}
		}()
		got := <-done
		answer(w, got.status, got.err)
	})
	handle("/call/pool", func(w http.ResponseWriter, r *http.Request) {
		type key struct{}
		ctx, cancel := context.WithCancel(context.WithValue(r.Context(), key{}, 1))
		defer cancel()
		done := make(chan result)
		jobs <- job{ctx, target(r), done}
		got := <-done
		answer(w, got.status, got.err)
	})
	return mux
}

// A connection in a struct that begins with it.
type embedding struct{ net.Conn }

// A connection in a struct that begins with something else.
type hiding struct {
	reads int
	net.Conn
}

// A connection of which a part has been read already.
type sniffed struct {
	net.Conn
	first []byte
}

func (s *sniffed) Read(p []byte) (int, error) {
	if len(s.first) == 0 {
		return s.Conn.Read(p)
	}
	n := copy(p, s.first)
	s.first = s.first[n:]
	return n, nil
}

// Wraps each connection once for each letter, the innermost first; "s" reads what comes first, on the goroutine that accepts.
type layering struct {
	net.Listener
	layers string
}

func (l *layering) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	for _, layer := range l.layers {
		switch layer {
		case 'e':
			conn = &embedding{conn}
		case 'h':
			conn = &hiding{Conn: conn}
		case 's':
			first := make([]byte, 4096)
			n, _ := conn.Read(first)
			conn = &sniffed{conn, first[:n]}
		}
	}
	return conn, nil
}

func servePlain(listener net.Listener, handler http.Handler) {
	if layers := os.Getenv("LAYERS"); layers != "" {
		listener = &layering{listener, layers}
	}
	fmt.Fprintln(os.Stderr, http.Serve(listener, handler))
}

func listen(address string) net.Listener {
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return listener
}

func main() {
	handler := routes(startPool())
	listener := listen(os.Args[1])
	if len(os.Args) > 2 {
		go servePlain(listen(os.Args[2]), handler)
	}
	fmt.Println("ready", listener.Addr())
	if os.Getenv("TLS") != "" {
		// It brings a certificate.
		server := httptest.NewUnstartedServer(handler)
		server.Listener = listener
		server.StartTLS()
		select {}
	}
	servePlain(listener, handler)
}
