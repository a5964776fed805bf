//! The kernels that the tests run on, and what each is known to lack.

/// A series of kernels that `scripts/kernels.sh` fetches, told to run in one way.
#[derive(Debug, PartialEq, Eq)]
pub struct Series {
    /// How a person names it.
    pub name: &'static str,
    /// Major and minor version, as in the name of the image's directory.
    pub version: &'static str,
    /// What the kernel is told beside what every machine's is.
    pub command_line: &'static str,
    /// Tests, or what stands before the `/` in the names of several, that must end as "absent" here. Any other must pass: on a
    /// known kernel a facility that vanishes is a failure, and so is one that appears, since then the fallback is no longer
    /// proven.
    pub absent: &'static [&'static str],
}

impl Series {
    /// Whether a test must end as "absent" here.
    pub fn lacks(&self, test: &str) -> bool {
        self.absent.iter().any(|absent| covers(absent, test))
    }
}

/// Whether an entry of [`Series::absent`] stands for a test.
pub fn covers(absent: &str, test: &str) -> bool {
    test == absent || test.split_once('/').is_some_and(|(suite, _)| suite == absent)
}

const PREEMPTIBLE: &str = "preempt=full";

/// Every series that is part of a full run.
pub const SERIES: &[Series] = &[
    Series {
        name: "6.1",
        version: "6.1",
        command_line: "",
        // uprobe.multi came with 6.6, the tracepoints of sockets with 6.3.
        absent: &[
            "uprobe_multi_counts_calls",
            "verifier_accepts_http1_sockets",
            "http1_sockets",
        ],
    },
    Series {
        name: "6.12",
        version: "6.12",
        command_line: "",
        absent: &[],
    },
    // Where the kernel preempts itself, fexit is not used.
    Series {
        name: "6.1-preempt",
        version: "6.1",
        command_line: PREEMPTIBLE,
        absent: &[
            "uprobe_multi_counts_calls",
            "verifier_accepts_http1_sockets",
            "http1_sockets",
            "verifier_accepts_http1_fentry",
            "http1_fentry",
        ],
    },
    Series {
        name: "6.12-preempt",
        version: "6.12",
        command_line: PREEMPTIBLE,
        absent: &["verifier_accepts_http1_fentry", "http1_fentry"],
    },
];

/// The series that a directory or a person names.
pub fn series(name: &str) -> Option<&'static Series> {
    SERIES.iter().find(|series| series.name == name)
}
