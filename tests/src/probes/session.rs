use super::{Case, Traced};
use anyhow::Result;
use probe_loader::table::Group;
use probe_loader::{Options, Probes};

/// Runs cases, one after the other, with probes that are loaded once: loading takes far longer than most cases.
#[derive(Debug)]
pub struct Session {
    http1: Group,
    options: Options,
    traced: Option<Traced>,
}

impl Session {
    /// HTTP/1 will be seen in this way. Nothing is loaded before it is needed.
    pub fn new(http1: Group, options: Options) -> Self {
        Session {
            http1,
            options,
            traced: None,
        }
    }

    /// The way in which HTTP/1 is seen.
    pub fn http1(&self) -> Group {
        self.http1
    }

    /// How they are loaded.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The probes, loaded and attached by the first call.
    pub fn probes(&mut self) -> Result<&mut Probes> {
        Ok(self.traced()?.probes())
    }

    /// Runs a case, and sees to it that nothing was reported that it did not ask for. The next case gets new probes if this
    /// one fails or ends with them detached.
    pub fn run(&mut self, case: &Case) -> Result<()> {
        let traced = self.traced()?;
        let done = traced
            .begin()
            .and_then(|()| (case.run)(traced))
            .and_then(|()| traced.expect_no_more());
        if done.is_err() || traced.is_finished() {
            self.traced = None;
        }
        done
    }

    fn traced(&mut self) -> Result<&mut Traced> {
        let traced = match self.traced.take() {
            Some(traced) => traced,
            None => Traced::start(self.http1, &self.options)?,
        };
        Ok(self.traced.insert(traced))
    }
}
