//! A cache of the objects of one kind, filled by a watch.
//!
//! What is kept of an object is the caller's choice (`project`): only what it looks at. An event that changes nothing of that
//! wakes nobody. When a watch had to list again, what has vanished meanwhile is noticed as well. A controller puts the answer
//! of its own write in ([`Store::written`]), so that it never decides on what it has replaced itself.

use super::key::ObjectKey;
use super::metrics::Metrics;
use futures_util::StreamExt;
use kube_client::{Api, Resource, api::ObjectMeta};
use kube_runtime::{WatchStreamExt, watcher};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// The annotation in which `kubectl apply` keeps what it was given: as large as the object, and of no use to us.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The cached objects of kind `K`, of each of which `T` is kept. Clones share the cache.
pub struct Store<K, T = K>(Arc<Shared<K, T>>);

struct Shared<K, T> {
    state: RwLock<State<T>>,
    project: Box<dyn Fn(K) -> Option<T> + Send + Sync>,
    listeners: RwLock<Vec<Listener<T>>>,
    synced: watch::Sender<bool>,
}

type Listener<T> = Box<dyn Fn(&Change<'_, T>) + Send + Sync>;

struct State<T> {
    objects: BTreeMap<ObjectKey, Arc<T>>,
    /// What a watch that lists again has brought so far.
    listing: Option<BTreeMap<ObjectKey, Arc<T>>>,
    /// The newest resource version that was seen: what is older is known already, or was deleted since.
    newest: u64,
}

/// What has become of an object: made, changed or gone.
#[derive(Debug)]
pub struct Change<'a, T> {
    /// Which object.
    pub key: &'a ObjectKey,
    /// As it was.
    pub before: Option<&'a Arc<T>>,
    /// As it is.
    pub after: Option<&'a Arc<T>>,
}

/// What is watched, and how.
#[derive(Debug, Clone, Copy)]
pub struct Watched {
    /// The kind, as it stands in logs and metrics.
    pub kind: &'static str,
    /// Whether the apiserver may do without the kind: then there are none, and it is asked again from time to time.
    pub optional: bool,
}

impl<K, T> Clone for Store<K, T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, T> Store<K, T>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    T: PartialEq + Send + Sync + 'static,
{
    /// An empty cache. `project` says what is kept of an object; nothing means that it is as if it were not there.
    pub fn new(project: impl Fn(K) -> Option<T> + Send + Sync + 'static) -> Self {
        let state = State {
            objects: BTreeMap::new(),
            listing: None,
            newest: 0,
        };
        Self(Arc::new(Shared {
            state: RwLock::new(state),
            project: Box::new(project),
            listeners: RwLock::default(),
            synced: watch::Sender::new(false),
        }))
    }

    /// Calls `listener` at every change from now on. It must be quick: put a key into a queue, no more.
    pub fn on_change(&self, listener: impl Fn(&Change<'_, T>) + Send + Sync + 'static) {
        let mut listeners = self.0.listeners.write().unwrap_or_else(PoisonError::into_inner);
        listeners.push(Box::new(listener));
    }

    /// One object.
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<T>> {
        self.read(|state| state.objects.get(key).cloned())
    }

    /// All objects, by namespace and name.
    pub fn all(&self) -> Vec<(ObjectKey, Arc<T>)> {
        self.read(|state| copies(state.objects.iter()))
    }

    /// The objects of a namespace, by name.
    pub fn in_namespace(&self, namespace: &str) -> Vec<(ObjectKey, Arc<T>)> {
        let from = ObjectKey::new(namespace, "");
        self.read(|state| {
            let there = state.objects.range(from..);
            copies(there.take_while(|(key, _)| key.namespace == namespace))
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.read(|state| state.objects.len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes in what the apiserver has answered to a write, unless the watch is already further.
    pub fn written(&self, object: K) {
        let (key, version) = (ObjectKey::of(object.meta()), version(object.meta()));
        let value = (self.0.project)(object);
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        if version > state.newest {
            let before = put(&mut state.objects, &key, value.map(Arc::new));
            drop(state);
            self.tell(&key, before.as_ref());
        }
    }

    /// Becomes true when everything was listed for the first time.
    pub fn synced(&self) -> watch::Receiver<bool> {
        self.0.synced.subscribe()
    }

    /// Fills the cache, for ever.
    pub async fn follow(self, api: Api<K>, config: watcher::Config, watched: Watched, metrics: Metrics) {
        let mut events = std::pin::pin!(watcher(api, config).default_backoff());
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    self.take(event);
                    metrics.cached(watched.kind, self.len());
                }
                Err(error) if watched.optional && is_not_served(&error) => {
                    self.0.synced.send_replace(true);
                }
                Err(error) => {
                    metrics.watch_restarted(watched.kind);
                    let error = kit::logging::chain(&error);
                    tracing::warn!(
                        kind = watched.kind,
                        error,
                        "a watch was interrupted, and is tried again"
                    );
                }
            }
        }
    }

    fn take(&self, event: watcher::Event<K>) {
        match event {
            watcher::Event::Init => self.write(|state| state.listing = Some(BTreeMap::new())),
            watcher::Event::InitApply(object) => self.listed(object),
            watcher::Event::InitDone => self.listing_is_complete(),
            watcher::Event::Apply(object) => self.changed(object, true),
            watcher::Event::Delete(object) => self.changed(object, false),
        }
    }

    fn changed(&self, object: K, is_there: bool) {
        let (key, version) = (ObjectKey::of(object.meta()), version(object.meta()));
        let value = is_there.then(|| (self.0.project)(object)).flatten().map(Arc::new);
        let before = self.write(|state| {
            state.newest = state.newest.max(version);
            put(&mut state.objects, &key, value)
        });
        self.tell(&key, before.as_ref());
    }

    fn listed(&self, object: K) {
        let (key, version) = (ObjectKey::of(object.meta()), version(object.meta()));
        let value = (self.0.project)(object);
        self.write(|state| {
            state.newest = state.newest.max(version);
            if let (Some(listing), Some(value)) = (&mut state.listing, value) {
                listing.insert(key, Arc::new(value));
            }
        });
    }

    fn listing_is_complete(&self) {
        let before = self.write(|state| {
            let listing = state.listing.take().unwrap_or_default();
            std::mem::replace(&mut state.objects, listing)
        });
        for (key, value) in &before {
            self.tell(key, Some(value));
        }
        let new = self.read(|state| copies(state.objects.iter().filter(|(key, _)| !before.contains_key(*key))));
        for (key, _) in new {
            self.tell(&key, None);
        }
        self.0.synced.send_replace(true);
    }

    /// Tells the listeners, if the object is not as it was.
    fn tell(&self, key: &ObjectKey, before: Option<&Arc<T>>) {
        let after = self.get(key);
        let after = after.as_ref();
        if before.map(Arc::as_ref) == after.map(Arc::as_ref) {
            return;
        }
        let listeners = self.0.listeners.read().unwrap_or_else(PoisonError::into_inner);
        for listener in listeners.iter() {
            listener(&Change { key, before, after });
        }
    }

    fn read<R>(&self, look: impl FnOnce(&State<T>) -> R) -> R {
        look(&self.0.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<R>(&self, change: impl FnOnce(&mut State<T>) -> R) -> R {
        change(&mut self.0.state.write().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Drops what nobody here looks at: what others manage, and `kubectl`'s copy. What `manager` has applied is kept, since the
/// comparison before a write needs it.
pub fn trim<K: Resource>(mut object: K, manager: &str) -> K {
    let metadata = object.meta_mut();
    if let Some(fields) = &mut metadata.managed_fields {
        fields.retain(|entry| entry.manager.as_deref() == Some(manager));
    }
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
    object
}

fn put<T>(objects: &mut BTreeMap<ObjectKey, Arc<T>>, key: &ObjectKey, value: Option<Arc<T>>) -> Option<Arc<T>> {
    match value {
        Some(value) => objects.insert(key.clone(), value),
        None => objects.remove(key),
    }
}

fn copies<'a, T: 'a>(objects: impl Iterator<Item = (&'a ObjectKey, &'a Arc<T>)>) -> Vec<(ObjectKey, Arc<T>)> {
    objects.map(|(key, value)| (key.clone(), Arc::clone(value))).collect()
}

/// A resource version is a number that grows with every write to the kind.
fn version(metadata: &ObjectMeta) -> u64 {
    let text = metadata.resource_version.as_deref();
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn is_not_served(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => matches!(error, kube_client::Error::Api(status) if status.code == 404),
        watcher::Error::WatchError(_) | watcher::Error::NoResourceVersion => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube_runtime::watcher::Event;
    use std::sync::Mutex;

    fn map(name: &str, version: u64, value: &str) -> ConfigMap {
        let mut object = ConfigMap {
            data: Some([("key".to_owned(), value.to_owned())].into()),
            ..ConfigMap::default()
        };
        object.metadata.namespace = Some("space".to_owned());
        object.metadata.name = Some(name.to_owned());
        object.metadata.resource_version = Some(version.to_string());
        object
    }

    type Values = Store<ConfigMap, String>;

    /// A store of values, and the names and values that it has told of.
    fn store() -> (Values, Arc<Mutex<Vec<String>>>) {
        let store = Store::new(|map: ConfigMap| map.data?.remove("key"));
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        store.on_change(move |change: &Change<'_, String>| {
            let after = change.after.map_or("gone", |value| value.as_str());
            tell.lock().unwrap().push(format!("{} {after}", change.key));
        });
        (store, told)
    }

    fn take(store: &Values, events: Vec<Event<ConfigMap>>) {
        for event in events {
            store.take(event);
        }
    }

    #[test]
    fn listeners_learn_of_what_is_kept_and_of_nothing_else() {
        let (store, told) = store();
        let events = vec![
            Event::Init,
            Event::InitApply(map("a", 1, "x")),
            Event::InitApply(map("b", 2, "x")),
            Event::InitDone,
            Event::Apply(map("a", 3, "x")),
            Event::Apply(map("a", 4, "y")),
            Event::Delete(map("b", 5, "x")),
        ];
        take(&store, events);
        assert_eq!(
            *told.lock().unwrap(),
            ["space/a x", "space/b x", "space/a y", "space/b gone"]
        );
        assert!(*store.synced().borrow());
    }

    #[test]
    fn what_vanished_while_the_watch_was_interrupted_is_noticed() {
        let (store, told) = store();
        let list = |names: &[&str]| {
            let mut events = vec![Event::Init];
            events.extend(names.iter().map(|name| Event::InitApply(map(name, 1, "x"))));
            events.push(Event::InitDone);
            events
        };
        take(&store, list(&["a", "b"]));
        told.lock().unwrap().clear();
        take(&store, list(&["b", "c"]));
        assert_eq!(*told.lock().unwrap(), ["space/a gone", "space/c x"]);
    }

    #[test]
    fn an_own_write_is_seen_at_once_but_never_after_a_later_event() {
        let (store, _) = store();
        take(
            &store,
            vec![Event::Init, Event::InitApply(map("a", 1, "x")), Event::InitDone],
        );
        let key = ObjectKey::new("space", "a");
        store.written(map("a", 2, "y"));
        assert_eq!(store.get(&key).unwrap().as_str(), "y");
        store.take(Event::Delete(map("a", 4, "y")));
        store.written(map("a", 3, "z"));
        assert_eq!(store.get(&key), None);
    }

    #[test]
    fn a_namespace_is_a_part_of_the_cache() {
        let (store, _) = store();
        let mut other = map("c", 3, "x");
        other.metadata.namespace = Some("spacious".to_owned());
        take(
            &store,
            vec![
                Event::Apply(map("b", 1, "x")),
                Event::Apply(other),
                Event::Apply(map("a", 2, "x")),
            ],
        );
        let names: Vec<String> = store
            .in_namespace("space")
            .into_iter()
            .map(|(key, _)| key.name)
            .collect();
        assert_eq!(names, ["a", "b"]);
    }
}
