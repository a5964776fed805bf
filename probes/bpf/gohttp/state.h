/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What is remembered between the two probes of an exchange.
 *
 * Tables of the kind that processors use for their caches: an array of sets with a few ways each. An array is looked up
 * by inlined instructions, a hash map by a call, a hash and a lock; and nothing is ever allocated. A set that is full
 * gives up its oldest way, so what programs leave behind when they die goes away by itself, and is counted then or at the end.
 */
#ifndef ODIGOS_GOHTTP_STATE_H
#define ODIGOS_GOHTTP_STATE_H

#include "types.h"

#define GO_SETS 8192
#define GO_WAYS 4
#define GO_BINARIES 1024
/* Largest part of a Request that is read. */
#define GO_REQUEST_MAX 320
/* More headers than these with keys of ten or eleven letters displace each other. */
#define GO_CANDIDATES 8

struct go_exchange {
	/* 0 if the way is free. */
	__u64 key;
	__u64 start_ns;
	/* *Request */
	__u64 request;
	/* *response on a server */
	__u64 response;
	/* The key of the exchange of the kernel side that stands for it, where that side sees the server; else 0. */
	__u64 socket;
	/* The process. */
	__u32 tgid;
	__u32 reserved;
	/* Chosen when another span first refers to this one: valid once the span id is not 0. */
	__u8 trace_id[16];
	__u64 span_id;
	/* 0 if there is none. */
	__u64 parent_span_id;
};

struct go_exchange_set {
	struct go_exchange ways[GO_WAYS];
};

/* A context.Context that belongs to the request of the server's exchange `exchange_key` that began at `start_ns`. */
struct go_context {
	__u64 key;
	__u64 exchange_key;
	__u64 start_ns;
	__u64 reserved;
};

struct go_context_set {
	struct go_context ways[GO_WAYS];
};

/* Where a walk over the groups of a map stands. */
struct go_group_walk {
	__u64 base;
	__u64 index;
	__u64 number;
	__u64 stride;
	__u64 overflow;
	__u64 old;
	__u64 old_number;
	__u64 swiss;
};

/* A header whose key may be one that is looked for. */
struct go_candidate {
	struct go_string key;
	struct go_slice values;
};

/* Room to put a record together: too large for the stack. */
struct go_scratch {
	__u32 busy;
	/* Bytes of the record's data that are filled. */
	__u32 used;
	/* Kept here between two steps, where the verifier forgets from which of many ways they came. */
	__u64 parent_key;
	__u64 header;
	struct go_string user_agent;
	struct go_string traceparent;
	struct go_group_walk walk;
	__u64 candidate_count;
	struct go_candidate candidates[GO_CANDIDATES];
	union {
		struct go_url url;
		__u8 url_bytes[GO_URL_SIZE];
	};
	union {
		struct go_request request;
		__u8 request_bytes[GO_REQUEST_MAX + 16];
	};
	__u8 group[GO_GROUP_SIZE + 8];
	struct go_http_record record;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GO_SETS);
	__type(key, __u32);
	__type(value, struct go_exchange_set);
} go_exchanges SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GO_SETS);
	__type(key, __u32);
	__type(value, struct go_context_set);
} go_contexts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct go_scratch);
} go_scratches SEC(".maps");

/* Indexed by the cookie with which the probes of a binary are attached. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GO_BINARIES);
	__type(key, __u32);
	__type(value, struct go_binary);
} go_binaries SEC(".maps");

#define GO_CLIENT_SALT 0x5bd1e9955bd1e995ULL

/*
 * One word, so that a way can be claimed by one instruction. Goroutines are numbered in order, so the low bits spread
 * them over the sets better than a hash would.
 */
static __always_inline __u64 go_key(__u32 tgid, __u64 goid)
{
	__u64 key = goid + tgid * 0x9e3779b97f4a7c15ULL;

	return key ? key : 1;
}

/* Contexts are allocated at multiples of 16. */
static __always_inline __u64 go_context_key(__u32 tgid, __u64 context)
{
	return go_key(tgid, context >> 4);
}

static __always_inline __u32 go_set_of(__u64 key)
{
	return key & (GO_SETS - 1);
}

static __always_inline struct go_exchange *go_find(__u64 key)
{
	__u32 index = go_set_of(key);
	struct go_exchange_set *set = bpf_map_lookup_elem(&go_exchanges, &index);

	if (!set)
		return 0;
#pragma unroll
	for (int way = 0; way < GO_WAYS; way++) {
		if (set->ways[way].key == key)
			return &set->ways[way];
	}
	return 0;
}

/*
 * Lets clients on other goroutines find the exchange by a context, or by a value that a context of it holds. Old entries are
 * not taken out: one whose exchange is over no longer fits it.
 */
static __always_inline void go_remember_context(struct go_exchange *exchange, __u32 tgid, __u64 context)
{
	__u64 key = go_context_key(tgid, context);
	__u32 index = go_set_of(key);
	struct go_context_set *set = bpf_map_lookup_elem(&go_contexts, &index);
	struct go_context *slot;

	if (!set)
		return;
	slot = &set->ways[0];
#pragma unroll
	for (int way = 1; way < GO_WAYS; way++) {
		/* The next request of a connection takes its place again. */
		if (set->ways[way].key == key || (slot->key != key && set->ways[way].start_ns < slot->start_ns))
			slot = &set->ways[way];
	}
	slot->exchange_key = exchange->key;
	slot->start_ns = exchange->start_ns;
	slot->key = key;
}

/* A span that is seen, and that nobody will see. */
static __always_inline void go_drop(enum counter why)
{
	count(COUNTER_SEEN);
	count(why);
}

/* Takes the way that has waited longest. What was in progress there is lost, and counted. */
static __noinline struct go_exchange *go_evict(__u64 key)
{
	__u32 index = go_set_of(key);
	struct go_exchange_set *set = bpf_map_lookup_elem(&go_exchanges, &index);
	struct go_exchange *oldest;
	__u64 held, socket;
	__u32 tgid;

	if (!set)
		return 0;
	oldest = &set->ways[0];
#pragma unroll
	for (int way = 1; way < GO_WAYS; way++) {
		if (set->ways[way].start_ns < oldest->start_ns)
			oldest = &set->ways[way];
	}
	held = oldest->key;
	socket = oldest->socket;
	tgid = oldest->tgid;
	if (__sync_val_compare_and_swap(&oldest->key, held, key) != held)
		return 0;
	/* The kernel side's own is not lost; only requests made meanwhile do not find it. */
	if (socket)
		return oldest;
	/* One whose process has ended, or is traced no longer, would have had no end with more room either. */
	if (bpf_map_lookup_elem(&targets, &tgid))
		go_drop(COUNTER_STATE_FULL);
	else
		go_drop(COUNTER_UNFINISHED);
	return oldest;
}

/* A way for a key that has none, free ways first; 0 if another CPU was faster in a full set. */
static __always_inline struct go_exchange *go_claim(__u64 key)
{
	__u32 index = go_set_of(key);
	struct go_exchange_set *set = bpf_map_lookup_elem(&go_exchanges, &index);

	if (!set)
		return 0;
#pragma unroll
	for (int way = 0; way < GO_WAYS; way++) {
		if (!set->ways[way].key && !__sync_val_compare_and_swap(&set->ways[way].key, 0, key))
			return &set->ways[way];
	}
	return go_evict(key);
}

/* The way of an exchange that begins. `socket` is 0 where a probe saw it; 0 is returned if there is no room. */
static __always_inline struct go_exchange *go_begin(__u64 key, __u32 tgid, __u64 socket, __u64 now)
{
	struct go_exchange *exchange = go_find(key);

	/* The goroutine has begun one before, of which a probe has not seen the end. */
	if (exchange && !exchange->socket && !socket)
		go_drop(COUNTER_UNFINISHED);
	if (!exchange)
		exchange = go_claim(key);
	if (!exchange)
		return 0;
	exchange->start_ns = now;
	exchange->request = 0;
	exchange->response = 0;
	exchange->socket = socket;
	exchange->tgid = tgid;
	exchange->span_id = 0;
	exchange->parent_span_id = 0;
	return exchange;
}

static __always_inline void go_release(struct go_exchange *exchange)
{
	*(volatile __u64 *)&exchange->key = 0;
}

/*
 * A uprobe's program can be preempted by another on the same CPU, and some kernels then give both the same stack. Where
 * the kernel can keep the CPU for us it does; where it cannot, programs have stacks of their own, and only the scratch
 * memory is left to be guarded.
 */
extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;

#define KEEPS_PROCESSOR (bpf_ksym_exists(bpf_preempt_disable) && !config.never_keep_processor)

static __always_inline void go_enter(void)
{
	if (KEEPS_PROCESSOR)
		bpf_preempt_disable();
}

static __always_inline void go_leave(void)
{
	if (KEEPS_PROCESSOR)
		bpf_preempt_enable();
}

static __always_inline struct go_scratch *go_scratch_take(void)
{
	__u32 zero = 0;
	struct go_scratch *scratch = bpf_map_lookup_elem(&go_scratches, &zero);

	if (!scratch || KEEPS_PROCESSOR)
		return scratch;
	return __sync_val_compare_and_swap(&scratch->busy, 0, 1) ? 0 : scratch;
}

static __always_inline void go_scratch_return(struct go_scratch *scratch)
{
	if (!KEEPS_PROCESSOR)
		*(volatile __u32 *)&scratch->busy = 0;
}

/* Whether exchanges of this side, one of TARGET_GO_SERVER and TARGET_GO_CLIENT, may begin in a process. */
static __always_inline bool go_may_begin(const struct target *target, __u32 side)
{
	return target && (target->flags & (side | TARGET_GO_FINISH)) == side;
}

static __always_inline struct go_binary *go_current_binary(void *ctx)
{
	__u32 index = bpf_get_attach_cookie(ctx);

	return bpf_map_lookup_elem(&go_binaries, &index);
}

static __always_inline __u64 go_current_goid(__u64 g, struct go_binary *binary)
{
	__u64 goid = 0;

	bpf_probe_read_user(&goid, sizeof(goid), (void *)(g + binary->g_goid));
	return goid;
}

#endif
