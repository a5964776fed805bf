/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What user space is told of a process. */
#ifndef ODIGOS_PROCESS_EVENT_H
#define ODIGOS_PROCESS_EVENT_H

#include <odigos/maps.h>

/* Never read: it puts the type into the object's type information, where a test finds it. */
struct process_event *process_event_type;

/* A new event with what every kind has, or NULL; to be submitted. */
static __always_inline struct process_event *process_event(enum process_event_kind kind, struct task_struct *task,
							   __u32 pid, __u32 entity)
{
	struct process_event *event = bpf_ringbuf_reserve(&process_events, sizeof(*event), 0);

	if (!event) {
		count(COUNTER_EVENT_RING_FULL);
		return NULL;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->kind = kind;
	event->pid = pid;
	event->entity = entity;
	event->start_boottime_ns = BPF_CORE_READ(task, start_boottime);
	return event;
}

#endif
