// A server and client of net/http for the tests: each path is one way in which programs use it. It listens where its
// argument says, on a TCP address or the path of a Unix socket, with TLS if the variable of that name is set, and prints "ready".
// If there is a second address, it listens there too, without TLS. Connections without TLS are wrapped as LAYERS says.
// "storm FIRST PAUSE" serves nothing, and only makes requests.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
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

// Requests that fail before anything is sent, as many as there is time for, while the one who connects keeps the connection
// open; then it is told how many there were. Each names its number, counted from first, in all of its parts. With a pause,
// in microseconds at most, between two.
func storm(listener net.Listener, first, pause int) {
	conn, err := listener.Accept()
	if err != nil {
		return
	}
	var next atomic.Int64
	var stop atomic.Bool
	var workers sync.WaitGroup
	refused := errors.New("nobody is asked")
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, refused }}
	work := func() {
		defer workers.Done()
		header := make(http.Header)
		for i := 0; i < 40; i++ {
			header.Set(fmt.Sprintf("X-Fill-%02d", i), "x")
		}
		for !stop.Load() {
			number := first + int(next.Add(1)) - 1
			host := fmt.Sprintf("host-%d.example", number)
			header.Set("User-Agent", fmt.Sprintf("agent-%d", number))
			header.Set("Traceparent", fmt.Sprintf("00-%032x-%016x-01", number, number))
			url := &url.URL{Scheme: "http", Host: host, Path: fmt.Sprintf("/hello/%d", number)}
			transport.RoundTrip(&http.Request{Method: "GET", URL: url, Host: host, Header: header})
			if pause > 0 {
				time.Sleep(time.Duration(1+number*7919%pause) * time.Microsecond)
			}
		}
	}
	for i := 0; i < runtime.GOMAXPROCS(0); i++ {
		workers.Add(1)
		go work()
	}
	io.Copy(io.Discard, conn)
	stop.Store(true)
	workers.Wait()
	fmt.Fprintln(conn, next.Load())
	conn.Close()
}

func main() {
	if os.Args[1] == "storm" {
		listener := listen("127.0.0.1:0")
		fmt.Println("ready", listener.Addr())
		first, _ := strconv.Atoi(os.Args[2])
		pause, _ := strconv.Atoi(os.Args[3])
		storm(listener, first, pause)
		select {}
	}
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
