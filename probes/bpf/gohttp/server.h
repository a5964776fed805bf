/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The server of Go's net/http, by probes in the program: for connections that the kernel side cannot read, which are those
 * with TLS and those over Unix sockets. It is attached only to programs that have been seen to serve such (serving.h).
 *
 * The first probe keeps only what the second cannot know: when the request began. The second reads the rest from Go's own
 * structs, which are complete by then.
 */
#ifndef ODIGOS_GOHTTP_SERVER_H
#define ODIGOS_GOHTTP_SERVER_H

#include "outside.h"
#include "record.h"

/* net/http.serverHandler.ServeHTTP(server, (writer's type, writer), request) */
static __always_inline void go_server_begins(struct pt_regs *ctx)
{
	struct go_binary *binary = go_current_binary(ctx);
	__u32 tgid = current_pid_tgid() >> 32;
	struct target *target = bpf_map_lookup_elem(&targets, &tgid);
	struct go_exchange *exchange;
	__u64 key, context, major = 0;

	if (!binary || !go_may_begin(target, TARGET_GO_SERVER))
		return;
	/* HTTP/2 enters the same way, and leaves by another. */
	bpf_probe_read_user(&major, 8, &((struct go_request *)GO_ARG4(ctx))->proto_major);
	if (major != 1)
		return;
	key = go_key(tgid, go_current_goid(GO_G(ctx), binary));
	if (go_is_seen_outside(key, tgid, GO_ARG3(ctx), GO_ARG4(ctx), binary))
		return;
	exchange = go_begin(key, tgid, 0, bpf_ktime_get_ns());
	if (!exchange) {
		go_drop(COUNTER_STATE_FULL);
		return;
	}
	exchange->request = GO_ARG4(ctx);
	exchange->response = GO_ARG3(ctx);
	if (binary->flags & GO_BINARY_HAS_CLIENT && binary->request_ctx != GO_OFFSET_UNKNOWN &&
	    !bpf_probe_read_user(&context, 8, (void *)(exchange->request + binary->request_ctx + 8)))
		go_remember_context(exchange, tgid, context);
}

static __always_inline void go_append_pattern(struct go_scratch *scratch, const struct go_binary *binary)
{
	__u64 pat;
	struct go_string pattern = {};

	if (binary->request_pattern <= GO_REQUEST_MAX - sizeof(pattern)) {
		pattern = *(struct go_string *)&scratch->request_bytes[binary->request_pattern];
	} else if (binary->request_pat <= GO_REQUEST_MAX - sizeof(pat)) {
		pat = *(__u64 *)&scratch->request_bytes[binary->request_pat];
		if (pat)
			bpf_probe_read_user(&pattern, sizeof(pattern), (void *)pat);
	}
	go_append_as(scratch, GO_PATTERN, &pattern, CAP_PATTERN);
}

/*
 * Method and target of a request are cut out of its first line, so they lie a space apart and one read gets both. A program
 * may have put another method into its request: then it takes two.
 */
static __always_inline void go_append_request_line(struct go_scratch *scratch)
{
	struct go_http_record *record = &scratch->record;
	struct go_string method = scratch->request.method, target = scratch->request.request_uri;
	struct go_string both = { method.data, method.length + 1 + target.length };

	record->gap = 0;
	if (method.length < CAP_METHOD && target.length < CAP_TARGET - CAP_METHOD &&
	    method.data + method.length + 1 == target.data && go_append(scratch, &both, CAP_TARGET)) {
		record->lengths[GO_METHOD] = method.length;
		record->lengths[GO_TARGET] = target.length;
		record->gap = 1;
		return;
	}
	go_append_as(scratch, GO_METHOD, &method, CAP_METHOD);
	go_append_as(scratch, GO_TARGET, &target, CAP_TARGET);
}

static __always_inline void go_append_https(struct go_scratch *scratch)
{
	__u32 at = scratch->used & (GO_HTTP_DATA - 1);

	if (at > GO_HTTP_DATA - CAP_SCHEME)
		return;
	__builtin_memcpy(&scratch->record.data[at], "https", 5);
	scratch->record.lengths[GO_SCHEME] = 5;
	scratch->used = at + 5;
}

/* Reads both structs and the strings they point at. Returns false if the program's memory cannot be read. */
static __always_inline bool go_describe_server(struct go_scratch *scratch, const struct go_exchange *exchange,
					       const struct go_binary *binary)
{
	struct go_http_record *record = &scratch->record;
	struct go_written written;
	__u32 size = binary->request_size;

	if (size > GO_REQUEST_MAX)
		size = GO_REQUEST_MAX;
	if (bpf_probe_read_user(scratch->request_bytes, size, (void *)exchange->request))
		return false;
	if (bpf_probe_read_user(&written, sizeof(written), (void *)(exchange->response + binary->response_written)))
		return false;
	record->request_body = scratch->request.content_length;
	record->response_body = written.written;
	record->status = written.status;
	record->proto_major = scratch->request.proto_major;
	record->proto_minor = scratch->request.proto_minor;
	go_find_headers(scratch, scratch->request.header, binary->map_kind);
	go_append_request_line(scratch);
	go_append_as(scratch, GO_HOST, &scratch->request.host, CAP_HOST);
	record->lengths[GO_SCHEME] = 0;
	if (scratch->request.tls)
		go_append_https(scratch);
	go_append_as(scratch, GO_PEER, &scratch->request.remote_addr, CAP_PEER);
	go_append_pattern(scratch, binary);
	go_append_as(scratch, GO_USER_AGENT, &scratch->user_agent, CAP_USER_AGENT);
	go_append_as(scratch, GO_TRACEPARENT, &scratch->traceparent, CAP_TRACEPARENT);
	return true;
}

static __always_inline void go_server_emit(const struct go_exchange *exchange, const struct go_binary *binary,
					   __u32 tgid, __u16 flags)
{
	struct target *target = bpf_map_lookup_elem(&targets, &tgid);
	struct go_scratch *scratch;

	/* It was traced when the exchange began. */
	if (!target || !(target->flags & TARGET_GO_SERVER)) {
		go_drop(COUNTER_UNFINISHED);
		return;
	}
	scratch = go_scratch_take();
	if (!scratch) {
		go_drop(COUNTER_STATE_FULL);
		return;
	}
	go_begin_record(scratch, exchange, target, tgid, flags);
	if (!go_describe_server(scratch, exchange, binary)) {
		go_drop(COUNTER_UNREADABLE);
	} else {
		/* A handler that writes nothing answers 200; one that did not come to its end has not answered. */
		if (!scratch->record.status && !(flags & FLAG_INCOMPLETE))
			scratch->record.status = 200;
		go_send_record(scratch);
	}
	go_scratch_return(scratch);
}

static __always_inline void go_server_ends(struct pt_regs *ctx, __u64 response, __u16 flags)
{
	struct go_binary *binary = go_current_binary(ctx);
	__u32 tgid = current_pid_tgid() >> 32;
	struct go_exchange *exchange;

	if (!binary)
		return;
	exchange = go_find(go_key(tgid, go_current_goid(GO_G(ctx), binary)));
	if (!exchange || exchange->socket)
		return;
	/* Otherwise the goroutine has begun another exchange, and never ended it. */
	if (!response || exchange->response == response)
		go_server_emit(exchange, binary, tgid, flags);
	else
		go_drop(COUNTER_UNFINISHED);
	go_release(exchange);
}

#endif
