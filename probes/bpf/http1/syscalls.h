/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Socket I/O by the exits of system calls: the way that works on a locked-down kernel. The arguments of a call are
 * still in the thread's saved registers when it returns, so one tracepoint for each call is enough, and a process that
 * is not traced pays for one look-up.
 */
#ifndef ODIGOS_HTTP1_SYSCALLS_H
#define ODIGOS_HTTP1_SYSCALLS_H

#include "exchange.h"
#include "registers.h"
#include "socket.h"

struct syscall_exit {
	__u64 common;
	int number;
	__u32 padding;
	long result;
};

struct user_msghdr_k {
	__u64 name;
	__u64 name_length;
	__u64 iov;
	__u64 iov_length;
};

/* What a system call moved: `buffer` is a buffer, an iovec or a msghdr, by `shape`. */
enum shape {
	BUFFER,
	IOVEC,
	MESSAGE,
	/* Bytes that never pass user memory: those of a file or of a pipe, or received and thrown away. */
	UNREAD,
};

static __always_inline bool describe(struct payload *out, enum shape shape, const struct pt_regs___saved *regs, __u64 total)
{
	struct user_msghdr_k message;

	switch (shape) {
	case BUFFER:
		*out = payload_of_buffer(ARG2(regs), total);
		return true;
	case IOVEC:
		return payload_of_iovec(out, ARG2(regs), ARG3(regs), total, false);
	case MESSAGE:
		if (bpf_probe_read_user(&message, sizeof(message), (void *)ARG2(regs)))
			return false;
		return payload_of_iovec(out, message.iov, message.iov_length, total, false);
	default:
		*out = payload_unread(total);
		return true;
	}
}

/* The target to which a call belongs that has returned, if it may have moved bytes of interest; else NULL. */
static __always_inline struct target *caller(const struct syscall_exit *ctx, enum direction direction)
{
	/* A result of 0 ends the stream of a response that has no other end. */
	if (ctx->result < 0 || (direction == SENT && !ctx->result))
		return NULL;
	return current_target();
}

static __always_inline int on_exit(struct syscall_exit *ctx, enum direction direction, enum shape shape)
{
	struct target *target = caller(ctx, direction);
	const struct pt_regs___saved *regs;
	struct payload data = {};
	const struct sock *sk;

	if (!target)
		return 0;
	regs = saved_registers();
	sk = tcp_socket(bpf_get_current_task_btf(), ARG1(regs));
	if (!sk)
		return 0;
	if (!ctx->result) {
		/* A program that asks for nothing gets nothing. */
		if (shape != BUFFER || ARG3(regs))
			on_end_of_stream(sk);
		return 0;
	}
	if (describe(&data, shape, regs, ctx->result))
		on_data(sk, target, direction, &data);
	return 0;
}

#define SYSCALL_EXIT(name, direction, shape)                                    \
	SEC("tracepoint/syscalls/sys_exit_" #name)                              \
	int http1_sys_##name(struct syscall_exit *ctx)                          \
	{                                                                       \
		return on_exit(ctx, direction, shape);                          \
	}

SYSCALL_EXIT(read, RECEIVED, BUFFER)
SYSCALL_EXIT(readv, RECEIVED, IOVEC)
SYSCALL_EXIT(write, SENT, BUFFER)
SYSCALL_EXIT(writev, SENT, IOVEC)
SYSCALL_EXIT(sendto, SENT, BUFFER)
SYSCALL_EXIT(sendmsg, SENT, MESSAGE)
SYSCALL_EXIT(sendfile64, SENT, UNREAD)

/* The flags are the fourth argument of recvfrom. */
SEC("tracepoint/syscalls/sys_exit_recvfrom")
int http1_sys_recvfrom(struct syscall_exit *ctx)
{
	__u64 flags = ARG4(saved_registers());

	return receives_nothing(flags) ? 0 : on_exit(ctx, RECEIVED, flags & MSG_TRUNC_K ? UNREAD : BUFFER);
}

/* The flags are the third argument of recvmsg. */
SEC("tracepoint/syscalls/sys_exit_recvmsg")
int http1_sys_recvmsg(struct syscall_exit *ctx)
{
	__u64 flags = ARG3(saved_registers());

	return receives_nothing(flags) ? 0 : on_exit(ctx, RECEIVED, flags & MSG_TRUNC_K ? UNREAD : MESSAGE);
}

/* From the first descriptor into that of the third argument, of which at least one is a pipe. */
SEC("tracepoint/syscalls/sys_exit_splice")
int http1_sys_splice(struct syscall_exit *ctx)
{
	struct target *target = caller(ctx, RECEIVED);
	const struct pt_regs___saved *regs;
	struct payload data;
	const struct sock *from, *to;

	if (!target)
		return 0;
	regs = saved_registers();
	from = tcp_socket(bpf_get_current_task_btf(), ARG1(regs));
	to = from ? NULL : tcp_socket(bpf_get_current_task_btf(), ARG3(regs));
	if (from && !ctx->result)
		on_end_of_stream(from);
	if (!ctx->result || !(from || to))
		return 0;
	data = payload_unread(ctx->result);
	on_data(from ?: to, target, from ? RECEIVED : SENT, &data);
	return 0;
}

#endif
