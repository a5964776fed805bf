/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What the states of TCP sockets tell: who listens, and which connections end. One program for both, since a connection changes
 * its state about ten times, of which most tell nothing, and each program that looks costs every one of them.
 */
#ifndef ODIGOS_TCP_STATE_H
#define ODIGOS_TCP_STATE_H

#include "http1/connection.h"
#include "process/process.h"

/* From the kernel's include/net/tcp_states.h. */
#define TCP_FIN_WAIT1_K 4
#define TCP_LAST_ACK_K 9
#define TCP_LISTEN_K 10

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tcp_state, const struct sock *sk, int old_state, int new_state)
{
	switch (new_state) {
	case TCP_LISTEN_K:
		on_listen(sk);
		break;
	case TCP_FIN_WAIT1_K:
	case TCP_LAST_ACK_K:
		on_connection_shut(sk);
		break;
	case TCP_CLOSE_K:
		on_connection_closed(sk);
		break;
	}
	return 0;
}

#endif
