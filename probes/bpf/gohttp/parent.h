/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Finds the request that a goroutine serves, or works for, so that the requests that it makes become its children.
 *
 * Three ways, the surest first: the goroutine serves a request itself; its context.Context descends from that of a request
 * in progress, which holds through worker pools and channels; the goroutine that started it serves a request.
 */
#ifndef ODIGOS_GOHTTP_PARENT_H
#define ODIGOS_GOHTTP_PARENT_H

#include "../http1/exchange.h"
#include "record.h"

/* How many contexts are climbed at most. A client with a time-out adds one or two. */
#define GO_CONTEXT_DEPTH 12
#define TRACEPARENT_LENGTH 55

/* Random from the first use on, so that two machines do not choose the same ids. */
__u64 go_id_seed;

static __always_inline __u64 go_mix(__u64 value)
{
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
	value ^= value >> 31;
	return value ? value : 1;
}

static __always_inline __u64 go_seed(void)
{
	__u64 seed = go_id_seed;

	if (unlikely(!seed)) {
		random_bytes8((__u8 *)&seed);
		__sync_val_compare_and_swap(&go_id_seed, 0, seed);
		seed = go_id_seed;
	}
	return seed;
}

/* A hexadecimal digit in lower case, as the specification wants it, or 16. */
static __always_inline __u32 go_hex_digit(__u8 digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return 16;
}

/* Reads 8 bytes of an id from 16 digits, in the order of the text; false if a digit is none. */
static __noinline int go_hex8(const __u8 *text, __u64 *out)
{
	__u64 value = 0;
	__u32 bad = 0;

	if (!text || !out)
		return 0;
	for (int i = 0; i < 8; i++) {
		__u32 high = go_hex_digit(text[2 * i]), low = go_hex_digit(text[2 * i + 1]);

		bad |= high | low;
		value |= (__u64)((high << 4 | low) & 0xff) << (8 * i);
	}
	*out = value;
	return !(bad & 16);
}

/* W3C trace context, version 00: 00-<32 digits>-<16 digits>-<2 digits>. */
static __always_inline bool go_adopt_traceparent(struct go_scratch *scratch, struct go_exchange *exchange)
{
	__u8 *text = scratch->group;
	__u64 trace[2], parent;

	if (scratch->traceparent.length != TRACEPARENT_LENGTH)
		return false;
	if (bpf_probe_read_user(text, TRACEPARENT_LENGTH, (void *)scratch->traceparent.data))
		return false;
	if (text[2] != '-' || text[35] != '-' || text[52] != '-' || (text[0] == 'f' && text[1] == 'f'))
		return false;
	if (!go_hex8(text + 3, &trace[0]) || !go_hex8(text + 19, &trace[1]) || !go_hex8(text + 36, &parent))
		return false;
	if (!(trace[0] | trace[1]) || !parent)
		return false;
	__builtin_memcpy(exchange->trace_id, trace, 16);
	exchange->parent_span_id = parent;
	return true;
}

/*
 * Gives a server's exchange its place in a trace when somebody first asks. Two clients on two CPUs may ask at once: what
 * they write is computed from the exchange, so they write the same.
 */
static __always_inline void go_choose_context(struct go_scratch *scratch, struct go_exchange *exchange)
{
	__u64 base = go_seed() ^ go_mix(exchange->key) ^ exchange->start_ns;

	if (!go_adopt_traceparent(scratch, exchange)) {
		__u64 trace[2] = { go_mix(base + 1), go_mix(base + 2) };

		__builtin_memcpy(exchange->trace_id, trace, 16);
	}
	barrier();
	*(volatile __u64 *)&exchange->span_id = go_mix(base + 3);
}

/* The exchange whose request had this context, if it is still the same and in progress. */
static __always_inline struct go_exchange *go_find_by_context(__u32 tgid, __u64 context)
{
	__u64 key = go_context_key(tgid, context);
	__u32 index = go_set_of(key);
	struct go_context_set *set = bpf_map_lookup_elem(&go_contexts, &index);
	struct go_exchange *exchange;

	if (!set)
		return 0;
	for (int way = 0; way < GO_WAYS; way++) {
		if (set->ways[way].key != key)
			continue;
		exchange = go_find(set->ways[way].exchange_key);
		if (exchange && exchange->start_ns == set->ways[way].start_ns)
			return exchange;
	}
	return 0;
}

/* A context of the standard library: all hold their parent first; one with a value holds it here. */
struct go_context_value {
	struct go_interface parent;
	struct go_interface key;
	struct go_interface value;
};

/* A connection's contexts are known by the address that one of them holds, a request's by themselves. */
static __noinline struct go_exchange *go_climb_contexts(__u32 tgid, __u64 context)
{
	struct go_context_value at;

	for (int depth = 0; depth < GO_CONTEXT_DEPTH && context; depth++) {
		struct go_exchange *exchange = go_find_by_context(tgid, context);

		if (exchange)
			return exchange;
		if (bpf_probe_read_user(&at, sizeof(at), (void *)context))
			return 0;
		exchange = at.value.data ? go_find_by_context(tgid, at.value.data) : 0;
		if (exchange)
			return exchange;
		context = at.parent.data;
	}
	return 0;
}

/* The key of the exchange that a client's request belongs to, or 0. */
static __always_inline __u64 go_find_parent(__u32 tgid, __u64 goid, __u64 g, __u64 request,
					    const struct go_binary *binary)
{
	__u64 key = go_key(tgid, goid), context = 0, creator = 0;
	struct go_exchange *found;

	if (go_find(key))
		return key;
	if (binary->request_ctx != GO_OFFSET_UNKNOWN) {
		bpf_probe_read_user(&context, 8, (void *)(request + binary->request_ctx + 8));
		found = go_climb_contexts(tgid, context);
		if (found)
			return found->key;
	}
	if (binary->g_parent_goid == GO_OFFSET_UNKNOWN)
		return 0;
	if (bpf_probe_read_user(&creator, 8, (void *)(g + binary->g_parent_goid)) || !creator)
		return 0;
	key = go_key(tgid, creator);
	return go_find(key) ? key : 0;
}

/* Reads the parent's headers into the scratch memory. */
static __always_inline bool go_read_parent(struct go_scratch *scratch)
{
	struct go_exchange *parent = go_find(scratch->parent_key);
	struct go_request *request;

	if (!parent)
		return false;
	request = (void *)parent->request;
	return !bpf_probe_read_user(&scratch->header, 8, &request->header);
}

/* The parent is one that the kernel side follows. */
static __always_inline void go_join_outside(struct exchange *x, struct go_exchange *client)
{
	const struct record_header *parent = &x->record.header;

	/* Not the global function: with preemption switched off the verifier admits none. */
	settle_context(x);
	__builtin_memcpy(client->trace_id, parent->trace_id, 16);
	__builtin_memcpy(&client->parent_span_id, parent->span_id, 8);
	random_bytes8((__u8 *)&client->span_id);
}

/* Makes the client's exchange a child of the server's, if there is one. */
static __always_inline void go_join_parent(struct go_scratch *scratch, __u64 client_key, __u8 map_kind)
{
	struct go_exchange *parent = go_find(scratch->parent_key), *client;
	struct exchange *x;
	__u64 socket;

	if (parent && parent->socket) {
		socket = parent->socket;
		x = find_exchange(socket);
		client = go_find(client_key);
		/* A goroutine that has read a request, as a proxy's or an event loop's does, need not be the one that serves it. */
		if (x && x->go.conn && client)
			go_join_outside(x, client);
		return;
	}
	if (!go_read_parent(scratch))
		return;
	go_find_headers(scratch, scratch->header, map_kind);
	parent = go_find(scratch->parent_key);
	client = go_find(client_key);
	if (!parent || !client)
		return;
	if (!parent->span_id)
		go_choose_context(scratch, parent);
	__builtin_memcpy(client->trace_id, parent->trace_id, 16);
	client->parent_span_id = parent->span_id;
	random_bytes8((__u8 *)&client->span_id);
}

#endif
