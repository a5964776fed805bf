//! The work between the input, the disk and the destination.

use super::DiskQueue;
use super::store::{NotPut, Store};
use crate::exporters::delivery::flight::Flight;
use crate::exporters::delivery::{Courier, Fate, Transport};
use collector_engine::{BoxError, Delivery, Draining, Ended, ExporterInput, Health};
use collector_spool::{Disk, RecordId};
use kit::drain::Drain;
use kit::logging::chain;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it is looked whether a disk that had no room, or failed, has changed its mind.
const LOOK: Duration = Duration::from_secs(1);

/// What of the drain's time is left over, so that what is not delivered is counted in peace.
const MARGIN: Duration = Duration::from_millis(300);

/// Puts what comes in on disk, and delivers what is there, up to `consumers` requests at the same time. At the drain it
/// goes on as long as the destination takes it. `stop` tells the courier to try nothing again.
pub(in super::super) async fn run<T: Transport>(
    mut queue: DiskQueue,
    courier: Arc<Courier<T>>,
    stop: Drain,
    consumers: usize,
    input: ExporterInput,
) -> Ended {
    let fsync = queue.options.fsync;
    let store = queue.take(input.recovery(), &input.health()).await?;
    deliver(store, fsync, courier, stop, consumers, input).await
}

pub(super) async fn deliver<T: Transport, D>(
    store: Store<D>,
    fsync: bool,
    courier: Arc<Courier<T>>,
    stop: Drain,
    consumers: usize,
    input: ExporterInput,
) -> Ended
where
    D: Disk + Send + 'static,
    D::File: Send,
{
    let work = Work {
        trouble: Trouble::new(input.health(), store.quarantined(), courier.destination.clone()),
        store: Some(store),
        courier,
        consumers,
        fsync,
        flight: Flight::default(),
        waiting: None,
        draining: input.draining(),
        stop,
        is_open: true,
    };
    work.run(input).await
}

struct Work<T, D: Disk> {
    /// Missing while it is written to elsewhere.
    store: Option<Store<D>>,
    courier: Arc<Courier<T>>,
    consumers: usize,
    fsync: bool,
    flight: Flight<(Option<RecordId>, Fate)>,
    /// What the disk has not taken. Nothing more comes in meanwhile.
    waiting: Option<Delivery>,
    draining: Draining,
    stop: Drain,
    is_open: bool,
    trouble: Trouble,
}

impl<T: Transport, D> Work<T, D>
where
    D: Disk + Send + 'static,
    D::File: Send,
{
    async fn run(mut self, mut input: ExporterInput) -> Ended {
        let (mut draining, mut is_draining) = (input.draining(), false);
        loop {
            let failed = self.launch()?;
            if !self.is_open && self.waiting.is_none() && self.flight.len() == 0 {
                return self.end();
            }
            tokio::select! {
                biased;
                landed = self.flight.landed(), if self.flight.len() > 0 => self.landed(landed).await?,
                next = input.next(), if self.is_open && self.waiting.is_none() => match next {
                    Some(delivery) => self.put(delivery).await?,
                    None => self.input_ended(),
                },
                deadline = draining.begun(), if !is_draining => {
                    is_draining = true;
                    self.stop.begin(deadline);
                }
                () = tokio::time::sleep(LOOK), if failed || self.waiting.is_some() => self.put_again().await?,
            }
        }
    }

    fn store(&mut self) -> Result<&mut Store<D>, BoxError> {
        self.store.as_mut().ok_or_else(|| "the queue on disk is gone".into())
    }

    fn input_ended(&mut self) {
        self.is_open = false;
        // Whoever takes over, after a reload, waits for this one to end.
        self.stop.begin(Instant::now());
    }

    /// Whether anything more is to be sent. Once the input has ended that is only so at a drain, which nobody takes over
    /// from, and as long as it goes well.
    fn goes_on(&self) -> bool {
        match self.draining.deadline() {
            None => self.is_open,
            Some(deadline) => !self.courier.is_failing() && Instant::now() + MARGIN < deadline,
        }
    }

    /// Sends as much as may be on its way. True if reading failed and is to be tried again.
    fn launch(&mut self) -> Result<bool, BoxError> {
        while self.flight.len() < self.consumers && self.goes_on() {
            let next = self.store()?.next();
            let quarantined = self.store()?.quarantined();
            self.trouble.quarantined(quarantined);
            match next {
                Ok(Some((id, delivery))) => self.send(Some(id), delivery),
                Ok(None) => break,
                Err(error) => {
                    self.trouble
                        .failed(&chain(&error), "cannot read the queue on disk; trying again");
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn send(&mut self, id: Option<RecordId>, delivery: Delivery) {
        let courier = self.courier.clone();
        self.flight
            .launch(Box::pin(async move { (id, courier.deliver(delivery).await) }));
    }

    async fn landed(&mut self, landed: Vec<(Option<RecordId>, Fate)>) -> Ended {
        for (id, fate) in landed {
            if let (Some(id), Fate::Done) = (id, fate) {
                self.store()?.done(id);
            }
        }
        self.put_again().await
    }

    async fn put_again(&mut self) -> Ended {
        match self.waiting.take() {
            Some(delivery) => self.put(delivery).await,
            None => Ok(()),
        }
    }

    /// Puts a delivery on disk. What never fits there, or a disk that fails does not take, is delivered from memory.
    async fn put(&mut self, delivery: Delivery) -> Ended {
        let Err(NotPut { delivery, why, later }) = self.append(delivery).await? else {
            self.trouble.recovered();
            return Ok(());
        };
        if later {
            self.trouble
                .failed(&why, "the queue on disk takes no more; trying again");
            self.waiting = Some(*delivery);
        } else if self.flight.len() < self.consumers {
            self.trouble.failed(
                &why,
                "the queue on disk does not take a request; it is delivered from memory",
            );
            self.send(None, *delivery);
        } else {
            self.waiting = Some(*delivery);
        }
        Ok(())
    }

    /// A write goes to the page cache and is over at once. To wait for the disk itself is not for the worker's thread.
    async fn append(&mut self, delivery: Delivery) -> Result<Result<(), NotPut>, BoxError> {
        if !self.fsync {
            return Ok(self.store()?.put(delivery));
        }
        let mut store = self.store.take().ok_or("the queue on disk is gone")?;
        let (store, result) = tokio::task::spawn_blocking(move || {
            let result = store.put(delivery);
            (store, result)
        })
        .await?;
        self.store = Some(store);
        Ok(result)
    }

    fn end(&mut self) -> Ended {
        let destination = self.courier.destination.clone();
        let items = self.store()?.items();
        if items > 0 {
            tracing::info!(
                destination,
                items,
                "items are left in the queue on disk, for the next start"
            );
        }
        Ok(())
    }
}

/// What is wrong with the disk, said once until it is mended.
struct Trouble {
    health: Health,
    destination: String,
    failing: bool,
    quarantined: u64,
}

impl Trouble {
    fn new(health: Health, quarantined: u64, destination: String) -> Self {
        if quarantined > 0 {
            health.failed(format!("{quarantined} files of the queue on disk were damaged"));
        }
        Trouble {
            health,
            destination,
            failing: false,
            quarantined,
        }
    }

    fn failed(&mut self, why: &str, what: &str) {
        self.health.failed(format!("the queue on disk: {why}"));
        let destination = self.destination.as_str();
        if std::mem::replace(&mut self.failing, true) {
            tracing::debug!(destination, reason = why, "{what}");
        } else {
            tracing::warn!(destination, reason = why, "{what}");
        }
    }

    fn recovered(&mut self) {
        if std::mem::replace(&mut self.failing, false) {
            self.health.recovered();
            tracing::info!(destination = self.destination, "the queue on disk takes requests again");
        }
    }

    /// The queue itself has logged which files these are.
    fn quarantined(&mut self, now: u64) {
        if now > self.quarantined {
            self.quarantined = now;
            self.health.failed("files of the queue on disk are damaged".to_owned());
        }
    }
}
