//! Runs the same probe tests on several kernels: this machine's own, and others in virtual machines.
//!
//! Two programs share this library. `vmtests` boots each kernel in qemu, without KVM, with a small initramfs, and prints
//! a table of test by kernel. `vmtests-guest` holds the tests; it is the virtual machine's only program and its init. They
//! speak a protocol of lines ([`protocol`]), which is the same over a serial port and over a pipe. What is here does no
//! I/O, so that all of it is tested without a virtual machine.

#![forbid(unsafe_code)]

pub mod advice;
pub mod cpio;
pub mod kernels;
pub mod limits;
pub mod patience;
pub mod protocol;
pub mod report;
pub mod trouble;
