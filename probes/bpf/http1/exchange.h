/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * HTTP/1 exchanges, from the bytes that pass a TCP socket. Where the bytes come from (syscall tracepoints, fentry or
 * kprobes) is the caller's business: each calls on_data() with a socket, a direction and a piece of user memory.
 *
 * One exchange is in progress on a connection at a time; what comes of later ones meanwhile waits (pipeline.h). It begins with bytes that look like a request and ends with
 * the last byte of the response, which the framing of the response tells (Content-Length, chunked, no body, end of
 * connection). Where the head of the response is longer than what is kept, the end is the last byte before the next
 * request, the close, or a pause that user space sees (flush.h).
 */
#ifndef ODIGOS_HTTP1_EXCHANGE_H
#define ODIGOS_HTTP1_EXCHANGE_H

#include "capture.h"
#include "pipeline.h"
#include "socket.h"
#include "state.h"
#include "thread.h"

/* A server says it to a client that has asked nothing. */
#define STATUS_TIMEOUT 408

/* The current process, if its HTTP/1 is traced. */
static __always_inline struct target *current_target(void)
{
	__u32 pid = current_pid_tgid() >> 32;
	struct target *target = bpf_map_lookup_elem(&targets, &pid);

	return target && target->flags & TARGET_HTTP1_ANY ? target : NULL;
}

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

/* Bytes in the buffer that are of the request in progress; those of later ones may follow. */
static __always_inline __u64 own_bytes(const struct exchange *x)
{
	return x->request_end && x->request_end < x->have ? x->request_end : x->have;
}

static __always_inline void emit_exchange(struct exchange *x)
{
	__u64 total = x->record.request_bytes, length = own_bytes(x);

	if (length > HTTP1_REQUEST_CAPTURE)
		length = HTTP1_REQUEST_CAPTURE;
	x->record.captured = length;
	if (has_waiting(x))
		x->record.request_bytes = x->request_end;
	emit(&x->record.header, __builtin_offsetof(struct http1_record, request) + length);
	x->record.request_bytes = total;
}

int http1_finish(struct exchange *x) GLOBAL;
int http1_finish(struct exchange *x)
{
	__u64 body;
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
	if (x->have) {
		emit_exchange(x);
	} else if (x->record.status != STATUS_TIMEOUT) {
		count(COUNTER_SEEN);
		count(COUNTER_UNMATCHED);
	}
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
	if (find_traceparent(x->record.request, own_bytes(x), header))
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
	__u64 id = current_pid_tgid();

	if (!record->local.family)
		read_endpoints(record, sk);
	record->header.kind = RECORD_HTTP1;
	record->header.flags = direction == SENT ? FLAG_CLIENT : 0;
	record->header.entity = target->entity;
	record->header.pid = id >> 32;
	record->request_bytes = 0;
	x->client = direction == SENT;
	x->have = 0;
	x->request_cut = false;
	x->used_marks = 0;
	reset_exchange(x, time_of(sk, direction));
	http1_capture_request(x, data);
	if (!is_request(record->request, x->have))
		return;
	if (may_be_several(x))
		http1_find_request_end(x);
	x->phase = REQUEST;
	x->head_request = record->request[0] == 'H';
	if (direction == SENT)
		adopt_parent(x, id);
	else
		serve(x, (__u64)sk, id);
}

static __always_inline void on_request(struct exchange *x, const struct payload *data)
{
	bool tentative = x->have < METHOD_MAX;

	add_request_bytes(x, data);
	if (tentative && !is_request(x->record.request, x->have))
		abandon(x, OPAQUE);
}

/* A request whose bytes were not kept: its response is followed to its end, and counted. */
static __always_inline void begin_unmatched(struct exchange *x)
{
	reset_exchange(x, bpf_ktime_get_ns());
	x->record.request_bytes = 0;
	x->have = 0;
	x->head_request = false;
	x->phase = REQUEST;
}

/* What becomes of requests that wait, where no responses to them will be seen. */
struct waiting {
	struct exchange *x;
	/* What they are counted as; COUNTER_EMITTED if they become spans without a response. */
	enum counter fate;
};

static long end_one_waiting(__u64 index, struct waiting *waiting)
{
	struct exchange *x = waiting->x;

	if (!http1_take_waiting(x))
		return 1;
	if (waiting->fate == COUNTER_EMITTED) {
		x->record.header.flags |= FLAG_INCOMPLETE;
		x->record.header.end_ns = bpf_ktime_get_ns();
		http1_finish(x);
		return 0;
	}
	count(COUNTER_SEEN);
	/* Two known numbers, so that the verifier sees that both are within the counters. */
	count(waiting->fate == COUNTER_UNFINISHED ? COUNTER_UNFINISHED : COUNTER_UNMATCHED);
	x->phase = IDLE;
	return 0;
}

int http1_end_waiting(struct exchange *x, enum counter fate) GLOBAL;
int http1_end_waiting(struct exchange *x, enum counter fate)
{
	struct waiting waiting = { .x = x, .fate = fate };

	if (x)
		bpf_loop(WAITING_MAX, end_one_waiting, &waiting, 0);
	return 0;
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
	x->head_len = drop_front(x->head, RESPONSE_HEAD, x->head_len, head_bytes);
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

/* The response has ended, and with it the exchange. `extra` bytes of `data` are of a later one. */
static __always_inline void end_response(struct exchange *x, __u64 extra)
{
	bool leaves_http = x->record.status == 101 || (x->have && is_connect(x->record.request));

	x->record.response_bytes -= extra;
	http1_finish(x);
	if (leaves_http)
		x->phase = OPAQUE;
	else if (http1_take_waiting(x) && !x->client)
		serve(x, x->key, current_pid_tgid());
	else if (extra && x->phase == IDLE)
		begin_unmatched(x);
}

static __always_inline __u64 bytes_after_response(const struct exchange *x, const struct payload *data)
{
	__u64 length = x->head_bytes + x->record.response_body, extra;

	if (x->framing != FRAMING_LENGTH)
		return 0;
	extra = x->record.response_bytes - length;
	return extra < data->total ? extra : 0;
}

/* Takes the bytes of one response from the beginning of `data`. Returns whether there are more. */
int http1_take_response(struct exchange *x, struct payload *data, __u64 now) GLOBAL;
int http1_take_response(struct exchange *x, struct payload *data, __u64 now)
{
	__u64 extra;

	if (!x || !data)
		return 0;
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
		return 0;
	/* Before the head is complete too: its end may be the beginning of the last chunk's mark. */
	if (x->framing == FRAMING_CHUNKED || x->framing == FRAMING_UNKNOWN)
		http1_update_tail(x, data);
	if (!response_is_complete(x))
		return 0;
	extra = bytes_after_response(x, data);
	end_response(x, extra);
	if (!extra || x->phase != REQUEST)
		return 0;
	payload_skip(data, data->total - extra);
	return 1;
}

/* Responses that may come in one piece. */
#define TOGETHER_MAX 64

struct responses {
	struct exchange *x;
	struct payload *data;
	__u64 now;
};

static long take_response(__u64 index, struct responses *responses)
{
	return !http1_take_response(responses->x, responses->data, responses->now);
}

static __always_inline void on_response(struct exchange *x, struct payload *data, __u64 now)
{
	struct responses rest = { .x = x, .data = data, .now = now };

	if (http1_take_response(x, data, now))
		bpf_loop(TOGETHER_MAX, take_response, &rest, 0);
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

/* Whether more of the response is to come, as far as its framing tells. */
static __always_inline bool response_goes_on(const struct exchange *x)
{
	/* After trailers, or where the last bytes could not be read, the end of a chunked one has passed unseen. */
	if (x->framing == FRAMING_CHUNKED)
		return x->tail && (__u32)x->tail != EMPTY_LINE;
	return x->framing == FRAMING_LENGTH || x->framing == FRAMING_UNKNOWN;
}

/* Bytes of the request side that come when the response has begun. Returns whether a new exchange begins with them. */
static __always_inline bool ends_response(struct exchange *x, const struct payload *data)
{
	bool body = x->record.request_bytes < x->request_end || !payload_is_request(data);

	if (!body && !x->request_end)
		http1_find_request_end(x);
	if (body || (x->request_end && response_goes_on(x))) {
		add_request_bytes(x, data);
		return false;
	}
	http1_finish(x);
	http1_end_waiting(x, COUNTER_UNMATCHED);
	return true;
}

static __always_inline void on_data(const struct sock *sk, const struct target *target, enum direction direction,
				    struct payload *data)
{
	__u32 wanted = direction == SENT ? TARGET_HTTP1_CLIENT : TARGET_HTTP1_SERVER;
	struct exchange *x = find_exchange((__u64)sk);

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
	if (x->client == (direction == SENT)) {
		if (x->phase == REQUEST)
			on_request(x, data);
		else if ((x->phase == IDLE || ends_response(x, data)) && target->flags & wanted)
			begin(x, sk, target, data, direction);
		return;
	}
	if (x->phase == IDLE) {
		if (!(target->flags & (x->client ? TARGET_HTTP1_CLIENT : TARGET_HTTP1_SERVER)) || !payload_is_response(data))
			return;
		begin_unmatched(x);
	}
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
	http1_end_waiting(x, COUNTER_EMITTED);
}

/* The other side has closed: a response that lasts until then is complete when its reader has seen the end. */
static __always_inline void on_end_of_stream(const struct sock *sk)
{
	struct exchange *x = find_exchange((__u64)sk);

	if (x && x->client)
		on_end(x, true);
}

#endif
