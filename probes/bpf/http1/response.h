/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Follows a response to its end, which its framing tells: Content-Length, chunked, no body, end of connection. Several may come
 * in one piece.
 */
#ifndef ODIGOS_HTTP1_RESPONSE_H
#define ODIGOS_HTTP1_RESPONSE_H

#include "capture.h"
#include "finish.h"

/* A request whose bytes were not kept: its response is followed to its end, and counted. */
static __always_inline void begin_unmatched(struct exchange *x)
{
	reset_exchange(x, bpf_ktime_get_ns());
	x->record.request_bytes = 0;
	x->have = 0;
	x->head_request = false;
	x->phase = REQUEST;
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
		serve_waiting(x);
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

#endif
