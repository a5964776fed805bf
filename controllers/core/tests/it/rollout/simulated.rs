//! A Deployment, its controller and the webhook, as far as rollouts see them.

use controllers_core::instrumentor::WorkloadKind;
use controllers_core::rollout::{
    ContainerState, Decision, Desired, Method, Observed, PodState, Progress, RolledBack, Settings, Step, WorkloadState,
    decide,
};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

const TICK: i64 = 5;

/// Everything that there is.
pub struct Cluster {
    pub kind: WorkloadKind,
    pub settings: Settings,
    pub desired: Option<Desired>,
    pub template: Option<String>,
    pub on_delete: bool,
    pub disruptions: Option<u32>,
    pub others_under_way: usize,
    pub overhead: Option<f64>,
    pub pods: Vec<Pod>,
    /// Hashes with which a container starts over and over.
    pub crashing: Vec<String>,
    /// Hashes with which a pod runs and never serves.
    pub unready: Vec<String>,
    /// Whether the webhook is reached.
    pub webhook: bool,
    pub rolled_back: BTreeMap<String, RolledBack>,
    pub rolls: u32,
    pub evictions: u32,
    /// How few pods served at any moment.
    pub fewest_ready: u32,
    replicas: u32,
    now: Timestamp,
    made: u32,
}

/// A pod, and the template that it was made of.
pub struct Pod {
    state: PodState,
    template: Option<String>,
}

/// So many minutes.
pub fn minutes(number: u64) -> Duration {
    Duration::from_secs(number * 60)
}

impl Cluster {
    /// A workload whose pods all serve.
    pub fn new(replicas: u32, settings: Settings) -> Self {
        let mut cluster = Self {
            kind: WorkloadKind::Deployment,
            settings,
            desired: None,
            template: None,
            on_delete: false,
            disruptions: None,
            others_under_way: 0,
            overhead: None,
            pods: Vec::new(),
            crashing: Vec::new(),
            unready: Vec::new(),
            webhook: true,
            rolled_back: BTreeMap::new(),
            rolls: 0,
            evictions: 0,
            fewest_ready: replicas,
            replicas,
            now: Timestamp::from_second(1_700_000_000).unwrap(),
            made: 0,
        };
        for _ in 0..replicas {
            cluster.make();
        }
        for _ in 0..3 {
            cluster.tick();
        }
        cluster.fewest_ready = replicas;
        cluster
    }

    /// From now on pods shall have this.
    pub fn want(&mut self, hash: &str) {
        self.desired = Some(Desired {
            hash: hash.to_owned(),
            since: Some(self.now),
            agents: [("app".to_owned(), format!("agent-{hash}"))].into(),
        });
    }

    /// Decides and does, again and again.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + SignedDuration::try_from(time).unwrap();
        while self.now < end {
            self.act();
            self.tick();
        }
    }

    pub fn decide(&self) -> Decision {
        let pods: Vec<PodState> = self.pods.iter().map(|it| it.state.clone()).collect();
        decide(&Observed {
            kind: self.kind,
            desired: self.desired.clone(),
            workload: WorkloadState {
                rolled_out_for: self
                    .template
                    .clone()
                    .filter(|_| self.settings.method == Method::Webhook),
                injected: self
                    .template
                    .clone()
                    .filter(|_| self.settings.method == Method::Template),
                progress: self.progress(),
                on_delete: self.on_delete,
                replicas: self.replicas,
                max_unavailable: self.replicas / 4,
                labels: BTreeMap::new(),
            },
            pods: &pods,
            disruptions: self.disruptions,
            others_under_way: self.others_under_way,
            overhead: self.overhead.filter(|_| pods.iter().any(|it| it.hash.is_some())),
            settings: self.settings,
            now: self.now,
        })
    }

    /// The hash of each pod, empty where it has none.
    pub fn hashes(&self) -> Vec<String> {
        self.pods
            .iter()
            .map(|it| it.state.hash.clone().unwrap_or_default())
            .collect()
    }

    fn act(&mut self) {
        match self.decide().step {
            Step::Nothing => {}
            Step::Template(hash) => {
                assert_ne!(self.template, hash, "a change that changes nothing");
                self.template = hash;
                self.rolls += 1;
            }
            Step::Replace { pod } => {
                let before = self.pods.len();
                self.pods.retain(|it| it.state.name != pod);
                assert_eq!(self.pods.len() + 1, before, "{pod} is not there");
                self.evictions += 1;
            }
            Step::RollBack(containers) => {
                assert!(containers.keys().eq(["app"]));
                self.rolled_back.extend(containers);
                self.desired = None;
            }
        }
    }

    fn progress(&self) -> Progress {
        let updated = self.pods.iter().filter(|it| it.template == self.template).count();
        let ready = self.pods.iter().filter(|it| it.state.ready).count();
        let replicas = self.replicas as usize;
        if updated < replicas || self.pods.len() > updated || ready < replicas {
            return Progress::UnderWay(format!("{updated} of {replicas}"));
        }
        Progress::Settled
    }

    fn make(&mut self) {
        self.made += 1;
        let by_template = self.settings.method == Method::Template;
        let hash = if by_template {
            self.template.clone()
        } else {
            self.desired.as_ref().map(|it| it.hash.clone())
        };
        let state = PodState {
            name: format!("pod-{:03}", self.made),
            hash: hash.filter(|_| self.webhook || by_template),
            created: self.now,
            since: Some(self.now),
            containers: vec![ContainerState {
                name: "app".to_owned(),
                ..ContainerState::default()
            }],
            ..PodState::default()
        };
        let template = self.template.clone();
        self.pods.push(Pod { state, template });
    }

    fn tick(&mut self) {
        self.now += SignedDuration::from_secs(TICK);
        self.live();
        let replicas = self.replicas as usize;
        let is_new = |pod: &Pod| pod.template == self.template;
        let all_new_serve = self.pods.iter().filter(|pod| is_new(pod)).all(|pod| pod.state.ready);
        let old = self.pods.iter().position(|pod| !is_new(pod));
        match old {
            _ if self.pods.len() < replicas => self.make(),
            Some(_) if self.pods.len() == replicas => self.make(),
            Some(old) if all_new_serve => drop(self.pods.remove(old)),
            Some(_) | None => {}
        }
        // The template is as it was before: the pods that were made of the other one go.
        let template = self.template.clone();
        let serve = self
            .pods
            .iter()
            .filter(|pod| pod.template == template && pod.state.ready);
        if self.pods.len() > replicas && serve.count() >= replicas {
            self.pods.retain(|pod| pod.template == template);
        }
        self.pods.truncate(replicas + 1);
        let ready = self.pods.iter().filter(|pod| pod.state.ready).count();
        self.fewest_ready = self.fewest_ready.min(u32::try_from(ready).unwrap());
    }

    fn live(&mut self) {
        for Pod { state, .. } in &mut self.pods {
            let hash = state.hash.clone().unwrap_or_default();
            let container = &mut state.containers[0];
            if self.crashing.contains(&hash) {
                container.restarts += 1;
                container.waiting = Some("CrashLoopBackOff".to_owned());
                state.ready = false;
            } else if !self.unready.contains(&hash) && !state.ready {
                (state.ready, container.ready, state.since) = (true, true, Some(self.now));
            }
        }
    }
}
