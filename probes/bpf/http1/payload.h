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
	/* The array of buffers, or 0 if there is one only. */
	__u64 iov;
	__u32 iovcnt;
	/* The array lies in the kernel; the buffers never do. */
	bool kernel_iov;
};

/* Buffers of which a head may consist. */
#define IOV_HEAD 8
/* Buffers walked to find the last one. */
#define IOV_TAIL 16

static __always_inline struct payload payload_of_buffer(__u64 base, __u64 length)
{
	return (struct payload){ .base = base, .first = length, .total = length };
}

/* What never passed user memory, and so has a length only. */
static __always_inline struct payload payload_unread(__u64 length)
{
	return (struct payload){ .total = length };
}

static __always_inline bool buffer_at(struct iovec_k *out, const struct payload *data, __u32 index)
{
	const void *at = (const void *)(data->iov + index * sizeof(*out));

	return data->kernel_iov ? !bpf_probe_read_kernel(out, sizeof(*out), at) : !bpf_probe_read_user(out, sizeof(*out), at);
}

static __always_inline bool payload_of_iovec(struct payload *out, __u64 iov, __u64 iovcnt, __u64 total, bool in_kernel)
{
	struct iovec_k first;

	*out = (struct payload){ .total = total, .iov = iov, .iovcnt = iovcnt, .kernel_iov = in_kernel };
	if (!iovcnt || !buffer_at(&first, out, 0))
		return false;
	out->base = first.base;
	out->first = first.length < total ? first.length : total;
	if (iovcnt == 1)
		out->iov = 0;
	return true;
}

/* Takes the first `count` bytes away. Where they fill more than IOV_TAIL buffers, the rest cannot be read. */
static __always_inline void payload_skip(struct payload *data, __u64 count)
{
	struct iovec_k next;

	data->total -= count;
	for (int i = 1; i < IOV_TAIL; i++) {
		if (!data->base || count < data->first)
			break;
		count -= data->first;
		if (!data->iov || data->iovcnt <= 1 || !buffer_at(&next, data, 1)) {
			data->base = 0;
			break;
		}
		data->iov += sizeof(next);
		data->iovcnt--;
		data->base = next.base;
		data->first = next.length;
	}
	if (!data->base || count >= data->first) {
		*data = payload_unread(data->total);
		return;
	}
	data->base += count;
	data->first -= count;
	if (data->first > data->total)
		data->first = data->total;
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
		if (!buffer_at(&last, data, i))
			break;
		if (last.length > left)
			last.length = left;
		left -= last.length;
		if (left < sizeof(tail))
			tail = push_tail(tail, last.base, last.length);
	}
	return tail;
}

static __always_inline bool payload_is_response(const struct payload *data)
{
	__u8 start[8];

	if (!data->base || data->first < sizeof(start) || bpf_probe_read_user(start, sizeof(start), (void *)data->base))
		return false;
	return is_response(start);
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
