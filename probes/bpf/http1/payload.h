/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A piece of user memory that was sent or received: one buffer, or the buffers of an iovec. */
#ifndef ODIGOS_HTTP1_PAYLOAD_H
#define ODIGOS_HTTP1_PAYLOAD_H

#include <odigos/maps.h>
#include "head.h"

struct iovec_k {
	__u64 base;
	__u64 length;
};

struct payload {
	/* The first buffer, or 0 if the bytes never passed user memory (sendfile). */
	__u64 base;
	__u64 first;
	/* Bytes sent or received in all. */
	__u64 total;
	/* The array of buffers, or 0. */
	__u64 iov;
	__u32 iovcnt;
};

/* Buffers looked at in one call; heads lie in the first ones. */
#define IOV_HEAD 3
/* Buffers walked to find the last one. */
#define IOV_TAIL 16

static __always_inline struct payload payload_of_buffer(__u64 base, __u64 length)
{
	return (struct payload){ .base = base, .first = length, .total = length };
}

static __always_inline bool payload_of_iovec(struct payload *out, __u64 iov, __u64 iovcnt, __u64 total)
{
	struct iovec_k first;

	if (!iovcnt || bpf_probe_read_user(&first, sizeof(first), (void *)iov))
		return false;
	out->base = first.base;
	out->first = first.length < total ? first.length : total;
	out->total = total;
	out->iov = iovcnt > 1 ? iov : 0;
	out->iovcnt = iovcnt;
	return true;
}

/*
 * The verifier does not see that an offset and a length together stay within the buffer, only the largest of each. So
 * later pieces are copied in chunks, and what follows a buffer in its map value must be at least a chunk.
 */
#define APPEND_CHUNK 240
#define APPEND_CHUNKS 4

/*
 * Appends to `to`, which holds `*have` of at most `capacity` bytes. How many it holds lives in memory, not in a
 * register: so the verifier knows nothing about it, and needs not follow each value that it might have. Lengths are of
 * 64 bits, since a copy of 32 bits would lose the bound that was checked on the original.
 */
static __always_inline void append_chunk(__u8 *to, const __u64 capacity, __u16 *have, __u64 base, __u64 length)
{
	__u64 at = *have, room = capacity - at;

	if (at >= capacity)
		return;
	if (length > room)
		length = room;
	if (length > APPEND_CHUNK)
		length = APPEND_CHUNK;
	barrier_var(length);
	if (!bpf_probe_read_user(to + at, length, (void *)base))
		*have = at + length;
}

static __always_inline void append_buffer(__u8 *to, const __u64 capacity, __u16 *have, __u64 base, __u64 length)
{
	for (__u64 done = 0; done < APPEND_CHUNKS * APPEND_CHUNK; done += APPEND_CHUNK) {
		if (done >= length)
			break;
		append_chunk(to, capacity, have, base + done, length - done);
	}
}

/* The first piece is nearly always the only one, and goes in one copy. */
static __always_inline void append_first(__u8 *to, const __u64 capacity, __u16 *have, __u64 base, __u64 length)
{
	if (length > capacity)
		length = capacity;
	barrier_var(length);
	if (!bpf_probe_read_user(to, length, (void *)base))
		*have = length;
}

static __always_inline void payload_append(__u8 *to, const __u64 capacity, __u16 *have, const struct payload *data)
{
	__u64 left = data->total - data->first;
	struct iovec_k next;

	if (!data->base)
		return;
	if (!*have)
		append_first(to, capacity, have, data->base, data->first);
	else
		append_buffer(to, capacity, have, data->base, data->first);
	if (!data->iov)
		return;
	for (int i = 1; i < IOV_HEAD; i++) {
		if (i >= data->iovcnt || !left)
			break;
		if (bpf_probe_read_user(&next, sizeof(next), (void *)(data->iov + i * sizeof(next))))
			break;
		if (next.length > left)
			next.length = left;
		left -= next.length;
		append_buffer(to, capacity, have, next.base, next.length);
	}
}

static __always_inline __u64 push_tail(__u64 tail, __u64 base, __u64 length)
{
	__u64 last = 0;

	if (length >= sizeof(last)) {
		bpf_probe_read_user(&last, sizeof(last), (void *)(base + length - sizeof(last)));
		return __builtin_bswap64(last);
	}
	if (!length || bpf_probe_read_user(&last, length & 7, (void *)base))
		return tail;
	return tail << (8 * length) | __builtin_bswap64(last) >> (64 - 8 * length);
}

/*
 * Shifts the last bytes of `data` into `tail`. Of several buffers only those near the end are read; of more than
 * sixteen the last are not reached, and the response ends with the next request or a pause.
 */
static __always_inline __u64 payload_tail(__u64 tail, const struct payload *data)
{
	struct iovec_k last;
	__u64 left = data->total - data->first;

	if (!data->base)
		return 0;
	tail = push_tail(tail, data->base, data->first);
	if (!data->iov || !left)
		return tail;
	for (int i = 1; i < IOV_TAIL; i++) {
		if (i >= data->iovcnt || !left)
			break;
		if (bpf_probe_read_user(&last, sizeof(last), (void *)(data->iov + i * sizeof(last))))
			break;
		if (last.length > left)
			last.length = left;
		left -= last.length;
		if (left < sizeof(tail))
			tail = push_tail(tail, last.base, last.length);
	}
	return tail;
}

static __always_inline bool payload_is_request(const struct payload *data)
{
	__u8 start[METHOD_MAX] = {};
	__u64 length = data->first;

	if (!data->base || !length)
		return false;
	if (length >= METHOD_MAX) {
		length = METHOD_MAX;
		if (bpf_probe_read_user(start, METHOD_MAX, (void *)data->base))
			return false;
	} else if (bpf_probe_read_user(start, length & (METHOD_MAX - 1), (void *)data->base)) {
		return false;
	}
	return is_request(start, length);
}

#endif
