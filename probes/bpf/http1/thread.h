/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Which server request a thread is serving: the parent of the client requests that it makes meanwhile. */
#ifndef ODIGOS_HTTP1_THREAD_H
#define ODIGOS_HTTP1_THREAD_H

#include <odigos/maps.h>

struct thread {
	/* Key of the exchange that the thread read last. */
	__u64 serving;
	/* Exchanges that the thread has read and that are not finished. With more than one nobody knows which it serves. */
	__u32 open;
	__u32 reserved;
};

/*
 * Made beforehand, 1.4 MiB: a program that starts a thread for each request would pay for making its entry. Requests of threads
 * that find no room are no parents.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct thread);
} threads SEC(".maps");

static __always_inline void forget_thread(__u64 thread_id)
{
	bpf_map_delete_elem(&threads, &thread_id);
}

#endif
