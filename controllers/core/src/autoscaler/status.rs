//! What a CollectorsGroup says of its collectors.

use super::rollout::Rollout;
use super::verdict::{COMPLETE, Kind, READY, Reason, Verdict};
use crate::destinations::Signal;
use controllers_api::collectors_group::CollectorsGroup;

/// The status of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupStatus {
    /// Whether its collectors can take data.
    pub is_ready: bool,
    /// The signals that some destination takes.
    pub signals: Vec<Signal>,
    /// Its conditions.
    pub conditions: Vec<Verdict>,
}

/// Of a group whose objects are there.
pub(super) fn of(
    group: &CollectorsGroup,
    rollout: Option<&Rollout>,
    signals: Vec<Signal>,
    notes: Vec<String>,
) -> GroupStatus {
    let rollout = rollout.cloned().unwrap_or_default();
    let counted = format!(
        "{} of {} pods can take data, {} as they should be now.",
        rollout.available, rollout.desired, rollout.updated
    );
    let ready = match rollout.is_available() {
        true => (true, Reason::Available, counted),
        false => (
            false,
            Reason::WaitingForPods,
            format!("{counted} If that stays so, look at the pods' events and logs."),
        ),
    };
    let complete = match notes.is_empty() {
        true => (true, Reason::Complete, "All that is asked for is done.".to_owned()),
        false => (
            false,
            Reason::PartlySupported,
            format!("All else is done, but: {}.", notes.join("; ")),
        ),
    };
    GroupStatus {
        is_ready: rollout.is_available(),
        signals,
        conditions: vec![verdict(group, READY, ready), verdict(group, COMPLETE, complete)],
    }
}

/// Of the node collectors' group, as long as they may not begin.
pub(super) fn waiting_for_gateway(group: &CollectorsGroup, signals: Vec<Signal>) -> GroupStatus {
    let message = "The node collectors begin as soon as a gateway can take data.";
    let finding = (false, Reason::WaitingForGateway, message.to_owned());
    GroupStatus {
        is_ready: false,
        signals,
        conditions: vec![verdict(group, READY, finding)],
    }
}

fn verdict(group: &CollectorsGroup, condition: &'static str, finding: super::verdict::Finding) -> Verdict {
    let (holds, reason, message) = finding;
    Verdict {
        kind: Kind::CollectorsGroup,
        name: group.metadata.name.clone().unwrap_or_default(),
        condition,
        holds,
        reason,
        message,
    }
}

/// What a group asks for and the collector cannot do yet, as sentences without a full stop.
pub(super) fn unsupported(group: &CollectorsGroup) -> Vec<String> {
    let spec = &group.spec;
    let metrics = spec.metrics.clone().unwrap_or_default();
    let is_on = |disabled: Option<bool>| disabled != Some(true);
    let detectors = spec.resource_detectors.clone().unwrap_or_default();
    let detectors = [
        &detectors.aks,
        &detectors.azure,
        &detectors.ec2,
        &detectors.eks,
        &detectors.gcp,
    ];
    let detects = detectors
        .into_iter()
        .flatten()
        .any(|detector| detector.enabled == Some(true));
    let correlates = spec
        .trace_correlations
        .as_ref()
        .and_then(|wanted| wanted.service_io.as_ref());
    let wanted = [
        (
            metrics.span_metrics.is_some_and(|wanted| is_on(wanted.disabled)),
            "metrics are not computed from spans yet: let a destination do it",
        ),
        (
            metrics.service_graph.is_some() && spec.service_graph_disabled != Some(true),
            "metrics of calls between services are not computed yet",
        ),
        (
            metrics.host_metrics.is_some_and(|wanted| is_on(wanted.disabled)),
            "metrics of the nodes are not collected yet: run a node exporter beside it",
        ),
        (
            spec.cluster_metrics_enabled == Some(true),
            "metrics of the cluster itself are not collected yet",
        ),
        (
            detects,
            "resource attributes of the cloud are not detected yet: add them by an Action with addClusterInfo",
        ),
        (
            correlates.is_some_and(|wanted| wanted.enabled == Some(true)),
            "correlations over traces are not computed yet",
        ),
        (
            spec.https_proxy_address.is_some(),
            "httpsProxyAddress is not used: exporters connect directly",
        ),
        (
            spec.sampling_dry_run == Some(true),
            "samplingDryRun keeps every trace, and does not write the decisions on the spans",
        ),
    ];
    let wanted = wanted.into_iter().filter(|(is_wanted, _)| *is_wanted);
    wanted.map(|(_, note)| note.to_owned()).collect()
}
