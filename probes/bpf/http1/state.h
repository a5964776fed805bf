/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What is kept of a connection that speaks HTTP/1. */
#ifndef ODIGOS_HTTP1_STATE_H
#define ODIGOS_HTTP1_STATE_H

#include <odigos/maps.h>
#include "../gohttp/serving.h"
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

/* Requests of which it is remembered when they came, while another was in progress. */
#define MARKS 4

struct mark {
	__u64 ns;
	/* Distance from the beginning of the request in progress. */
	__u64 at;
};

/* One per connection that has spoken HTTP/1; the record first, as it goes into the ring. */
struct exchange {
	struct http1_record record;
	/* By which the exchange is found: the address of the socket. */
	__u64 key;
	/* Thread that read the request on a server, which makes it a parent; 0 if none. */
	__u64 serving_thread;
	/* Where a goroutine of Go's net/http serves the connection. */
	struct go_served go;
	/* Bytes of the response's head, body excluded; 0 while it is not known. */
	__u64 head_bytes;
	/* The last eight bytes of the response, the newest in the lowest byte. */
	__u64 tail;
	/* Bytes of the request and its body, where that was looked for (pipeline.h); else 0. */
	__u64 request_end;
	struct mark marks[MARKS];
	/* Bytes of the shortest request of which the end was looked for. */
	__u32 shortest;
	/* enum phase. Of its own size, since it is exchanged atomically: a span ends once. */
	__u32 phase;
	/* Bytes in `record.request`, where those of later requests may follow. */
	__u16 have;
	__u16 head_len;
	__u8 framing;
	__u8 client;
	__u8 head_request;
	/* What follows `head` was not kept: it grows no more. */
	__u8 head_cut;
	/* The same of `record.request`. */
	__u8 request_cut;
	__u8 used_marks;
	/* The beginning of the response, until its head has been read. */
	__u8 head[RESPONSE_HEAD] __attribute__((aligned(8)));
	__u8 chunk_guard[APPEND_CHUNK];
};

/* Entries that exist from the beginning, and connections that share a choice of WAYS of them. */
#define SLOTS 2048
#define WAYS 8

/* Of which connection each entry of a set is: the address of its socket, or 0. One cache line. */
struct slot_set {
	__u64 owner[WAYS];
};

/*
 * Connections take their entries from `slots`, where `slot_sets` says, and from `more_exchanges` only where there are many at
 * once. To make and free an entry of this size in a map is dear, which a program would pay that opens a connection for
 * each request; but the most that there may be, made beforehand, would be 128 MiB.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS / WAYS);
	__type(key, __u32);
	__type(value, struct slot_set);
} slot_sets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, struct exchange);
} slots SEC(".maps");

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

/* What a new entry of `more_exchanges` is copied from: too large for the stack. Never written. */
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

/*
 * Sockets lie in slabs, so that it takes a product to spread their addresses (Knuth's multiplicative hash): that of the lower
 * half, since the verifier lets nobody calculate with what it knows to be a pointer, but takes a part of it for a number.
 */
static __always_inline __u32 set_of(__u64 key)
{
	__u32 low;

	asm volatile("%0 = %1" : "=w"(low) : "w"((__u32)key));
	return (low * 0x9e3779b9U) >> 24 & (SLOTS / WAYS - 1);
}

static __always_inline struct exchange *slot_at(__u32 set, __u32 way)
{
	__u32 slot = set * WAYS + way;

	return bpf_map_lookup_elem(&slots, &slot);
}

/* Where in its set the entry of `key` is, or WAYS. */
static __always_inline __u32 way_of(const struct slot_set *owners, __u64 key)
{
#pragma unroll
	for (__u32 way = 0; way < WAYS; way++)
		if (owners->owner[way] == key)
			return way;
	return WAYS;
}

/* The entry of the socket whose address is `key`, or NULL. */
static __always_inline struct exchange *find_exchange(__u64 key)
{
	__u32 set = set_of(key), way;
	struct slot_set *owners = bpf_map_lookup_elem(&slot_sets, &set);
	__u64 *held;

	if (!owners)
		return NULL;
	way = way_of(owners, key);
	if (way < WAYS)
		return slot_at(set, way);
	held = held_elsewhere();
	return held && *held ? bpf_map_lookup_elem(&more_exchanges, &key) : NULL;
}

static __always_inline struct exchange *add_elsewhere(__u64 key)
{
	__u32 zero = 0;
	struct exchange *empty = bpf_map_lookup_elem(&empty_exchange, &zero);
	__u64 *held = held_elsewhere();

	if (!empty || !held)
		return NULL;
	/* Counted first: who finds none does not look. */
	__sync_fetch_and_add(held, 1);
	if (!bpf_map_update_elem(&more_exchanges, &key, empty, BPF_NOEXIST))
		return bpf_map_lookup_elem(&more_exchanges, &key);
	__sync_fetch_and_sub(held, 1);
	return NULL;
}

static __always_inline struct exchange *add_entry(__u64 key)
{
	__u32 set = set_of(key), way;
	struct slot_set *owners = bpf_map_lookup_elem(&slot_sets, &set);

	if (!owners)
		return NULL;
	way = way_of(owners, 0);
	/* Where another processor takes the same one, this connection goes elsewhere. */
	if (way == WAYS || !__sync_bool_compare_and_swap(&owners->owner[way & (WAYS - 1)], 0, key))
		return add_elsewhere(key);
	return slot_at(set, way);
}

/* An entry for a connection that has none, or NULL if there is no room. */
static __always_inline struct exchange *add_exchange(__u64 key)
{
	struct exchange *x = add_entry(key);

	/* What else is in it belongs to an exchange, and is set when one begins. */
	if (x) {
		x->key = key;
		x->record.local.family = 0;
		x->shortest = 0;
		x->go = (struct go_served){};
		x->phase = IDLE;
	}
	return x;
}

static __always_inline void remove_exchange(__u64 key)
{
	__u32 set = set_of(key), way;
	struct slot_set *owners = bpf_map_lookup_elem(&slot_sets, &set);
	__u64 *held = held_elsewhere();

	if (!owners || !held)
		return;
	way = way_of(owners, key);
	if (way < WAYS)
		owners->owner[way] = 0;
	else if (*held && !bpf_map_delete_elem(&more_exchanges, &key))
		__sync_fetch_and_sub(held, 1);
}

#endif
