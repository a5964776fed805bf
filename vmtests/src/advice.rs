//! What a kernel probably lacks that does not come as far as the tests, from what its machine said.

/// What is needed of a kernel for the tests to run at all, by the words with which it misses it. The first that fits counts.
const SIGNS: &[(&str, &str)] = &[
    (
        "/dev/ttyS1",
        "it needs two serial ports, built in: CONFIG_SERIAL_8250, CONFIG_SERIAL_8250_RUNTIME_UARTS of 2 or more",
    ),
    (
        "VFS: Unable to mount root fs",
        "it needs an initial ramdisk: CONFIG_BLK_DEV_INITRD",
    ),
    (
        "No working init found",
        "it must run a static 64-bit program as init: CONFIG_BINFMT_ELF",
    ),
    ("cannot mount", "it needs that file system built in, not as a module"),
];

/// A sentence for a person, of a machine that ended, or had to be ended, before its tests were through.
pub fn advice(greeted: bool, console: &str) -> Option<&'static str> {
    if greeted {
        return None;
    }
    if console.trim().is_empty() {
        return Some(
            "it said nothing at all: either it is no kernel for x86-64, or it lacks the serial console, built in: \
             CONFIG_SERIAL_8250, CONFIG_SERIAL_8250_CONSOLE",
        );
    }
    let found = SIGNS.iter().find(|(sign, _)| console.contains(sign));
    found.map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kernel_lacks_is_named_by_its_option() {
        let check = |console: &str, option: &str| {
            let advice = advice(false, console).unwrap_or_default();
            assert!(advice.contains(option), "{console:?}: {advice:?}");
        };
        check("", "CONFIG_SERIAL_8250_CONSOLE");
        check(
            "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
            "CONFIG_BLK_DEV_INITRD",
        );
        check(
            "Kernel panic - not syncing: No working init found.",
            "CONFIG_BINFMT_ELF",
        );
        check("vmtests-guest: /dev/ttyS1: No such file", "RUNTIME_UARTS");
        check("vmtests-guest: cannot mount tmpfs at /tmp: No such device", "built in");
    }

    #[test]
    fn a_machine_that_ran_tests_or_said_something_else_gets_no_advice() {
        assert_eq!(advice(true, ""), None);
        assert_eq!(advice(false, "BUG: unable to handle page fault"), None);
    }
}
