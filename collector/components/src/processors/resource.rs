//! `resource`: changes the attributes of resources.
//!
//! ```yaml
//! processors:
//!   resource:
//!     attributes:                     # the actions of the `attributes` processor, in this order
//!       - {key: k8s.cluster.name, value: prod-1, action: upsert}
//! ```

use super::attributes::{Actions, Applier};
use super::editing::Editing;
use collector_config::Section;
use collector_engine::{ProcessorFactory, ProcessorRecipe, reason};
use collector_pdata::attributes::field;
use collector_pdata::edit::{Change, Edit};
use collector_pdata::{Malformed, Signal};

/// The line in the table.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    kind: "resource",
    signals: &Signal::ALL,
    configure,
};

fn configure(section: &mut Section<'_, '_>) -> ProcessorRecipe {
    let actions = Actions::read(section, "attributes");
    ProcessorRecipe::new(move |_| Editing {
        edit: edit(&actions),
        dropped: reason::MALFORMED,
    })
}

/// What is done to a request.
pub(super) fn edit(actions: &Actions) -> impl Edit + Send + use<> {
    Resources(actions.applier())
}

struct Resources(Applier);

impl Edit for Resources {
    fn looks_at_scopes(&self) -> bool {
        false
    }

    fn looks_at_metrics(&self) -> bool {
        false
    }

    fn looks_at_items(&self) -> bool {
        false
    }

    fn resource(&mut self, resource: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        self.0.apply(resource, field::RESOURCE, out)
    }
}
