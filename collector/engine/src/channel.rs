//! A queue bounded by items and by bytes.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// The most that a queue holds. Something larger than that by itself is let in when the queue is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Spans, data points or log records.
    pub items: u32,
    /// Encoded bytes.
    pub bytes: u32,
}

/// What is counted of a value in a queue.
pub(crate) trait Weight {
    fn items(&self) -> usize;
    fn bytes(&self) -> usize;
}

/// The value that could not be sent.
#[derive(Debug)]
pub(crate) enum SendError<T> {
    /// No room.
    Full(T),
    /// Nobody receives any more.
    Closed(T),
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// Not now.
    Full,
    /// Nobody receives any more.
    Closed,
}

#[derive(Debug)]
struct Room {
    items: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    limits: Limits,
}

/// The room that a value takes until it is received.
#[derive(Debug)]
pub(crate) struct Taken {
    _items: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub(crate) struct Sender<T> {
    queue: mpsc::UnboundedSender<(T, Taken)>,
    room: Arc<Room>,
}

#[derive(Debug)]
pub(crate) struct Receiver<T> {
    queue: mpsc::UnboundedReceiver<(T, Taken)>,
    room: Arc<Room>,
}

pub(crate) fn channel<T: Weight>(limits: Limits) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let room = Arc::new(Room {
        items: Arc::new(Semaphore::new(limits.items as usize)),
        bytes: Arc::new(Semaphore::new(limits.bytes as usize)),
        limits,
    });
    let sender = Sender {
        queue: sender,
        room: room.clone(),
    };
    (sender, Receiver { queue: receiver, room })
}

impl Room {
    fn needs(&self, value: &impl Weight) -> (u32, u32) {
        let fit = |weight: usize, limit: u32| u32::try_from(weight).unwrap_or(u32::MAX).min(limit);
        (
            fit(value.items(), self.limits.items),
            fit(value.bytes(), self.limits.bytes),
        )
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Sender {
            queue: self.queue.clone(),
            room: self.room.clone(),
        }
    }
}

impl<T: Weight> Sender<T> {
    /// Waits until there is room.
    pub(crate) async fn send(&self, value: T) -> Result<(), SendError<T>> {
        let (items, bytes) = self.room.needs(&value);
        // All senders take the room for items first, so that none waits for another in a circle.
        let Ok(items) = self.room.items.clone().acquire_many_owned(items).await else {
            return Err(SendError::Closed(value));
        };
        let Ok(bytes) = self.room.bytes.clone().acquire_many_owned(bytes).await else {
            return Err(SendError::Closed(value));
        };
        self.put(value, items, bytes)
    }

    /// Refuses if there is no room.
    pub(crate) fn try_send(&self, value: T) -> Result<(), SendError<T>> {
        match self.try_reserve(&value) {
            Ok(taken) => self.send_reserved(value, taken).map_err(SendError::Closed),
            Err(NoRoom::Full) => Err(SendError::Full(value)),
            Err(NoRoom::Closed) => Err(SendError::Closed(value)),
        }
    }

    /// Takes room for a value of this weight.
    pub(crate) fn try_reserve(&self, weight: &impl Weight) -> Result<Taken, NoRoom> {
        let (items, bytes) = self.room.needs(weight);
        let items = self.room.items.clone().try_acquire_many_owned(items);
        let bytes = self.room.bytes.clone().try_acquire_many_owned(bytes);
        match (items, bytes) {
            (Ok(items), Ok(bytes)) => Ok(Taken {
                _items: items,
                _bytes: bytes,
            }),
            _ if self.queue.is_closed() => Err(NoRoom::Closed),
            _ => Err(NoRoom::Full),
        }
    }

    /// Sends into the room that was taken; gives the value back if nobody receives any more.
    pub(crate) fn send_reserved(&self, value: T, taken: Taken) -> Result<(), T> {
        self.queue.send((value, taken)).map_err(|error| error.0.0)
    }

    /// Waits until a value of this weight would have room, or nobody receives any more.
    pub(crate) async fn has_room(&self, weight: &impl Weight) {
        let (items, bytes) = self.room.needs(weight);
        // What was there may be gone again by the time that it is used; then one waits anew.
        let _items = self.room.items.clone().acquire_many_owned(items).await;
        let _bytes = self.room.bytes.clone().acquire_many_owned(bytes).await;
    }

    fn put(&self, value: T, items: OwnedSemaphorePermit, bytes: OwnedSemaphorePermit) -> Result<(), SendError<T>> {
        let taken = Taken {
            _items: items,
            _bytes: bytes,
        };
        self.send_reserved(value, taken).map_err(SendError::Closed)
    }
}

impl<T> Receiver<T> {
    /// Waits for the next value; `None` when all senders are gone and the queue is empty.
    pub(crate) async fn recv(&mut self) -> Option<T> {
        self.queue.recv().await.map(|(value, _)| value)
    }

    #[cfg(test)]
    pub(crate) fn try_recv(&mut self) -> Option<T> {
        self.queue.try_recv().ok().map(|(value, _)| value)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // Senders that wait for room must learn that none will come.
        self.room.items.close();
        self.room.bytes.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Load(usize, usize);

    impl Weight for Load {
        fn items(&self) -> usize {
            self.0
        }
        fn bytes(&self) -> usize {
            self.1
        }
    }

    const LIMITS: Limits = Limits { items: 10, bytes: 100 };

    #[tokio::test]
    async fn a_queue_is_bounded_by_items_and_by_bytes() {
        let (sender, mut receiver) = channel(LIMITS);
        sender.try_send(Load(6, 10)).unwrap();
        assert!(matches!(sender.try_send(Load(5, 1)), Err(SendError::Full(Load(5, 1)))));
        assert!(matches!(sender.try_send(Load(1, 91)), Err(SendError::Full(_))));
        sender.try_send(Load(4, 90)).unwrap();
        assert_eq!(receiver.recv().await, Some(Load(6, 10)));
        sender.try_send(Load(6, 10)).unwrap();
    }

    #[tokio::test]
    async fn what_is_larger_than_the_queue_passes_when_it_is_empty() {
        let (sender, mut receiver) = channel(LIMITS);
        sender.send(Load(99, 9999)).await.unwrap();
        assert!(matches!(sender.try_send(Load(1, 1)), Err(SendError::Full(_))));
        assert_eq!(receiver.recv().await, Some(Load(99, 9999)));
        sender.try_send(Load(1, 1)).unwrap();
    }

    #[tokio::test]
    async fn a_sender_that_waits_learns_that_nobody_receives() {
        let (sender, receiver) = channel(LIMITS);
        sender.send(Load(10, 1)).await.unwrap();
        let waiting = tokio::spawn(async move { sender.send(Load(1, 1)).await });
        tokio::task::yield_now().await;
        drop(receiver);
        assert!(matches!(waiting.await.unwrap(), Err(SendError::Closed(Load(1, 1)))));
    }

    #[tokio::test]
    async fn the_queue_ends_after_its_last_value_when_the_senders_are_gone() {
        let (sender, mut receiver) = channel(LIMITS);
        sender.try_send(Load(1, 1)).unwrap();
        drop(sender);
        assert_eq!(receiver.recv().await, Some(Load(1, 1)));
        assert_eq!(receiver.recv().await, None);
    }
}
