//! The hand-over protocol between Odiglet and the node collector, as frames; the socket itself is elsewhere.
//!
//! Odiglet listens on a unix stream socket. On connection it sends one [`Message::Offer`], to whose bytes the ring's and
//! the counters' descriptors are attached (`SCM_RIGHTS`, in this order), then an [`Message::Entity`] for each entity,
//! [`Message::SnapshotDone`], and from then on changes. The collector sends nothing: its lease of the ring is the
//! connection. A frame is the payload's length (`u32`), the kind (`u8`) and the payload, all integers little-endian.

/// The version of this protocol and of the record layouts; the two change together.
pub const VERSION: u16 = 2;
/// The largest payload of a frame; an entity's resource never comes near it.
pub const MAX_PAYLOAD: usize = 1 << 20;
const PREFIX: usize = 5;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The ring; the descriptors of the ring and of the counters come with it.
    Offer {
        /// [`VERSION`] of the sender.
        version: u16,
        /// Size of the ring's data area in bytes, a power of two.
        ring_bytes: u64,
        /// Not every process is wanted, so that a record whose entity is not announced may be of one that is not.
        selective: bool,
    },
    /// An entity is new or has changed.
    Entity {
        /// The id that records carry.
        id: u32,
        /// An encoded `opentelemetry.proto.resource.v1.Resource`.
        resource: Vec<u8>,
    },
    /// No further record will carry this id once the ring has been drained.
    EntityGone {
        /// The id that records carry.
        id: u32,
    },
    /// The kernel side began to trace a process that is not selected: its records are dropped, and counted as such.
    EntityRefused {
        /// The id that records carry.
        id: u32,
    },
    /// All entities that exist have been sent.
    SnapshotDone {
        /// Grows with every change of an entity.
        generation: u64,
    },
    /// Probes are detached and nothing will be written any more: read the ring to its end and finish.
    Drain,
}

/// Why a frame could not be read.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum FrameError {
    /// A kind this version does not know.
    #[error("unknown hand-over message {0}")]
    UnknownKind(u8),
    /// A payload that is too long or too short for its kind.
    #[error("hand-over message {kind} with a payload of {length} bytes")]
    BadLength {
        /// The frame's kind.
        kind: u8,
        /// What its prefix says.
        length: usize,
    },
}

impl Message {
    /// Appends this message as a frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; PREFIX]);
        let kind = match self {
            Message::Offer {
                version,
                ring_bytes,
                selective,
            } => {
                out.extend_from_slice(&version.to_le_bytes());
                out.extend_from_slice(&ring_bytes.to_le_bytes());
                out.push(u8::from(*selective));
                1
            }
            Message::Entity { id, resource } => {
                out.extend_from_slice(&id.to_le_bytes());
                out.extend_from_slice(resource);
                2
            }
            Message::EntityGone { id } => {
                out.extend_from_slice(&id.to_le_bytes());
                3
            }
            Message::SnapshotDone { generation } => {
                out.extend_from_slice(&generation.to_le_bytes());
                4
            }
            Message::Drain => 5,
            Message::EntityRefused { id } => {
                out.extend_from_slice(&id.to_le_bytes());
                6
            }
        };
        let length = (out.len() - start - PREFIX) as u32;
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
        out[start + 4] = kind;
    }

    /// Reads the first frame of `input`: the message and the bytes it took, or `None` if it is not all there yet.
    pub fn decode(input: &[u8]) -> Result<Option<(Message, usize)>, FrameError> {
        let Some((prefix, rest)) = input.split_first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes([prefix[0], prefix[1], prefix[2], prefix[3]]) as usize;
        let kind = prefix[4];
        if length > MAX_PAYLOAD {
            return Err(FrameError::BadLength { kind, length });
        }
        let Some(payload) = rest.get(..length) else {
            return Ok(None);
        };
        Ok(Some((Message::decode_payload(kind, payload)?, PREFIX + length)))
    }

    fn decode_payload(kind: u8, payload: &[u8]) -> Result<Message, FrameError> {
        let bad = FrameError::BadLength {
            kind,
            length: payload.len(),
        };
        match kind {
            1 => {
                let (version, rest) = payload.split_first_chunk().ok_or_else(|| bad.clone())?;
                let version = u16::from_le_bytes(*version);
                // Whoever hears of another version is to be told so, whatever that one's offers look like.
                let (ring_bytes, selective) = if version == VERSION {
                    let (ring_bytes, rest) = rest.split_first_chunk().ok_or_else(|| bad.clone())?;
                    let [selective] = rest else { return Err(bad) };
                    (u64::from_le_bytes(*ring_bytes), *selective != 0)
                } else {
                    (0, false)
                };
                Ok(Message::Offer {
                    version,
                    ring_bytes,
                    selective,
                })
            }
            2 => {
                let (id, resource) = payload.split_first_chunk().ok_or(bad)?;
                Ok(Message::Entity {
                    id: u32::from_le_bytes(*id),
                    resource: resource.to_vec(),
                })
            }
            3 => Ok(Message::EntityGone {
                id: u32::from_le_bytes(payload.try_into().map_err(|_| bad)?),
            }),
            4 => Ok(Message::SnapshotDone {
                generation: u64::from_le_bytes(payload.try_into().map_err(|_| bad)?),
            }),
            5 if payload.is_empty() => Ok(Message::Drain),
            5 => Err(bad),
            6 => Ok(Message::EntityRefused {
                id: u32::from_le_bytes(payload.try_into().map_err(|_| bad)?),
            }),
            other => Err(FrameError::UnknownKind(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_survives_a_round_trip_and_an_incomplete_frame_is_not_an_error() {
        let all = [
            Message::Offer {
                version: VERSION,
                ring_bytes: 8 << 20,
                selective: true,
            },
            Message::Entity {
                id: 7,
                resource: vec![1, 2, 3],
            },
            Message::EntityGone { id: 7 },
            Message::EntityRefused { id: 7 },
            Message::SnapshotDone { generation: 9 },
            Message::Drain,
        ];
        for message in all {
            let mut bytes = Vec::new();
            message.encode(&mut bytes);
            for cut in 0..bytes.len() {
                assert_eq!(Message::decode(&bytes[..cut]), Ok(None), "{message:?} cut at {cut}");
            }
            assert_eq!(Message::decode(&bytes), Ok(Some((message, bytes.len()))));
        }
    }

    #[test]
    fn an_offer_of_another_version_says_so_whatever_else_it_holds() {
        for rest in [0, 8, 9, 100] {
            let mut frame = vec![2 + rest, 0, 0, 0, 1, 77, 0];
            frame.resize(frame.len() + usize::from(rest), 0xff);
            let decoded = Message::decode(&frame).unwrap().unwrap().0;
            assert!(matches!(decoded, Message::Offer { version: 77, .. }), "{decoded:?}");
        }
        let own = VERSION.to_le_bytes();
        let short = [2 + 8, 0, 0, 0, 1, own[0], own[1], 0, 0, 0, 0, 0, 0, 0, 0];
        let length = 2 + 8;
        assert_eq!(Message::decode(&short), Err(FrameError::BadLength { kind: 1, length }));
    }

    #[test]
    fn a_hostile_frame_is_refused() {
        assert_eq!(
            Message::decode(&[255, 255, 255, 255, 2]),
            Err(FrameError::BadLength {
                kind: 2,
                length: u32::MAX as usize
            })
        );
        assert_eq!(Message::decode(&[0, 0, 0, 0, 77]), Err(FrameError::UnknownKind(77)));
        assert_eq!(
            Message::decode(&[1, 0, 0, 0, 5, 0]),
            Err(FrameError::BadLength { kind: 5, length: 1 })
        );
    }
}
