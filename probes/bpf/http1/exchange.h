/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * HTTP/1 exchanges, from the bytes that pass a TCP socket. Where the bytes come from (syscall tracepoints, fentry or
 * kprobes) is the caller's business: each calls on_data() with a socket, a direction and a piece of user memory.
 *
 * One exchange is in progress on a connection at a time. It begins with bytes that look like a request and ends with
 * the last byte of the response, which the framing of the response tells (Content-Length, chunked, no body, end of
 * connection). Where the head of the response is longer than what is kept, the end is the last byte before the next
 * request, the close, or a pause that user space sees (flush.h).
 */
#ifndef ODIGOS_HTTP1_EXCHANGE_H
#define ODIGOS_HTTP1_EXCHANGE_H

#include "capture.h"
#include "socket.h"
#include "state.h"
#include "thread.h"

static __always_inline __u64 time_of(const struct sock *sk, enum direction direction)
{
	__u64 now = bpf_ktime_get_ns();

	return direction == SENT ? sent_at(sk, now) : now;
}

static __always_inline void read_endpoints(struct http1_record *record, const struct sock *sk)
{
	const struct sock_common *common = &sk->__sk_common;
	__u16 family = BPF_CORE_READ(common, skc_family);

	record->local.family = family;
	record->remote.family = family;
	record->local.port = BPF_CORE_READ(common, skc_num);
	record->remote.port = __builtin_bswap16(BPF_CORE_READ(common, skc_dport));
	if (family == AF_INET_K) {
		BPF_CORE_READ_INTO((__be32 *)record->local.addr, common, skc_rcv_saddr);
		BPF_CORE_READ_INTO((__be32 *)record->remote.addr, common, skc_daddr);
	} else {
		BPF_CORE_READ_INTO((struct in6_addr_k *)record->local.addr, common, skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO((struct in6_addr_k *)record->remote.addr, common, skc_v6_daddr);
	}
}

/* The exchange no longer makes its thread's client requests children of it. */
static __always_inline void stop_serving(struct exchange *x)
{
	/* A key must be on the stack for Linux 6.1. */
	__u64 thread_id = x->serving_thread;
	struct thread *thread;

	if (!thread_id)
		return;
	thread = bpf_map_lookup_elem(&threads, &thread_id);
	/* Another thread may be answering for the one that read. */
	if (thread && thread->open)
		__sync_fetch_and_sub(&thread->open, 1);
	x->serving_thread = 0;
}

int http1_finish(struct exchange *x) GLOBAL;
int http1_finish(struct exchange *x)
{
	__u64 length, body;
	__u32 phase;

	if (!x)
		return 0;
	/* The end of a connection and the end of a call may both come here, on two processors. */
	phase = __sync_lock_test_and_set(&x->phase, IDLE);
	if (phase != REQUEST && phase != RESPONSE)
		return 0;
	if (x->head_bytes && x->record.response_bytes >= x->head_bytes) {
		body = x->record.response_bytes - x->head_bytes;
		/* What follows the announced length is not of this response. */
		if (x->framing != FRAMING_LENGTH || body < x->record.response_body)
			x->record.response_body = body;
	}
	if (x->record.header.end_ns < x->record.header.start_ns)
		x->record.header.end_ns = x->record.header.start_ns;
	stop_serving(x);
	length = x->record.captured;
	if (length > HTTP1_REQUEST_CAPTURE)
		length = HTTP1_REQUEST_CAPTURE;
	emit(&x->record.header, __builtin_offsetof(struct http1_record, request) + length);
	return 0;
}

static __always_inline void abandon(struct exchange *x, enum phase phase)
{
	stop_serving(x);
	x->phase = phase;
}

/*
 * Chooses the ids of an exchange that something refers to. Most requests make no further request, and theirs are chosen
 * in user space.
 */
int http1_settle_context(struct exchange *x) GLOBAL;
int http1_settle_context(struct exchange *x)
{
	struct record_header *header;

	if (!x)
		return 0;
	header = &x->record.header;
	if (header->flags & FLAG_CONTEXT)
		return 0;
	if (find_traceparent(x->record.request, x->record.captured, header))
		header->flags |= FLAG_PARENT;
	else
		random_trace_id(header);
	random_bytes8(header->span_id);
	header->flags |= FLAG_CONTEXT;
	return 0;
}

/* The server request that this thread is serving is the parent of the client request that it makes. */
static __always_inline void adopt_parent(struct exchange *x, __u64 thread_id)
{
	struct record_header *header = &x->record.header;
	struct thread *thread = bpf_map_lookup_elem(&threads, &thread_id);
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

static __always_inline void serve(struct exchange *x, __u64 key, __u64 thread_id)
{
	struct thread fresh = { .serving = key, .open = 1 };
	struct thread *thread = bpf_map_lookup_elem(&threads, &thread_id);

	x->serving_thread = thread_id;
	if (!thread) {
		if (bpf_map_update_elem(&threads, &thread_id, &fresh, BPF_ANY))
			x->serving_thread = 0;
		return;
	}
	__sync_fetch_and_add(&thread->open, 1);
	thread->serving = key;
}

/* Begins an exchange if `data` looks like a request; otherwise what was kept of the one before is lost, and not needed. */
static __always_inline void begin(struct exchange *x, const struct sock *sk, const struct target *target,
				  const struct payload *data, enum direction direction)
{
	struct http1_record *record = &x->record;
	__u64 id = current_pid_tgid(), now = time_of(sk, direction);

	if (!record->local.family)
		read_endpoints(record, sk);
	record->header.kind = RECORD_HTTP1;
	record->header.flags = direction == SENT ? FLAG_CLIENT : 0;
	record->header.entity = target->entity;
	record->header.pid = id >> 32;
	record->header.start_ns = now;
	record->header.end_ns = now;
	record->request_bytes = 0;
	record->response_bytes = 0;
	record->response_body = HTTP1_BODY_UNKNOWN;
	record->status = 0;
	record->captured = 0;
	x->client = direction == SENT;
	x->framing = FRAMING_UNKNOWN;
	x->head_bytes = 0;
	x->head_len = 0;
	x->head_cut = false;
	x->request_cut = false;
	x->tail = 0;
	http1_capture_request(x, data);
	if (!is_request(record->request, record->captured))
		return;
	x->phase = REQUEST;
	x->head_request = record->request[0] == 'H';
	if (direction == SENT)
		adopt_parent(x, id);
	else
		serve(x, (__u64)sk, id);
}

static __always_inline void on_request(struct exchange *x, const struct payload *data)
{
	bool tentative = x->record.captured < METHOD_MAX;

	http1_capture_request(x, data);
	if (tentative && !is_request(x->record.request, x->record.captured))
		abandon(x, OPAQUE);
}

static __always_inline bool response_is_complete(const struct exchange *x)
{
	switch (x->framing) {
	case FRAMING_LENGTH:
		return x->record.response_bytes >= x->head_bytes + x->record.response_body;
	case FRAMING_CHUNKED:
		return (x->tail & LAST_CHUNK_MASK) == LAST_CHUNK;
	default:
		return false;
	}
}

/* The response proper follows, in this piece or in a later one. */
static __always_inline void drop_interim(struct exchange *x, __u32 head_bytes)
{
	if (x->head_len >= RESPONSE_HEAD)
		x->head_cut = true;
	x->head_len = drop_front(x->head, x->head_len, head_bytes);
	x->record.response_bytes -= head_bytes;
	x->record.status = 0;
	/* After "100 Continue" the client sends the body. */
	if (!x->head_len)
		x->phase = REQUEST;
}

/* Reads the response's head as far as it is there. Returns whether to look again, since that was an interim response. */
int http1_read_head(struct exchange *x) GLOBAL;
int http1_read_head(struct exchange *x)
{
	struct head_facts facts = {};
	__u64 body;

	if (!x)
		return 0;
	if (x->head_len >= 5 && !is_response(x->head)) {
		abandon(x, OPAQUE);
		return 0;
	}
	if (x->head_len >= STATUS_END)
		x->record.status = status_of(x->head);
	if (!scan_head(x->head, x->head_len, &facts)) {
		if (x->head_len >= RESPONSE_HEAD || x->head_cut)
			x->framing = FRAMING_LOST;
		return 0;
	}
	if (x->record.status / 100 == 1 && x->record.status != 101) {
		drop_interim(x, facts.head_bytes);
		return x->head_len > 0;
	}
	x->head_bytes = facts.head_bytes;
	x->framing = framing_of(x->head, &facts, x->record.status, x->head_request, &body);
	x->record.response_body = x->framing == FRAMING_LENGTH ? body : HTTP1_BODY_UNKNOWN;
	return 0;
}

/* Interim responses that may come in one piece with what follows them. */
#define INTERIM_MAX 3

static __always_inline void on_response(struct exchange *x, const struct payload *data, __u64 now)
{
	x->phase = RESPONSE;
	x->record.response_bytes += data->total;
	x->record.header.end_ns = now;
	if (x->framing == FRAMING_UNKNOWN) {
		http1_capture_head(x, data);
		for (int i = 0; i <= INTERIM_MAX; i++)
			if (!http1_read_head(x))
				break;
	}
	if (x->phase != RESPONSE)
		return;
	/* Before the head is complete too: its end may be the beginning of the last chunk's mark. */
	if (x->framing == FRAMING_CHUNKED || x->framing == FRAMING_UNKNOWN)
		http1_update_tail(x, data);
	if (response_is_complete(x)) {
		bool leaves_http = x->record.status == 101 || is_connect(x->record.request);

		http1_finish(x);
		if (leaves_http)
			x->phase = OPAQUE;
	}
}

static __always_inline struct exchange *new_exchange(const struct sock *sk)
{
	struct exchange *x;

	/* After a reset the program may still read what had come before. Nothing would free the entry. */
	if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_CLOSE_K)
		return NULL;
	x = add_exchange((__u64)sk);
	if (!x) {
		count(COUNTER_SEEN);
		count(COUNTER_STATE_FULL);
	}
	return x;
}

static __always_inline void on_data(const struct sock *sk, const struct target *target, enum direction direction,
				    const struct payload *data)
{
	__u32 wanted = direction == SENT ? TARGET_HTTP1_CLIENT : TARGET_HTTP1_SERVER;
	struct exchange *x = find_exchange((__u64)sk);
	bool request_side;

	if (!x) {
		if (!(target->flags & wanted) || !payload_is_request(data))
			return;
		x = new_exchange(sk);
		if (x)
			begin(x, sk, target, data, direction);
		return;
	}
	if (x->phase == OPAQUE)
		return;
	request_side = x->client == (direction == SENT);
	if (request_side && x->phase == RESPONSE) {
		if (!payload_is_request(data)) {
			/* A body that goes on after the server has begun to answer. */
			x->record.request_bytes += data->total;
			return;
		}
		http1_finish(x);
	}
	if (request_side && x->phase == IDLE) {
		if (target->flags & wanted)
			begin(x, sk, target, data, direction);
		return;
	}
	if (request_side)
		on_request(x, data);
	else if (x->phase != IDLE)
		on_response(x, data, time_of(sk, direction));
}

/* Nothing of the exchange is to come. `in_order` if that may be the end of a response that has no other end. */
static __always_inline void on_end(struct exchange *x, bool in_order)
{
	bool ended = x->framing == FRAMING_LOST || (x->framing == FRAMING_CLOSE && in_order);

	if (x->phase != REQUEST && x->phase != RESPONSE)
		return;
	if (x->phase == REQUEST)
		x->record.header.end_ns = bpf_ktime_get_ns();
	if (!(x->phase == RESPONSE && ended))
		x->record.header.flags |= FLAG_INCOMPLETE;
	http1_finish(x);
}

/* The other side has closed: a response that lasts until then is complete when its reader has seen the end. */
static __always_inline void on_end_of_stream(const struct sock *sk)
{
	struct exchange *x = find_exchange((__u64)sk);

	if (x && x->client)
		on_end(x, true);
}

#endif
