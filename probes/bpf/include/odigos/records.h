/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The one definition of everything that crosses from kernel to user space: the records of the two rings, the values of
 * maps that user space writes, and the counters. The Rust side is probes/wire/src/layout.rs; a test of the loader
 * compares the two by BTF.
 */
#ifndef ODIGOS_RECORDS_H
#define ODIGOS_RECORDS_H

enum record_kind {
	RECORD_HTTP1 = 1,
	RECORD_GO_HTTP = 2,
};

enum record_flag {
	FLAG_CLIENT = 1 << 0,
	FLAG_CONTEXT = 1 << 1,
	FLAG_PARENT = 1 << 2,
	FLAG_INCOMPLETE = 1 << 3,
	FLAG_AMBIGUOUS_PARENT = 1 << 4,
	/* The server is Go's net/http, seen from the kernel side. */
	FLAG_GO = 1 << 5,
};

/* Every record of the ring of spans begins so. Times are CLOCK_MONOTONIC. */
struct record_header {
	__u16 kind;
	__u16 flags;
	__u32 length;
	__u32 entity;
	__u32 pid;
	__u64 start_ns;
	__u64 end_ns;
	__u8 trace_id[16];
	__u8 span_id[8];
	__u8 parent_span_id[8];
};

/* IPv4 addresses take the first four bytes. */
struct endpoint {
	__u8 addr[16];
	__u16 port;
	__u16 family;
};

#define HTTP1_REQUEST_CAPTURE 1024
#define HTTP1_BODY_UNKNOWN (~0ULL)

struct http1_record {
	struct record_header header;
	struct endpoint local;
	struct endpoint remote;
	__u64 request_bytes;
	__u64 response_bytes;
	__u64 response_body;
	__u16 status;
	__u16 captured;
	/* Bytes of the route, which follow those of the request. */
	__u16 route;
	__u16 reserved;
	__u8 request[HTTP1_REQUEST_CAPTURE];
};

enum process_event_kind {
	PROCESS_EXEC = 1,
	PROCESS_FORK = 2,
	PROCESS_EXIT = 3,
	/* A TCP socket of the process accepts connections now. */
	PROCESS_LISTEN = 4,
	/* A Go program serves connections that only probes within it can read: with TLS, or over Unix sockets. Told once. */
	PROCESS_SERVES_INSIDE = 5,
};

#define PROCESS_FILENAME 128

/* A record of the ring of process events, which Odiglet reads. */
struct process_event {
	__u32 kind;
	__u32 pid;
	/* The process that forked; 0 for the other kinds. */
	__u32 parent;
	/* The entity under which the kernel already traces the process, or 0. */
	__u32 entity;
	/* Time since boot at which the process started: with the pid, its identity. */
	__u64 start_boottime_ns;
	/* For PROCESS_LISTEN, in host byte order; 0 if the kernel is yet to choose it. */
	__u16 port;
	__u16 reserved[3];
	/* For PROCESS_EXEC, with a 0 at its end. */
	__u8 filename[PROCESS_FILENAME];
};

enum target_flag {
	TARGET_HTTP1_SERVER = 1 << 0,
	TARGET_HTTP1_CLIENT = 1 << 1,
	TARGET_GO_SERVER = 1 << 2,
	TARGET_GO_CLIENT = 1 << 3,
	/* HTTP/1 exchanges in progress are followed to their end, though none begins any more. */
	TARGET_HTTP1_FINISH = 1 << 4,
	/* PROCESS_SERVES_INSIDE has been told. */
	TARGET_TOLD_INSIDE = 1 << 5,
	/* Exchanges that probes in a Go program have seen begin are followed to their end, though none begins any more. */
	TARGET_GO_FINISH = 1 << 6,
	/* It listens on a port whose listeners are traced. */
	TARGET_LISTENS = 1 << 7,
};

/* A target with none of these costs its process nothing beyond the look-up. */
#define TARGET_HTTP1_ANY (TARGET_HTTP1_SERVER | TARGET_HTTP1_CLIENT | TARGET_HTTP1_FINISH)

/* Value of `targets`, keyed by process id: what is traced in a process, and as which entity. */
struct target {
	__u32 entity;
	__u32 flags;
	/* With one of the flags of Go: the index of its binary in `go_binaries`. */
	__u32 binary;
	__u32 reserved;
};

enum counter {
	COUNTER_SEEN = 0,
	COUNTER_EMITTED = 1,
	COUNTER_RING_FULL = 2,
	COUNTER_STATE_FULL = 3,
	COUNTER_UNREADABLE = 4,
	COUNTER_AMBIGUOUS_PARENT = 5,
	COUNTER_EVENT_RING_FULL = 6,
	COUNTER_UNFINISHED = 7,
	COUNTER_UNMATCHED = 8,
	/* User space writes this one, in the first slot: a program cannot see that it was skipped. */
	COUNTER_SKIPPED = 9,
};

/* What user space gives the programs that it runs to flush. */
struct flush_input {
	/* Times that the kernel did not run a program, since all were loaded. */
	__u64 skipped;
};

#define COUNTER_SLOTS 64

struct counters {
	__u64 value[16];
};

/* Set by the loader before the programs are loaded. */
struct config {
	/* Device and inode of the pid namespace whose pids user space means; 0 if it is the initial one. */
	__u64 pid_namespace_dev;
	__u64 pid_namespace_ino;
	/* The ring of spans wakes its reader when this many bytes wait. */
	__u64 wakeup_bytes;
	/* Flags that a process gets at its exec, before user space has seen it; 0 to trace only what user space adds. */
	__u32 adopt_flags;
	/* The agent's own process, which is never adopted. */
	__u32 own_pid;
	/* Probes in programs let themselves be preempted, as they must on kernels before Linux 6.10, even where they need not. */
	__u32 never_keep_processor;
	__u32 reserved;
};

/* The strings of a Go HTTP record, in the order in which they stand in it. */
enum go_http_string {
	GO_METHOD = 0,
	GO_TARGET = 1,
	GO_HOST = 2,
	GO_SCHEME = 3,
	GO_PEER = 4,
	GO_PATTERN = 5,
	GO_USER_AGENT = 6,
	GO_TRACEPARENT = 7,
	GO_STRINGS = 8,
};

#define GO_HTTP_DATA 2048

/* Only as much of `data` is sent as the lengths add up to. */
struct go_http_record {
	struct record_header header;
	/* As Go says them; -1 is unknown. */
	__s64 request_body;
	__s64 response_body;
	__u16 status;
	__u8 proto_major;
	__u8 proto_minor;
	__u16 lengths[GO_STRINGS];
	/* Bytes between the method and the target that belong to neither: they may have been read at once. */
	__u32 gap;
	__u8 data[GO_HTTP_DATA];
};

#define GO_OFFSET_UNKNOWN 0xffff

enum go_map_kind {
	GO_MAP_UNKNOWN = 0,
	/* runtime.hmap, before Go 1.24. */
	GO_MAP_BUCKETS = 1,
	/* internal/runtime/maps.Map, since Go 1.24. */
	GO_MAP_SWISS = 2,
};

enum go_binary_flag {
	GO_BINARY_HAS_CLIENT = 1 << 0,
};

/*
 * Value of `go_binaries`: where a binary keeps what is read. GO_OFFSET_UNKNOWN switches the feature off that needs the
 * field. The first fields of net/http.Request, net/url.URL and net/http.Response have kept their places since Go 1.17:
 * they are read as the structs of gohttp/types.h, and the planner refuses a binary where they lie elsewhere.
 */
struct go_binary {
	__u16 g_goid;
	__u16 g_parent_goid;
	__u16 request_ctx;
	/* A string; since Go 1.23. */
	__u16 request_pattern;
	/* A pointer to a struct that begins with the string; Go 1.22 only. */
	__u16 request_pat;
	/* `written`, `contentLength` and `status` follow each other. */
	__u16 response_written;
	/* How much of Request is read: up to the end of the last field that is wanted. */
	__u16 request_size;
	__u16 url_raw_path;
	__u16 url_raw_query;
	/* Bytes between the end of the stack of (*conn).serve's goroutine and the place where it keeps its *conn. */
	__u16 conn_slot;
	/* net/http.conn.curReq: where the pointer is. */
	__u16 conn_cur_req;
	/* net.netFD.laddr */
	__u16 netfd_laddr;
	__u8 map_kind;
	__u8 flags;
};

#endif
