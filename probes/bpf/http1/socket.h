/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* From a descriptor of the current process to the TCP socket behind it. */
#ifndef ODIGOS_HTTP1_SOCKET_H
#define ODIGOS_HTTP1_SOCKET_H

#include <odigos/maps.h>

#define AF_INET_K 2
#define AF_INET6_K 10
#define IPPROTO_TCP_K 6
#define MSG_OOB_K 1
#define MSG_PEEK_K 2
/* Received bytes are thrown away, not copied. */
#define MSG_TRUNC_K 0x20
#define MSG_ERRQUEUE_K 0x2000
/* From the kernel's include/net/tcp_states.h. */
#define TCP_CLOSE_K 7
#define S_IFMT_K 0170000
#define S_IFSOCK_K 0140000

/* Reads kernel memory by plain loads: ten times cheaper than the helper. Since Linux 6.2. */
extern void *bpf_rdonly_cast(const void *address, __u32 type) __ksym __weak;
#define CAN_CAST bpf_ksym_exists(bpf_rdonly_cast)
#define CAST(address, type) ((type *)bpf_rdonly_cast((const void *)(address), bpf_core_type_id_kernel(type)))

/* A number of the socket's common part. */
#define SOCK_READ(sk, field)                                          \
	(CAN_CAST ? CAST(sk, struct sock)->__sk_common.field :         \
		    BPF_CORE_READ(sk, __sk_common.field))

static __always_inline bool is_tcp(const struct sock *sk)
{
	__u16 family = SOCK_READ(sk, skc_family);
	__u16 protocol = CAN_CAST ? CAST(sk, struct sock)->sk_protocol : BPF_CORE_READ(sk, sk_protocol);

	return (family == AF_INET_K || family == AF_INET6_K) && protocol == IPPROTO_TCP_K;
}

/*
 * When the last bytes of a call that sent left the socket. The call itself returns later, on loopback after the other
 * side has been given the bytes and perhaps has answered. If nothing waits to be sent, then the newest time stamp of a
 * sent segment is of this call.
 */
static __always_inline __u64 sent_at(const struct sock *sk, __u64 now)
{
	const struct tcp_sock *tcp = (const struct tcp_sock *)sk;
	__u64 sent = now;

	if (!bpf_core_field_exists(tcp->tcp_wstamp_ns))
		return now;
	if (CAN_CAST) {
		tcp = CAST(tcp, struct tcp_sock);
		if (tcp->snd_nxt == tcp->write_seq)
			sent = tcp->tcp_wstamp_ns;
	} else if (BPF_CORE_READ(tcp, snd_nxt) == BPF_CORE_READ(tcp, write_seq)) {
		sent = BPF_CORE_READ(tcp, tcp_wstamp_ns);
	}
	/* A paced socket's next segment may be due later. */
	return sent < now ? sent : now;
}

/*
 * What is looked at only is received later; out-of-band bytes, and reports of what became of sent ones (zero-copy
 * sends), are not of the stream.
 */
static __always_inline bool receives_nothing(__u64 flags)
{
	return flags & (MSG_OOB_K | MSG_PEEK_K | MSG_ERRQUEUE_K);
}

/* The socket of an open file, or NULL. */
static __always_inline const struct sock *socket_of(const struct file *file)
{
	const struct socket *socket;

	if (CAN_CAST) {
		file = CAST(file, struct file);
		if ((file->f_inode->i_mode & S_IFMT_K) != S_IFSOCK_K)
			return NULL;
		return CAST(file->private_data, struct socket)->sk;
	}
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT_K) != S_IFSOCK_K)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

static __always_inline const struct file *open_file(struct task_struct *task, __u64 fd)
{
	struct fdtable *table = task->files->fdt;
	struct file *file = NULL;
	__u64 slot;

	if (fd >= table->max_fds)
		return NULL;
	slot = (__u64)(table->fd + fd);
	/* A table whose first field is the one that is wanted: there is no other type to cast a bare pointer to. */
	if (CAN_CAST)
		return (const struct file *)CAST(slot - bpf_core_field_offset(table->fd), struct fdtable)->fd;
	bpf_probe_read_kernel(&file, sizeof(file), (void *)slot);
	return file;
}

static __always_inline const struct sock *tcp_socket(struct task_struct *task, __u64 fd)
{
	const struct file *file = open_file(task, fd);
	const struct sock *sk = file ? socket_of(file) : NULL;

	return sk && is_tcp(sk) ? sk : NULL;
}

#endif
