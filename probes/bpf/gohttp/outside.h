/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Whether a request that a probe sees begin is one that the kernel side follows already, since only one of the two may make a
 * span of it: a server that is probed, because it serves with TLS or over Unix sockets, may serve plain connections too.
 *
 * The kernel side has noted which goroutine has read the request, and most often that is the one that serves it. Where another
 * has read it, as with listeners that look at the first bytes, the connection leads to the socket.
 */
#ifndef ODIGOS_GOHTTP_OUTSIDE_H
#define ODIGOS_GOHTTP_OUTSIDE_H

#include "../http1/exchange.h"

/* The TCP socket below the connection of a *response, or 0. A connection with TLS has one too. */
static __noinline __u64 go_socket_of(__u64 response)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 layer = go_read8(go_read8(response) + GO_CONN_RWC + 8), netfd;
	const struct sock *sk;

	for (int depth = 0; depth <= GO_LAYERS && layer; depth++) {
		netfd = go_read8(layer);
		sk = netfd ? tcp_socket(task, go_read8(netfd + GO_SYSFD)) : NULL;
		if (sk)
			return (__u64)sk;
		layer = go_unwrap(layer);
	}
	return 0;
}

/* The kernel side learns what it could not find out: that net/http serves the connection, and which goroutine does. */
static __always_inline void go_tell_outside(struct exchange *x, __u64 key, __u64 response, __u64 request,
					    const struct go_binary *binary)
{
	__u64 context;

	if (x->go.key && x->go.key != key)
		go_served(&x->go, x->key);
	x->go.key = key;
	x->go.conn = go_read8(response);
	x->go.ancestor = 0;
	if (binary->request_ctx != GO_OFFSET_UNKNOWN) {
		/* Each request's context is made from that of its connection, which lasts. */
		context = go_read8(request + binary->request_ctx + 8);
		x->go.ancestor = context ? go_read8(context + 8) : 0;
	}
	x->record.header.flags |= FLAG_GO;
	go_serves(&x->go, x->key, binary, x->record.header.pid, x->record.header.start_ns);
}

static __always_inline bool go_is_seen_outside(__u64 key, __u32 tgid, __u64 response, __u64 request,
					       const struct go_binary *binary)
{
	struct go_exchange *exchange = go_find(key);
	__u64 socket = exchange ? exchange->socket : 0;
	struct exchange *x;

	/* What net/http has decrypted itself the kernel side has not seen. */
	if (!socket && !go_read8((__u64)&((struct go_request *)request)->tls))
		socket = go_socket_of(response);
	x = socket ? find_exchange(socket) : NULL;
	if (!x || x->client || x->record.header.pid != tgid || (x->phase != REQUEST && x->phase != RESPONSE))
		return false;
	if (!x->go.conn || x->go.key != key)
		go_tell_outside(x, key, response, request, binary);
	return true;
}

#endif
