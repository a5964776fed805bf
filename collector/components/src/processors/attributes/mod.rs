//! `attributes`: changes the attributes of spans, data points and log records.
//!
//! ```yaml
//! processors:
//!   attributes:
//!     include: {match_type: strict, services: [shop]}   # only these; see `matching`
//!     exclude: {match_type: regexp, span_names: ["^/health"]}
//!     actions:                                          # all of them, in this order
//!       - {key: region, value: eu, action: upsert}              # or insert, update
//!       - {key: user, from_attribute: enduser.id, default_value: nobody, action: insert}
//!       - {key: password, pattern: "secret", action: delete}    # that key, and keys that match
//!       - {key: user.email, action: hash}                       # or by pattern; SHA-256 in hexadecimal
//!       - {key: url.full, pattern: "^(?P<scheme>.*?)://", action: extract}
//!       - {key: http.status_code, converted_type: int, action: convert}
//! ```
//!
//! Meaning and output are those of the upstream collector 0.161, but that `from_context` is refused, since a payload
//! does not know the request that it came in with; that of a key which is there several times only one is left once it
//! was written, and none once it was deleted; and that a double beyond the range of integers becomes the nearest integer.

mod action;
mod apply;
mod convert;
mod hash;

pub(crate) use action::Actions;
pub(crate) use action::value as config_value;
pub(crate) use apply::Applier;

use super::editing::Editing;
use super::matching::{Filter, Matching};
use collector_config::Section;
use collector_engine::{ProcessorFactory, ProcessorRecipe, reason};
use collector_pdata::edit::{Change, Edit};
use collector_pdata::{ItemKind, Malformed, Signal};

/// The line in the table.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    kind: "attributes",
    signals: &Signal::ALL,
    configure,
};

fn configure(section: &mut Section<'_, '_>) -> ProcessorRecipe {
    let matching = Matching::read(section);
    let actions = Actions::read(section, "actions");
    let refuses = matching.refusals();
    let recipe = ProcessorRecipe::new(move |signal| Editing {
        edit: Items {
            filter: matching.filter(signal),
            applier: actions.applier(),
        },
        dropped: reason::MALFORMED,
    });
    ProcessorRecipe { refuses, ..recipe }
}

struct Items {
    filter: Filter,
    applier: Applier,
}

impl Edit for Items {
    fn looks_at_scopes(&self) -> bool {
        self.filter.looks_at_scopes()
    }

    fn looks_at_metrics(&self) -> bool {
        self.filter.looks_at_metrics()
    }

    fn resource(&mut self, resource: &[u8], _: &mut Vec<u8>) -> Result<Change, Malformed> {
        self.filter.resource(resource)?;
        Ok(Change::Keep)
    }

    fn scope(&mut self, scope: &[u8], _: &mut Vec<u8>) -> Result<Change, Malformed> {
        self.filter.scope(scope)?;
        Ok(Change::Keep)
    }

    fn metric(&mut self, metric: &[u8], _: &mut Vec<u8>) -> Result<Change, Malformed> {
        self.filter.metric(metric)?;
        Ok(Change::Keep)
    }

    fn item(&mut self, kind: ItemKind, item: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        if self.filter.takes(kind, item)? {
            self.applier.apply(item, kind.attributes_field(), out)
        } else {
            Ok(Change::Keep)
        }
    }
}

#[cfg(test)]
mod tests;
