/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Go's structs as far as they are read, and where Go keeps arguments. */
#ifndef ODIGOS_GOHTTP_TYPES_H
#define ODIGOS_GOHTTP_TYPES_H

#include <linux/ptrace.h>
#include <odigos/maps.h>

#if defined(__TARGET_ARCH_x86)
#define GO_ARG1(ctx) ((ctx)->rax)
#define GO_ARG2(ctx) ((ctx)->rbx)
#define GO_ARG3(ctx) ((ctx)->rcx)
#define GO_ARG4(ctx) ((ctx)->rdi)
#define GO_G(ctx) ((ctx)->r14)
#elif defined(__TARGET_ARCH_arm64)
#define GO_ARG1(ctx) (((struct user_pt_regs *)(ctx))->regs[0])
#define GO_ARG2(ctx) (((struct user_pt_regs *)(ctx))->regs[1])
#define GO_ARG3(ctx) (((struct user_pt_regs *)(ctx))->regs[2])
#define GO_ARG4(ctx) (((struct user_pt_regs *)(ctx))->regs[3])
#define GO_G(ctx) (((struct user_pt_regs *)(ctx))->regs[28])
#else
#error "Go's register convention is not known for this processor"
#endif

struct go_string {
	__u64 data;
	__u64 length;
};

struct go_interface {
	__u64 type;
	__u64 data;
};

struct go_slice {
	__u64 data;
	__u64 length;
	__u64 capacity;
};

/* net/http.Request up to TLS. */
struct go_request {
	struct go_string method;
	__u64 url;
	struct go_string proto;
	__u64 proto_major;
	__u64 proto_minor;
	__u64 header;
	struct go_interface body;
	__u64 get_body;
	__s64 content_length;
	struct go_slice transfer_encoding;
	__u64 close;
	struct go_string host;
	__u64 form;
	__u64 post_form;
	__u64 multipart_form;
	__u64 trailer;
	struct go_string remote_addr;
	struct go_string request_uri;
	/* 0 on a connection without TLS. */
	__u64 tls;
};

/* All of net/url.URL, of any version. */
#define GO_URL_SIZE 144

/* net/url.URL up to Path; what follows was put in another order by Go 1.26. */
struct go_url {
	struct go_string scheme;
	struct go_string opaque;
	__u64 user;
	struct go_string host;
	struct go_string path;
};

/* net/http.Response (the client's) up to ContentLength. */
struct go_response {
	struct go_string status_text;
	__u64 status;
	struct go_string proto;
	__u64 proto_major;
	__u64 proto_minor;
	__u64 header;
	struct go_interface body;
	__s64 content_length;
};

/* Three neighbours in net/http.response (the server's). */
struct go_written {
	__s64 written;
	__s64 content_length;
	__u64 status;
};

/* internal/runtime/maps.Map. */
struct go_swiss_map {
	__u64 used;
	__u64 seed;
	__u64 directory;
	__u64 directory_length;
};

/* internal/runtime/maps.table. */
struct go_swiss_table {
	__u16 used;
	__u16 capacity;
	__u16 growth_left;
	__u8 local_depth;
	__u64 index;
	__u64 groups;
	__u64 groups_mask;
};

/* runtime.hmap. */
struct go_bucket_map {
	__u64 count;
	__u8 flags;
	__u8 log2_buckets;
	__u16 overflow_buckets;
	__u32 hash0;
	__u64 buckets;
	__u64 old_buckets;
};

#define GO_GROUP_SLOTS 8
/* Both kinds of map keep eight control bytes, then eight pairs of string and []string. */
#define GO_GROUP_SIZE (8 + GO_GROUP_SLOTS * (sizeof(struct go_string) + sizeof(struct go_slice)))

#endif
