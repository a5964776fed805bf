//! What is kept of Secrets: which keys have a value, and when the values last changed. The values themselves are dropped as
//! soon as they were looked at.

use controllers_core::autoscaler::SecretFacts;
use k8s_openapi::api::core::v1::Secret;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Mutex, PoisonError};

/// Remembers since which resource version each Secret has its present values, so that a label on it restarts nothing.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The key of the hash is of this process, so that it tells nothing of the values.
    hasher: RandomState,
    by_name: Mutex<HashMap<String, (u64, String)>>,
}

impl Seen {
    pub(super) fn facts(&self, secret: &Secret) -> SecretFacts {
        let data = secret.data.iter().flatten();
        let keys = data.clone().filter(|(_, value)| !value.0.is_empty());
        let keys = keys.map(|(key, _)| key.clone()).collect();
        let mut hasher = self.hasher.build_hasher();
        for (key, value) in data {
            for part in [key.as_bytes(), &value.0] {
                hasher.write_usize(part.len());
                hasher.write(part);
            }
        }
        let hash = hasher.finish();
        let name = secret.metadata.name.clone().unwrap_or_default();
        let version = secret.metadata.resource_version.clone().unwrap_or_default();
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = by_name.entry(name).or_insert_with(|| (hash, version.clone()));
        if seen.0 != hash {
            *seen = (hash, version);
        }
        SecretFacts {
            keys,
            version: seen.1.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;

    fn secret(version: &str, value: &str) -> Secret {
        let mut secret = Secret::default();
        secret.metadata.name = Some("credentials".to_owned());
        secret.metadata.resource_version = Some(version.to_owned());
        let data = [("token", value), ("empty", "")];
        let data = data.map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec())));
        secret.data = Some(data.into());
        secret
    }

    #[test]
    fn only_new_values_make_a_new_version() {
        let seen = Seen::default();
        let first = seen.facts(&secret("1", "old"));
        assert_eq!(first.keys.iter().collect::<Vec<_>>(), ["token"]);
        assert_eq!(seen.facts(&secret("2", "old")), first);
        assert_eq!(seen.facts(&secret("3", "new")).version, "3");
        assert!(!format!("{seen:?}").contains("new"));
    }
}
