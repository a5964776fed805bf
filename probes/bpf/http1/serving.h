/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Who serves an exchange, and whose child it is: a thread, or a goroutine of Go's net/http, makes the requests that it sends
 * meanwhile children of the one that it serves.
 */
#ifndef ODIGOS_HTTP1_SERVING_H
#define ODIGOS_HTTP1_SERVING_H

#include "registers.h"
#include "state.h"
#include "thread.h"

/* Whoever serves the exchange no longer makes its client requests children of it. */
static __always_inline void stop_serving(struct exchange *x)
{
	__u64 thread_id = x->serving_thread;
	struct thread *thread;

	if (x->go.key)
		go_served(&x->go, x->key);
	if (!thread_id)
		return;
	thread = find_thread(thread_id);
	/* Another thread may be answering for the one that read. */
	if (thread && thread->open)
		__sync_fetch_and_sub(&thread->open, 1);
	x->serving_thread = 0;
}

/* Bytes in the buffer that are of the request in progress; those of later ones may follow. */
static __always_inline __u64 own_bytes(const struct exchange *x)
{
	return x->request_end && x->request_end < x->have ? x->request_end : x->have;
}

/* How the binary of the current process is laid out, if it is the one of the exchange and serves by Go's net/http; else NULL. */
static __always_inline const struct go_binary *served_binary(const struct exchange *x)
{
	__u32 pid = current_pid_tgid() >> 32;
	struct target *target;
	__u32 index;

	/* The end of a connection comes in any process. */
	if (pid != x->record.header.pid)
		return NULL;
	target = bpf_map_lookup_elem(&targets, &pid);
	if (!target || !(target->flags & TARGET_GO_SERVER))
		return NULL;
	index = target->binary;
	return bpf_map_lookup_elem(&go_binaries, &index);
}

/*
 * Chooses the ids of an exchange that something refers to. Most requests make no further request, and theirs are chosen
 * in user space.
 */
static __always_inline void settle_context(struct exchange *x)
{
	struct record_header *header;

	header = &x->record.header;
	if (header->flags & FLAG_CONTEXT)
		return;
	if (find_traceparent(x->record.request, own_bytes(x), header))
		header->flags |= FLAG_PARENT;
	else
		random_trace_id(header);
	random_bytes8(header->span_id);
	header->flags |= FLAG_CONTEXT;
}

int http1_settle_context(struct exchange *x) GLOBAL;
int http1_settle_context(struct exchange *x)
{
	if (x)
		settle_context(x);
	return 0;
}

/* The server request that this thread is serving is the parent of the client request that it makes. */
static __always_inline void adopt_parent(struct exchange *x, __u64 thread_id)
{
	struct record_header *header = &x->record.header;
	struct thread *thread = find_thread(thread_id);
	struct exchange *parent;

	if (!thread || !thread->open)
		return;
	if (thread->open > 1) {
		header->flags |= FLAG_AMBIGUOUS_PARENT;
		count(COUNTER_AMBIGUOUS_PARENT);
		return;
	}
	parent = find_exchange(thread->serving);
	if (!parent || parent->serving_thread != thread_id)
		return;
	http1_settle_context(parent);
	__builtin_memcpy(header->trace_id, parent->record.header.trace_id, sizeof(header->trace_id));
	__builtin_memcpy(header->parent_span_id, parent->record.header.span_id, sizeof(header->parent_span_id));
	random_bytes8(header->span_id);
	header->flags |= FLAG_CONTEXT | FLAG_PARENT;
}

/* Requests of a thread that finds no way free are no parents. */
static __always_inline void serve(struct exchange *x, __u64 key, __u64 thread_id)
{
	struct thread *thread = find_thread(thread_id) ?: claim_thread(thread_id);

	x->serving_thread = thread ? thread_id : 0;
	if (!thread)
		return;
	__sync_fetch_and_add(&thread->open, 1);
	thread->serving = key;
}

/* Finds out which goroutine reads the request, and whether that is net/http's. */
static __always_inline void recognise_goroutine(struct exchange *x, const struct go_binary *binary, __u32 tgid)
{
	const struct pt_regs___saved *regs = saved_registers();
	struct go_served reader = {};

	if (!go_recognise(&reader, binary, tgid, GOROUTINE(regs), STACK_POINTER(regs), ARG1(regs)))
		return;
	/* Meanwhile a probe may have told who serves (outside.h). */
	if (x->go.conn)
		return;
	if (x->go.key && x->go.key != reader.key)
		go_served(&x->go, x->key);
	x->go = reader;
}

/*
 * The goroutine that reads the request serves it, if it is net/http's: what it does meanwhile belongs to the exchange, and the
 * route is its. Where that cannot be seen, it is noted all the same, for the probes of a server that is probed too.
 */
int http1_serve_by_goroutine(struct exchange *x) GLOBAL;
int http1_serve_by_goroutine(struct exchange *x)
{
	const struct go_binary *binary = x ? served_binary(x) : NULL;
	__u32 tgid;

	if (!binary || binary->conn_slot == GO_OFFSET_UNKNOWN)
		return 0;
	tgid = x->record.header.pid;
	/* Known once, it stays: while it works, another goroutine may read the first byte of the next request. */
	if (!x->go.conn)
		recognise_goroutine(x, binary, tgid);
	if (!x->go.key)
		return 0;
	if (x->go.conn)
		x->record.header.flags |= FLAG_GO;
	go_serves(&x->go, x->key, binary, tgid, x->record.header.start_ns);
	return 0;
}

static __always_inline void serve_waiting(struct exchange *x)
{
	if (x->go.key)
		http1_serve_by_goroutine(x);
	else
		serve(x, x->key, current_pid_tgid());
}

#endif
