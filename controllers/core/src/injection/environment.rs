//! The environment of a container: what is put into it, and how it is taken out again.
//!
//! The user's value always survives. One that comes by `valueFrom` stays a reference: it moves to a variable of its own, to which
//! the merged value refers.

use super::plan::{Agent, Merge, Plan, Variable};
use super::{Refusal, record};
use controllers_api::signals::Signal;
use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector};

/// The variables that every agent needs, whatever its distribution. ODIGOS_DISTRO_NAME and ODIGOS_CONTAINER_NAME are ours alone.
pub const STANDARD: [&str; 8] = [
    "NODE_IP",
    "ODIGOS_POD_NAME",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_TRACES_EXPORTER",
    "OTEL_METRICS_EXPORTER",
    "OTEL_LOGS_EXPORTER",
];

/// Before the name of a variable whose reference had to make room.
const MOVED: &str = "ODIGOS_ORIGINAL_";

/// Puts all that an agent needs into a container's environment.
pub(super) fn put(
    env: &mut Vec<EnvVar>,
    container: &str,
    agent: &Agent,
    plan: &Plan,
) -> Result<record::Environment, Refusal> {
    let mut done = record::Environment::default();
    for variable in wanted(env, container, agent, plan) {
        if !has(env, &variable.name) && !agent.inherited.contains_key(&variable.name) {
            env.push(variable.clone());
            done.added.push(variable);
        }
    }
    for variable in &agent.environment {
        merge(env, variable, agent, &mut done)?;
    }
    Ok(done)
}

/// Takes out what [`put`] has put in, unless somebody has changed it since.
pub(super) fn take(env: &mut Vec<EnvVar>, done: &record::Environment) {
    for merged in done.merged.iter().rev() {
        restore(env, merged);
    }
    for added in &done.added {
        if let Some(at) = env.iter().rposition(|it| it == added) {
            env.remove(at);
        }
    }
}

/// What every agent needs, in the order in which one refers to another.
fn wanted(env: &[EnvVar], container: &str, agent: &Agent, plan: &Plan) -> Vec<EnvVar> {
    let workload = &plan.workload;
    let users_attributes =
        has(env, "OTEL_RESOURCE_ATTRIBUTES") || agent.inherited.contains_key("OTEL_RESOURCE_ATTRIBUTES");
    let attributes = if users_attributes {
        "ODIGOS_RESOURCE_ATTRIBUTES"
    } else {
        "OTEL_RESOURCE_ATTRIBUTES"
    };
    vec![
        literal("ODIGOS_CONTAINER_NAME", container),
        literal("ODIGOS_DISTRO_NAME", &agent.distribution),
        field("ODIGOS_POD_NAME", "metadata.name"),
        literal("ODIGOS_WORKLOAD_NAMESPACE", &workload.namespace),
        field("NODE_IP", "status.hostIP"),
        literal("OTEL_SERVICE_NAME", &escape(&workload.service_name)),
        literal(attributes, &resource_attributes(container, plan)),
        literal("OTEL_EXPORTER_OTLP_ENDPOINT", &plan.endpoint),
        literal("OTEL_TRACES_EXPORTER", exporter(agent, Signal::Traces)),
        literal("OTEL_METRICS_EXPORTER", exporter(agent, Signal::Metrics)),
        literal("OTEL_LOGS_EXPORTER", exporter(agent, Signal::Logs)),
    ]
}

fn resource_attributes(container: &str, plan: &Plan) -> String {
    let workload = &plan.workload;
    format!(
        "k8s.pod.name=$(ODIGOS_POD_NAME),k8s.container.name={container},k8s.namespace.name={},k8s.{}.name={}",
        workload.namespace,
        workload.kind.to_lowercase(),
        workload.name,
    )
}

fn exporter(agent: &Agent, signal: Signal) -> &'static str {
    if agent.signals.contains(&signal) {
        "otlp"
    } else {
        "none"
    }
}

fn merge(
    env: &mut Vec<EnvVar>,
    variable: &Variable,
    agent: &Agent,
    done: &mut record::Environment,
) -> Result<(), Refusal> {
    if variable.widens_preload() {
        return Err(Refusal::PreloadOutsideOfAgents);
    }
    let Some(at) = env.iter().rposition(|it| it.name == variable.name) else {
        // The image's text is no manifest's: a dollar sign in it refers to nothing.
        let inherited = agent.inherited.get(&variable.name).map(|value| escape(value));
        if let Some(value) = variable.over(inherited.as_deref()) {
            let added = literal(&variable.name, &value);
            env.push(added.clone());
            done.added.push(added);
        }
        return Ok(());
    };
    let was = env[at].clone();
    let moved = format!("{MOVED}{}", variable.name);
    let reference = was.value_from.as_ref().map(|from| (format!("$({moved})"), from));
    let base = reference
        .as_ref()
        .map(|(text, _)| text.as_str())
        .or(was.value.as_deref());
    let Some(value) = (match (&variable.merge, &reference) {
        (Merge::Keep, _) => None,
        _ => variable.over(base),
    }) else {
        return Ok(());
    };
    let put = literal(&variable.name, &value);
    if let Some((_, from)) = reference {
        if is_optional(from) || has(env, &moved) {
            return Err(Refusal::ReferenceCannotBeMerged {
                variable: variable.name.clone(),
            });
        }
        let original = EnvVar {
            name: moved,
            value: None,
            value_from: Some(from.clone()),
        };
        env.splice(at..=at, [original, put.clone()]);
    } else {
        env[at] = put.clone();
    }
    let variable = variable.clone();
    done.merged.push(record::Merged { put, was, variable });
    Ok(())
}

fn restore(env: &mut Vec<EnvVar>, merged: &record::Merged) {
    let name = &merged.put.name;
    let Some(at) = env.iter().rposition(|it| it.name == *name) else {
        return;
    };
    let moved = format!("{MOVED}{name}");
    let moved = env
        .iter()
        .position(|it| it.name == moved && merged.was.value_from.is_some());
    if env[at] == merged.put {
        env[at] = merged.was.clone();
        if let Some(moved) = moved {
            // Whoever has changed the reference meanwhile gets the changed one back.
            env[at].value_from = env[moved].value_from.clone();
            env.remove(moved);
        }
    } else if let Some(value) = &env[at].value {
        let value = merged.variable.out_of(value);
        let is_referred_to = moved.is_some_and(|moved| value.contains(&format!("$({})", env[moved].name)));
        env[at].value = Some(value);
        if let Some(moved) = moved.filter(|_| !is_referred_to) {
            env.remove(moved);
        }
    }
}

/// A reference to what may not be there expands to its own text, which no program understands.
fn is_optional(from: &EnvVarSource) -> bool {
    let config_map = from.config_map_key_ref.as_ref().and_then(|it| it.optional);
    let secret = from.secret_key_ref.as_ref().and_then(|it| it.optional);
    let file = from.file_key_ref.as_ref().and_then(|it| it.optional);
    [config_map, secret, file].contains(&Some(true))
}

fn has(env: &[EnvVar], name: &str) -> bool {
    env.iter().any(|it| it.name == name)
}

fn literal(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        value_from: None,
    }
}

/// With the version that the apiserver would fill in, so that the entry is found again as it was put in.
fn field(name: &str, path: &str) -> EnvVar {
    let field_ref = ObjectFieldSelector {
        api_version: Some("v1".to_owned()),
        field_path: path.to_owned(),
    };
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(field_ref),
            ..EnvVarSource::default()
        }),
    }
}

/// Text in the syntax of a manifest, in which `$(` begins a reference.
fn escape(text: &str) -> String {
    text.replace('$', "$$")
}
