/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Processes that start, end and begin to listen. A process that matches is traced from its first instruction: the kernel gives it an
 * entity at once and user space says later what that entity is.
 */
#ifndef ODIGOS_PROCESS_H
#define ODIGOS_PROCESS_H

#include "event.h"
#include "../http1/socket.h"

/* Entities that the kernel hands out count upwards from here; those of user space stay below. */
#define FIRST_KERNEL_ENTITY (1U << 31)

__u32 kernel_entities;

static __always_inline __u32 next_entity(void)
{
	return FIRST_KERNEL_ENTITY | (__sync_fetch_and_add(&kernel_entities, 1) + 1);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *binprm)
{
	__u32 pid = current_pid_tgid() >> 32;
	struct target target = { .flags = config.adopt_flags };
	struct process_event *event;

	if (!pid || pid == config.own_pid)
		return 0;
	/* Another program runs now: what was attached to the one before says nothing about it. */
	bpf_map_delete_elem(&targets, &pid);
	if (target.flags) {
		target.entity = next_entity();
		if (bpf_map_update_elem(&targets, &pid, &target, BPF_ANY))
			target.entity = 0;
	}
	event = process_event(PROCESS_EXEC, task, pid, target.entity);
	if (!event)
		return 0;
	bpf_probe_read_kernel_str(event->filename, sizeof(event->filename), BPF_CORE_READ(binprm, filename));
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* From the kernel's include/linux/pid_namespace.h. */
#define MAX_PID_NS_LEVEL_K 32

struct pid_search {
	const struct pid *pid;
	__u32 found;
};

/* From the own namespace of the process outwards. */
static long look_in_namespace(__u64 index, struct pid_search *search)
{
	const struct pid *pid = search->pid;
	__u32 level = BPF_CORE_READ(pid, level);
	const struct upid *id;

	if (index > level)
		return 1;
	id = (const void *)pid + bpf_core_field_offset(pid->numbers) +
	     (level - index) * bpf_core_type_size(struct upid);
	if (BPF_CORE_READ(id, ns, ns.inum) != config.pid_namespace_ino)
		return 0;
	search->found = BPF_CORE_READ(id, nr);
	return 1;
}

/* The process id of a new process as user space knows it, or 0 if it has none there. */
static __always_inline __u32 pid_of(struct task_struct *task)
{
	struct pid_search search = {};

	if (!config.pid_namespace_ino)
		return BPF_CORE_READ(task, tgid);
	search.pid = BPF_CORE_READ(task, thread_pid);
	bpf_loop(MAX_PID_NS_LEVEL_K + 1, look_in_namespace, &search, 0);
	return search.found;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_pid, pid;
	struct target *inherited, target;
	struct process_event *event;

	if (child->pid != child->tgid)
		return 0;
	parent_pid = current_pid_tgid() >> 32;
	inherited = bpf_map_lookup_elem(&targets, &parent_pid);
	if (!inherited)
		return 0;
	pid = pid_of(child);
	if (!pid)
		return 0;
	target = *inherited;
	target.flags &= ~TARGET_TOLD_INSIDE;
	target.entity = next_entity();
	if (bpf_map_update_elem(&targets, &pid, &target, BPF_ANY))
		target.entity = 0;
	event = process_event(PROCESS_FORK, child, pid, target.entity);
	if (!event)
		return 0;
	event->parent = parent_pid;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	struct process_event *event;
	__u32 pid;

	/* Most that end are threads, and some programs start one for each request. */
	if (task->signal->live.counter)
		return 0;
	pid = current_pid_tgid() >> 32;
	if (!pid)
		return 0;
	bpf_map_delete_elem(&targets, &pid);
	event = process_event(PROCESS_EXIT, task, pid, 0);
	if (event)
		bpf_ringbuf_submit(event, 0);
	return 0;
}

/* Ports whose listeners are traced, from before the first connection can be made. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u16);
	__type(value, __u8);
} adopted_ports SEC(".maps");

/* Returns the entity, or 0 if the process is not traced. */
static __always_inline __u32 adopt_by_port(__u32 pid, __u16 port)
{
	struct target target = { .flags = TARGET_HTTP1_SERVER | TARGET_HTTP1_CLIENT | TARGET_LISTENS };
	struct target *known = bpf_map_lookup_elem(&targets, &pid);

	if (pid == config.own_pid || !bpf_map_lookup_elem(&adopted_ports, &port))
		return known ? known->entity : 0;
	if (known) {
		/* User space may be about to let go of it. */
		__sync_fetch_and_or(&known->flags, TARGET_LISTENS);
		return known->entity;
	}
	target.entity = next_entity();
	return bpf_map_update_elem(&targets, &pid, &target, BPF_ANY) ? 0 : target.entity;
}

/* The state changes within listen(), in the thread that called it. */
static __always_inline void on_listen(const struct sock *sk)
{
	struct process_event *event;
	__u32 pid, entity;
	__u16 port;

	if (!is_tcp(sk))
		return;
	pid = current_pid_tgid() >> 32;
	if (!pid)
		return;
	port = BPF_CORE_READ(sk, __sk_common.skc_num);
	entity = adopt_by_port(pid, port);
	event = process_event(PROCESS_LISTEN, bpf_get_current_task_btf(), pid, entity);
	if (!event)
		return;
	event->port = port;
	bpf_ringbuf_submit(event, 0);
}

#endif
