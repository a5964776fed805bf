//! Keeps the certificates and the webhook configurations as they should be, in the replica that leads. The Secret is written
//! with the version that was seen, so that a replica which takes itself for the leader a moment too long changes nothing.

use super::Caches;
use super::certificates::Material;
use super::serving::Serving;
use crate::instrumentor::rollout::Injector;
use crate::rim::{Context, ObjectKey, Outcome, Reconcile};
use anyhow::Context as _;
use controllers_core::admission::certificates::{Lifetimes, Step, decide};
use controllers_core::admission::registration::{self, Address, Registration};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::rbac::v1::ClusterRole;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube_client::api::{Api, PostParams};
use kube_client::{Resource, ResourceExt};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The Secret of the certificates.
pub const SECRET: &str = "odigos-webhook-certificates";

/// What looks after all of it; there is one key, since it belongs together.
pub struct Keeper {
    pub(super) context: Context,
    pub(super) address: Address,
    pub(super) lifetimes: Lifetimes,
    pub(super) caches: Caches,
    pub(super) injector: Injector,
    pub(super) serving: Arc<Serving>,
    /// Since when the apiserver has been seen to trust a staged authority, by its certificate.
    pub(super) told: Mutex<Option<(String, i64)>>,
}

impl Reconcile for Keeper {
    type Key = ();

    async fn reconcile(&self, (): &()) -> anyhow::Result<Outcome> {
        let now = now();
        let live = self
            .caches
            .secrets
            .get(&ObjectKey::new(&self.context.namespace, SECRET));
        let subjects = self.address.subjects();
        let material = live.as_deref().and_then(usable);
        // What this process serves survives that the Secret is deleted or damaged.
        let known = material.clone().or_else(|| self.serving.material());
        let state = known.as_ref().and_then(|material| material.state(&subjects));
        let step = decide(
            state.as_ref(),
            self.told_since(known.as_ref(), now),
            self.lifetimes,
            now,
        );
        let next = match (step, known) {
            (Step::Wait(_), Some(known)) => known,
            (Step::Stage, Some(known)) => known.staged(self.lifetimes, now)?,
            (Step::Promote, Some(known)) => known.promoted(&subjects, self.lifetimes, now)?,
            (Step::Renew, Some(known)) => known.renewed(&subjects, self.lifetimes, now)?,
            (Step::Forget, Some(known)) => known.without_expired(now),
            (_, _) => Material::begin(&subjects, self.lifetimes, now)?,
        };
        let owner = self.owner().await?;
        if material.as_ref() != Some(&next) {
            tracing::info!(?step, "the certificates of the webhooks change");
            self.keep(live.as_deref(), &next, owner.as_ref()).await?;
        }
        self.serving.serve(next.clone());
        self.register(&next, owner.as_ref()).await?;
        Ok(match step {
            Step::Wait(until) => Outcome::Again(Duration::from_secs(u64::try_from(until - now).unwrap_or(1).max(1))),
            Step::Begin | Step::Stage | Step::Promote | Step::Renew | Step::Forget => {
                Outcome::Again(Duration::from_secs(1))
            }
        })
    }
}

impl Keeper {
    /// Since when both configurations have been seen with the staged authority.
    fn told_since(&self, material: Option<&Material>, now: i64) -> Option<i64> {
        let staged = material?.staged_certificate()?;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_told(staged) {
            *told = None;
            return None;
        }
        match &*told {
            Some((certificate, since)) if certificate == staged => Some(*since),
            _ => {
                *told = Some((staged.to_owned(), now));
                Some(now)
            }
        }
    }

    fn is_told(&self, certificate: &str) -> bool {
        let key = ObjectKey::new("", registration::NAME);
        let (Some(mutating), Some(validating)) = (self.caches.mutating.get(&key), self.caches.validating.get(&key))
        else {
            return false;
        };
        let mutating = mutating.webhooks.iter().flatten().map(|webhook| &webhook.client_config);
        let validating = validating
            .webhooks
            .iter()
            .flatten()
            .map(|webhook| &webhook.client_config);
        mutating.chain(validating).all(|config| {
            let bundle = config.ca_bundle.as_ref();
            bundle.is_some_and(|bundle| String::from_utf8_lossy(&bundle.0).contains(certificate))
        })
    }

    /// What the Secret and the configurations vanish with: the component's ClusterRole, which an uninstall deletes, or the
    /// product's namespace where there is none.
    async fn owner(&self) -> anyhow::Result<Option<OwnerReference>> {
        let client = &self.context.client;
        let roles: Api<ClusterRole> = Api::all(client.clone());
        if let Some(role) = roles.get_opt(self.context.component).await.context("the ClusterRole")? {
            return Ok(role.owner_ref(&()));
        }
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace = namespaces
            .get_opt(&self.context.namespace)
            .await
            .context("the namespace")?;
        Ok(namespace.and_then(|namespace| namespace.owner_ref(&())))
    }

    async fn keep(&self, live: Option<&Secret>, next: &Material, owner: Option<&OwnerReference>) -> anyhow::Result<()> {
        let secrets: Api<Secret> = Api::namespaced(self.context.client.clone(), &self.context.namespace);
        let label = (controllers_api::labels::SYSTEM_OBJECT.to_owned(), "true".to_owned());
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(SECRET.to_owned()),
                namespace: Some(self.context.namespace.clone()),
                labels: Some(BTreeMap::from([label])),
                owner_references: owner.map(|owner| vec![owner.clone()]),
                resource_version: live.and_then(ResourceExt::resource_version),
                ..ObjectMeta::default()
            },
            data: Some(next.data()),
            // The type of a Secret cannot be changed, so that of one which somebody else made is kept.
            type_: live.map_or_else(|| Some("Opaque".to_owned()), |live| live.type_.clone()),
            ..Secret::default()
        };
        let parameters = PostParams {
            field_manager: Some(self.context.component.to_owned()),
            ..PostParams::default()
        };
        let written = match live {
            None => secrets.create(&parameters, &secret).await,
            Some(_) => secrets.replace(SECRET, &parameters, &secret).await,
        };
        let verb = if live.is_some() { "replace" } else { "create" };
        let written = written.context("the Secret of the certificates")?;
        self.context.writer.count("Secret", verb);
        self.caches.secrets.written(written);
        Ok(())
    }

    async fn register(&self, material: &Material, owner: Option<&OwnerReference>) -> anyhow::Result<()> {
        let (bundle, namespaces) = (material.bundle(), self.injector.namespaces());
        let registration = Registration {
            address: &self.address,
            bundle: &bundle,
            owner,
            namespaces: &namespaces,
        };
        let key = ObjectKey::new("", registration::NAME);
        let (client, writer) = (&self.context.client, &self.context.writer);
        let desired = registration::mutating(&registration);
        let live = self.caches.mutating.get(&key);
        if let Some(written) = writer
            .apply(&Api::all(client.clone()), &desired, live.as_deref())
            .await?
        {
            self.caches.mutating.written(written);
        }
        let desired = registration::validating(&registration);
        let live = self.caches.validating.get(&key);
        if let Some(written) = writer
            .apply(&Api::all(client.clone()), &desired, live.as_deref())
            .await?
        {
            self.caches.validating.written(written);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// What the Secret holds, or nothing, said in the log, where that is of no use.
pub(super) fn usable(secret: &Secret) -> Option<Material> {
    let none = BTreeMap::new();
    match Material::read(secret.data.as_ref().unwrap_or(&none)) {
        Ok(material) => Some(material),
        Err(error) => {
            tracing::warn!(%error, "the Secret {SECRET} is damaged, and is replaced");
            None
        }
    }
}

/// Certificates are valid by the time of day.
pub(super) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
