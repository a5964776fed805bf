/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Socket I/O by the kernel's own functions tcp_sendmsg and tcp_recvmsg, when they return: every way into them is seen,
 * io_uring and splice included. By fexit where the kernel has it, else by kprobe and kretprobe.
 *
 * When a function returns, its iterator stands behind the bytes that were moved. From there one can go back to the
 * first of them, so nothing needs to be kept from the function's entry but, for a kretprobe, its arguments.
 */
#ifndef ODIGOS_HTTP1_TCP_H
#define ODIGOS_HTTP1_TCP_H

#include "exchange.h"
#include "registers.h"

/* Buffers of one call through which one goes back to the first. */
#define IOV_BACK 64

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

enum iter_type {
	ITER_IOVEC = 0,
	ITER_UBUF = 5,
};

struct iov_iter {
	__u8 iter_type;
	unsigned long iov_offset;
	unsigned long nr_segs;
	void *ubuf;
	const struct iovec_k *__iov;
};

/* Before Linux 6.4. */
struct iov_iter___old {
	const struct iovec_k *iov;
};

struct msghdr {
	struct iov_iter msg_iter;
};

#pragma clang attribute pop

/* How a function was called, and what it returned. */
struct tcp_call {
	const struct sock *sk;
	const struct msghdr *message;
	__u64 flags;
};

static __always_inline bool iterates(const struct iov_iter *iter, __u8 type)
{
	return BPF_CORE_READ(iter, iter_type) == type;
}

static __always_inline const struct iovec_k *current_buffer(const struct iov_iter *iter)
{
	const struct iov_iter___old *old = (const void *)iter;

	if (bpf_core_field_exists(iter->__iov))
		return BPF_CORE_READ(iter, __iov);
	return BPF_CORE_READ(old, iov);
}

struct walk {
	const struct iovec_k *at;
	/* Bytes that were moved and lie before `at`. */
	__u64 before;
	__u32 buffers;
	bool failed;
};

static long walk_back(__u64 index, struct walk *walk)
{
	struct iovec_k buffer;

	if (!walk->before)
		return 1;
	walk->at--;
	if (bpf_probe_read_kernel(&buffer, sizeof(buffer), walk->at)) {
		walk->failed = true;
		return 1;
	}
	walk->buffers++;
	walk->before -= buffer.length < walk->before ? buffer.length : walk->before;
	return 0;
}

/* The buffers that hold the last `total` bytes before the place where the iterator stands. */
static __always_inline bool payload_of_buffers(struct payload *out, const struct iov_iter *iter, __u64 total)
{
	__u64 offset = BPF_CORE_READ(iter, iov_offset);
	struct walk walk = { .at = current_buffer(iter) };

	/* The buffer in which the iterator stands belongs to it, unless nothing of it was moved. */
	walk.buffers = offset > 0;
	walk.before = offset < total ? total - offset : 0;
	bpf_loop(IOV_BACK, walk_back, &walk, 0);
	if (walk.failed || walk.before)
		return false;
	return payload_of_iovec(out, (__u64)walk.at, walk.buffers, total, true);
}

static __always_inline struct payload payload_of_message(const struct tcp_call *call, __u64 total)
{
	const struct iov_iter *iter = &call->message->msg_iter;
	struct payload data;
	__u64 end;

	if (call->flags & MSG_TRUNC_K)
		return payload_unread(total);
	if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
	    iterates(iter, bpf_core_enum_value(enum iter_type, ITER_UBUF))) {
		end = (__u64)BPF_CORE_READ(iter, ubuf) + BPF_CORE_READ(iter, iov_offset);
		return payload_of_buffer(end - total, total);
	}
	if (iterates(iter, bpf_core_enum_value(enum iter_type, ITER_IOVEC)) && payload_of_buffers(&data, iter, total))
		return data;
	return payload_unread(total);
}

static __always_inline void on_return(struct target *target, const struct tcp_call *call,
				      enum direction direction, int result)
{
	struct payload data;

	if (result < 0 || !is_tcp(call->sk) || (direction == RECEIVED && receives_nothing(call->flags)))
		return;
	if (!result) {
		if (direction == RECEIVED)
			on_end_of_stream(call->sk);
		return;
	}
	data = call->message ? payload_of_message(call, result) : payload_unread(result);
	on_data(call->sk, target, direction, &data);
}

SEC("fexit/tcp_sendmsg")
int BPF_PROG(http1_fexit_send, struct sock *sk, struct msghdr *message, unsigned long size, int result)
{
	struct tcp_call call = { .sk = sk, .message = message };
	struct target *target = current_target();

	if (target)
		on_return(target, &call, SENT, result);
	return 0;
}

SEC("fexit/tcp_recvmsg")
int BPF_PROG(http1_fexit_receive, struct sock *sk, struct msghdr *message, unsigned long size, int flags,
	     int *address_length, int result)
{
	struct tcp_call call = { .sk = sk, .message = message, .flags = flags };
	struct target *target = current_target();

	if (target)
		on_return(target, &call, RECEIVED, result);
	return 0;
}

/* Before Linux 6.5 the way of sendfile and splice; later they go through tcp_sendmsg. */
SEC("fexit/tcp_sendpage")
int BPF_PROG(http1_fexit_send_page, struct sock *sk, void *page, int offset, unsigned long size, int flags, int result)
{
	struct tcp_call call = { .sk = sk };
	struct target *target = current_target();

	if (target)
		on_return(target, &call, SENT, result);
	return 0;
}

/* Calls of traced processes that have not returned, by thread: a kretprobe is not given the arguments. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct tcp_call);
} tcp_calls SEC(".maps");

static __always_inline int on_kprobe(const struct sock *sk, const struct msghdr *message, __u64 flags)
{
	struct tcp_call call = { .sk = sk, .message = message, .flags = flags };
	__u64 thread_id = bpf_get_current_pid_tgid();

	if (current_target())
		bpf_map_update_elem(&tcp_calls, &thread_id, &call, BPF_ANY);
	return 0;
}

static __always_inline int on_kretprobe(enum direction direction, int result)
{
	__u64 thread_id = bpf_get_current_pid_tgid();
	struct target *target = current_target();
	struct tcp_call *kept, call;

	if (!target)
		return 0;
	kept = bpf_map_lookup_elem(&tcp_calls, &thread_id);
	if (!kept)
		return 0;
	call = *kept;
	bpf_map_delete_elem(&tcp_calls, &thread_id);
	on_return(target, &call, direction, result);
	return 0;
}

/* The thread ends. Its last call was not seen to return if too many functions waited for theirs. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(http1_kprobe_thread_exit, struct task_struct *task)
{
	__u64 thread_id = bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&tcp_calls, &thread_id);
	return 0;
}

SEC("kprobe/tcp_sendmsg")
int http1_kprobe_send(struct pt_regs___saved *ctx)
{
	return on_kprobe((void *)FUNCTION_ARG1(ctx), (void *)FUNCTION_ARG2(ctx), 0);
}

SEC("kretprobe/tcp_sendmsg")
int http1_kretprobe_send(struct pt_regs___saved *ctx)
{
	return on_kretprobe(SENT, FUNCTION_RESULT(ctx));
}

SEC("kprobe/tcp_recvmsg")
int http1_kprobe_receive(struct pt_regs___saved *ctx)
{
	return on_kprobe((void *)FUNCTION_ARG1(ctx), (void *)FUNCTION_ARG2(ctx), FUNCTION_ARG4(ctx));
}

SEC("kretprobe/tcp_recvmsg")
int http1_kretprobe_receive(struct pt_regs___saved *ctx)
{
	return on_kretprobe(RECEIVED, FUNCTION_RESULT(ctx));
}

SEC("kprobe/tcp_sendpage")
int http1_kprobe_send_page(struct pt_regs___saved *ctx)
{
	return on_kprobe((void *)FUNCTION_ARG1(ctx), NULL, 0);
}

SEC("kretprobe/tcp_sendpage")
int http1_kretprobe_send_page(struct pt_regs___saved *ctx)
{
	return on_kretprobe(SENT, FUNCTION_RESULT(ctx));
}

#endif
