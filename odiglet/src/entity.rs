//! From what is known of a process to the OTLP resource that its spans carry.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use runtime_inspect::{Inspection, Language};
use std::path::{Path, PathBuf};

/// A process as far as the agent needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) executable: PathBuf,
    pub(crate) language: Option<Language>,
    /// The process was looked at, and not only its path.
    pub(crate) is_inspected: bool,
    /// Attributes of its resource, without the process id.
    attributes: Vec<(&'static str, String)>,
}

impl Description {
    /// What an inspection has shown, by the semantic conventions for resources (1.3x).
    pub(crate) fn of(inspection: &Inspection) -> Self {
        let executable = PathBuf::from(&inspection.exe);
        let mut description = Self::of_executable(executable);
        description.is_inspected = true;
        if let Some(name) = &inspection.service_name {
            description.set("service.name", name.clone());
        }
        if let Some(language) = inspection.language {
            description.language = Some(language);
            description.set("process.runtime.name", language.to_string());
        }
        if let Some(language) = inspection.language.and_then(sdk_language) {
            description.set("telemetry.sdk.language", language.to_owned());
        }
        if let Some(version) = &inspection.runtime_version {
            description.set("process.runtime.version", version.clone());
        }
        if let Some(container) = &inspection.container {
            description.set("container.id", container.id.clone());
        }
        description
    }

    /// What there is to say of a process that was not looked at, or was gone before it could be.
    pub(crate) fn of_executable(executable: PathBuf) -> Self {
        let name = name_of(&executable);
        let attributes = vec![
            ("service.name", name.clone()),
            ("process.executable.name", name),
            ("process.executable.path", executable.to_string_lossy().into_owned()),
            (
                "host.name",
                rustix::system::uname().nodename().to_string_lossy().into_owned(),
            ),
            ("os.type", "linux".to_owned()),
            ("telemetry.distro.name", "odigos".to_owned()),
            ("telemetry.distro.version", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        Description {
            executable,
            language: None,
            is_inspected: false,
            attributes,
        }
    }

    fn set(&mut self, key: &'static str, value: String) {
        match self.attributes.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => self.attributes.push((key, value)),
        }
    }

    /// The encoded resource of the process.
    pub(crate) fn resource(&self, pid: u32) -> Vec<u8> {
        let text = self
            .attributes
            .iter()
            .map(|(key, value)| attribute(key, Value::StringValue(value.clone())));
        let pid = attribute("process.pid", Value::IntValue(i64::from(pid)));
        Resource {
            attributes: text.chain([pid]).collect(),
            ..Default::default()
        }
        .encode_to_vec()
    }
}

/// `telemetry.sdk.language` has a closed list of values, which knows no servers.
fn sdk_language(language: Language) -> Option<&'static str> {
    match language {
        Language::Java => Some("java"),
        Language::JavaScript => Some("nodejs"),
        Language::Python => Some("python"),
        Language::Go => Some("go"),
        Language::DotNet => Some("dotnet"),
        Language::Php => Some("php"),
        Language::Ruby => Some("ruby"),
        Language::Rust => Some("rust"),
        Language::Cpp => Some("cpp"),
        Language::C | Language::Nginx | Language::Redis | Language::Postgres | Language::Mysql => None,
    }
}

fn name_of(executable: &Path) -> String {
    executable
        .file_name()
        .unwrap_or(executable.as_os_str())
        .to_string_lossy()
        .into_owned()
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
    }
}
