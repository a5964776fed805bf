//! What all users' objects ask of the collectors, taken together.

use super::verdict::{APPLIED, CONFIGURED, DESTINATION_CONFIGURED, Finding, Kind, Reason, TRANSFORMED, Verdict};
use super::{GATEWAY, GATEWAY_HEADLESS, Legacy, Meaning, Observed, verdict};
use crate::collectors::{
    self, ActionError, Component, Configuration, DataStream, Gateway, GatewayAddress, MemoryLimits, Name,
    NodeCollector, Outlet, OutletState, ProcessorError, Rules, Selector, Workload,
};
use crate::destinations::{self, SecretReference, Signal};
use collector_config::parse_duration;
use collector_ottl::go_regex;
use controllers_api::action::{Action, ActionSpec};
use controllers_api::collectors_group::CollectorsGroup;
use controllers_api::conditions::{DestinationConfigured, TransformedToProcessor};
use controllers_api::destination::Destination;
use controllers_api::labels;
use controllers_api::signals::CollectorRole;
use controllers_api::source::Source;
use std::collections::BTreeMap;
use std::time::Duration;

/// The data stream of the Sources that name none.
const DEFAULT_STREAM: &str = "default";
/// How long the spans of a trace are waited for, unless the group says it.
const DECISION_WAIT: Duration = Duration::from_secs(30);

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Requests {
    outlets: Vec<Outlet>,
    streams: Vec<DataStream>,
    /// Of the gateway, and of the node collectors, in their order.
    gateway: Vec<Component>,
    node: Vec<Component>,
    sampling: Rules,
    /// On all objects but the destinations.
    pub(super) verdicts: Vec<Verdict>,
}

/// Where a processor stands among the others: the hint, and the name.
type Place = (i64, String);

impl Requests {
    pub(super) fn of(observed: &Observed) -> Requests {
        let mut requests = Requests {
            outlets: observed
                .destinations
                .iter()
                .map(|destination| outlet(destination, observed))
                .collect(),
            streams: data_streams(observed.sources.iter().map(AsRef::as_ref)),
            ..Requests::default()
        };
        let (mut gateway, mut node) = (Vec::new(), Vec::new());
        for action in &observed.actions {
            gateway.extend(requests.action((Kind::Action, name(&action.metadata)), action, observed));
        }
        for legacy in &observed.legacy {
            gateway.extend(requests.legacy(legacy, observed));
        }
        for processor in &observed.processors {
            let (name, spec) = (name(&processor.metadata), &processor.spec);
            let made = collectors::processor(&name, spec);
            let finding = match (&made, spec.disabled) {
                (_, Some(true)) => verdict::disabled(Reason::Disabled),
                (Ok(_), _) => verdict::done("The collectors of its roles run it"),
                (Err(error), _) => processor_refusal(error),
            };
            if let (Ok(component), true) = (made, finding.0) {
                let place: Place = (spec.order_hint.unwrap_or_default(), name.clone());
                for role in &spec.collector_roles {
                    match role {
                        CollectorRole::ClusterGateway => gateway.push((place.clone(), vec![component.clone()])),
                        CollectorRole::NodeCollector => node.push((place.clone(), vec![component.clone()])),
                    }
                }
            }
            requests.tell(Kind::Processor, name, CONFIGURED, finding);
        }
        requests.gateway = in_order(gateway);
        requests.node = in_order(node);
        requests.samplings(observed);
        requests
    }

    /// The processors of an Action; the verdict is on the object that it was made of.
    fn action(
        &mut self,
        (kind, object): (Kind, String),
        action: &Action,
        observed: &Observed,
    ) -> Option<(Place, Vec<Component>)> {
        if action.spec.disabled == Some(true) {
            let finding = verdict::disabled(Reason::Action(TransformedToProcessor::Disabled));
            self.tell(kind, object, TRANSFORMED, finding);
            return None;
        }
        let name = name(&action.metadata);
        let made = collectors::action(&name, &action.spec, &observed.facts);
        let (finding, processors) = match made {
            Ok(made) => (verdict::action(&made.without), made.processors),
            Err(error) => (action_refusal(&error), Vec::new()),
        };
        self.tell(kind, object, TRANSFORMED, finding);
        (!processors.is_empty()).then(|| ((order(&action.spec), name), processors))
    }

    fn legacy(&mut self, legacy: &Legacy, observed: &Observed) -> Option<(Place, Vec<Component>)> {
        let kind = Kind::Legacy(legacy.kind);
        let wrong = |error: String| {
            (
                false,
                Reason::InvalidFields,
                format!("Nothing is sampled by it: {error}."),
            )
        };
        let finding = match &legacy.meaning {
            Meaning::Action(action) => return self.action((kind, legacy.name.clone()), action, observed),
            Meaning::Rules(rules) if rules.is_empty() => verdict::disabled(Reason::Disabled),
            Meaning::Rules(rules) => match self.sampling.add_sampler(rules) {
                Ok(()) => verdict::done("The gateway samples by it"),
                Err(error) => wrong(error.to_string()),
            },
            Meaning::Wrong(error) => wrong(error.to_string()),
        };
        self.tell(kind, legacy.name.clone(), APPLIED, finding);
        None
    }

    fn samplings(&mut self, observed: &Observed) {
        for sampling in &observed.samplings {
            let finding = match collectors::sampling(&sampling.spec) {
                _ if sampling.spec.disabled == Some(true) => verdict::disabled(Reason::Disabled),
                Ok(rules) => {
                    self.sampling.extend(rules);
                    verdict::done("The gateway samples by it")
                }
                Err(error) => (
                    false,
                    Reason::InvalidFields,
                    format!("Nothing is sampled by it: {error}."),
                ),
            };
            self.tell(Kind::Sampling, name(&sampling.metadata), APPLIED, finding);
        }
    }

    fn tell(&mut self, kind: Kind, name: String, condition: &'static str, finding: Finding) {
        let (holds, reason, message) = finding;
        self.verdicts.push(Verdict {
            kind,
            name,
            condition,
            holds,
            reason,
            message,
        });
    }

    /// The gateway's configuration, as the group wants it.
    pub(super) fn gateway(&self, group: &CollectorsGroup) -> Gateway {
        let spec = &group.spec;
        let sampling = spec.tail_sampling.clone().unwrap_or_default();
        let samples = sampling.disabled != Some(true) && spec.sampling_dry_run != Some(true);
        let wait = sampling.trace_aggregation_wait_duration;
        let wait = wait
            .and_then(|wait| parse_duration(&wait))
            .filter(|wait| !wait.is_zero());
        Gateway {
            outlets: self.outlets.clone(),
            data_streams: self.streams.clone(),
            processors: self.gateway.clone(),
            sampling: if samples {
                self.sampling.clone()
            } else {
                Rules::default()
            },
            decision_wait: wait.unwrap_or(DECISION_WAIT),
            memory: memory(group),
            metrics_port: metrics_port(group),
            queue_directory: None,
        }
    }

    /// The node collectors' configuration. With several gateways that sample whole traces, all spans of a trace must come
    /// to the same one.
    pub(super) fn node(
        &self,
        observed: &Observed,
        group: &CollectorsGroup,
        signals: &[Signal],
        gateways: i32,
    ) -> NodeCollector {
        let samples = observed
            .gateway_group
            .as_deref()
            .is_some_and(|group| !self.gateway(group).sampling.is_empty());
        let service = |name: &str| format!("{name}.{}", observed.namespace);
        let exporter = group.spec.otlp_exporter_configuration.clone().unwrap_or_default();
        let compresses = exporter.enable_data_compression.or(group.spec.enable_data_compression);
        NodeCollector {
            signals: signals.to_vec(),
            gateway: GatewayAddress {
                service: service(GATEWAY),
                by_trace: (samples && gateways > 1).then(|| service(GATEWAY_HEADLESS)),
            },
            compresses: compresses.unwrap_or_default(),
            socket: Some(super::node::SOCKET.to_owned()),
            processors: self.node.clone(),
            memory: memory(group),
            metrics_port: metrics_port(group),
            queue_directory: None,
        }
    }

    /// The signals that some destination takes.
    pub(super) fn signals(&self, configuration: &Configuration) -> Vec<Signal> {
        let is_taken = |signal: &Signal| {
            self.outlets
                .iter()
                .zip(&configuration.outlets)
                .any(|(outlet, (_, state))| match state {
                    OutletState::Configured(without) => {
                        outlet.destination.signals.contains(signal) && !without.iter().any(|(other, _)| other == signal)
                    }
                    OutletState::Disabled | OutletState::NothingSelected | OutletState::Refused(_) => false,
                })
        };
        let signals = Signal::ALL.iter().map(|(_, signal)| *signal);
        signals
            .filter(|signal| signal.pipeline().is_some())
            .filter(is_taken)
            .collect()
    }

    /// The verdicts on the destinations, in the configuration.
    pub(super) fn outlets(&self, observed: &Observed, configuration: &Configuration) -> Vec<Verdict> {
        let states = observed.destinations.iter().zip(&configuration.outlets);
        let verdicts = states.map(|(destination, (name, state))| {
            let finding = missing_secret(destination, observed).unwrap_or_else(|| verdict::outlet(state));
            on_destination(name.clone(), finding)
        });
        verdicts.collect()
    }

    /// The verdicts on the destinations, as long as there is no gateway.
    pub(super) fn without_gateway(&self, observed: &Observed) -> Vec<Verdict> {
        let verdicts = observed.destinations.iter().map(|destination| {
            let finding = match destination.spec.disabled {
                Some(true) => verdict::disabled(Reason::Destination(DestinationConfigured::Disabled)),
                _ => verdict::no_gateway(),
            };
            on_destination(name(&destination.metadata), finding)
        });
        verdicts.collect()
    }
}

fn on_destination(name: String, (holds, reason, message): Finding) -> Verdict {
    Verdict {
        kind: Kind::Destination,
        name,
        condition: DESTINATION_CONFIGURED,
        holds,
        reason,
        message,
    }
}

/// By their hints, then by name.
fn in_order(mut processors: Vec<(Place, Vec<Component>)>) -> Vec<Component> {
    processors.sort_by(|(place, _), (other, _)| place.cmp(other));
    processors.into_iter().flat_map(|(_, components)| components).collect()
}

/// The order hint of an Action among the Processors: what adds attributes comes before what works with them, and what
/// takes away comes last.
fn order(spec: &ActionSpec) -> i64 {
    let given = [
        spec.k8s_attributes.is_some(),
        spec.add_cluster_info.is_some(),
        spec.infer_db_attributes.is_some(),
        spec.extract_attribute.is_some(),
        spec.db_query_templatization.is_some(),
        spec.url_templatization.is_some(),
        spec.span_renamer.is_some(),
        spec.rename_attribute.is_some(),
        spec.pii_masking.is_some(),
        spec.delete_attribute.is_some(),
    ];
    (0..).zip(given).find(|(_, given)| *given).map_or(0, |(order, _)| order)
}

fn action_refusal(error: &ActionError) -> Finding {
    let reason = Reason::Action(TransformedToProcessor::FailedToTransformToProcessor);
    (false, reason, format!("Nothing is done: {error}."))
}

fn processor_refusal(error: &ProcessorError) -> Finding {
    let reason = match error {
        ProcessorError::UnknownType(_) | ProcessorError::Sampling => Reason::NotSupported,
        ProcessorError::Signals | ProcessorError::NoMetrics | ProcessorError::Settings(_) => Reason::InvalidFields,
    };
    (false, reason, format!("It does not run: {error}."))
}

fn outlet(destination: &Destination, observed: &Observed) -> Outlet {
    let spec = &destination.spec;
    let secret = secret_name(destination).and_then(|name| {
        let facts = observed.secrets.get(name)?;
        Some(SecretReference {
            name: name.to_owned(),
            keys: facts.keys.clone(),
        })
    });
    let signals = spec.signals.iter().map(|signal| match signal {
        controllers_api::signals::Signal::Traces => Signal::Traces,
        controllers_api::signals::Signal::Metrics => Signal::Metrics,
        controllers_api::signals::Signal::Logs => Signal::Logs,
        controllers_api::signals::Signal::Profiles => Signal::Profiles,
    });
    let selector = spec.source_selector.as_ref().map(|selector| Selector {
        data_streams: selector.data_streams.clone(),
        namespaces: selector.namespaces.clone(),
    });
    Outlet {
        destination: destinations::Destination {
            name: name(&destination.metadata),
            kind: spec.r#type.clone(),
            signals: signals.collect(),
            data: spec.data.clone(),
            secret,
        },
        // Without its credentials nothing would be taken from us.
        is_disabled: spec.disabled == Some(true) || missing_secret(destination, observed).is_some(),
        // A selector that names nothing selects everything, as one that is not there.
        selector: selector.filter(|selector| *selector != Selector::default()),
    }
}

fn secret_name(destination: &Destination) -> Option<&str> {
    let reference = destination.spec.secret_ref.as_ref();
    reference
        .map(|reference| reference.name.as_str())
        .filter(|name| !name.is_empty())
}

fn missing_secret(destination: &Destination, observed: &Observed) -> Option<Finding> {
    let name = secret_name(destination).filter(|_| destination.spec.disabled != Some(true))?;
    (!observed.secrets.contains_key(name)).then(|| {
        let namespace = &observed.namespace;
        let message = format!(
            "There is no Secret {name} in the namespace {namespace}, which spec.secretRef names: create it with the \
             destination's credentials, or take secretRef out if it needs none."
        );
        (
            false,
            Reason::Destination(DestinationConfigured::SecretNotFound),
            message,
        )
    })
}

/// The data streams, by the labels of Sources. An expression that does not compile selects nothing: it is refused where
/// Sources are admitted.
fn data_streams<'a>(sources: impl Iterator<Item = &'a Source>) -> Vec<DataStream> {
    let mut streams: BTreeMap<String, Vec<Workload>> = BTreeMap::new();
    for source in sources.filter(|source| source.spec.disable_instrumentation != Some(true)) {
        let Some(workload) = workload(source) else { continue };
        let labels = source.metadata.labels.iter().flatten();
        let mut names: Vec<&str> = labels
            .filter(|(_, value)| *value == "true")
            .filter_map(|(key, _)| labels::data_stream(key))
            .collect();
        if names.is_empty() {
            names.push(DEFAULT_STREAM);
        }
        for name in names {
            streams.entry(name.to_owned()).or_default().push(workload.clone());
        }
    }
    let streams = streams.into_iter();
    streams
        .map(|(name, workloads)| DataStream { name, workloads })
        .collect()
}

fn workload(source: &Source) -> Option<Workload> {
    let workload = &source.spec.workload;
    let named = match (workload.kind.as_str(), source.spec.match_workload_name_as_regex) {
        ("Namespace", _) => None,
        (kind, Some(true)) => {
            go_regex(&workload.name).ok()?;
            Some((kind.to_owned(), Name::Matching(workload.name.clone())))
        }
        (kind, _) => Some((kind.to_owned(), Name::Exact(workload.name.clone()))),
    };
    Some(Workload {
        namespace: workload.namespace.clone(),
        workload: named,
    })
}

fn memory(group: &CollectorsGroup) -> MemoryLimits {
    let settings = &group.spec.resources_settings;
    let number = |number: i64| u64::try_from(number).ok().filter(|number| *number > 0);
    let of_container = MemoryLimits::of(number(settings.memory_limit_mi_b).unwrap_or_default());
    let hard = number(settings.memory_limiter_limit_mi_b)
        .unwrap_or(of_container.hard)
        .max(2);
    let spike = number(settings.memory_limiter_spike_limit_mi_b).unwrap_or(of_container.spike);
    MemoryLimits {
        hard,
        // The collector refuses limits between which there is nothing.
        spike: spike.min(hard - 1),
    }
}

fn metrics_port(group: &CollectorsGroup) -> u16 {
    let port = u16::try_from(group.spec.collector_own_metrics_port).ok();
    port.filter(|port| *port != 0).unwrap_or(collectors::METRICS_PORT)
}

fn name(metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) -> String {
    metadata.name.clone().unwrap_or_default()
}
