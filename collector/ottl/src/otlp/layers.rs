//! The messages that one program sees.

use super::layer::Layer;
use crate::error::EvalError;
use crate::path::{Context, Path};
use crate::record::Record;
use crate::value::{Map, ValueRef};
use collector_pdata::Value;

/// An item, or a span's event, and all that holds it; each a [`Layer`].
#[derive(Debug)]
pub struct Layers<'r, 'm> {
    /// What is kept from one item to the next: resource, scope, metric.
    pub outer: &'r mut [Layer<'static>],
    /// An item, and if it is a span one of its events.
    pub inner: &'r mut [Layer<'m>],
}

fn with<'l, 'm>(layers: &'l [Layer<'m>], context: Context) -> Option<&'l Layer<'m>> {
    layers.iter().find(|layer| layer.context() == context)
}

fn with_mut<'l, 'm>(layers: &'l mut [Layer<'m>], context: Context) -> Option<&'l mut Layer<'m>> {
    layers.iter_mut().find(|layer| layer.context() == context)
}

/// A program of another context than the layers', which its caller does not evaluate.
fn absent(path: &Path) -> EvalError {
    EvalError::NoField(path.context.name())
}

impl Record for Layers<'_, '_> {
    fn get(&self, path: &Path) -> Result<ValueRef<'_>, EvalError> {
        match (with(self.inner, path.context), with(self.outer, path.context)) {
            (Some(layer), _) => layer.get(path.field, &path.keys),
            (None, Some(layer)) => layer.get(path.field, &path.keys),
            (None, None) => Err(absent(path)),
        }
    }

    fn set(&mut self, path: &Path, value: Value) -> Result<(), EvalError> {
        if let Some(layer) = with_mut(self.inner, path.context) {
            return layer.set(path.field, &path.keys, value);
        }
        let layer = with_mut(self.outer, path.context).ok_or_else(|| absent(path))?;
        layer.set(path.field, &path.keys, value)
    }

    fn map_mut(&mut self, path: &Path) -> Result<&mut Map, EvalError> {
        if let Some(layer) = with_mut(self.inner, path.context) {
            return layer.map_mut(path.field, &path.keys);
        }
        let layer = with_mut(self.outer, path.context).ok_or_else(|| absent(path))?;
        layer.map_mut(path.field, &path.keys)
    }

    fn retain(&mut self, path: &Path, keep: &dyn Fn(&str) -> bool) -> Result<(), EvalError> {
        if let Some(layer) = with_mut(self.inner, path.context) {
            return layer.retain(path.field, &path.keys, keep);
        }
        let layer = with_mut(self.outer, path.context).ok_or_else(|| absent(path))?;
        layer.retain(path.field, &path.keys, keep)
    }

    fn each(&self, path: &Path, visit: &mut dyn FnMut(&str, &ValueRef<'_>) -> bool) -> Result<(), EvalError> {
        match (with(self.inner, path.context), with(self.outer, path.context)) {
            (Some(layer), _) => layer.each(path.field, &path.keys, visit),
            (None, Some(layer)) => layer.each(path.field, &path.keys, visit),
            (None, None) => Err(absent(path)),
        }
    }
}
