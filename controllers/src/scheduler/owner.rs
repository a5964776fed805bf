//! The scheduler's own Deployment, which owns what the scheduler makes: with the installation, that goes as well.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

/// A reference to it. Its deletion waits for nothing, so that an uninstallation cannot hang.
pub(super) fn reference(deployment: &Deployment) -> Option<OwnerReference> {
    Some(OwnerReference {
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        name: deployment.metadata.name.clone()?,
        uid: deployment.metadata.uid.clone()?,
        block_owner_deletion: None,
        controller: None,
    })
}
