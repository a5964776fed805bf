/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The end of connections: it may be the end of a response, and it frees what was kept for the connection. */
#ifndef ODIGOS_HTTP1_CONNECTION_H
#define ODIGOS_HTTP1_CONNECTION_H

#include "exchange.h"

static __always_inline void on_connection_closed(const struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct exchange *x = find_exchange(key);

	if (!x)
		return;
	on_end(x, false);
	remove_exchange(key);
}

/* A server that shuts its side has answered; a client may still be reading. */
static __always_inline void on_connection_shut(const struct sock *sk)
{
	struct exchange *x = find_exchange((__u64)sk);

	if (x && !x->client)
		on_end(x, true);
}

#endif
