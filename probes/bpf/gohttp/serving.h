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

/* What the kernel side keeps of a connection that net/http serves; all 0 if it is none. */
struct go_served {
	/* Of the goroutine of (*conn).serve. */
	__u64 key;
	/* *conn */
	__u64 conn;
	/* The connection's local address: contexts of its requests descend from one that holds it. */
	__u64 local_address;
};

/* conn.rwc, of the interface net.Conn */
#define GO_CONN_RWC 16
/* Sysfd within poll.FD, with which net.netFD begins. */
#define GO_SYSFD 16
/* The pattern of a route that is kept. */
#define GO_ROUTE 256

static __always_inline __u64 go_read8(__u64 at)
{
	__u64 value = 0;

	bpf_probe_read_user(&value, sizeof(value), (void *)at);
	return value;
}

/* The *net.netFD behind a net.Conn that is a *net.TCPConn, if its descriptor is `fd`. */
static __always_inline __u64 go_netfd(__u64 tcp_conn, __u64 fd)
{
	__u64 netfd = tcp_conn ? go_read8(tcp_conn) : 0;

	return netfd && go_read8(netfd + GO_SYSFD) == fd ? netfd : 0;
}

/* Listeners that limit or look wrap each connection in a struct that begins with it: one such layer is taken off. */
static __always_inline __u64 go_netfd_of_conn(__u64 conn, __u64 fd)
{
	__u64 wrapped = go_read8(conn + GO_CONN_RWC + 8);
	__u64 netfd = go_netfd(wrapped, fd);

	return netfd || !wrapped ? netfd : go_netfd(go_read8(wrapped + 8), fd);
}

/* `g` is the goroutine that makes the system call on `fd` with the stack pointer `sp`. False if it is not (*conn).serve's. */
static __always_inline bool go_recognise(struct go_served *served, const struct go_binary *binary, __u32 tgid, __u64 g,
					 __u64 sp, __u64 fd)
{
	struct {
		__u64 low, high;
	} stack;
	__u64 conn, netfd, goid = 0;

	if (bpf_probe_read_user(&stack, sizeof(stack), (void *)g) || sp < stack.low || sp >= stack.high)
		return false;
	conn = go_read8(stack.high - binary->conn_slot);
	netfd = conn ? go_netfd_of_conn(conn, fd) : 0;
	if (!netfd || bpf_probe_read_user(&goid, sizeof(goid), (void *)(g + binary->g_goid)))
		return false;
	served->conn = conn;
	served->key = go_key(tgid, goid);
	if (binary->netfd_laddr != GO_OFFSET_UNKNOWN)
		served->local_address = go_read8(netfd + binary->netfd_laddr + 8);
	return true;
}

/* Lets the requests that the goroutine, or one that works for it, makes find the one that it serves. */
static __always_inline void go_serves(const struct go_served *served, __u64 socket, const struct go_binary *binary,
				      __u32 tgid, __u64 now)
{
	struct go_exchange *exchange = go_claim(served->key);

	if (!exchange)
		return;
	exchange->start_ns = now;
	exchange->socket = socket;
	exchange->request = 0;
	exchange->response = 0;
	exchange->span_id = 0;
	exchange->parent_span_id = 0;
	if (binary->flags & GO_BINARY_HAS_CLIENT && served->local_address)
		go_remember_context(exchange, tgid, served->local_address);
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
