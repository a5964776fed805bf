/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The server of Go's net/http as it is seen from the kernel side, without a probe in the program: two hits cost more than all
 * the rest of a span. The bytes are those of any HTTP/1 connection; here is what makes them Go's.
 *
 * While (*conn).serve reads a request, the current goroutine is in a register of its system call, and the *conn lies at a
 * known distance from the end of the goroutine's stack. From there Go's own structs lead to the socket, which proves that it
 * is the right one, and at the end of the request to the route. Both stay the same for as long as the connection lasts.
 */
#ifndef ODIGOS_GOHTTP_SERVING_H
#define ODIGOS_GOHTTP_SERVING_H

#include "state.h"

/* What the kernel side keeps of a connection that net/http serves, or may serve; all 0 if it is none. */
struct go_served {
	/* Of the goroutine of (*conn).serve; while `conn` is 0, of the one that has read the request. */
	__u64 key;
	/* *conn; 0 while it is not known that net/http serves the connection. */
	__u64 conn;
	/* Contexts of its requests descend from one that holds this, the connection's local address, or is at this address. */
	__u64 ancestor;
};

/* conn.rwc, of the interface net.Conn */
#define GO_CONN_RWC 16
/* Sysfd within poll.FD, with which net.netFD begins. */
#define GO_SYSFD 16
/* The pattern of a route that is kept. */
#define GO_ROUTE 256
/* How often a connection may be wrapped and still be recognised. */
#define GO_LAYERS 4

static __always_inline __u64 go_read8(__u64 at)
{
	__u64 value = 0;

	bpf_probe_read_user(&value, sizeof(value), (void *)at);
	return value;
}

/* The *net.netFD behind a net.Conn that is a *net.TCPConn, if its descriptor is `fd`. */
static __always_inline __u64 go_netfd(__u64 tcp_conn, __u64 fd)
{
	__u64 netfd = go_read8(tcp_conn);

	return netfd && go_read8(netfd + GO_SYSFD) == fd ? netfd : 0;
}

/* What the struct of a connection wraps: listeners that limit or look put each connection into one that begins with it. */
static __always_inline __u64 go_unwrap(__u64 layer)
{
	return go_read8(layer + 8);
}

static __always_inline __u64 go_netfd_of_conn(__u64 conn, __u64 fd)
{
	__u64 layer = go_read8(conn + GO_CONN_RWC + 8), netfd;

	for (int depth = 0; depth <= GO_LAYERS && layer; depth++) {
		netfd = go_netfd(layer, fd);
		if (netfd)
			return netfd;
		layer = go_unwrap(layer);
	}
	return 0;
}

/*
 * `g` is the goroutine that makes the system call on `fd` with the stack pointer `sp`; false if it is none. Where it is not
 * seen to be the one of (*conn).serve, only its key is set.
 */
static __always_inline bool go_recognise(struct go_served *served, const struct go_binary *binary, __u32 tgid, __u64 g,
					 __u64 sp, __u64 fd)
{
	struct {
		__u64 low, high;
	} stack;
	__u64 conn, netfd, goid = 0;

	if (bpf_probe_read_user(&stack, sizeof(stack), (void *)g) || sp < stack.low || sp >= stack.high)
		return false;
	if (bpf_probe_read_user(&goid, sizeof(goid), (void *)(g + binary->g_goid)))
		return false;
	served->key = go_key(tgid, goid);
	conn = go_read8(stack.high - binary->conn_slot);
	netfd = conn ? go_netfd_of_conn(conn, fd) : 0;
	if (!netfd)
		return true;
	served->conn = conn;
	if (binary->netfd_laddr != GO_OFFSET_UNKNOWN)
		served->ancestor = go_read8(netfd + binary->netfd_laddr + 8);
	return true;
}

/* Lets the requests that the goroutine, or one that works for it, makes find the one that it serves. */
static __always_inline void go_serves(const struct go_served *served, __u64 socket, const struct go_binary *binary,
				      __u32 tgid, __u64 now)
{
	struct go_exchange *exchange = go_begin(served->key, tgid, socket, now);

	if (exchange && binary->flags & GO_BINARY_HAS_CLIENT && served->ancestor)
		go_remember_context(exchange, tgid, served->ancestor);
}

static __always_inline void go_served(const struct go_served *served, __u64 socket)
{
	struct go_exchange *exchange = go_find(served->key);

	if (exchange && exchange->socket == socket)
		go_release(exchange);
}

/* What net/http knows of a request that is answered, and the bytes on the wire do not tell. */
struct go_answer {
	/* The pattern that it matched. */
	struct go_string route;
	/* Bytes that the handler has written. */
	__u64 written;
};

/* Of the request that the connection is answering; false if there is none. */
static __always_inline bool go_read_answer(struct go_answer *answer, const struct go_served *served,
					   const struct go_binary *binary)
{
	struct {
		__u64 conn, request;
	} response;
	__u64 at = go_read8(served->conn + binary->conn_cur_req), route = 0;

	if (!at || bpf_probe_read_user(&response, sizeof(response), (void *)at) || response.conn != served->conn)
		return false;
	answer->written = go_read8(at + binary->response_written);
	if (binary->request_pattern != GO_OFFSET_UNKNOWN)
		route = response.request + binary->request_pattern;
	else if (binary->request_pat != GO_OFFSET_UNKNOWN)
		route = go_read8(response.request + binary->request_pat);
	if (!route || bpf_probe_read_user(&answer->route, sizeof(answer->route), (void *)route))
		answer->route.length = 0;
	return true;
}

#endif
