/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Requests that a client sends before the response to the one before has ended. Their bytes follow those of the request in
 * progress in its buffer; when it ends, the next one takes its place.
 *
 * To know where a request ends its head must be read, which nearly all requests do not need: so that is done for the first of a
 * connection, and later only where as many bytes came at once as two requests may have. A response that comes when
 * no request is in progress shows that this was too little; it is counted.
 */
#ifndef ODIGOS_HTTP1_PIPELINE_H
#define ODIGOS_HTTP1_PIPELINE_H

#include "capture.h"
#include "state.h"

/* Requests that may wait in the buffer: the shortest have 18 bytes. */
#define WAITING_MAX (HTTP1_REQUEST_CAPTURE / 16)

int http1_find_request_end(struct exchange *x) GLOBAL;
int http1_find_request_end(struct exchange *x)
{
	__u64 end;

	if (!x)
		return 0;
	end = request_length(x->record.request, x->have);
	x->request_end = end;
	if (end && end < HTTP1_REQUEST_CAPTURE && (!x->shortest || end < x->shortest))
		x->shortest = end;
	return 0;
}

/* Requests of a connection have much in common, so that two of them are longer than one and a half. */
static __always_inline bool may_be_several(const struct exchange *x)
{
	return 2 * x->have >= 3 * x->shortest;
}

/* Whether bytes of a later request have come. */
static __always_inline bool has_waiting(const struct exchange *x)
{
	return x->request_end && x->record.request_bytes > x->request_end;
}

/* Appends bytes that come while a request is in progress: of itself, or of later ones. */
static __always_inline void add_request_bytes(struct exchange *x, const struct payload *data)
{
	bool of_later = x->have >= METHOD_MAX && x->record.request_bytes >= x->request_end && payload_is_request(data);
	__u64 at = x->record.request_bytes;
	struct mark *mark;

	if (of_later) {
		if (!x->request_end)
			http1_find_request_end(x);
		mark = &x->marks[(x->used_marks < MARKS ? x->used_marks++ : MARKS - 1) & (MARKS - 1)];
		mark->ns = bpf_ktime_get_ns();
		mark->at = at;
	}
	http1_capture_request(x, data);
}

/* The time of the request that begins at `at`; the marks then count from there. */
static __always_inline __u64 pass_marks(struct exchange *x, __u64 at, __u64 time)
{
#pragma unroll
	for (int i = 0; i < MARKS; i++) {
		struct mark *mark = &x->marks[i];

		if (i >= x->used_marks || !mark->ns)
			continue;
		if (mark->at > at) {
			mark->at -= at;
			continue;
		}
		time = mark->ns;
		mark->ns = 0;
	}
	return time;
}

/* What a new exchange has not had yet. */
static __always_inline void reset_exchange(struct exchange *x, __u64 start)
{
	struct http1_record *record = &x->record;

	record->header.start_ns = start;
	record->header.end_ns = start;
	record->response_bytes = 0;
	record->response_body = HTTP1_BODY_UNKNOWN;
	record->status = 0;
	x->framing = FRAMING_UNKNOWN;
	x->head_bytes = 0;
	x->head_len = 0;
	x->head_cut = false;
	x->tail = 0;
	x->request_end = 0;
}

/* A client's request has the parent of the one before only if they were sent at once: the thread may serve another now. */
static __always_inline void inherit_parent(struct record_header *header, bool at_once)
{
	if (!(header->flags & FLAG_CLIENT))
		header->flags = 0;
	else if (!at_once)
		header->flags = FLAG_CLIENT;
	header->flags &= ~FLAG_INCOMPLETE;
	if (header->flags & FLAG_CONTEXT)
		random_bytes8(header->span_id);
}

/* Makes the request that waits longest the one in progress, after the one before has ended. Returns whether there is one. */
int http1_take_waiting(struct exchange *x) GLOBAL;
int http1_take_waiting(struct exchange *x)
{
	__u64 end, start;

	if (!x || !has_waiting(x))
		return 0;
	/* What did not fit is missing behind what is moved: nothing may be appended to that. */
	if (x->have >= HTTP1_REQUEST_CAPTURE)
		x->request_cut = true;
	end = x->request_end;
	start = pass_marks(x, end, x->record.header.start_ns);
	inherit_parent(&x->record.header, start == x->record.header.start_ns);
	x->have = end < x->have ? drop_front(x->record.request, HTTP1_REQUEST_CAPTURE, x->have, end) : 0;
	x->record.request_bytes -= end;
	reset_exchange(x, start);
	if (x->have)
		http1_find_request_end(x);
	/* Of the last request in a full buffer the beginning may be all that is there, and its end would not be seen. */
	if (x->request_cut && !x->request_end)
		x->have = 0;
	/* What follows a request need not be one. */
	if (x->have && !is_request(x->record.request, x->have)) {
		x->request_end = 0;
		return 0;
	}
	x->head_request = x->have && x->record.request[0] == 'H';
	x->phase = REQUEST;
	return 1;
}

#endif
