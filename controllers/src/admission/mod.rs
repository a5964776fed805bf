//! The part of the instrumentor that the apiserver asks: defaults, refusals, and agents for pods. Every replica answers; the one
//! that leads keeps certificates and webhook configurations.
//!
//! [`assemble`] plugs it into a program. What may be in an object is decided in `controllers_core::admission`; this module
//! serves, and applies.

mod answer;
mod certificates;
mod keeper;
mod server;
mod serving;

use crate::instrumentor::rollout::Injector;
use crate::rim::{Controller, Program, Queue, Store, Watched};
use answer::Answers;
use anyhow::Context as _;
use clap::Args;
use controllers_core::admission::certificates::Lifetimes;
use controllers_core::admission::registration::{self, Address};
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use k8s_openapi::api::core::v1::Secret;
use keeper::{Keeper, SECRET};
use kube_client::Api;
use kube_runtime::watcher;
use server::Server;
use serving::Serving;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// How the apiserver reaches the instrumentor, and how long certificates last.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct AdmissionOptions {
    /// Where the instrumentor answers the apiserver's questions about objects.
    #[arg(long, default_value = "0.0.0.0:9443")]
    pub webhook_listen: SocketAddr,
    /// The port of the Service odigos-instrumentor, through which the apiserver asks.
    #[arg(long, default_value_t = 9443)]
    pub webhook_service_port: u16,
    /// Where the apiserver asks an instrumentor that runs outside of the cluster, instead of through the Service:
    /// https://HOST:PORT.
    #[arg(long)]
    pub webhook_url: Option<String>,
    /// How long a certificate of the webhooks is valid, in seconds; it is renewed when a third of it is left. The authority
    /// that signs it lasts four times as long.
    #[arg(long, default_value_t = 90 * 86_400, value_parser = clap::value_parser!(i64).range(10..=315_360_000))]
    pub webhook_certificate_lifetime: i64,
}

/// Plugs admission into a program; `injector` knows what pods get.
pub async fn assemble(program: &mut Program, options: &AdmissionOptions, injector: Injector) -> anyhow::Result<()> {
    let context = program.context().clone();
    let listener = TcpListener::bind(options.webhook_listen)
        .await
        .with_context(|| format!("{}", options.webhook_listen))?;
    let serving = Arc::new(Serving::default());
    let queue = Queue::default();
    queue.add(());
    let caches = Caches::new(program);
    caches.wake(&queue, &serving);
    let woken = queue.clone();
    injector.on_change(move || woken.add(()));
    let keeper = Keeper {
        address: address(options, &context.namespace),
        lifetimes: Lifetimes::of(options.webhook_certificate_lifetime),
        caches,
        injector: injector.clone(),
        serving: Arc::clone(&serving),
        told: Mutex::default(),
        context: context.clone(),
    };
    program.controller(Controller {
        name: "webhooks",
        concurrency: 1,
        queue,
        reconciler: Arc::new(keeper),
    });
    program.ready_when("the certificate of the webhooks", serving.is_ready());
    let answers = Answers {
        client: context.client,
        metrics: context.metrics,
        pods: Box::new(move |namespace, pod| injector.admit(namespace, pod)),
    };
    let server = Server {
        listener,
        serving,
        answers: Arc::new(answers),
    };
    let draining = program.draining();
    program.service(server.run(draining));
    Ok(())
}

/// What is looked at: one object of each kind.
struct Caches {
    secrets: Store<Secret>,
    mutating: Store<MutatingWebhookConfiguration>,
    validating: Store<ValidatingWebhookConfiguration>,
}

impl Caches {
    fn new(program: &mut Program) -> Self {
        let (client, namespace) = {
            let context = program.context();
            (context.client.clone(), context.namespace.clone())
        };
        let named = |name: &str| watcher::Config::default().fields(&format!("metadata.name={name}"));
        let watched = |kind| Watched { kind, optional: false };
        Self {
            secrets: program.watch(
                watched("Secret"),
                Api::namespaced(client.clone(), &namespace),
                named(SECRET),
                Some,
            ),
            mutating: program.watch(
                watched("MutatingWebhookConfiguration"),
                Api::all(client.clone()),
                named(registration::NAME),
                Some,
            ),
            validating: program.watch(
                watched("ValidatingWebhookConfiguration"),
                Api::all(client),
                named(registration::NAME),
                Some,
            ),
        }
    }

    /// Has every change looked at, and every replica serve what the leading one has made.
    fn wake(&self, queue: &Queue<()>, serving: &Arc<Serving>) {
        let (woken, serving) = (queue.clone(), Arc::clone(serving));
        self.secrets.on_change(move |change| {
            if let Some(material) = change.after.and_then(|secret| keeper::usable(secret)) {
                serving.serve(material);
            }
            woken.add(());
        });
        let woken = queue.clone();
        self.mutating.on_change(move |_| woken.add(()));
        let woken = queue.clone();
        self.validating.on_change(move |_| woken.add(()));
    }
}

fn address(options: &AdmissionOptions, namespace: &str) -> Address {
    match &options.webhook_url {
        Some(url) => Address::Url(url.clone()),
        None => Address::Service {
            namespace: namespace.to_owned(),
            name: "odigos-instrumentor".to_owned(),
            port: options.webhook_service_port,
        },
    }
}
