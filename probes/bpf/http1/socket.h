/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* From a descriptor of the current process to the TCP socket behind it. */
#ifndef ODIGOS_HTTP1_SOCKET_H
#define ODIGOS_HTTP1_SOCKET_H

#include <odigos/maps.h>

#define AF_INET_K 2
#define AF_INET6_K 10
#define IPPROTO_TCP_K 6
#define MSG_PEEK_K 2
/* From the kernel's include/net/tcp_states.h. */
#define TCP_CLOSE_K 7
#define S_IFMT_K 0170000
#define S_IFSOCK_K 0140000

static __always_inline bool is_tcp(const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (family != AF_INET_K && family != AF_INET6_K)
		return false;
	return BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP_K;
}

/*
 * When the last bytes of a call that sent left the socket. The call itself returns later, on loopback after the other
 * side has been given the bytes and perhaps has answered. If nothing waits to be sent, then the newest time stamp of a
 * sent segment is of this call.
 */
static __always_inline __u64 sent_at(const struct sock *sk, __u64 now)
{
	const struct tcp_sock *tcp = (const struct tcp_sock *)sk;
	__u64 sent;

	if (!bpf_core_field_exists(tcp->tcp_wstamp_ns) || BPF_CORE_READ(tcp, snd_nxt) != BPF_CORE_READ(tcp, write_seq))
		return now;
	sent = BPF_CORE_READ(tcp, tcp_wstamp_ns);
	/* A paced socket's next segment may be due later. */
	return sent < now ? sent : now;
}

static __always_inline const struct sock *tcp_socket(struct task_struct *task, __u64 fd)
{
	struct fdtable *table = task->files->fdt;
	struct file *file = NULL;
	struct socket *socket;
	const struct sock *sk;

	if (fd >= table->max_fds)
		return NULL;
	if (bpf_probe_read_kernel(&file, sizeof(file), table->fd + fd) || !file)
		return NULL;
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT_K) != S_IFSOCK_K)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	return sk && is_tcp(sk) ? sk : NULL;
}

#endif
