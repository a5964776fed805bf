//! `include` and `exclude`: which items a processor is for.
//!
//! ```yaml
//! include:
//!   match_type: strict                  # or regexp: how all texts below are compared
//!   services: [shop]                    # spans: the resource's service.name is one of these
//!   span_names: [GET /]                 # spans: one of these
//!   span_kinds: [SPAN_KIND_SERVER]      # spans: one of these
//!   log_bodies: [login]                 # logs: one of these
//!   log_severity_texts: [INFO]          # logs: one of these
//!   log_severity_number: {min: 9, match_undefined: false}   # logs
//!   metric_names: [http.server.duration]                    # metrics: one of these
//!   libraries: [{name: net/http, version: "1.0"}]           # spans and logs: all of these
//!   attributes: [{key: env, value: dev}]                    # spans and logs: all of these; any value if there is none
//!   resources: [{key: host.type}]                           # the same of the resource
//! ```
//!
//! All that is written must hold. What `exclude` matches is left out of what `include` matches. As upstream, a metric's
//! resource is not looked at, although `resources` may be written for metrics.

mod filter;
mod properties;
mod texts;

pub(super) use filter::{Filter, Matching};

#[cfg(test)]
mod tests;
