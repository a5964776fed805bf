//! The direction of dependency: which crates of ours may know which others, and which outside packages none of them may.

use std::collections::{BTreeMap, BTreeSet};

/// Every package with what it depends on directly to be built or to run; tests may depend on everything.
#[derive(Debug, Default)]
pub struct Graph {
    /// Package to packages.
    pub edges: BTreeMap<String, BTreeSet<String>>,
    /// The workspace's members.
    pub ours: BTreeSet<String>,
}

/// What a crate of ours may depend on directly, of ours.
struct Allowed {
    package: &'static str,
    may_know: May,
    because: &'static str,
}

enum May {
    Anything,
    Only(&'static [&'static str]),
}

/// An outside package that must not be reachable, directly or through others, from some crates of ours.
struct Never {
    from: &'static [&'static str],
    reach: &'static [&'static str],
    because: &'static str,
}

const ALLOWED: &[Allowed] = &[
    Allowed {
        package: "probe-wire",
        may_know: May::Only(&[]),
        because: "record layouts stand on their own, since the kernel's side and both agents are built on them",
    },
    Allowed {
        package: "probe-ring",
        may_know: May::Only(&["probe-wire"]),
        because: "whoever reads a ring needs no more than the layouts",
    },
    Allowed {
        package: "probe-loader",
        may_know: May::Only(&["probe-wire", "runtime-inspect"]),
        because: "the loader knows kernels, binaries and records, not processes, configuration or collectors",
    },
    Allowed {
        package: "runtime-inspect",
        may_know: May::Only(&[]),
        because: "facts about processes and binaries are useful without everything else",
    },
    Allowed {
        package: "kit",
        may_know: May::Only(&[]),
        because: "what every program shares must not pull one system into another",
    },
    Allowed {
        package: "odiglet",
        may_know: May::Only(&["kit", "probe-loader", "probe-ring", "probe-wire", "runtime-inspect"]),
        because: "spans never pass through Odiglet: it never knows the collector",
    },
    Allowed {
        package: "collector-config",
        may_know: May::Only(&[]),
        because: "controllers write configurations with it, and they must not come to know the engine",
    },
    Allowed {
        package: "collector-pdata",
        may_know: May::Only(&[]),
        because: "payloads are bytes, whoever carries them",
    },
    Allowed {
        package: "collector-ottl",
        may_know: May::Only(&["collector-pdata"]),
        because: "a language over telemetry needs values and no pipeline",
    },
    Allowed {
        package: "collector-spool",
        may_know: May::Only(&[]),
        because: "a queue on disk holds bytes, whatever they mean",
    },
    Allowed {
        package: "collector-engine",
        may_know: May::Only(&["collector-config", "collector-pdata", "kit"]),
        because: "the engine knows no component",
    },
    Allowed {
        package: "collector-components",
        may_know: May::Only(&[
            "collector-config",
            "collector-engine",
            "collector-ottl",
            "collector-pdata",
            "collector-spool",
            "kit",
            "probe-ring",
            "probe-wire",
        ]),
        because: "a component knows the engine and what it receives, never who set the ring up",
    },
    Allowed {
        package: "odigos-collector",
        may_know: May::Only(&[
            "collector-components",
            "collector-config",
            "collector-engine",
            "collector-pdata",
            "kit",
        ]),
        because: "the collector runs without Odiglet and without controllers",
    },
    Allowed {
        package: "controllers-api",
        may_know: May::Only(&[]),
        because: "every system speaks with the others in these types, so they know none of them",
    },
    Allowed {
        package: "controllers-core",
        may_know: May::Only(&["collector-config", "collector-ottl", "controllers-api"]),
        because: "the controllers write configurations, and never come to know who runs them",
    },
    Allowed {
        package: "controllers",
        may_know: May::Only(&["controllers-api", "controllers-core", "kit"]),
        because: "the rim fetches and applies: what it needs of a collector is in what the core has decided",
    },
    Allowed {
        package: "odigos",
        may_know: May::Anything,
        because: "the one place where several systems are put together in one process",
    },
    Allowed {
        package: "odigos-tests",
        may_know: May::Anything,
        because: "tests look at everything",
    },
    Allowed {
        package: "vmtests",
        may_know: May::Anything,
        because: "tests look at everything",
    },
    Allowed {
        package: "xtask",
        may_know: May::Only(&[]),
        because: "the check must build when what it checks does not",
    },
];

const NEVER: &[Never] = &[
    Never {
        from: &["odigos-collector", "collector-components", "probe-ring", "probe-wire"],
        reach: &["libbpf-rs", "libbpf-sys", "aya"],
        because: "the collector reads its ring without a bpf() call, which it has no right to make",
    },
    Never {
        from: &[
            "probe-wire",
            "probe-ring",
            "probe-loader",
            "runtime-inspect",
            "collector-config",
            "collector-pdata",
            "collector-ottl",
            "collector-spool",
            "controllers-api",
            "controllers-core",
        ],
        reach: &["tokio", "kube-client"],
        because: "decisions and readers are plain functions, usable from any thread",
    },
    Never {
        from: &["odigos", "odiglet", "odigos-collector"],
        reach: &["kube", "k8s-openapi"],
        because: "on a single machine there is no Kubernetes",
    },
];

/// Everything that contradicts the tables, as sentences for a person.
pub fn violations(graph: &Graph) -> Vec<String> {
    check(graph, ALLOWED, NEVER)
}

fn check(graph: &Graph, allowed: &[Allowed], never: &[Never]) -> Vec<String> {
    let mut out = Vec::new();
    for package in &graph.ours {
        let Some(rule) = allowed.iter().find(|rule| rule.package == package) else {
            out.push(format!(
                "{package} has no rule: say in xtask/src/dependencies.rs what it may know"
            ));
            continue;
        };
        let May::Only(may_know) = rule.may_know else {
            continue;
        };
        let knows = graph.edges.get(package).into_iter().flatten();
        for known in knows.filter(|known| graph.ours.contains(*known) && !may_know.contains(&known.as_str())) {
            out.push(format!("{package} -> {known}: {}", rule.because));
        }
    }
    for rule in never {
        for from in rule.from.iter().filter(|from| graph.ours.contains(**from)) {
            for reach in rule.reach {
                if let Some(path) = path(graph, from, reach) {
                    out.push(format!("{}: {}", path.join(" -> "), rule.because));
                }
            }
        }
    }
    out
}

/// A shortest way from one package to another.
fn path<'a>(graph: &'a Graph, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
    let mut ways = vec![vec![from]];
    let mut seen = BTreeSet::from([from]);
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let last = *way.last()?;
            if last == to {
                return Some(way);
            }
            for next in graph.edges.get(last).into_iter().flatten() {
                if seen.insert(next) {
                    longer.push(way.iter().copied().chain([next.as_str()]).collect());
                }
            }
        }
        ways = longer;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of `package: dependencies`; what has a line of its own is ours.
    fn graph(text: &str) -> Graph {
        let mut graph = Graph::default();
        for line in text.lines() {
            let (package, to) = line.trim().split_once(':').unwrap();
            if let Some(package) = package.strip_prefix("outside ") {
                graph
                    .edges
                    .insert(package.into(), to.split_whitespace().map(str::to_owned).collect());
                continue;
            }
            graph.ours.insert(package.into());
            graph
                .edges
                .insert(package.into(), to.split_whitespace().map(str::to_owned).collect());
        }
        graph
    }

    fn begins(text: &str) -> Vec<String> {
        let found = violations(&graph(text));
        found
            .iter()
            .map(|line| line.split(':').next().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn a_graph_along_the_arrows_is_fine() {
        let text = "probe-wire: thiserror
            probe-ring: probe-wire rustix
            probe-loader: probe-wire runtime-inspect libbpf-rs
            runtime-inspect: object
            odiglet: probe-loader probe-ring runtime-inspect kit
            kit: tracing
            collector-engine: tokio
            collector-components: collector-engine probe-ring probe-wire tokio
            odigos: odiglet collector-components collector-engine";
        assert_eq!(begins(text), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_in_the_wrong_direction_is_named_with_its_reason() {
        let found = violations(&graph("odiglet: collector-engine\ncollector-engine: tokio"));
        assert_eq!(
            found,
            ["odiglet -> collector-engine: spans never pass through Odiglet: it never knows the collector"]
        );
        assert_eq!(
            begins("probe-wire: probe-ring\nprobe-ring: probe-wire"),
            ["probe-wire -> probe-ring"]
        );
        assert_eq!(
            begins("collector-engine: collector-components\ncollector-components:"),
            ["collector-engine -> collector-components"]
        );
    }

    #[test]
    fn a_crate_without_a_rule_is_a_violation() {
        assert_eq!(begins("newcomer: serde"), ["newcomer has no rule"]);
    }

    #[test]
    fn a_forbidden_package_is_found_behind_others_and_the_way_is_shown() {
        let text = "collector-components: batteries
            outside batteries: included
            outside included: libbpf-sys batteries";
        assert_eq!(
            begins(text),
            ["collector-components -> batteries -> included -> libbpf-sys"]
        );
    }

    #[test]
    fn every_crate_in_a_never_rule_has_an_allowed_rule() {
        for package in NEVER.iter().flat_map(|rule| rule.from) {
            assert!(ALLOWED.iter().any(|rule| rule.package == *package), "{package}");
        }
    }
}
