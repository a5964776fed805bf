/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Which server request a thread is serving: the parent of the client requests that it makes meanwhile. */
#ifndef ODIGOS_HTTP1_THREAD_H
#define ODIGOS_HTTP1_THREAD_H

#include <odigos/maps.h>

#define THREAD_SETS 4096
#define THREAD_WAYS 4

struct thread {
	/* Of the thread; 0 if the way was never taken. */
	__u64 id;
	/* Key of the exchange that the thread read last. */
	__u64 serving;
	/* Exchanges that the thread has read and that are not finished. With more than one nobody knows which it serves. */
	__u64 open;
};

struct thread_set {
	struct thread ways[THREAD_WAYS];
};

/*
 * A table as processors have for their caches, since a program may start a thread for each request and would pay for making
 * and freeing an entry of a hash map each time. Nothing is taken out when a thread ends: a way whose exchanges are finished
 * is free for another.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, THREAD_SETS);
	__type(key, __u32);
	__type(value, struct thread_set);
} threads SEC(".maps");

/* Threads are numbered in order, so the low bits spread them best. */
static __always_inline struct thread_set *thread_set_of(__u64 thread_id)
{
	__u32 index = thread_id & (THREAD_SETS - 1);

	return bpf_map_lookup_elem(&threads, &index);
}

static __always_inline struct thread *find_thread(__u64 thread_id)
{
	struct thread_set *set = thread_set_of(thread_id);

	if (!set)
		return NULL;
#pragma unroll
	for (int way = 0; way < THREAD_WAYS; way++)
		if (set->ways[way].id == thread_id)
			return &set->ways[way];
	return NULL;
}

/* The way of a thread that has none yet: one of which no exchange is open, or NULL if another processor was faster. */
static __always_inline struct thread *claim_thread(__u64 thread_id)
{
	struct thread_set *set = thread_set_of(thread_id);
	struct thread *thread = NULL;
	__u64 before;

	if (!set)
		return NULL;
#pragma unroll
	for (int way = 0; way < THREAD_WAYS; way++)
		if (!thread && !set->ways[way].open)
			thread = &set->ways[way];
	if (!thread)
		return NULL;
	before = thread->id;
	return __sync_val_compare_and_swap(&thread->id, before, thread_id) == before ? thread : NULL;
}

#endif
