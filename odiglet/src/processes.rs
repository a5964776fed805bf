//! The processes of this machine, and what is traced of each: process events in, targets and entities out.

use crate::entity::Description;
use crate::golang::GoBinaries;
use crate::handover::Handover;
use crate::listening::{Listeners, listens_on_unix};
use crate::patience::Patient;
use crate::selection::{Candidate, Selection};
use probe_loader::{Probes, Target};
use probe_wire::process::{ProcessEvent, ProcessEventKind};
use runtime_inspect::{InspectError, Inspection, Inspector, Language, facts};
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The sockets of a process are closed after it is reported gone, and a close may end a response.
const GRACE: Duration = Duration::from_secs(2);

/// How long an exchange may go on after the probes inside of its process have taken over.
const FINISH: Duration = Duration::from_secs(30);

/// When a process is looked at again after its exec: an interpreter has loaded its runtime by then, a program its agents.
const SECOND_LOOKS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(5)];

/// How long the inspection of one process may take; it takes milliseconds, unless a file does not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Entities from here on are handed out by the kernel side (probes/bpf/process/process.h).
const FIRST_KERNEL_ENTITY: u32 = 1 << 31;

/// All processes that were looked at, by process id.
#[derive(Debug)]
pub(crate) struct Processes {
    selection: Selection,
    inspections: Patient<Result<Inspection, InspectError>>,
    go: GoBinaries,
    known: HashMap<u32, Process>,
    /// Entities of processes that ended, and when to forget them; the oldest first.
    ending: Vec<(Instant, u32)>,
    /// Processes that are looked at again, and when.
    second_looks: Vec<(Instant, u32)>,
    /// Processes whose exchanges in progress the kernel side still follows, and until when.
    finishing: Vec<(Instant, u32)>,
    last_entity: u32,
}

#[derive(Debug, Clone)]
struct Process {
    /// Tells it from a later process of the same id; `None` if it was gone before it could be looked at.
    start_time: Option<u64>,
    description: Description,
    ports: BTreeSet<u16>,
    /// The entity as which it is traced.
    entity: Option<u32>,
}

impl Process {
    /// Whether it is the same process and runs the same program, as far as that can be seen now.
    fn is_still(&self, start_time: Option<u64>, description: Option<&Description>) -> bool {
        start_time == self.start_time
            && description.is_none_or(|description| description.executable == self.description.executable)
    }
}

impl Processes {
    pub(crate) fn new(selection: Selection, go: GoBinaries) -> Self {
        let inspector = Inspector::default();
        Processes {
            selection,
            inspections: Patient::new(PATIENCE, move |pid| inspector.inspect(pid)),
            go,
            known: HashMap::new(),
            ending: Vec::new(),
            second_looks: Vec::new(),
            finishing: Vec::new(),
            last_entity: 0,
        }
    }

    /// How many processes are traced.
    pub(crate) fn traced(&self) -> usize {
        self.known.values().filter(|process| process.entity.is_some()).count()
    }

    /// Whether the kernel side may meet a process that is traced before this does.
    pub(crate) fn may_adopt(&self) -> bool {
        self.selection.may_take_at_exec() || self.selection.asks_for_ports()
    }

    /// Compares what is known with the processes that there are.
    pub(crate) fn rescan(&mut self, pids: &[u32], probes: &mut Probes, handover: &mut Handover) {
        let there: BTreeSet<u32> = pids.iter().copied().collect();
        let gone: Vec<u32> = self.known.keys().filter(|pid| !there.contains(pid)).copied().collect();
        for pid in gone {
            self.forget(pid, probes);
        }
        let mut listeners = Listeners::default();
        for pid in there.into_iter().filter(|pid| *pid != std::process::id()) {
            self.compare(pid, &mut listeners, probes, handover);
        }
    }

    /// Compares what is known of a process with what it is now.
    fn compare(&mut self, pid: u32, listeners: &mut Listeners, probes: &mut Probes, handover: &mut Handover) {
        let description = by_path(pid);
        let known = self.known.get(&pid);
        if known.is_some_and(|known| known.is_still(start_time(pid), description.as_ref())) {
            return;
        }
        // What is known was another process or another program, whose end or exec was not seen.
        let former = known.and_then(|known| known.entity);
        self.forget(pid, probes);
        // The kernel side may have met it before this look at it.
        let target = probes.target(pid).ok().flatten().map(|target| target.entity);
        let adopted = target.filter(|entity| Some(*entity) != former);
        if adopted.is_none() && former.is_some() {
            untrace(pid, probes);
        }
        let Some(description) = description else { return };
        let ports = if self.selection.asks_for_ports() {
            listeners.ports(pid)
        } else {
            BTreeSet::new()
        };
        self.consider(pid, description, ports, adopted, probes, handover);
    }

    /// Carries out what an event calls for.
    pub(crate) fn on_event(&mut self, event: &ProcessEvent<'_>, probes: &mut Probes, handover: &mut Handover) {
        match event.kind {
            ProcessEventKind::Exec { filename } => {
                let ports = self.inherited_ports(event.pid);
                self.forget(event.pid, probes);
                let now = Instant::now();
                self.second_looks
                    .extend(SECOND_LOOKS.map(|after| (now + after, event.pid)));
                let description = by_path(event.pid).unwrap_or_else(|| {
                    Description::of_executable(PathBuf::from(String::from_utf8_lossy(filename).as_ref()))
                });
                self.consider(event.pid, description, ports, event.entity, probes, handover);
            }
            ProcessEventKind::Fork { parent } => {
                let known = self
                    .known
                    .get(&parent)
                    .map(|process| (process.description.clone(), process.ports.clone()));
                let found = known.or_else(|| Some((by_path(event.pid)?, BTreeSet::new())));
                if let Some((description, ports)) = found {
                    self.consider(event.pid, description, ports, event.entity, probes, handover);
                }
            }
            ProcessEventKind::Exit => {
                // The kernel side has removed it, but it may have been added again while it ended.
                if let Err(error) = probes.remove_target(event.pid) {
                    tracing::warn!(pid = event.pid, %error, "a process that ended is still a target");
                }
                self.forget(event.pid, probes);
            }
            ProcessEventKind::ServesInside => self.go.attach_server(event.pid, probes),
            ProcessEventKind::Listen { port } => self.on_listen(event, port, probes, handover),
        }
    }

    /// What time alone brings: second looks, and entities whose last span has long been written.
    pub(crate) fn on_tick(&mut self, now: Instant, probes: &mut Probes, handover: &mut Handover) {
        let expired = self.ending.iter().take_while(|(when, _)| *when <= now).count();
        for (_, entity) in self.ending.drain(..expired) {
            handover.retire(entity);
        }
        self.finish(now, probes);
        let due: Vec<u32> = self
            .second_looks
            .extract_if(.., |(when, _)| *when <= now)
            .map(|(_, pid)| pid)
            .collect();
        for pid in due {
            self.look_again(pid, probes, handover);
        }
    }

    /// Lets go of exchanges that were in progress when the probes inside of a process took over.
    fn finish(&mut self, now: Instant, probes: &mut Probes) {
        for (_, pid) in self.finishing.extract_if(.., |(when, _)| *when <= now) {
            stop_finishing(pid, probes);
        }
    }

    fn look_again(&mut self, pid: u32, probes: &mut Probes, handover: &mut Handover) {
        let Some(entity) = self.known.get(&pid).and_then(|process| process.entity) else {
            return;
        };
        let Some(description) = self.inspect(pid) else { return };
        let Some(process) = self.known.get_mut(&pid) else {
            return;
        };
        if process.description != description {
            handover.announce(entity, description.resource(pid));
            process.description = description;
        }
        if let Ok(Some(target)) = probes.target(pid) {
            self.look_for_unix_sockets(pid, target, probes);
        }
    }

    /// A Go server's Unix sockets cannot be read from the kernel side.
    fn look_for_unix_sockets(&mut self, pid: u32, target: Target, probes: &mut Probes) {
        if target.flags & Target::GO_SERVER != 0 && listens_on_unix(pid) {
            self.go.attach_server(pid, probes);
        }
    }

    fn on_listen(&mut self, event: &ProcessEvent<'_>, port: u16, probes: &mut Probes, handover: &mut Handover) {
        let Some(process) = self.known.get_mut(&event.pid) else {
            return;
        };
        process.ports.insert(port);
        match process.entity {
            None => {
                let Process { description, ports, .. } = process.clone();
                self.consider(event.pid, description, ports, event.entity, probes, handover);
            }
            Some(entity) => {
                // An earlier event may have been looked at only when it listened already, and has set another entity. What was
                // served in between carries the one that the kernel side gave it here.
                if let Some(between) = event.entity.filter(|between| *between != entity) {
                    handover.announce(between, process.description.resource(event.pid));
                    self.ending.push((Instant::now() + GRACE, between));
                }
            }
        }
    }

    fn admits(&self, pid: u32, description: &Description, ports: &BTreeSet<u16>) -> bool {
        self.selection.admits(Candidate {
            pid,
            start_time: start_time(pid),
            executable: &description.executable,
            ports,
        })
    }

    /// Whether a process is selected, where the kernel side may have begun to trace it as `met`; if it is not, that ends, and
    /// nothing of it is wanted.
    fn settle(
        &self,
        pid: u32,
        description: &Description,
        ports: &BTreeSet<u16>,
        met: Option<u32>,
        probes: &Probes,
        handover: &mut Handover,
    ) -> bool {
        if self.admits(pid, description, ports) {
            return true;
        }
        let Some(entity) = met else { return false };
        // It may listen already, or begin to in this very moment: the kernel side knows, since it left it as it was then.
        let listened = take_target_of(pid, entity, probes).is_some_and(|target| target.flags & Target::LISTENS != 0);
        if listened && self.admits(pid, description, &self.selection.ports().collect()) {
            return true;
        }
        handover.refuse(entity);
        false
    }

    /// Traces a process if it is selected; it is only looked at if so, since most that start on a machine are none of ours
    /// and what is traced must not wait behind them. `adopted` is the entity as which the kernel side already traces it.
    fn consider(
        &mut self,
        pid: u32,
        mut description: Description,
        ports: BTreeSet<u16>,
        adopted: Option<u32>,
        probes: &mut Probes,
        handover: &mut Handover,
    ) {
        let start_time = start_time(pid);
        let admitted = self.settle(pid, &description, &ports, adopted, probes, handover);
        let entity = if admitted {
            if !description.is_inspected {
                description = self.inspect(pid).unwrap_or(description);
            }
            let entity = adopted.unwrap_or_else(|| self.next_entity());
            handover.announce(entity, description.resource(pid));
            let target = self.target(pid, &description, probes);
            self.look_for_unix_sockets(pid, target, probes);
            // Where the kernel side already follows exchanges of the process, it follows them to their end.
            let finish = if adopted.is_some() { Target::HTTP1_FINISH } else { 0 };
            let flags = target.flags | finish;
            if finish != 0 {
                self.finishing.push((Instant::now() + FINISH, pid));
            }
            trace(
                pid,
                Target {
                    entity,
                    flags,
                    ..target
                },
                probes,
            )
            .then_some(entity)
        } else {
            None
        };
        self.known.insert(
            pid,
            Process {
                start_time,
                description,
                ports,
                entity,
            },
        );
    }

    /// The ports of a process that has just run another program: listening sockets may be handed on, as by a service manager
    /// that listens for its services.
    fn inherited_ports(&self, pid: u32) -> BTreeSet<u16> {
        match self.known.get(&pid) {
            Some(before) if self.selection.asks_for_ports() && !before.ports.is_empty() => {
                Listeners::default().ports(pid)
            }
            _ => BTreeSet::new(),
        }
    }

    /// `None` if it is gone, or a thread of the kernel.
    fn inspect(&mut self, pid: u32) -> Option<Description> {
        match self.inspections.call(pid) {
            Ok(Ok(inspection)) => Some(Description::of(&inspection)),
            Ok(Err(InspectError::Gone { .. } | InspectError::KernelThread { .. })) => None,
            Ok(Err(error)) => {
                tracing::warn!(pid, %error, "a process cannot be inspected and is not traced");
                None
            }
            Err(error) => {
                tracing::warn!(pid, %error, "a process cannot be inspected; only its path is known");
                by_path(pid)
            }
        }
    }

    fn forget(&mut self, pid: u32, probes: &mut Probes) {
        self.go.release(pid, probes);
        if let Some(entity) = self.known.remove(&pid).and_then(|process| process.entity) {
            self.ending.push((Instant::now() + GRACE, entity));
        }
    }

    /// These entities are in use already.
    pub(crate) fn skip_entities(&mut self, used: impl Iterator<Item = u32>) {
        let highest = used.filter(|entity| *entity < FIRST_KERNEL_ENTITY).max();
        self.last_entity = self.last_entity.max(highest.unwrap_or_default());
    }

    /// What is traced of a process. Its probes inside are attached before the kernel side leaves a half of HTTP/1 to them,
    /// so that no request is missed in between.
    fn target(&mut self, pid: u32, description: &Description, probes: &mut Probes) -> Target {
        if description.language != Some(Language::Go) {
            return Target {
                flags: Target::HTTP1,
                ..Target::default()
            };
        }
        self.go.attach(pid, probes)
    }

    /// Entities of user space count upwards from one, and begin anew where those of the kernel side begin: by then the first
    /// ones are long forgotten.
    fn next_entity(&mut self) -> u32 {
        self.last_entity = self.last_entity % (FIRST_KERNEL_ENTITY - 1) + 1;
        self.last_entity
    }
}

/// What the path of its executable alone says of a process; `None` if it is gone, or a thread of the kernel.
fn by_path(pid: u32) -> Option<Description> {
    let (path, _) = facts::process::Process::open(pid).ok()?.exe_path().ok()?;
    Some(Description::of_executable(path.into()))
}

/// When the process began that has this id now.
fn start_time(pid: u32) -> Option<u64> {
    let process = facts::process::Process::open(pid).ok()?;
    Some(process.start_time())
}

fn trace(pid: u32, target: Target, probes: &mut Probes) -> bool {
    let attached = if target.flags & Target::HTTP1 == 0 {
        Ok(())
    } else {
        probes.attach_http1()
    };
    match attached.and_then(|()| probes.set_target(pid, target)) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(pid, %error, "a process cannot be traced");
            false
        }
    }
}

fn stop_finishing(pid: u32, probes: &mut Probes) {
    let Ok(Some(target)) = probes.target(pid) else { return };
    let flags = target.flags & !Target::HTTP1_FINISH;
    if flags != target.flags
        && let Err(error) = probes.set_target(pid, Target { flags, ..target })
    {
        tracing::warn!(pid, %error, "a process goes on being looked at from the kernel side");
    }
}

/// Ends what the kernel side began as this entity, and returns what it was. Where it traces the process as another by now, the
/// event of that is yet to come, and decides.
fn take_target_of(pid: u32, entity: u32, probes: &Probes) -> Option<Target> {
    let is_it = probes
        .target(pid)
        .ok()
        .flatten()
        .is_some_and(|target| target.entity == entity);
    if !is_it {
        return None;
    }
    let taken = probes.take_target(pid);
    taken.unwrap_or_else(|error| {
        tracing::warn!(pid, %error, "a process goes on being traced");
        None
    })
}

fn untrace(pid: u32, probes: &mut Probes) {
    if let Err(error) = probes.remove_target(pid) {
        tracing::warn!(pid, %error, "a process goes on being traced");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_anew_when_its_start_or_its_program_is_another() {
        let description = |path: &str| Description::of_executable(PathBuf::from(path));
        let known = Process {
            start_time: Some(7),
            description: description("/bin/sh"),
            ports: BTreeSet::new(),
            entity: None,
        };
        assert!(known.is_still(Some(7), Some(&description("/bin/sh"))));
        assert!(known.is_still(Some(7), None), "it cannot be inspected this time");
        assert!(!known.is_still(Some(8), Some(&description("/bin/sh"))));
        assert!(!known.is_still(None, None));
        assert!(!known.is_still(Some(7), Some(&description("/bin/cat"))));
    }
}
