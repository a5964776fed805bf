/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What is still in progress when the probes have been taken out, and what ended programs have left. User space runs this. */
#ifndef ODIGOS_GOHTTP_FLUSH_H
#define ODIGOS_GOHTTP_FLUSH_H

#include "state.h"

static long go_flush_set(void *map, const void *key, struct go_exchange_set *set, void *none)
{
#pragma unroll
	for (int way = 0; way < GO_WAYS; way++) {
		struct go_exchange *exchange = &set->ways[way];

		/* The kernel side counts its own. */
		if (!exchange->key || exchange->socket)
			continue;
		go_release(exchange);
		go_drop(COUNTER_UNFINISHED);
	}
	return 0;
}

SEC("syscall")
int go_http_flush_last(void *ctx)
{
	bpf_for_each_map_elem(&go_exchanges, go_flush_set, NULL, 0);
	return 0;
}

#endif
