/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The little of HTTP/1 that the kernel side must understand: does a piece begin a request or a response, where does the
 * head of a response end, and what frames its body (RFC 9112, section 6). All else is parsed in user space.
 */
#ifndef ODIGOS_HTTP1_HEAD_H
#define ODIGOS_HTTP1_HEAD_H

#include <odigos/maps.h>

/* What is kept of a response's head. With the record it stays under 2 KiB, the allocator's size class. */
#define RESPONSE_HEAD 512
/* The longest method with its space. */
#define METHOD_MAX 8
/* "HTTP/1.1 200" */
#define STATUS_END 12
/* A 64-bit number has at most 20 digits. */
#define NUMBER_WINDOW 21

/* "\r\n0\r\n\r\n", the end of a chunked body without trailers, the newest byte lowest. */
#define LAST_CHUNK 0x0d0a300d0a0d0aULL
#define LAST_CHUNK_MASK 0xffffffffffffffULL

#define EMPTY_LINE 0x0d0a0d0aU

enum framing {
	/* The head is not complete yet. */
	FRAMING_UNKNOWN,
	FRAMING_LENGTH,
	FRAMING_CHUNKED,
	/* Up to the end of the connection. */
	FRAMING_CLOSE,
	/* The head is longer than what is kept. */
	FRAMING_LOST,
};

struct head_facts {
	__u32 head_bytes;
	/* Where the value of Content-Length begins; 0 if there is none. */
	__u32 length_at;
	bool chunked;
};

#define WORD(a, b, c, d, e, f, g, h)                                                                              \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 | (__u64)(f) << 40 | \
	 (__u64)(g) << 48 | (__u64)(h) << 56)
#define LOWER 0x2020202020202020ULL

/* Whether `start`, of which `have` bytes are known, can be `method` (`length` bytes with its space) and a target. */
static __always_inline bool begins_with_method(__u64 start, __u32 have, __u64 method, const __u32 length)
{
	__u32 compare = have < length ? have : length;
	__u64 mask = compare >= 8 ? ~0ULL : (1ULL << (8 * compare)) - 1;
	__u8 next;

	if ((start & mask) != (method & mask))
		return false;
	if (have <= length || length >= 8)
		return true;
	next = start >> (8 * length);
	return next == '/' || next == 'h' || next == '*';
}

static __always_inline bool is_request(const __u8 *bytes, __u32 have)
{
	__u64 start;

	__builtin_memcpy(&start, bytes, sizeof(start));
	if (have > METHOD_MAX)
		have = METHOD_MAX;
	return begins_with_method(start, have, WORD('G', 'E', 'T', ' ', 0, 0, 0, 0), 4) ||
	       begins_with_method(start, have, WORD('P', 'O', 'S', 'T', ' ', 0, 0, 0), 5) ||
	       begins_with_method(start, have, WORD('P', 'U', 'T', ' ', 0, 0, 0, 0), 4) ||
	       begins_with_method(start, have, WORD('H', 'E', 'A', 'D', ' ', 0, 0, 0), 5) ||
	       begins_with_method(start, have, WORD('D', 'E', 'L', 'E', 'T', 'E', ' ', 0), 7) ||
	       begins_with_method(start, have, WORD('P', 'A', 'T', 'C', 'H', ' ', 0, 0), 6) ||
	       begins_with_method(start, have, WORD('O', 'P', 'T', 'I', 'O', 'N', 'S', ' '), 8) ||
	       begins_with_method(start, have, WORD('C', 'O', 'N', 'N', 'E', 'C', 'T', ' '), 8) ||
	       begins_with_method(start, have, WORD('T', 'R', 'A', 'C', 'E', ' ', 0, 0), 6);
}

static __always_inline bool is_connect(const __u8 *request)
{
	return request[0] == 'C' && request[1] == 'O' && request[2] == 'N';
}

static __always_inline bool is_response(const __u8 *head)
{
	return head[0] == 'H' && head[1] == 'T' && head[2] == 'T' && head[3] == 'P' && head[4] == '/';
}

/* Three digits, or 0. */
static __always_inline __u16 status_of(const __u8 *head)
{
	__u32 a = head[9] - '0', b = head[10] - '0', c = head[11] - '0';

	return a > 9 || b > 9 || c > 9 ? 0 : a * 100 + b * 10 + c;
}

struct line_scan {
	const __u8 *bytes;
	__u32 length;
	/* Where the current line begins, and where to look on. */
	__u32 line;
	__u32 at;
	struct head_facts facts;
};

/* Unaligned, which both architectures do in one load. */
static __always_inline __u64 word_at(const __u8 *bytes)
{
	return *(const __u64 *)bytes;
}

/* Index of the first newline among the eight bytes, or 8: without a branch, which would cost the verifier dearly. */
static __always_inline __u32 find_newline(__u64 word)
{
	__u64 zero = word ^ 0x0a0a0a0a0a0a0a0aULL;
	__u64 found = (zero - 0x0101010101010101ULL) & ~zero & 0x8080808080808080ULL;
	__u64 below = ((found & -found) >> 7) - 1;

	return found ? ((below & 0x0101010101010101ULL) * 0x0101010101010101ULL) >> 56 : 8;
}

/* The number at `at` of `capacity` bytes, after white space; false if there is none. */
static __always_inline bool read_number(const __u8 *bytes, const __u32 capacity, __u32 at, __u64 *number)
{
	__u32 digits = 0;

	*number = 0;
	/* Keeps the compiler from merging this check with the caller's into one that Linux 6.12 does not see through. */
	barrier_var(at);
	if (at > capacity - NUMBER_WINDOW)
		return false;
	for (__u32 i = 0; i < NUMBER_WINDOW; i++) {
		__u8 c = bytes[at + i];
		__u32 digit = c - '0';

		if (digit > 9) {
			if (digits || (c != ' ' && c != '\t'))
				break;
			continue;
		}
		digits++;
		*number = *number * 10 + digit;
	}
	return digits;
}

/* A header line begins at `at`. */
static __always_inline void read_header(const __u8 *bytes, const __u32 capacity, __u32 at, struct head_facts *facts)
{
	__u64 name, rest;

	if (at > capacity - 16)
		return;
	name = word_at(bytes + at) | LOWER;
	rest = word_at(bytes + at + 8) | LOWER;
	if (name == WORD('c', 'o', 'n', 't', 'e', 'n', 't', '-') && rest << 8 == WORD(0, 'l', 'e', 'n', 'g', 't', 'h', ':'))
		facts->length_at = at + 15;
	if (name == WORD('t', 'r', 'a', 'n', 's', 'f', 'e', 'r') && rest == WORD('-', 'e', 'n', 'c', 'o', 'd', 'i', 'n'))
		facts->chunked = true;
}

/* Bytes that are searched in one step. */
#define STEP 32

/* Distance of the first newline, or STEP. */
static __always_inline __u32 line_length(const __u8 *bytes)
{
#pragma unroll
	for (__u32 i = 0; i < STEP; i += 8) {
		__u32 newline = find_newline(word_at(bytes + i));

		if (newline < 8)
			return i + newline;
	}
	return STEP;
}

/* One step: up to the end of a line, or as far as one looks at once. What lies behind `bytes` may be read. */
static __always_inline long scan_step(struct line_scan *scan, const __u32 capacity)
{
	__u32 at = scan->at;
	__u32 newline;

	if (at >= scan->length || at > capacity)
		return 1;
	newline = line_length(scan->bytes + at);
	if (newline == STEP) {
		scan->at = at + STEP;
		return 0;
	}
	at += newline;
	if (at >= scan->length)
		return 1;
	/* An empty line, with or without its carriage return, ends the head. */
	if (at - scan->line <= 1) {
		scan->facts.head_bytes = at + 1;
		return 1;
	}
	read_header(scan->bytes, capacity, scan->line, &scan->facts);
	scan->line = at + 1;
	scan->at = at + 1;
	return 0;
}

static long scan_response(__u64 index, struct line_scan *scan)
{
	return scan_step(scan, RESPONSE_HEAD);
}

static long scan_request(__u64 index, struct line_scan *scan)
{
	return scan_step(scan, HTTP1_REQUEST_CAPTURE);
}

/* Whether the whole head of a response is there; `facts` is then complete. */
static __always_inline bool scan_head(const __u8 *bytes, __u32 length, struct head_facts *facts)
{
	struct line_scan scan = { .bytes = bytes, .length = length };

	bpf_loop(RESPONSE_HEAD / 4, scan_response, &scan, 0);
	*facts = scan.facts;
	return facts->head_bytes;
}

#define REQUEST_ENDLESS (~0ULL)

/*
 * Bytes of the request, its body included, at the beginning of a capture; 0 if its head is not there in full, and
 * REQUEST_ENDLESS if its body is not announced by length. What lies behind the capture may be read.
 */
static __always_inline __u64 request_length(const __u8 *request, __u32 have)
{
	struct line_scan scan = { .bytes = request, .length = have };
	__u64 body = 0;

	bpf_loop(HTTP1_REQUEST_CAPTURE / 4, scan_request, &scan, 0);
	if (!scan.facts.head_bytes)
		return 0;
	if (scan.facts.chunked)
		return REQUEST_ENDLESS;
	if (scan.facts.length_at)
		read_number(request, HTTP1_REQUEST_CAPTURE, scan.facts.length_at, &body);
	return scan.facts.head_bytes + body;
}

/* What frames the body, and for FRAMING_LENGTH its bytes. */
static __always_inline enum framing framing_of(const __u8 *head, const struct head_facts *facts, __u16 status,
					       bool head_request, __u64 *body)
{
	*body = 0;
	if (head_request || status == 204 || status == 304 || status == 101)
		return FRAMING_LENGTH;
	if (facts->chunked)
		return FRAMING_CHUNKED;
	return facts->length_at && read_number(head, RESPONSE_HEAD, facts->length_at, body) ? FRAMING_LENGTH : FRAMING_CLOSE;
}

/* Removes the first `count` bytes of at most `capacity`; returns how many are left. */
static __always_inline __u32 drop_front(__u8 *bytes, const __u32 capacity, __u32 have, __u32 count)
{
	__u32 left = have - count;

	if (count >= have || left > capacity)
		return 0;
	if (bpf_probe_read_kernel(bytes, left, bytes + (count & (HTTP1_REQUEST_CAPTURE - 1))))
		return 0;
	return left;
}

/* "traceparent:" and its value, with room for one space. */
#define TRACEPARENT_LINE (12 + 1 + 55)

struct traceparent_scan {
	const __u8 *bytes;
	__u32 length;
	/* Where the value begins; 0 if it was not found. */
	__u32 value;
};

static long scan_traceparent(__u64 index, struct traceparent_scan *scan)
{
	__u32 at = index + 1;
	__u64 name;

	if (at + TRACEPARENT_LINE > scan->length || at > HTTP1_REQUEST_CAPTURE - TRACEPARENT_LINE)
		return 1;
	if (scan->bytes[index & (HTTP1_REQUEST_CAPTURE - 1)] != '\n')
		return 0;
	name = word_at(scan->bytes + at) | LOWER;
	if (name != WORD('t', 'r', 'a', 'c', 'e', 'p', 'a', 'r'))
		return 0;
	name = word_at(scan->bytes + at + 8) | LOWER;
	if ((name & 0xffffffff) != WORD('e', 'n', 't', ':', 0, 0, 0, 0))
		return 0;
	scan->value = at + 12;
	return 1;
}

/* The value of a lower-case hexadecimal digit (W3C Trace Context, section 3.2), or 16. */
static __always_inline __u8 hex_digit(__u8 c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

static __always_inline bool read_hex(const __u8 *text, __u8 *out, const int length)
{
	__u8 any = 0;

	for (int i = 0; i < length; i++) {
		__u8 high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high > 15 || low > 15)
			return false;
		out[i] = high << 4 | low;
		any |= out[i];
	}
	return any;
}

/* Reads trace id and parent span id from a request's traceparent header. */
static __always_inline bool find_traceparent(const __u8 *request, __u32 length, struct record_header *header)
{
	struct traceparent_scan scan = { .bytes = request, .length = length };
	const __u8 *value;

	bpf_loop(HTTP1_REQUEST_CAPTURE, scan_traceparent, &scan, 0);
	if (!scan.value || scan.value > HTTP1_REQUEST_CAPTURE - 56)
		return false;
	value = request + scan.value;
	if (*value == ' ')
		value++;
	/* version "00", 32 digits of the trace, 16 of the parent, two of flags */
	if (value[2] != '-' || value[35] != '-' || value[52] != '-')
		return false;
	return read_hex(value + 3, header->trace_id, 16) && read_hex(value + 36, header->parent_span_id, 8);
}

#endif
