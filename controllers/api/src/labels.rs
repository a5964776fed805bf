//! Names of labels, annotations and finalizers that users and other systems see.

/// On every object and definition that belongs to the product, with the value `true`.
pub const SYSTEM_OBJECT: &str = "odigos.io/system-object";
/// On a Source: the name of its workload. Absent where the name is a regular expression.
pub const WORKLOAD_NAME: &str = "odigos.io/workload-name";
/// On a Source: the namespace of its workload.
pub const WORKLOAD_NAMESPACE: &str = "odigos.io/workload-namespace";
/// On a Source: the kind of its workload.
pub const WORKLOAD_KIND: &str = "odigos.io/workload-kind";
/// On a Source, with the name of a data stream behind it and the value `true`.
pub const DATA_STREAM_PREFIX: &str = "odigos.io/data-stream-";
/// On a pod: the hash of what its agents depend on.
pub const AGENTS_META_HASH: &str = "odigos.io/agents-meta-hash";
/// On a pod template, by the method that changes workloads' manifests: what was put in, so that exactly that is taken out.
pub const INJECTED: &str = "odigos.io/injected";
/// On a workload's pod template: the hash for which its pods were last replaced.
pub const ROLLED_OUT_FOR: &str = "odigos.io/rolled-out-for";
/// On an InstrumentationConfig: the containers whose agent was taken out again because it made them fail.
pub const ROLLED_BACK: &str = "odigos.io/rolled-back";
/// Keeps a Source until its workload is restored.
pub const SOURCE_FINALIZER: &str = "odigos.io/source-instrumentation-finalizer";

/// The name of a data stream, of the label that puts a Source into it.
pub fn data_stream(label: &str) -> Option<&str> {
    label.strip_prefix(DATA_STREAM_PREFIX).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_data_stream_is_what_stands_behind_the_prefix() {
        assert_eq!(super::data_stream("odigos.io/data-stream-shop"), Some("shop"));
        assert_eq!(super::data_stream("odigos.io/data-stream-"), None);
        assert_eq!(super::data_stream(super::WORKLOAD_NAME), None);
    }
}
