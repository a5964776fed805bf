/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Arguments of a system call, from the registers that the kernel saved when it was entered; and of a kernel function,
 * from the registers that a kprobe is given.
 */
#ifndef ODIGOS_HTTP1_REGISTERS_H
#define ODIGOS_HTTP1_REGISTERS_H

#include <odigos/kernel.h>

#if defined(__TARGET_ARCH_x86)
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct pt_regs___saved {
	unsigned long di;
	unsigned long si;
	unsigned long dx;
	unsigned long r10;
	unsigned long cx;
	unsigned long ax;
	unsigned long orig_ax;
	unsigned long r14;
	unsigned long sp;
};
#pragma clang attribute pop
#define SYSCALL_NUMBER(regs) ((regs)->orig_ax)
#define STACK_POINTER(regs) ((regs)->sp)
/* Where Go's ABI keeps the current goroutine. */
#define GOROUTINE(regs) ((regs)->r14)
/* TS_COMPAT of the kernel's arch/x86/include/asm/thread_info.h: a call of 32 bits, which has other numbers and registers. */
#define COMPAT_CALL(task) ((task)->thread_info.status & 2)
#define ARG1(regs) ((regs)->di)
#define ARG2(regs) ((regs)->si)
#define ARG3(regs) ((regs)->dx)
#define ARG4(regs) ((regs)->r10)
#define FUNCTION_ARG1(regs) ((regs)->di)
#define FUNCTION_ARG2(regs) ((regs)->si)
#define FUNCTION_ARG4(regs) ((regs)->cx)
#define FUNCTION_RESULT(regs) ((regs)->ax)
#elif defined(__TARGET_ARCH_arm64)
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct pt_regs___saved {
	unsigned long regs[31];
	unsigned long orig_x0;
	int syscallno;
	unsigned long sp;
};
#pragma clang attribute pop
#define SYSCALL_NUMBER(regs) ((regs)->syscallno)
#define STACK_POINTER(regs) ((regs)->sp)
#define GOROUTINE(regs) ((regs)->regs[28])
/* TIF_32BIT of the kernel's arch/arm64/include/asm/thread_info.h: a program of 32 bits, whose calls have other numbers. */
#define COMPAT_CALL(task) ((task)->thread_info.flags & 1 << 22)
/* x0 holds the result when the call returns; its argument is kept apart. */
#define ARG1(regs) ((regs)->orig_x0)
#define ARG2(regs) ((regs)->regs[1])
#define ARG3(regs) ((regs)->regs[2])
#define ARG4(regs) ((regs)->regs[3])
#define FUNCTION_ARG1(regs) ((regs)->regs[0])
#define FUNCTION_ARG2(regs) ((regs)->regs[1])
#define FUNCTION_ARG4(regs) ((regs)->regs[3])
#define FUNCTION_RESULT(regs) ((regs)->regs[0])
#else
#error "no register layout for this architecture"
#endif

/* Of the system call that the current thread is in. */
static __always_inline const struct pt_regs___saved *saved_registers(void)
{
	return (const struct pt_regs___saved *)bpf_task_pt_regs(bpf_get_current_task_btf());
}

#endif
