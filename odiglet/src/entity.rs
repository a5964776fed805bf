//! From what is known of a process to the OTLP resource that its spans carry.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use std::path::{Path, PathBuf};

/// A process as far as the agent needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) executable: PathBuf,
    /// Attributes of its resource, without the process id.
    attributes: Vec<(&'static str, String)>,
}

impl Description {
    /// Reads the process; `None` if it is gone, or a thread of the kernel, which has no executable.
    pub(crate) fn read(pid: u32) -> Option<Self> {
        let executable = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        Some(Self::of_executable(executable))
    }

    /// What is left to say of a process that was gone before it could be looked at.
    pub(crate) fn of_executable(executable: PathBuf) -> Self {
        let name = name_of(&executable);
        let attributes = vec![
            ("service.name", name.clone()),
            ("process.executable.name", name),
            ("process.executable.path", executable.to_string_lossy().into_owned()),
        ];
        Description { executable, attributes }
    }

    /// The encoded resource of the process.
    pub(crate) fn resource(&self, pid: u32) -> Vec<u8> {
        let text = self.attributes.iter().map(|(key, value)| attribute(key, Value::StringValue(value.clone())));
        let fixed = [
            attribute("process.pid", Value::IntValue(i64::from(pid))),
            attribute("telemetry.distro.name", Value::StringValue("odigos".into())),
            attribute("telemetry.distro.version", Value::StringValue(env!("CARGO_PKG_VERSION").into())),
        ];
        Resource { attributes: text.chain(fixed).collect(), ..Default::default() }.encode_to_vec()
    }
}

fn name_of(executable: &Path) -> String {
    executable.file_name().unwrap_or(executable.as_os_str()).to_string_lossy().into_owned()
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
}
