/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Maps that all probes share, the counters, and the way into the ring. */
#ifndef ODIGOS_MAPS_H
#define ODIGOS_MAPS_H

#include <odigos/kernel.h>
#include <odigos/records.h>

volatile const struct config config;

/* Finished spans. The loader sets its size. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} spans SEC(".maps");

/* Processes that started or ended. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 << 10);
} process_events SEC(".maps");

/* What is traced, by process id. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct target);
} targets SEC(".maps");

/* Mapped by user space, so that the collector reads it without a bpf() call. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, COUNTER_SLOTS);
	__type(key, __u32);
	__type(value, struct counters);
} counters SEC(".maps");

static __always_inline void count(enum counter which)
{
	__u32 slot = bpf_get_smp_processor_id() % COUNTER_SLOTS;
	struct counters *all = bpf_map_lookup_elem(&counters, &slot);

	if (all)
		__sync_fetch_and_add(&all->value[which], 1);
}

/* Process id (upper half) and thread id (lower half), as user space knows them. */
static __always_inline __u64 current_pid_tgid(void)
{
	struct bpf_pidns_info ids;

	if (likely(!config.pid_namespace_ino))
		return bpf_get_current_pid_tgid();
	if (bpf_get_ns_current_pid_tgid(config.pid_namespace_dev, config.pid_namespace_ino, &ids, sizeof(ids)))
		return 0;
	return (__u64)ids.tgid << 32 | ids.pid;
}

/*
 * A reader that is woken for each record costs the traced program more than the record itself. It polls on its own, and
 * is woken only when the ring begins to fill.
 */
static __always_inline __u64 wakeup_flags(void)
{
	return bpf_ringbuf_query(&spans, BPF_RB_AVAIL_DATA) >= config.wakeup_bytes ? BPF_RB_FORCE_WAKEUP :
										     BPF_RB_NO_WAKEUP;
}

/* Copies a finished record into the ring and accounts for it. `length` must be bounded for the verifier. */
static __always_inline void emit(struct record_header *record, __u64 length)
{
	count(COUNTER_SEEN);
	record->length = length;
	if (bpf_ringbuf_output(&spans, record, length, wakeup_flags()))
		count(COUNTER_RING_FULL);
	else
		count(COUNTER_EMITTED);
}

static __always_inline void random_bytes8(__u8 *out)
{
	__u64 value = (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();

	/* An id of zero is invalid. */
	value |= !value;
	__builtin_memcpy(out, &value, sizeof(value));
}

static __always_inline void random_trace_id(struct record_header *record)
{
	random_bytes8(record->trace_id);
	random_bytes8(record->trace_id + 8);
}

#endif
