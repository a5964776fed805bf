//! The tasks of all components, on whichever worker they run, and how they ended.

use crate::component::{BoxError, Ended};
use std::collections::HashMap;
use std::future::Future;
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

/// What a task is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Receiver,
    Pipeline,
    Connector,
    Exporter,
    Extension,
}

struct Task {
    role: Role,
    name: String,
    abort: AbortHandle,
}

/// A task's failure.
#[derive(Debug)]
pub(crate) struct Failed {
    /// Its role and id.
    pub(crate) component: String,
    pub(crate) source: BoxError,
}

#[derive(Default)]
pub(crate) struct Tasks {
    running: JoinSet<Ended>,
    named: HashMap<Id, Task>,
}

impl Tasks {
    pub(crate) fn spawn(
        &mut self,
        worker: &Handle,
        role: Role,
        name: &str,
        work: impl Future<Output = Ended> + Send + 'static,
    ) {
        let abort = self.running.spawn_on(work, worker);
        let task = Task {
            role,
            name: name.to_owned(),
            abort: abort.clone(),
        };
        self.named.insert(abort.id(), task);
    }

    /// Waits for the next to end; `None` if none is left. The inner value is there if it failed.
    pub(crate) async fn next(&mut self) -> Option<Option<Failed>> {
        let ended = self.running.join_next_with_id().await?;
        Some(self.ended(ended))
    }

    pub(crate) fn count(&self, roles: &[Role]) -> usize {
        self.named.values().filter(|task| roles.contains(&task.role)).count()
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.named.values().map(|task| task.name.as_str()).collect()
    }

    /// Ends those of the role, wherever they are, and waits until they have ended.
    pub(crate) async fn abort(&mut self, role: Role) {
        let of_role = self.named.values().filter(|task| task.role == role);
        of_role.for_each(|task| task.abort.abort());
        while self.count(&[role]) > 0 && self.next().await.is_some() {}
    }

    fn ended(&mut self, ended: Result<(Id, Ended), JoinError>) -> Option<Failed> {
        let (id, source) = match ended {
            Ok((id, Ok(()))) => (id, None),
            Ok((id, Err(error))) => (id, Some(error)),
            Err(error) if error.is_cancelled() => (error.id(), None),
            Err(error) => (error.id(), Some(BoxError::from(error))),
        };
        let task = self.named.remove(&id)?;
        let source = source?;
        let component = format!("{:?} {}", task.role, task.name).to_lowercase();
        tracing::error!(
            component,
            error = kit::logging::chain(&*source),
            "a component failed; draining"
        );
        Some(Failed { component, source })
    }
}
