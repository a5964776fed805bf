/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* From a descriptor of the current process to the TCP socket behind it. */
#ifndef ODIGOS_HTTP1_SOCKET_H
#define ODIGOS_HTTP1_SOCKET_H

#include <odigos/maps.h>

#define AF_INET_K 2
#define AF_INET6_K 10
#define IPPROTO_TCP_K 6
#define S_IFMT_K 0170000
#define S_IFSOCK_K 0140000

static __always_inline bool is_tcp(const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (family != AF_INET_K && family != AF_INET6_K)
		return false;
	return BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP_K;
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
