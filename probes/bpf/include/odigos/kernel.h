/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The few kernel types that are read, each with only the fields that are read. CO-RE finds their real offsets on the
 * running kernel by name, so neither order nor completeness matters here.
 */
#ifndef ODIGOS_KERNEL_H
#define ODIGOS_KERNEL_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr_k {
	__u8 bytes[16];
};

struct sock_common {
	unsigned short skc_family;
	volatile unsigned char skc_state;
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	struct in6_addr_k skc_v6_daddr;
	struct in6_addr_k skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_type;
	__u16 sk_protocol;
};

struct tcp_sock {
	__u32 snd_nxt;
	__u32 write_seq;
	/* CLOCK_MONOTONIC. */
	__u64 tcp_wstamp_ns;
};

struct socket {
	struct sock *sk;
};

struct inode {
	unsigned short i_mode;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

typedef struct {
	int counter;
} atomic_k;

struct signal_struct {
	atomic_k live;
};

struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

/* A process id in each namespace in which it has one, from the initial to its own. */
struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct thread_info {
	unsigned long flags;
#if defined(__TARGET_ARCH_x86)
	__u32 status;
#endif
};

struct task_struct {
	struct thread_info thread_info;
	int pid;
	int tgid;
	__u64 start_boottime;
	struct files_struct *files;
	struct signal_struct *signal;
	struct pid *thread_pid;
};

struct linux_binprm {
	const char *filename;
};

#pragma clang attribute pop

#endif
