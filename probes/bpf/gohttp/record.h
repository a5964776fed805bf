/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Puts a record together in the scratch memory, its strings one behind the other, and sends it. */
#ifndef ODIGOS_GOHTTP_RECORD_H
#define ODIGOS_GOHTTP_RECORD_H

#include "header.h"

/* The most that is kept of each string. The sums of both sides stay below GO_HTTP_DATA. */
#define CAP_METHOD 16
#define CAP_TARGET 1024
#define CAP_HALF_TARGET 512
#define CAP_HOST 128
#define CAP_SCHEME 8
#define CAP_PEER 64
#define CAP_PATTERN 256
#define CAP_USER_AGENT 256
#define CAP_TRACEPARENT 64

/* Appends at most `cap` bytes (a power of two) of a string; what cannot be read counts as empty. */
static __always_inline __u32 go_append(struct go_scratch *scratch, const struct go_string *from, __u32 cap)
{
	__u32 length = from->length < cap ? from->length : cap;
	/* Never masks anything away: it is how the verifier learns that the sum of the caps fits. */
	__u32 at = scratch->used & (GO_HTTP_DATA - 1);

	if (!length || at > GO_HTTP_DATA - cap)
		return 0;
	barrier_var(length);
	if (length > cap)
		return 0;
	if (bpf_probe_read_user(&scratch->record.data[at], length, (void *)from->data))
		return 0;
	scratch->used = at + length;
	return length;
}

static __always_inline void go_append_as(struct go_scratch *scratch, enum go_http_string which,
					 const struct go_string *from, __u32 cap)
{
	scratch->record.lengths[which] = go_append(scratch, from, cap);
}

static __always_inline void go_begin_record(struct go_scratch *scratch, const struct go_exchange *exchange,
					    const struct target *target, __u32 tgid, __u16 flags)
{
	struct record_header *header = &scratch->record.header;

	header->kind = RECORD_GO_HTTP;
	header->entity = target->entity;
	header->pid = tgid;
	header->start_ns = exchange->start_ns;
	header->end_ns = bpf_ktime_get_ns();
	if (exchange->span_id) {
		flags |= FLAG_CONTEXT;
		__builtin_memcpy(header->trace_id, exchange->trace_id, 16);
		__builtin_memcpy(header->span_id, &exchange->span_id, 8);
		__builtin_memcpy(header->parent_span_id, &exchange->parent_span_id, 8);
		if (exchange->parent_span_id)
			flags |= FLAG_PARENT;
	}
	header->flags = flags;
	scratch->used = 0;
}

static __always_inline void go_send_record(struct go_scratch *scratch)
{
	emit(&scratch->record.header,
	     __builtin_offsetof(struct go_http_record, data) + (scratch->used & (GO_HTTP_DATA - 1)));
}

#endif
