/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Keeps the beginning of requests and responses, however the program splits them. */
#ifndef ODIGOS_HTTP1_CAPTURE_H
#define ODIGOS_HTTP1_CAPTURE_H

#include "payload.h"
#include "state.h"

/*
 * The verifier does not see that an offset and a length together stay within the buffer, only the largest of each. So
 * later pieces are copied in chunks, and what follows a buffer in its map value must be at least a chunk.
 *
 * Appends to `to`, which holds `*have` of at most `capacity` bytes. How many it holds lives in memory, not in a
 * register: so the verifier knows nothing about it, and needs not follow each value that it might have. Lengths are of
 * 64 bits, since a copy of 32 bits would lose the bound that was checked on the original.
 */
static __always_inline bool append_chunk(__u8 *to, const __u64 capacity, __u16 *have, __u64 base, __u64 length)
{
	__u64 at = *have, room;

	/* One register from here on, or the check would be of a copy. */
	barrier_var(at);
	if (at >= capacity)
		return true;
	room = capacity - at;
	if (length > room)
		length = room;
	if (length > APPEND_CHUNK)
		length = APPEND_CHUNK;
	barrier_var(length);
	if (bpf_probe_read_user(to + at, length, (void *)base))
		return false;
	*have = at + length;
	return true;
}

static __always_inline bool append_from(const __u32 chunk, __u8 *to, const __u64 capacity, __u16 *have, __u64 base,
					__u64 length)
{
	__u64 done = chunk * APPEND_CHUNK;

	return done >= length || append_chunk(to, capacity, have, base + done, length - done);
}

_Static_assert(5 * APPEND_CHUNK >= HTTP1_REQUEST_CAPTURE, "append() takes five chunks");

/* False if the memory could not be read. The first piece is nearly always the only one, and goes in one copy. */
static __always_inline bool append(__u8 *to, const __u64 capacity, __u16 *have, __u64 base, __u64 length)
{
	if (!*have) {
		if (length > capacity)
			length = capacity;
		barrier_var(length);
		if (bpf_probe_read_user(to, length, (void *)base))
			return false;
		*have = length;
		return true;
	}
	/* No loop, since Linux 6.1 refuses the one that clang makes of it ("back-edge"). */
	return append_from(0, to, capacity, have, base, length) && append_from(1, to, capacity, have, base, length) &&
	       append_from(2, to, capacity, have, base, length) && append_from(3, to, capacity, have, base, length) &&
	       append_from(4, to, capacity, have, base, length);
}

int http1_append_request(struct exchange *x, __u64 base, __u64 length) GLOBAL;
int http1_append_request(struct exchange *x, __u64 base, __u64 length)
{
	return x && append(x->record.request, HTTP1_REQUEST_CAPTURE, &x->have, base, length);
}

int http1_append_response(struct exchange *x, __u64 base, __u64 length) GLOBAL;
int http1_append_response(struct exchange *x, __u64 base, __u64 length)
{
	return x && append(x->head, RESPONSE_HEAD, &x->head_len, base, length);
}

/* False if there was more to append than could be read, so that what comes next would not join on. */
static __always_inline bool append_all(struct exchange *x, const struct payload *data,
				       int (*append_buffer)(struct exchange *, __u64, __u64))
{
	__u64 left = data->total - data->first;
	struct iovec_k next;

	if (!data->base || !append_buffer(x, data->base, data->first))
		return false;
	for (int i = 1; i < IOV_HEAD; i++) {
		if (!left)
			return true;
		if (i >= data->iovcnt || !buffer_at(&next, data, i))
			return false;
		if (next.length > left)
			next.length = left;
		left -= next.length;
		if (next.length && !append_buffer(x, next.base, next.length))
			return false;
	}
	return !left;
}

int http1_capture_request(struct exchange *x, const struct payload *data) GLOBAL;
int http1_capture_request(struct exchange *x, const struct payload *data)
{
	if (!x || !data)
		return 0;
	x->record.request_bytes += data->total;
	if (!x->request_cut && !append_all(x, data, http1_append_request))
		x->request_cut = true;
	return 0;
}

int http1_capture_head(struct exchange *x, const struct payload *data) GLOBAL;
int http1_capture_head(struct exchange *x, const struct payload *data)
{
	if (x && data && !x->head_cut && !append_all(x, data, http1_append_response))
		x->head_cut = true;
	return 0;
}

int http1_update_tail(struct exchange *x, const struct payload *data) GLOBAL;
int http1_update_tail(struct exchange *x, const struct payload *data)
{
	if (x && data)
		x->tail = payload_tail(x->tail, data);
	return 0;
}

#endif
