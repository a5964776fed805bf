//! Defaults of single fields: serde fills them in where the apiserver has not, and the schema names the same value.

/// All of it, as a fraction.
pub fn one() -> f64 {
    1.0
}

/// Labels and annotations are looked up on the pod.
pub fn pod() -> String {
    "pod".to_owned()
}

/// A connector runs once.
pub fn one_replica() -> i32 {
    1
}
