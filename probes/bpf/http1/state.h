/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What is kept of a connection that speaks HTTP/1. */
#ifndef ODIGOS_HTTP1_STATE_H
#define ODIGOS_HTTP1_STATE_H

#include <odigos/maps.h>
#include "head.h"

/* What follows a buffer in its map value, so that a copy of this length may begin anywhere in the buffer (capture.h). */
#define APPEND_CHUNK 240

/*
 * A function that the verifier checks once, on its own, instead of again on every path that leads to it. Its arguments
 * may be null for all that the verifier knows.
 */
#define GLOBAL __attribute__((noinline))

enum direction {
	RECEIVED,
	SENT,
};

enum phase {
	IDLE,
	REQUEST,
	RESPONSE,
	/* Not HTTP/1, or no longer (upgraded, tunnelled): left alone until the connection ends. */
	OPAQUE,
};

/* One per connection that has spoken HTTP/1; the record first, as it goes into the ring. */
struct exchange {
	struct http1_record record;
	/* Thread that read the request on a server, which makes it a parent; 0 if none. */
	__u64 serving_thread;
	/* Bytes of the response's head, body excluded; 0 while it is not known. */
	__u64 head_bytes;
	/* The last eight bytes of the response, the newest in the lowest byte. */
	__u64 tail;
	/* enum phase. Of its own size, since it is exchanged atomically: a span ends once. */
	__u32 phase;
	__u16 head_len;
	__u8 framing;
	__u8 client;
	__u8 head_request;
	/* What follows `head` was not kept: it grows no more. */
	__u8 head_cut;
	/* The same of `record.request`. */
	__u8 request_cut;
	/* The beginning of the response, until its head has been read. */
	__u8 head[RESPONSE_HEAD] __attribute__((aligned(8)));
	__u8 chunk_guard[APPEND_CHUNK];
};

/*
 * Connections take their entries from here, and from `more_exchanges` only when there are many at once. To make and
 * free an entry of this size in a map without preallocation costs 4 us, which a program pays that opens a connection for each
 * request; but the most that there may be, preallocated, would be 128 MiB.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048);
	__type(key, __u64);
	__type(value, struct exchange);
} exchanges SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct exchange);
} more_exchanges SEC(".maps");

/* How many entries `more_exchanges` holds: while there are none, nobody looks into it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} more_exchanges_held SEC(".maps");

/* What a new connection's entry is copied from: too large for the stack. Never written. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exchange);
} empty_exchange SEC(".maps");

static __always_inline __u64 *held_elsewhere(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&more_exchanges_held, &zero);
}

/* The entry of the socket whose address is `key`, or NULL. */
static __always_inline struct exchange *find_exchange(__u64 key)
{
	struct exchange *x = bpf_map_lookup_elem(&exchanges, &key);
	__u64 *held;

	if (x)
		return x;
	held = held_elsewhere();
	return held && *held ? bpf_map_lookup_elem(&more_exchanges, &key) : NULL;
}

/* An empty entry, or NULL if there is no room. */
static __always_inline struct exchange *add_exchange(__u64 key)
{
	__u32 zero = 0;
	struct exchange *empty = bpf_map_lookup_elem(&empty_exchange, &zero);
	__u64 *held = held_elsewhere();

	if (!empty || !held)
		return NULL;
	if (!bpf_map_update_elem(&exchanges, &key, empty, BPF_ANY))
		return bpf_map_lookup_elem(&exchanges, &key);
	/* Counted first: who finds none does not look. */
	__sync_fetch_and_add(held, 1);
	if (!bpf_map_update_elem(&more_exchanges, &key, empty, BPF_NOEXIST))
		return bpf_map_lookup_elem(&more_exchanges, &key);
	__sync_fetch_and_sub(held, 1);
	return NULL;
}

static __always_inline void remove_exchange(__u64 key)
{
	__u64 *held = held_elsewhere();

	if (!bpf_map_delete_elem(&exchanges, &key) || !held || !*held)
		return;
	if (!bpf_map_delete_elem(&more_exchanges, &key))
		__sync_fetch_and_sub(held, 1);
}

#endif
