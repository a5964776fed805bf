//! Records of the ring of process events, which Odiglet reads.

use crate::DecodeError;
use crate::layout::{self, u16_at, u32_at, u64_at};

/// Something happened to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessEvent<'a> {
    /// Process id, in the pid namespace of the agent.
    pub pid: u32,
    /// When the process started, nanoseconds of CLOCK_BOOTTIME: with the pid, its identity.
    pub start_boottime_ns: u64,
    /// The entity as which the kernel traces the process; `None` if it does not.
    pub entity: Option<u32>,
    /// What happened.
    pub kind: ProcessEventKind<'a>,
}

/// What happened to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessEventKind<'a> {
    /// It runs another program from here on. Sent for every process that the agent can name.
    Exec {
        /// As it was given to execve; cut off at 127 bytes, relative if it was given so.
        filename: &'a [u8],
    },
    /// A traced process made it by fork. It is traced as its parent is, as an entity of its own.
    Fork {
        /// The process id of the parent.
        parent: u32,
    },
    /// Its last thread has ended, and it is traced no longer.
    Exit,
    /// It accepts TCP connections from here on.
    Listen {
        /// 0 if the process left it to the kernel to choose one.
        port: u16,
    },
    /// A Go program serves connections that only probes within it can read: with TLS, or over Unix sockets.
    ServesInside,
}

/// Decodes one record of the ring of process events.
pub fn decode(record: &[u8]) -> Result<ProcessEvent<'_>, DecodeError> {
    layout::need(record, layout::PROCESS_SIZE)?;
    let kind = match u32_at(record, layout::PROCESS_KIND) {
        layout::PROCESS_EXEC => ProcessEventKind::Exec {
            filename: filename(record),
        },
        layout::PROCESS_FORK => ProcessEventKind::Fork {
            parent: u32_at(record, layout::PROCESS_PARENT),
        },
        layout::PROCESS_EXIT => ProcessEventKind::Exit,
        layout::PROCESS_LISTEN => ProcessEventKind::Listen {
            port: u16_at(record, layout::PROCESS_PORT),
        },
        layout::PROCESS_SERVES_INSIDE => ProcessEventKind::ServesInside,
        other => return Err(DecodeError::UnknownKind(u16::try_from(other).unwrap_or(u16::MAX))),
    };
    let entity = u32_at(record, layout::PROCESS_ENTITY);
    Ok(ProcessEvent {
        pid: u32_at(record, layout::PROCESS_PID),
        start_boottime_ns: u64_at(record, layout::PROCESS_START),
        entity: (entity != 0).then_some(entity),
        kind,
    })
}

/// What stands before the first 0.
fn filename(record: &[u8]) -> &[u8] {
    let field = &record[layout::PROCESS_FILENAME..layout::PROCESS_FILENAME + layout::PROCESS_FILENAME_SIZE];
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u32) -> Vec<u8> {
        let mut record = vec![0; layout::PROCESS_SIZE];
        record[layout::PROCESS_KIND..][..4].copy_from_slice(&kind.to_ne_bytes());
        record[layout::PROCESS_PID..][..4].copy_from_slice(&42_u32.to_ne_bytes());
        record[layout::PROCESS_PARENT..][..4].copy_from_slice(&41_u32.to_ne_bytes());
        record[layout::PROCESS_START..][..8].copy_from_slice(&99_u64.to_ne_bytes());
        record[layout::PROCESS_PORT..][..2].copy_from_slice(&8080_u16.to_ne_bytes());
        record[layout::PROCESS_FILENAME..][..7].copy_from_slice(b"/bin/sh");
        record
    }

    #[test]
    fn every_kind_is_decoded() {
        let cases = [
            (layout::PROCESS_EXEC, ProcessEventKind::Exec { filename: b"/bin/sh" }),
            (layout::PROCESS_FORK, ProcessEventKind::Fork { parent: 41 }),
            (layout::PROCESS_EXIT, ProcessEventKind::Exit),
            (layout::PROCESS_LISTEN, ProcessEventKind::Listen { port: 8080 }),
            (layout::PROCESS_SERVES_INSIDE, ProcessEventKind::ServesInside),
        ];
        for (number, kind) in cases {
            let expected = ProcessEvent {
                pid: 42,
                start_boottime_ns: 99,
                entity: None,
                kind,
            };
            assert_eq!(decode(&record(number)), Ok(expected));
        }
    }

    #[test]
    fn an_entity_of_0_is_none_and_a_name_without_end_is_taken_whole() {
        let mut record = record(layout::PROCESS_EXEC);
        record[layout::PROCESS_ENTITY..][..4].copy_from_slice(&7_u32.to_ne_bytes());
        record[layout::PROCESS_FILENAME..].fill(b'x');
        let event = decode(&record).unwrap();
        assert_eq!(event.entity, Some(7));
        let filename = &[b'x'; layout::PROCESS_FILENAME_SIZE];
        assert_eq!(event.kind, ProcessEventKind::Exec { filename });
    }

    #[test]
    fn a_short_record_and_an_unknown_kind_are_refused() {
        assert_eq!(decode(&record(77)), Err(DecodeError::UnknownKind(77)));
        let short = &record(layout::PROCESS_EXIT)[..layout::PROCESS_SIZE - 1];
        assert_eq!(decode(short), Err(DecodeError::Short { have: 159, need: 160 }));
    }
}
