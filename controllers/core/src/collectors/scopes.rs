//! What a rule applies to, as a condition on resources.

use super::statements::{all, any, equals};
use controllers_api::workload::{PodWorkload, ProgrammingLanguage, SourceScopes};

/// The condition, in a context within a resource; nothing if the rule applies to everything.
pub(super) fn condition(scopes: Option<&SourceScopes>) -> Option<String> {
    let scopes = scopes?;
    let languages = match scopes.languages.contains(&ProgrammingLanguage::Any) {
        true => None,
        false => any(&scopes.languages.iter().copied().map(language).collect::<Vec<_>>()),
    };
    let namespaces = scopes.namespaces.iter().map(|name| namespace(name));
    let namespaces = any(&namespaces.collect::<Vec<_>>());
    let sources = any(&scopes.sources.iter().map(workload).collect::<Vec<_>>());
    let groups: Vec<String> = [languages, namespaces, sources].into_iter().flatten().collect();
    all(&groups)
}

/// That a resource's process is written in a language.
pub(super) fn language(language: ProgrammingLanguage) -> String {
    equals("resource.attributes", "telemetry.sdk.language", sdk_language(language))
}

/// The names of the semantic conventions for `telemetry.sdk.language`, where they know the language.
fn sdk_language(language: ProgrammingLanguage) -> &'static str {
    match language {
        ProgrammingLanguage::Java => "java",
        ProgrammingLanguage::Python => "python",
        ProgrammingLanguage::Go => "go",
        ProgrammingLanguage::Dotnet => "dotnet",
        ProgrammingLanguage::JavaScript => "nodejs",
        ProgrammingLanguage::Php => "php",
        ProgrammingLanguage::Ruby => "ruby",
        ProgrammingLanguage::Rust => "rust",
        ProgrammingLanguage::CPlusPlus => "cpp",
        ProgrammingLanguage::MySql => "mysql",
        ProgrammingLanguage::Nginx => "nginx",
        ProgrammingLanguage::Redis => "redis",
        ProgrammingLanguage::Postgres => "postgres",
        ProgrammingLanguage::Unknown => "unknown",
        ProgrammingLanguage::Ignored => "ignored",
        ProgrammingLanguage::Any => "*",
    }
}

fn namespace(name: &str) -> String {
    equals("resource.attributes", "k8s.namespace.name", name)
}

fn workload(workload: &PodWorkload) -> String {
    if workload.kind == "Namespace" {
        return namespace(&workload.name);
    }
    let key = format!("k8s.{}.name", workload.kind.to_ascii_lowercase());
    let name = equals("resource.attributes", &key, &workload.name);
    format!("{} and {name}", namespace(&workload.namespace))
}

#[cfg(test)]
mod tests {
    use super::super::statements::check_condition;
    use super::*;
    use collector_ottl::Context;

    #[test]
    fn groups_hold_together_and_entries_are_alternatives() {
        let workload = |kind: &str, name: &str| PodWorkload {
            kind: kind.to_owned(),
            name: name.to_owned(),
            namespace: "shop".to_owned(),
        };
        let scopes = SourceScopes {
            languages: vec![ProgrammingLanguage::JavaScript],
            namespaces: vec!["a".to_owned(), "b".to_owned()],
            sources: vec![workload("Deployment", "cart"), workload("Namespace", "shop")],
        };
        let condition = condition(Some(&scopes)).unwrap();
        assert_eq!(
            condition,
            "(resource.attributes[\"telemetry.sdk.language\"] == \"nodejs\") and \
             ((resource.attributes[\"k8s.namespace.name\"] == \"a\") or (resource.attributes[\"k8s.namespace.name\"] == \"b\")) and \
             ((resource.attributes[\"k8s.namespace.name\"] == \"shop\" and resource.attributes[\"k8s.deployment.name\"] == \"cart\") or \
             (resource.attributes[\"k8s.namespace.name\"] == \"shop\"))"
        );
        assert_eq!(check_condition(Context::Span, &condition), Ok(()));
    }

    #[test]
    fn every_language_and_no_scope_are_no_condition() {
        let scopes = SourceScopes {
            languages: vec![ProgrammingLanguage::Go, ProgrammingLanguage::Any],
            ..SourceScopes::default()
        };
        assert_eq!(condition(Some(&scopes)), None);
        assert_eq!(condition(Some(&SourceScopes::default())), None);
        assert_eq!(condition(None), None);
    }
}
