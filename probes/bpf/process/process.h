/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Processes that start and end. A process that matches is traced from its first instruction: the kernel gives it an
 * entity at once and user space says later what that entity is.
 */
#ifndef ODIGOS_PROCESS_H
#define ODIGOS_PROCESS_H

#include <odigos/maps.h>

/* Entities that the kernel hands out count upwards from here; those of user space stay below. */
#define FIRST_KERNEL_ENTITY (1U << 31)

__u32 kernel_entities;

static __always_inline __u32 next_entity(void)
{
	return FIRST_KERNEL_ENTITY | (__sync_fetch_and_add(&kernel_entities, 1) + 1);
}

static __always_inline void report_process(enum process_event_kind kind, struct task_struct *task, __u32 pid,
					   __u32 parent, __u32 entity, const char *filename)
{
	struct process_event *event = bpf_ringbuf_reserve(&process_events, sizeof(*event), 0);

	if (!event) {
		count(COUNTER_EVENT_RING_FULL);
		return;
	}
	event->kind = kind;
	event->pid = pid;
	event->parent = parent;
	event->entity = entity;
	event->start_boottime_ns = BPF_CORE_READ(task, start_boottime);
	event->filename[0] = 0;
	if (filename)
		bpf_probe_read_kernel_str(event->filename, sizeof(event->filename), filename);
	bpf_ringbuf_submit(event, 0);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *binprm)
{
	__u32 pid = current_pid_tgid() >> 32;
	struct target target = { .flags = config.adopt_flags };

	if (!pid || pid == config.own_pid)
		return 0;
	/* Another program runs now: what was attached to the one before says nothing about it. */
	bpf_map_delete_elem(&targets, &pid);
	if (target.flags) {
		target.entity = next_entity();
		if (bpf_map_update_elem(&targets, &pid, &target, BPF_ANY))
			target.entity = 0;
	}
	report_process(PROCESS_EXEC, task, pid, 0, target.entity, BPF_CORE_READ(binprm, filename));
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_pid = current_pid_tgid() >> 32;
	__u32 pid = BPF_CORE_READ(child, tgid);
	struct target *inherited, target;

	if (BPF_CORE_READ(child, pid) != pid)
		return 0;
	inherited = bpf_map_lookup_elem(&targets, &parent_pid);
	/* The child's pid in another namespace is not known here; there it is found by user space. */
	if (!inherited || config.pid_namespace_ino)
		return 0;
	target.flags = inherited->flags;
	target.entity = next_entity();
	if (bpf_map_update_elem(&targets, &pid, &target, BPF_ANY))
		target.entity = 0;
	report_process(PROCESS_FORK, child, pid, parent_pid, target.entity, NULL);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	__u64 id = current_pid_tgid();
	__u32 pid = id >> 32;

	forget_thread(id);
	if (!pid || BPF_CORE_READ(task, signal, live.counter))
		return 0;
	bpf_map_delete_elem(&targets, &pid);
	report_process(PROCESS_EXIT, task, pid, 0, 0, NULL);
	return 0;
}

#endif
