/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Responses whose end only a pause shows, and what is still in progress when the probes are taken away. User space
 * runs these programs; it never sees the exchanges themselves.
 */
#ifndef ODIGOS_HTTP1_FLUSH_H
#define ODIGOS_HTTP1_FLUSH_H

#include "exchange.h"

/* A response whose end cannot be told has ended when nothing of it was seen for so long. */
#define PAUSE_NS 200000000ULL

struct flush {
	__u64 now;
	bool last;
};

static long flush_exchange(void *map, const void *key, struct exchange *x, struct flush *flush)
{
	bool endless = x->phase == RESPONSE && x->framing == FRAMING_LOST;

	if (endless && (flush->last || x->record.header.end_ns + PAUSE_NS < flush->now)) {
		http1_finish(x);
		http1_end_waiting(x, COUNTER_UNMATCHED);
	} else if (flush->last && (x->phase == REQUEST || x->phase == RESPONSE)) {
		count(COUNTER_SEEN);
		count(COUNTER_UNFINISHED);
		abandon(x, IDLE);
		http1_end_waiting(x, COUNTER_UNFINISHED);
	}
	return 0;
}

static __always_inline void flush_all(struct flush *flush)
{
	__u64 *held = held_elsewhere();

	bpf_for_each_map_elem(&slots, flush_exchange, flush, 0);
	if (held && *held)
		bpf_for_each_map_elem(&more_exchanges, flush_exchange, flush, 0);
}

/* What only user space is told by the kernel joins what the programs count, so that whoever reads the account sees both. */
static __always_inline void account_for_skipped(__u64 skipped)
{
	__u32 slot = 0;
	struct counters *first = bpf_map_lookup_elem(&counters, &slot);

	if (first)
		first->value[COUNTER_SKIPPED] = skipped;
}

SEC("syscall")
int http1_flush(struct flush_input *input)
{
	struct flush flush = { .now = bpf_ktime_get_ns() };

	account_for_skipped(input->skipped);
	flush_all(&flush);
	return 0;
}

SEC("syscall")
int http1_flush_last(struct flush_input *input)
{
	struct flush flush = { .now = bpf_ktime_get_ns(), .last = true };

	account_for_skipped(input->skipped);
	flush_all(&flush);
	return 0;
}

#endif
