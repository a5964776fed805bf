//! Probes inside of programs: one slot of the map `go_binaries` for each binary, whose index is the cookie of its probes.

use crate::pins::{self, FileId, Pins};
use crate::plan::{GoHttpPlan, PlannedProbe, SERVER_PROBE};
use crate::probes::AttachError;
use crate::{LoadError, Probes, Target, log};
use libbpf_rs::{Link, MapCore, MapFlags, ProgramMut, UprobeMultiOpts, UprobeOpts};
use rustix::fd::{AsRawFd, BorrowedFd};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Any process that runs the binary; which of them are traced, the map `targets` says.
const ANY_PROCESS: i32 = -1;

/// The binaries that are probed, by slot.
#[derive(Debug, Default)]
pub(crate) struct Binaries(BTreeMap<u32, Binary>);

#[derive(Debug)]
struct Binary {
    file: FileId,
    links: Vec<Link>,
    /// Its server is probed too.
    inside: bool,
}

impl Binaries {
    /// Takes up what a predecessor has left attached.
    pub(crate) fn adopt(pins: Option<&Pins>) -> Result<Self, LoadError> {
        let mut binaries = Binaries::default();
        let Some(pins) = pins else { return Ok(binaries) };
        let found = pins.uprobes().map_err(|source| LoadError::Pins {
            path: pins.directory().to_owned(),
            source,
        })?;
        for (slot, file, path) in found {
            match Link::open(&path) {
                Ok(link) => {
                    let binary = binaries.0.entry(slot).or_insert_with(|| Binary {
                        file,
                        links: Vec::new(),
                        inside: false,
                    });
                    binary.links.push(link);
                    binary.inside |= pins::is_of(&path, SERVER_PROBE);
                }
                Err(error) => tracing::warn!(path = %path.display(), %error, "a pinned probe cannot be taken up"),
            }
        }
        Ok(binaries)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    fn slot_of(&self, file: FileId) -> Option<u32> {
        self.0
            .iter()
            .find(|(_, binary)| binary.file == file)
            .map(|(slot, _)| *slot)
    }

    /// `in_use` are slots that targets refer to: a predecessor's, of binaries that have no probes.
    fn free_slot(&self, slots: u32, in_use: &BTreeSet<u32>) -> Option<u32> {
        (0..slots).find(|slot| !self.0.contains_key(slot) && !in_use.contains(slot))
    }
}

impl Probes {
    /// Makes a plan known, and attaches it to the binary behind `descriptor` for every process that runs it; returns its slot.
    /// A server that the kernel side sees by itself gets no probes. A binary that is probed already stays as it is.
    pub fn attach_go(
        &mut self,
        descriptor: BorrowedFd<'_>,
        file: FileId,
        plan: &GoHttpPlan,
    ) -> Result<u32, AttachError> {
        if let Some(slot) = self.binaries.slot_of(file) {
            return Ok(slot);
        }
        let slots = self.map("go_binaries")?.max_entries();
        let in_use = self
            .targets()?
            .into_iter()
            .filter(|(_, target)| target.flags & (Target::GO_SERVER | Target::GO_CLIENT) != 0)
            .map(|(_, target)| target.binary)
            .collect();
        let slot = self
            .binaries
            .free_slot(slots, &in_use)
            .ok_or(AttachError::TooManyBinaries(slots as usize))?;
        let update = self
            .map("go_binaries")?
            .update(&slot.to_ne_bytes(), &plan.offsets.to_bytes(), MapFlags::ANY);
        update.map_err(|source| AttachError::Map {
            map: "go_binaries",
            source,
        })?;
        let mut links = self.attach_points(descriptor, file, slot, plan.probes_of(false))?;
        let inside = !(plan.is_seen_outside() && self.http1().is_some());
        if inside {
            links.extend(self.attach_points(descriptor, file, slot, plan.probes_of(true))?);
        }
        self.binaries.0.insert(slot, Binary { file, links, inside });
        Ok(slot)
    }

    /// Attaches the probes of the server too, in a binary that [`Probes::attach_go`] has left without.
    pub fn attach_go_server(
        &mut self,
        slot: u32,
        descriptor: BorrowedFd<'_>,
        plan: &GoHttpPlan,
    ) -> Result<(), AttachError> {
        let Some(file) = self
            .binaries
            .0
            .get(&slot)
            .filter(|binary| !binary.inside)
            .map(|binary| binary.file)
        else {
            return Ok(());
        };
        let links = self.attach_points(descriptor, file, slot, plan.probes_of(true))?;
        if let Some(binary) = self.binaries.0.get_mut(&slot) {
            binary.links.extend(links);
            binary.inside = true;
        }
        Ok(())
    }

    /// Takes the probes out of a binary.
    pub fn detach_go(&mut self, slot: u32) {
        let Some(binary) = self.binaries.0.remove(&slot) else {
            return;
        };
        for mut link in binary.links {
            // One that is not pinned is detached by being dropped, one that is by its unlinking.
            if link.pin_path().is_some()
                && let Err(error) = link.unpin()
            {
                tracing::warn!(slot, %error, "a probe stays pinned");
            }
        }
    }

    /// How many binaries are probed.
    pub fn probed_binaries(&self) -> usize {
        self.binaries.0.len()
    }

    fn attach_points<'a>(
        &self,
        descriptor: BorrowedFd<'_>,
        file: FileId,
        slot: u32,
        probes: impl Iterator<Item = &'a PlannedProbe>,
    ) -> Result<Vec<Link>, AttachError> {
        log::capture();
        // The path of an open descriptor cannot come to mean another file.
        let path = PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_raw_fd()));
        let mut by_program: BTreeMap<&'static str, Vec<usize>> = BTreeMap::new();
        for probe in probes {
            by_program
                .entry(probe.program)
                .or_default()
                .push(probe.file_offset as usize);
        }
        let mut links = Vec::new();
        for (name, offsets) in by_program {
            let found = self.object.progs_mut().find(|program| program.name() == name);
            let program = found.ok_or(AttachError::NoSuchPart(name))?;
            let refused = |source| AttachError::Refused {
                program: name,
                source,
                log: log::captured(),
            };
            let attached = attach(&program, &path, &offsets, slot, self.has_uprobe_multi).map_err(refused)?;
            for (point, mut link) in attached.into_iter().enumerate() {
                if let Some(pins) = &self.pins {
                    link.pin(pins.uprobe(slot, file, name, point)).map_err(refused)?;
                }
                links.push(link);
            }
        }
        Ok(links)
    }
}

/// One link for all points where the kernel can, else one for each.
fn attach(
    program: &ProgramMut<'_>,
    path: &PathBuf,
    offsets: &[usize],
    slot: u32,
    multi: bool,
) -> libbpf_rs::Result<Vec<Link>> {
    let cookie = u64::from(slot);
    if multi {
        let opts = UprobeMultiOpts {
            offsets: offsets.to_vec(),
            cookies: vec![cookie; offsets.len()],
            ..Default::default()
        };
        return Ok(vec![program.attach_uprobe_multi_with_opts(
            ANY_PROCESS,
            path,
            "",
            opts,
        )?]);
    }
    let one = |offset: &usize| {
        program.attach_uprobe_with_opts(
            ANY_PROCESS,
            path,
            *offset,
            UprobeOpts {
                cookie,
                ..Default::default()
            },
        )
    };
    offsets.iter().map(one).collect()
}
