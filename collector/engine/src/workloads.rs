//! Whose items a receiver takes: counts by workload, which the resources name.
//!
//! On the way of an item this is a comparison of the resource's bytes with those of the one before, and rarely a look-up.
//! Each worker counts for itself; what they share are the workloads' places, which are asked for when a resource is new.

use crate::counts::lock;
use collector_pdata::traces::Resource;
use collector_pdata::{Payload, Signal, groups};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

/// The most workloads that a receiver tells apart. Those that come later are counted together.
pub const MOST_WORKLOADS: usize = 1000;

/// The most bytes of resources that a worker remembers; then it begins anew.
const REMEMBERED: usize = 1 << 20;
/// A resource that is longer is read each time.
const LONGEST_REMEMBERED: usize = 4 << 10;
/// The longest name; of a longer one the beginning counts.
const LONGEST_NAME: usize = 256;

/// The place of all that have none of their own.
const OVERFLOW: usize = 0;

/// Who sent items, as far as their resource says. A workload of several services is several of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Workload {
    /// `service.name`.
    pub service: String,
    /// `k8s.namespace.name`.
    pub namespace: String,
    /// What it is in Kubernetes, in lower case as in the attribute that has its name; empty outside of Kubernetes.
    pub kind: &'static str,
    /// Its name there.
    pub name: String,
}

/// What came from a workload of one signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadAccount {
    /// The workload; `None` for all those together that there was no place for.
    pub workload: Option<Workload>,
    /// Of what.
    pub signal: Signal,
    /// Items handed to the receiver's pipelines.
    pub items: u64,
    /// Their encoded bytes.
    pub bytes: u64,
}

/// The attributes that name a workload, the controller of controllers first: the pods of a cron job are of a job too.
const KINDS: [(&[u8], &str); 7] = [
    (b"k8s.deployment.name", "deployment"),
    (b"k8s.statefulset.name", "statefulset"),
    (b"k8s.daemonset.name", "daemonset"),
    (b"k8s.cronjob.name", "cronjob"),
    (b"k8s.job.name", "job"),
    (b"k8s.replicaset.name", "replicaset"),
    (b"k8s.replicationcontroller.name", "replicationcontroller"),
];

impl Workload {
    /// From an encoded `Resource`. What cannot be read of it names nobody.
    fn of(resource: &[u8]) -> Self {
        let (mut workload, mut best) = (Workload::default(), KINDS.len());
        for attribute in Resource::new(resource).attributes().map_while(Result::ok) {
            let Some(collector_pdata::traces::AnyValue::Text(text)) = attribute.value else {
                continue;
            };
            match attribute.key {
                b"service.name" => workload.service = name(text),
                b"k8s.namespace.name" => workload.namespace = name(text),
                key => {
                    if let Some(found) = KINDS[..best].iter().position(|(known, _)| *known == key) {
                        best = found;
                        (workload.kind, workload.name) = (KINDS[found].1, name(text));
                    }
                }
            }
        }
        workload
    }
}

fn name(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(LONGEST_NAME)]);
    // A character that was cut is no part of the name.
    text.trim_end_matches(char::REPLACEMENT_CHARACTER).to_owned()
}

/// The workloads of a receiver, by their places.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<HashMap<Workload, usize>>);

impl Places {
    fn of(&self, resource: &[u8]) -> usize {
        let workload = Workload::of(resource);
        let mut places = lock(&self.0);
        let next = places.len() + 1;
        if next > MOST_WORKLOADS {
            return places.get(&workload).copied().unwrap_or(OVERFLOW);
        }
        *places.entry(workload).or_insert(next)
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    items: u64,
    bytes: u64,
}

/// What one worker has counted.
#[derive(Debug)]
pub(crate) struct Tally {
    places: Arc<Places>,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    /// By place and signal.
    counts: Vec<[Count; 3]>,
    /// The resource of the last group, and its place.
    last: Vec<u8>,
    last_place: Option<usize>,
    remembered: HashMap<Box<[u8]>, usize>,
    remembered_bytes: usize,
}

impl Tally {
    pub(crate) fn new(places: Arc<Places>) -> Self {
        Tally {
            places,
            book: Mutex::default(),
        }
    }

    /// Counts what a receiver has taken. What is not OTLP is nobody's.
    pub(crate) fn add(&self, payload: &Payload) {
        let book = &mut *lock(&self.book);
        // An error ends the walk; the items before it are counted.
        let _ = groups(payload, |group| {
            let place = book.place(group.resource, &self.places);
            if place >= book.counts.len() {
                book.counts.resize(place + 1, Default::default());
            }
            let count = &mut book.counts[place][payload.signal() as usize];
            count.items += group.items as u64;
            count.bytes += group.bytes as u64;
        });
    }
}

impl Book {
    fn place(&mut self, resource: &[u8], places: &Places) -> usize {
        if let Some(place) = self.last_place.filter(|_| self.last == resource) {
            return place;
        }
        let place = match self.remembered.get(resource) {
            Some(place) => *place,
            None => self.learn(resource, places),
        };
        self.last_place = (resource.len() <= LONGEST_REMEMBERED).then_some(place);
        if self.last_place.is_some() {
            self.last.clear();
            self.last.extend_from_slice(resource);
        }
        place
    }

    fn learn(&mut self, resource: &[u8], places: &Places) -> usize {
        let place = places.of(resource);
        if resource.len() <= LONGEST_REMEMBERED {
            self.remembered_bytes += resource.len() + size_of::<(Box<[u8]>, usize)>();
            if self.remembered_bytes > REMEMBERED {
                (self.remembered, self.remembered_bytes) = Default::default();
            }
            self.remembered.insert(resource.into(), place);
        }
        place
    }
}

/// The sums over all workers, in the order of the workloads' names; those without a place of their own come first.
pub(crate) fn accounts(places: &Places, tallies: &[Arc<Tally>]) -> Vec<WorkloadAccount> {
    let mut counts: Vec<[Count; 3]> = Vec::new();
    for tally in tallies {
        let book = lock(&tally.book);
        counts.resize(counts.len().max(book.counts.len()), Default::default());
        for (sum, count) in counts.iter_mut().flatten().zip(book.counts.iter().flatten()) {
            sum.items += count.items;
            sum.bytes += count.bytes;
        }
    }
    // After the counts, so that each of these has its workload here.
    let named: BTreeMap<Option<Workload>, usize> = lock(&places.0)
        .iter()
        .map(|(workload, place)| (Some(workload.clone()), *place))
        .chain([(None, OVERFLOW)])
        .collect();
    let mut accounts = Vec::new();
    for (workload, place) in named {
        let Some(of_signals) = counts.get(place) else { continue };
        for (signal, count) in Signal::ALL.into_iter().zip(of_signals) {
            if count.bytes > 0 {
                accounts.push(WorkloadAccount {
                    workload: workload.clone(),
                    signal,
                    items: count.items,
                    bytes: count.bytes,
                });
            }
        }
    }
    accounts
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use collector_pdata::encode::{put_resource_spans, put_resource_text, scope};

    fn resource(attributes: &[(&str, &str)]) -> Vec<u8> {
        let mut resource = Vec::new();
        for (key, value) in attributes {
            put_resource_text(&mut resource, key, value);
        }
        resource
    }

    /// So many empty spans of each resource.
    fn payload(resources: &[(Vec<u8>, usize)]) -> Payload {
        let (mut request, mut all) = (Vec::new(), 0);
        for (resource, spans) in resources {
            put_resource_spans(&mut request, resource, &scope("test", "1"), &[0x12, 0].repeat(*spans));
            all += spans;
        }
        Payload::new(Signal::Traces, Bytes::from(request), all)
    }

    fn service(name: &str) -> Vec<u8> {
        resource(&[("service.name", name)])
    }

    fn items(places: &Arc<Places>, tallies: &[Arc<Tally>]) -> Vec<(Option<String>, u64)> {
        let accounts = accounts(places, tallies).into_iter();
        accounts
            .map(|account| (account.workload.map(|workload| workload.service), account.items))
            .collect()
    }

    #[test]
    fn a_workload_is_known_by_the_highest_of_its_controllers() {
        let cron = [
            ("k8s.job.name", "backup-2893"),
            ("k8s.namespace.name", "ops"),
            ("k8s.cronjob.name", "backup"),
            ("service.name", "backup"),
            ("k8s.pod.name", "backup-2893-x7d"),
        ];
        let workload = Workload::of(&resource(&cron));
        let found = (workload.kind, workload.name.as_str(), workload.namespace.as_str());
        assert_eq!(found, ("cronjob", "backup", "ops"));
        assert_eq!(Workload::of(&resource(&[])), Workload::default());
        assert_eq!(Workload::of(b"\xff\xff"), Workload::default());
        let long = "ü".repeat(1000);
        assert_eq!(Workload::of(&service(&long)).service, "ü".repeat(LONGEST_NAME / 2));
    }

    #[test]
    fn items_and_bytes_are_counted_by_workload_over_all_workers() {
        let places = Arc::<Places>::default();
        let tallies = [(); 2].map(|()| Arc::new(Tally::new(places.clone())));
        let mixed = payload(&[(service("a"), 2), (service("b"), 3), (service("a"), 4)]);
        let alone = payload(&[(service("b"), 5)]);
        tallies[0].add(&mixed);
        tallies[1].add(&alone);
        tallies[1].add(&mixed);
        let expected = [(Some("a".to_owned()), 12), (Some("b".to_owned()), 11)];
        assert_eq!(items(&places, &tallies), expected);
        let bytes: u64 = accounts(&places, &tallies).iter().map(|account| account.bytes).sum();
        assert_eq!(bytes, 2 * mixed.bytes() as u64 + alone.bytes() as u64);
    }

    #[test]
    fn strangers_without_number_share_one_place_and_no_item_is_lost() {
        let places = Arc::<Places>::default();
        let tally = Arc::new(Tally::new(places.clone()));
        let many = MOST_WORKLOADS + 50;
        for round in 0..2 {
            for number in 0..many {
                tally.add(&payload(&[(service(&format!("{number:0300}")[290 - round..]), 1)]));
            }
        }
        // The second round's names are longer by a zero, and find no place.
        let all = items(&places, std::slice::from_ref(&tally));
        assert_eq!(all.len(), MOST_WORKLOADS + 1);
        assert_eq!(all[0], (None, 50 + many as u64));
        assert!(all[1..].iter().all(|(_, items)| *items == 1));
        assert!(lock(&tally.book).remembered_bytes <= REMEMBERED);
    }

    #[test]
    fn what_is_not_otlp_is_nobodys() {
        let places = Arc::<Places>::default();
        let tally = Arc::new(Tally::new(places.clone()));
        tally.add(&Payload::new(Signal::Logs, Bytes::from_static(b"\x0a\xff"), 3));
        assert_eq!(accounts(&places, &[tally]), []);
    }
}
