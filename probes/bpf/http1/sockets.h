/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Socket I/O by the tracepoints sock_send_length and sock_recv_length (Linux 6.3): a locked-down kernel has them, and only
 * calls on sockets pass them, so files and pipes cost nothing. They tell the socket and the bytes that were moved; which
 * memory these lie in is told by the arguments of the system call, which are still in the thread's saved registers.
 */
#ifndef ODIGOS_HTTP1_SOCKETS_H
#define ODIGOS_HTTP1_SOCKETS_H

#include <asm/unistd.h>
#include "syscalls.h"

/* The shape of what the current system call moves. */
static __always_inline enum shape shape_of_call(const struct pt_regs___saved *regs)
{
	switch (SYSCALL_NUMBER(regs)) {
	case __NR_read:
	case __NR_write:
	case __NR_recvfrom:
	case __NR_sendto:
		return BUFFER;
	case __NR_readv:
	case __NR_writev:
	case __NR_preadv2:
	case __NR_pwritev2:
		return IOVEC;
	case __NR_recvmsg:
	case __NR_sendmsg:
		return MESSAGE;
	default:
		return UNREAD;
	}
}

static __always_inline int on_moved(const struct sock *sk, enum direction direction, int result, int flags)
{
	struct payload data = {};
	const struct pt_regs___saved *regs;
	struct target *target = current_target();
	enum shape shape;

	if (!target || !is_tcp(sk))
		return 0;
	regs = saved_registers();
	/* Received bytes that are thrown away are in no buffer. */
	shape = flags & MSG_TRUNC_K || COMPAT_CALL(bpf_get_current_task_btf()) ? UNREAD : shape_of_call(regs);
	if (!result) {
		/* A program that asks for nothing gets nothing. */
		if (shape != BUFFER || ARG3(regs))
			on_end_of_stream(sk);
		return 0;
	}
	if (describe(&data, shape, regs, result))
		on_data(sk, target, direction, &data);
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(http1_sock_send, const struct sock *sk, int result, int flags)
{
	return result > 0 ? on_moved(sk, SENT, result, 0) : 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(http1_sock_receive, const struct sock *sk, int result, int flags)
{
	return result >= 0 && !receives_nothing(flags) ? on_moved(sk, RECEIVED, result, flags) : 0;
}

#endif
