/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The end of an exchange: its record goes into the ring. */
#ifndef ODIGOS_HTTP1_FINISH_H
#define ODIGOS_HTTP1_FINISH_H

#include "pipeline.h"
#include "serving.h"

/* A server says it to a client that has asked nothing. */
#define STATUS_TIMEOUT 408

/*
 * Puts the route behind what is kept of the request, of which it displaces the end where there is no room; and the size of a
 * chunked body, which Go's server has counted.
 */
int http1_add_answer(struct exchange *x) GLOBAL;
int http1_add_answer(struct exchange *x)
{
	const struct go_binary *binary = x ? served_binary(x) : NULL;
	struct go_answer answer;
	__u64 at, length;

	if (!binary || !go_read_answer(&answer, &x->go, binary))
		return 0;
	if (x->framing == FRAMING_CHUNKED)
		x->record.response_body = answer.written;
	length = answer.route.length;
	if (!length || length >= GO_ROUTE)
		return 0;
	at = x->record.captured;
	if (at > HTTP1_REQUEST_CAPTURE - GO_ROUTE && at > HTTP1_REQUEST_CAPTURE - length)
		at = HTTP1_REQUEST_CAPTURE - length;
	barrier_var(at);
	barrier_var(length);
	if (at > HTTP1_REQUEST_CAPTURE || length >= GO_ROUTE)
		return 0;
	if (bpf_probe_read_user(x->record.request + at, length, (void *)answer.route.data))
		return 0;
	x->record.captured = at;
	x->record.route = length;
	return 0;
}

static __always_inline void emit_exchange(struct exchange *x)
{
	__u64 total = x->record.request_bytes, length = own_bytes(x);

	if (length > HTTP1_REQUEST_CAPTURE)
		length = HTTP1_REQUEST_CAPTURE;
	x->record.captured = length;
	x->record.route = 0;
	if (has_waiting(x)) {
		/* Where the route would go, other requests wait. */
		x->record.request_bytes = x->request_end;
	} else if (x->record.header.flags & FLAG_GO) {
		http1_add_answer(x);
		length = (__u64)x->record.captured + x->record.route;
		if (length > HTTP1_REQUEST_CAPTURE)
			length = HTTP1_REQUEST_CAPTURE;
	}
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
		/*
		 * What follows the announced length is not of this response. Of a chunked one the bytes include the sizes of the
		 * chunks, which only reading every one of them would tell apart: its size stays unknown.
		 */
		if (x->framing == FRAMING_CLOSE || (x->framing == FRAMING_LENGTH && body < x->record.response_body))
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

#endif
