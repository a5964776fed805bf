/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * HTTP/1 exchanges, from the bytes that pass a TCP socket. Where the bytes come from (syscalls.h, sockets.h, tcp.h) is the
 * caller's business: each calls on_data() with a socket, a direction and a piece of user memory.
 *
 * One exchange is in progress on a connection at a time; what comes of later ones meanwhile waits (pipeline.h). It begins with
 * bytes that look like a request and ends with the last byte of the response (response.h). Where the head of the response is longer than what is kept, the end is the last byte before the next
 * request, the close, or a pause that user space sees (flush.h).
 */
#ifndef ODIGOS_HTTP1_EXCHANGE_H
#define ODIGOS_HTTP1_EXCHANGE_H

#include "../process/event.h"
#include "response.h"
#include "socket.h"
#include "tls.h"

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
	__u16 family = SOCK_READ(sk, skc_family);

	record->local.family = family;
	record->remote.family = family;
	record->local.port = SOCK_READ(sk, skc_num);
	record->remote.port = __builtin_bswap16(SOCK_READ(sk, skc_dport));
	if (family == AF_INET_K) {
		*(__be32 *)record->local.addr = SOCK_READ(sk, skc_rcv_saddr);
		*(__be32 *)record->remote.addr = SOCK_READ(sk, skc_daddr);
	} else {
		BPF_CORE_READ_INTO((struct in6_addr_k *)record->local.addr, common, skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO((struct in6_addr_k *)record->remote.addr, common, skc_v6_daddr);
	}
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
	else if (target->flags & TARGET_GO_SERVER)
		http1_serve_by_goroutine(x);
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

static __always_inline struct exchange *new_exchange(const struct sock *sk)
{
	struct exchange *x;

	/* After a reset the program may still read what had come before. Nothing would free the entry. */
	if (SOCK_READ(sk, skc_state) == TCP_CLOSE_K)
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

static __always_inline bool tells_inside(const struct target *target)
{
	return (target->flags & (TARGET_GO_SERVER | TARGET_TOLD_INSIDE)) == TARGET_GO_SERVER;
}

/* Asks user space for probes in the program. */
static __always_inline void tell_inside(struct target *target)
{
	__u32 pid = current_pid_tgid() >> 32;
	struct process_event *event =
		process_event(PROCESS_SERVES_INSIDE, bpf_get_current_task_btf(), pid, target->entity);

	/* Without room it is told another time. */
	if (!event)
		return;
	__sync_fetch_and_or(&target->flags, TARGET_TOLD_INSIDE);
	bpf_ringbuf_submit(event, 0);
}

static __always_inline void on_data(const struct sock *sk, struct target *target, enum direction direction,
				    struct payload *data)
{
	__u32 wanted = direction == SENT ? TARGET_HTTP1_CLIENT : TARGET_HTTP1_SERVER;
	struct exchange *x = find_exchange((__u64)sk);

	if (!x) {
		if (!(target->flags & wanted))
			return;
		if (!payload_is_request(data)) {
			if (direction == RECEIVED && tells_inside(target) && payload_is_of_tls_server(data, sk))
				tell_inside(target);
			return;
		}
		x = new_exchange(sk);
		if (x)
			begin(x, sk, target, data, direction);
		return;
	}
	if (x->phase == OPAQUE)
		return;
	if (x->client == (direction == SENT)) {
		if (x->phase == REQUEST) {
			on_request(x, data);
			if (target->flags & TARGET_GO_SERVER && !x->client && !(x->record.header.flags & FLAG_GO))
				http1_serve_by_goroutine(x);
		} else if ((x->phase == IDLE || ends_response(x, data)) && target->flags & wanted) {
			begin(x, sk, target, data, direction);
		}
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
