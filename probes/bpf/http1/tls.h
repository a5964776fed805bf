/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Whether bytes that a server received are of TLS, which cannot be read here. */
#ifndef ODIGOS_HTTP1_TLS_H
#define ODIGOS_HTTP1_TLS_H

#include "payload.h"
#include "socket.h"

/* Types of records and of handshake messages, and the version that they all begin with (RFC 8446, 5.1 and 4). */
#define TLS_HANDSHAKE 22
#define TLS_APPLICATION_DATA 23
#define TLS_MAJOR 3
#define TLS_CLIENT_HELLO 1
#define TLS_RECORD_HEADER 5
/* Where the ports begin that Linux gives to clients, unless it is told otherwise (net.ipv4.ip_local_port_range). */
#define FIRST_CLIENT_PORT 32768

/*
 * Only a server receives the client's hello. On a connection that is older than the probes there are application data, which
 * clients receive too: those have higher ports.
 */
static __always_inline bool payload_is_of_tls_server(const struct payload *data, const struct sock *sk)
{
	__u8 start[TLS_RECORD_HEADER + 1];

	/* A program may read the record's header on its own. */
	if (!data->base || data->first < TLS_RECORD_HEADER)
		return false;
	if (bpf_probe_read_user(start, TLS_RECORD_HEADER, (void *)data->base) || start[1] != TLS_MAJOR)
		return false;
	if (start[0] == TLS_HANDSHAKE && data->first > TLS_RECORD_HEADER &&
	    !bpf_probe_read_user(&start[TLS_RECORD_HEADER], 1, (void *)(data->base + TLS_RECORD_HEADER)) &&
	    start[TLS_RECORD_HEADER] == TLS_CLIENT_HELLO)
		return true;
	return (start[0] == TLS_HANDSHAKE || start[0] == TLS_APPLICATION_DATA) &&
	       BPF_CORE_READ(sk, __sk_common.skc_num) < FIRST_CLIENT_PORT;
}

#endif
