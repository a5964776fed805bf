//! Which groups are run in one walk over a payload.
//!
//! Groups are meant to be run one after the other, each over all of a payload. Running several on each item in turn gives
//! the same as long as none of them needs what a later item does: as long as they go from the outside in, and none writes
//! to what holds its item.

use super::edit::Transforming;
use super::recorded::run_recorded;
use crate::processors::ottl::{Failures, Group, depth};
use collector_ottl::Context;
use collector_pdata::{Edited, Payload, Signal};

/// Groups that are run in one walk.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) groups: Vec<Group>,
    /// Whether a statement writes to a resource, scope or metric on behalf of what that holds. Then the walk comes by what
    /// is written before it is known, and a second one puts it in place.
    pub(super) writes_outer: bool,
}

/// A payload after a pass.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) edited: Edited,
    pub(super) failures: Failures,
}

/// Cuts groups into passes.
pub(super) fn passes(signal: Signal, groups: Vec<Group>) -> Vec<Pass> {
    let mut passes: Vec<Pass> = Vec::new();
    for group in groups {
        let deep = depth(signal, group.context);
        let joins = passes.last().and_then(|pass| pass.groups.last()).is_some_and(|last| {
            depth(signal, last.context) <= deep && !writes(last, |context| context != last.context)
        });
        let writes_outer = writes(&group, |context| {
            context != group.context && matches!(context, Context::Resource | Context::Scope | Context::Metric)
        });
        match passes.last_mut().filter(|_| joins) {
            Some(pass) => {
                pass.writes_outer |= writes_outer;
                pass.groups.push(group);
            }
            None => passes.push(Pass {
                groups: vec![group],
                writes_outer,
            }),
        }
    }
    passes
}

fn writes(group: &Group, to: impl Fn(Context) -> bool) -> bool {
    group.statements.iter().any(|statement| to(statement.writes()))
}

impl Pass {
    pub(super) fn run(&self, payload: Payload) -> Done {
        if self.writes_outer {
            return run_recorded(self, payload);
        }
        let mut edit = Transforming::new(self);
        Done {
            edited: payload.edit(&mut edit),
            failures: edit.failures,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processors::ottl::ErrorMode;
    use collector_ottl::Statement;

    fn group(context: Context, statement: &str) -> Group {
        Group {
            context,
            error_mode: ErrorMode::Ignore,
            conditions: Vec::new(),
            statements: vec![Statement::compile(context, statement).unwrap()],
        }
    }

    #[test]
    fn groups_from_the_outside_in_are_one_pass() {
        let groups = vec![
            group(Context::Resource, "set(attributes[\"a\"], 1)"),
            group(Context::Span, "set(name, \"a\")"),
            group(Context::Span, "set(name, \"b\")"),
            group(Context::SpanEvent, "set(name, \"c\")"),
        ];
        let passes = passes(Signal::Traces, groups);
        assert_eq!(passes.len(), 1);
        assert!(!passes[0].writes_outer);
    }

    #[test]
    fn a_group_further_out_and_one_after_a_write_outwards_begin_a_pass() {
        let groups = vec![
            group(Context::Span, "set(name, \"a\")"),
            group(Context::Resource, "set(attributes[\"a\"], 1)"),
            group(Context::Span, "set(resource.attributes[\"a\"], 1)"),
            group(Context::Span, "set(name, \"b\")"),
            group(Context::SpanEvent, "set(span.name, \"b\")"),
            group(Context::SpanEvent, "set(name, \"b\")"),
        ];
        let passes = passes(Signal::Traces, groups);
        let shape: Vec<_> = passes
            .iter()
            .map(|pass| (pass.groups.len(), pass.writes_outer))
            .collect();
        assert_eq!(shape, [(1, false), (2, true), (2, false), (1, false)]);
    }
}
