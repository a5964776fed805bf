//! What holds an item: its resource, scope and metric, kept while their items go by.

use collector_ottl::Context;
use collector_ottl::otlp::Layer;
use collector_pdata::Malformed;

/// The layers around an item, from the outside in.
#[derive(Debug, Default)]
pub struct Outer {
    layers: Vec<Layer<'static>>,
    /// So many of them, from the outside, hold an item that was seen.
    with_items: usize,
}

/// A message that an edit was shown.
#[derive(Debug, Clone, Copy)]
pub enum Shown<'m> {
    /// A `Resource`.
    Resource(&'m [u8]),
    /// An `InstrumentationScope`.
    Scope(&'m [u8]),
    /// A `Metric` with its points.
    Metric(&'m [u8]),
}

impl Outer {
    /// Takes a message in place of the last one of its kind, and of what that held.
    pub fn enter(&mut self, shown: Shown<'_>) -> Result<(), Malformed> {
        let layer = match shown {
            Shown::Resource(message) => Layer::resource(message),
            Shown::Scope(message) => Layer::scope(message),
            Shown::Metric(message) => Layer::metric(message)?,
        };
        self.leave(layer.context());
        self.layers.push(layer);
        Ok(())
    }

    /// Gives up the last message of a context, and what it held. Those that held items are returned, from the outside in.
    pub fn leave(&mut self, context: Context) -> Vec<Layer<'static>> {
        let inside = |layer: &Layer<'_>| layer.context().reaches().contains(&context);
        let first = self.layers.iter().position(inside).unwrap_or(self.layers.len());
        let mut left = self.layers.split_off(first);
        left.truncate(self.with_items.saturating_sub(first));
        self.with_items = self.with_items.min(first);
        left
    }

    /// Notes that an item goes by in the layers that there are now.
    pub fn saw_item(&mut self) {
        self.with_items = self.layers.len();
    }

    /// The layers, as a program is shown them.
    pub fn layers(&mut self) -> &mut [Layer<'static>] {
        &mut self.layers
    }

    /// The innermost layer.
    pub fn innermost(&self) -> Option<&Layer<'static>> {
        self.layers.last()
    }
}
