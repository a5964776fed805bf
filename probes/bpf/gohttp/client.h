/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The client of Go's net/http. One call of (*Transport).roundTrip is one span, whatever it retries within.
 */
#ifndef ODIGOS_GOHTTP_CLIENT_H
#define ODIGOS_GOHTTP_CLIENT_H

#include "parent.h"

/* net/http.(*Transport).roundTrip(transport, request) */
static __always_inline void go_client_begins(struct pt_regs *ctx)
{
	struct go_binary *binary = go_current_binary(ctx);
	__u32 tgid = current_pid_tgid() >> 32;
	struct target *target = bpf_map_lookup_elem(&targets, &tgid);
	struct go_exchange *exchange;
	struct go_scratch *scratch;
	__u64 goid, key;

	if (!binary || !go_may_begin(target, TARGET_GO_CLIENT))
		return;
	goid = go_current_goid(GO_G(ctx), binary);
	key = go_key(tgid, goid) ^ GO_CLIENT_SALT;
	exchange = go_begin(key, tgid, 0, bpf_ktime_get_ns());
	if (!exchange) {
		go_drop(COUNTER_STATE_FULL);
		return;
	}
	exchange->request = GO_ARG2(ctx);
	/* Without spans of the server nobody would ever see the parent. */
	if (!(target->flags & TARGET_GO_SERVER))
		return;
	scratch = go_scratch_take();
	if (!scratch)
		return;
	scratch->parent_key = go_find_parent(tgid, goid, GO_G(ctx), GO_ARG2(ctx), binary);
	if (scratch->parent_key)
		go_join_parent(scratch, key, binary->map_kind);
	go_scratch_return(scratch);
}

static __always_inline struct go_string go_url_field(struct go_scratch *scratch, __u16 offset)
{
	struct go_string none = {};

	if (offset > GO_URL_SIZE - sizeof(struct go_string))
		return none;
	return *(struct go_string *)&scratch->url_bytes[offset];
}

/* Path and query are two strings in Go, and one in the record. */
static __always_inline void go_append_url(struct go_scratch *scratch, const struct go_binary *binary)
{
	struct go_string path = go_url_field(scratch, binary->url_raw_path);
	struct go_string query = go_url_field(scratch, binary->url_raw_query);
	__u32 length, at;

	/* The raw path is set only where it differs from the standard way of encoding the decoded one. */
	if (!path.length)
		path = scratch->url.path;
	length = go_append(scratch, &path, CAP_HALF_TARGET);
	at = scratch->used & (GO_HTTP_DATA - 1);
	if (query.length) {
		scratch->record.data[at] = '?';
		scratch->used = at + 1;
		length += 1 + go_append(scratch, &query, CAP_HALF_TARGET);
	}
	scratch->record.lengths[GO_TARGET] = length;
}

static __always_inline bool go_describe_client(struct go_scratch *scratch, const struct go_exchange *exchange,
					       const struct go_binary *binary)
{
	struct go_http_record *record = &scratch->record;
	struct go_url *url = &scratch->url;
	struct go_request *request = &scratch->request;

	if (bpf_probe_read_user(request, sizeof(*request), (void *)exchange->request))
		return false;
	if (bpf_probe_read_user(scratch->url_bytes, GO_URL_SIZE, (void *)request->url))
		return false;
	record->gap = 0;
	record->request_body = request->content_length;
	go_find_headers(scratch, request->header, binary->map_kind);
	go_append_as(scratch, GO_METHOD, &request->method, CAP_METHOD);
	go_append_url(scratch, binary);
	go_append_as(scratch, GO_HOST, &url->host, CAP_HOST);
	go_append_as(scratch, GO_SCHEME, &url->scheme, CAP_SCHEME);
	record->lengths[GO_PEER] = 0;
	record->lengths[GO_PATTERN] = 0;
	go_append_as(scratch, GO_USER_AGENT, &scratch->user_agent, CAP_USER_AGENT);
	go_append_as(scratch, GO_TRACEPARENT, &scratch->traceparent, CAP_TRACEPARENT);
	return true;
}

/* `response` is 0 if the exchange failed. */
static __always_inline bool go_describe_response(struct go_http_record *record, __u64 response)
{
	struct go_response from = { .content_length = -1, .proto_major = 1, .proto_minor = 1 };

	if (response && bpf_probe_read_user(&from, sizeof(from), (void *)response))
		return false;
	record->status = from.status;
	record->response_body = from.content_length;
	record->proto_major = from.proto_major;
	record->proto_minor = from.proto_minor;
	return true;
}

static __always_inline void go_client_emit(const struct go_exchange *exchange, const struct go_binary *binary,
					   __u32 tgid, __u64 response)
{
	struct target *target = bpf_map_lookup_elem(&targets, &tgid);
	struct go_scratch *scratch;

	/* It was traced when the exchange began. */
	if (!target || !(target->flags & TARGET_GO_CLIENT)) {
		go_drop(COUNTER_UNFINISHED);
		return;
	}
	scratch = go_scratch_take();
	if (!scratch) {
		go_drop(COUNTER_STATE_FULL);
		return;
	}
	go_begin_record(scratch, exchange, target, tgid, FLAG_CLIENT);
	if (go_describe_client(scratch, exchange, binary) && go_describe_response(&scratch->record, response))
		go_send_record(scratch);
	else
		go_drop(COUNTER_UNREADABLE);
	go_scratch_return(scratch);
}

static __always_inline void go_client_ends(struct pt_regs *ctx, __u64 response)
{
	struct go_binary *binary = go_current_binary(ctx);
	__u32 tgid = current_pid_tgid() >> 32;
	struct go_exchange *exchange;

	if (!binary)
		return;
	exchange = go_find(go_key(tgid, go_current_goid(GO_G(ctx), binary)) ^ GO_CLIENT_SALT);
	if (!exchange)
		return;
	go_client_emit(exchange, binary, tgid, response);
	go_release(exchange);
}

#endif
