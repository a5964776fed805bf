//! The upstream collector's own judgement. Its binary is named by OTELCOL; `scripts/e2e.sh` builds it, and this with the feature `upstream`.

use crate::support::{Extent, alone, sample};
use collector_config::Node;
use controllers_core::collectors::{Gateway, MemoryLimits, Outlet, gateway};
use controllers_core::destinations::{self, SecretVariable, render};
use std::path::PathBuf;
use std::process::Command;

fn check(otelcol: &PathBuf, name: &str, configuration: &Node, secrets: &[SecretVariable]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, configuration.to_yaml()).unwrap();
    let output = Command::new(otelcol)
        .envs(secrets.iter().map(|secret| (&secret.variable, "s3cret")))
        .arg("validate")
        .arg("--config")
        .arg(&path)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {errors}\n{}", configuration.to_yaml());
}

#[test]
fn upstream_accepts_what_is_rendered_of_components_that_it_was_built_with() {
    let otelcol = PathBuf::from(std::env::var_os("OTELCOL").expect("OTELCOL names the upstream collector"));
    let mut checked = 0;
    for definition in destinations::all() {
        let destination = sample(definition, Extent::Required);
        let Ok(rendered) = render(&destination) else { continue };
        // The peer was built without the extensions that authenticate, and without connectors. The secret of the address
        // of a Sumo Logic source is not there to be judged.
        if !rendered.extensions.is_empty() || definition.kind == "sumologic" {
            continue;
        }
        check(&otelcol, &definition.kind, &alone(&rendered), &rendered.secrets);
        checked += 1;
    }
    assert!(checked > 30, "{checked}");
    let mut outlet = Outlet {
        destination: sample(destinations::find("otlp").unwrap(), Extent::Everything),
        ..Outlet::default()
    };
    outlet.destination.data.remove("OTLP_GRPC_CA_PEM");
    let input = Gateway {
        outlets: vec![outlet],
        memory: MemoryLimits::of(600),
        ..Gateway::default()
    };
    check(&otelcol, "gateway", &gateway(&input).root, &[]);
}
