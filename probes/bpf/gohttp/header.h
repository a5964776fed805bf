/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Finds two keys in a net/http.Header, which is a map[string][]string of either of Go's two kinds of map. */
#ifndef ODIGOS_GOHTTP_HEADER_H
#define ODIGOS_GOHTTP_HEADER_H

#include "state.h"

/* At most this many groups (or buckets) of eight headers are looked at. */
#define GO_GROUPS_MAX 8

/* The first eight bytes of the keys, and the rest. */
#define KEY_USER_AGENT 0x6567412d72657355ULL /* "User-Age" */
#define KEY_USER_AGENT_REST 0x746e /* "nt" */
#define KEY_TRACEPARENT 0x7261706563617254ULL /* "Tracepar" */
#define KEY_TRACEPARENT_REST 0x6e65 /* "en", of "ent" */

static __always_inline void go_first_string(struct go_string *out, const struct go_slice *values)
{
	if (!values->length || bpf_probe_read_user(out, sizeof(*out), (void *)values->data))
		out->length = 0;
}

/* Keeps the place of a key that has the length of one of the two; most keys have another and cost no read. */
static __always_inline void go_note_key(struct go_scratch *scratch, __u32 key_at, __u32 values_at)
{
	struct go_string *key = (void *)&scratch->group[key_at];
	struct go_slice *values = (void *)&scratch->group[values_at];
	struct go_candidate *candidate = &scratch->candidates[scratch->candidate_count % GO_CANDIDATES];

	candidate->key = *key;
	candidate->values = *values;
	scratch->candidate_count += key->length == 10 || key->length == 11;
}

static __always_inline void go_match_key(struct go_scratch *scratch, const struct go_candidate *candidate)
{
	__u64 begin = 0, rest = 0;

	if (bpf_probe_read_user(&begin, 8, (void *)candidate->key.data))
		return;
	bpf_probe_read_user(&rest, 2, (void *)candidate->key.data + 8);
	if (begin == KEY_USER_AGENT && rest == KEY_USER_AGENT_REST && candidate->key.length == 10)
		go_first_string(&scratch->user_agent, &candidate->values);
	if (begin == KEY_TRACEPARENT && rest == KEY_TRACEPARENT_REST && candidate->key.length == 11)
		go_first_string(&scratch->traceparent, &candidate->values);
}

/*
 * Both kinds of group have eight control bytes, one for each slot. In a swiss group pairs follow each other and the top bit
 * marks an empty slot; in a bucket all keys come before all values, and what is below five marks one that is empty or moved.
 */
static __noinline int go_scan_group(struct go_scratch *scratch, __u64 group)
{
	bool swiss = scratch->walk.swiss;
	__u32 key_stride = swiss ? 40 : 16, value_stride = swiss ? 40 : 24;
	__u32 key_at = 8, value_at = swiss ? 24 : 8 + 8 * 16;

	if (bpf_probe_read_user(scratch->group, GO_GROUP_SIZE + 8, (void *)group))
		return 1;
	for (int slot = 0; slot < GO_GROUP_SLOTS; slot++) {
		__u8 control = scratch->group[slot];

		if (swiss ? !(control & 0x80) : control >= 5)
			go_note_key(scratch, key_at, value_at);
		key_at += key_stride;
		value_at += value_stride;
	}
	return 0;
}

/* The group to look at after the last one, 0 at the end. */
static __always_inline __u64 go_next_group(struct go_group_walk *walk)
{
	__u64 overflow = walk->overflow;

	if (overflow)
		return overflow;
	if (walk->index >= walk->number) {
		/* A map that grows has moved only a part of its pairs. */
		if (!walk->old)
			return 0;
		walk->base = walk->old;
		walk->number = walk->old_number;
		walk->index = 0;
		walk->old = 0;
	}
	return walk->base + walk->index++ * walk->stride;
}

static __always_inline void go_walk_groups(struct go_scratch *scratch)
{
	struct go_group_walk *walk = &scratch->walk;

	for (int i = 0; i < GO_GROUPS_MAX; i++) {
		__u64 group = go_next_group(walk);

		if (!group || go_scan_group(scratch, group))
			break;
		/* The pointer to the next bucket of a chain stands behind the pairs. */
		walk->overflow = walk->swiss ? 0 : *(__u64 *)&scratch->group[GO_GROUP_SIZE];
	}
	for (__u32 i = 0; i < GO_CANDIDATES && i < scratch->candidate_count; i++)
		go_match_key(scratch, &scratch->candidates[i]);
}

static __always_inline bool go_begin_swiss(struct go_group_walk *walk, __u64 at)
{
	struct go_swiss_table table;
	struct go_swiss_map map;

	if (bpf_probe_read_user(&map, sizeof(map), (void *)at) || !map.used)
		return false;
	walk->base = map.directory;
	walk->number = 1;
	if (map.directory_length) {
		/* More than eight pairs are in tables; the first grows to 1024 slots before there is a second. */
		if (bpf_probe_read_user(&at, sizeof(at), (void *)map.directory))
			return false;
		if (bpf_probe_read_user(&table, sizeof(table), (void *)at))
			return false;
		walk->base = table.groups;
		walk->number = table.groups_mask + 1;
	}
	walk->stride = GO_GROUP_SIZE;
	walk->old = 0;
	return true;
}

static __always_inline bool go_begin_buckets(struct go_group_walk *walk, __u64 at)
{
	struct go_bucket_map map;

	if (bpf_probe_read_user(&map, sizeof(map), (void *)at) || !map.count)
		return false;
	walk->base = map.buckets;
	walk->number = 1ULL << (map.log2_buckets & 31);
	walk->old = map.old_buckets;
	walk->old_number = walk->number / 2;
	walk->stride = GO_GROUP_SIZE + 8;
	return true;
}

/* Leaves the strings of both keys in the scratch memory; their length is 0 where there is no such header. */
static __always_inline void go_find_headers(struct go_scratch *scratch, __u64 header, __u8 map_kind)
{
	struct go_group_walk *walk = &scratch->walk;

	scratch->user_agent.length = 0;
	scratch->traceparent.length = 0;
	if (!header || map_kind == GO_MAP_UNKNOWN)
		return;
	walk->swiss = map_kind == GO_MAP_SWISS;
	walk->overflow = 0;
	walk->index = 0;
	scratch->candidate_count = 0;
	if (walk->swiss ? go_begin_swiss(walk, header) : go_begin_buckets(walk, header))
		go_walk_groups(scratch);
}

#endif
