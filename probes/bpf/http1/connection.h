/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The end of connections: it may be the end of a response, and it frees what was kept for the connection. */
#ifndef ODIGOS_HTTP1_CONNECTION_H
#define ODIGOS_HTTP1_CONNECTION_H

#include "exchange.h"

/* From the kernel's include/net/tcp_states.h. */
#define TCP_FIN_WAIT1_K 4
#define TCP_LAST_ACK_K 9

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(http1_connection_state, const struct sock *sk, int old_state, int new_state)
{
	__u64 key = (__u64)sk;
	struct exchange *x;

	if (new_state != TCP_FIN_WAIT1_K && new_state != TCP_LAST_ACK_K && new_state != TCP_CLOSE_K)
		return 0;
	x = find_exchange(key);
	if (!x)
		return 0;
	/* A server that shuts its side has answered; a client may still be reading. */
	if (new_state == TCP_CLOSE_K) {
		on_end(x, false);
		remove_exchange(key);
	} else if (!x->client) {
		on_end(x, true);
	}
	return 0;
}

#endif
