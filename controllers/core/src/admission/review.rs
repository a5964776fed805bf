//! AdmissionReviews (admission.k8s.io/v1): the question of the apiserver, and the answer. The question is read with bounds, since
//! whoever reaches the port can ask.

use super::{Findings, Problem};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The largest question, in bytes: an object and what it was before, each of the size that the apiserver takes (3 MiB), and
/// some room for the rest.
pub const MAX_BODY: usize = 7 * 1024 * 1024;

/// The largest question about an object of a kind of ours, in bytes. None that a person writes comes near, and what is read of
/// it may take some times as much memory.
pub const MAX_READ: usize = 2 * 1024 * 1024;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Operation {
    /// The object is new.
    #[serde(rename = "CREATE")]
    Create,
    /// The object is changed.
    #[serde(rename = "UPDATE")]
    Update,
    /// The object is deleted; there is only what it was.
    #[serde(rename = "DELETE")]
    Delete,
    /// Something is done with it, such as attaching to a pod.
    #[serde(rename = "CONNECT")]
    Connect,
}

/// Group, version and kind of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Kind {
    /// Empty for the core group.
    #[serde(default)]
    pub group: String,
    /// Such as v1.
    #[serde(default)]
    pub version: String,
    /// Such as Pod.
    #[serde(default)]
    pub kind: String,
}

/// The question, without the objects, which are read when their kind is known.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// What is known before.
    pub head: Head,
    body: &'a [u8],
}

/// What stands beside the objects of a question.
#[derive(Clone, Debug, Deserialize)]
pub struct Head {
    /// To be repeated in the answer.
    pub uid: String,
    /// Of the object.
    pub kind: Kind,
    /// Of the object; empty for one that is named by the apiserver later.
    #[serde(default)]
    pub name: String,
    /// Of the object; empty where there is none.
    #[serde(default)]
    pub namespace: String,
    /// What is done.
    pub operation: Operation,
    /// Whether nothing will be kept.
    #[serde(default, rename = "dryRun")]
    pub is_dry_run: bool,
}

/// Why a question cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// More than [`MAX_BODY`].
    #[error("larger than {MAX_BODY} bytes")]
    TooLarge,
    /// No JSON, or not that of a review.
    #[error("no AdmissionReview: {0}")]
    Syntax(#[source] serde_json::Error),
    /// Another version than v1, or another kind.
    #[error("not an AdmissionReview of admission.k8s.io/v1 but {kind} of {version}")]
    Version {
        /// What was written.
        version: String,
        /// What was written.
        kind: String,
    },
    /// Without a question.
    #[error("without request")]
    Empty,
    /// Without the uid that the answer must have, or with one of more than 256 bytes.
    #[error("without a uid")]
    Uid,
}

/// Why the object of a question cannot be judged; not the same as an object that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// In a question of more than [`MAX_READ`].
    #[error("the question has {0} bytes, and at most {MAX_READ} are looked at")]
    TooLarge(usize),
    /// Not of the kind that is expected.
    #[error("the object cannot be read: {0}")]
    Shape(#[source] serde_json::Error),
    /// There is none.
    #[error("there is no object")]
    Missing,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default, rename = "apiVersion")]
    version: String,
    #[serde(default)]
    kind: String,
    request: Option<Head>,
}

/// One part of a question; the others are passed over.
#[derive(Deserialize)]
struct Part<R> {
    request: R,
}

#[derive(Deserialize)]
struct New<T> {
    object: Option<T>,
}

#[derive(Deserialize)]
struct Old<T> {
    #[serde(rename = "oldObject")]
    object: Option<T>,
}

impl<'a> Request<'a> {
    /// Reads a question.
    pub fn parse(body: &'a [u8]) -> Result<Self, ReviewError> {
        if body.len() > MAX_BODY {
            return Err(ReviewError::TooLarge);
        }
        let envelope: Envelope = serde_json::from_slice(body).map_err(ReviewError::Syntax)?;
        if envelope.version != "admission.k8s.io/v1" || envelope.kind != "AdmissionReview" {
            let shown = |text: &str| text.escape_debug().take(64).collect();
            return Err(ReviewError::Version {
                version: shown(&envelope.version),
                kind: shown(&envelope.kind),
            });
        }
        let head = envelope.request.ok_or(ReviewError::Empty)?;
        match head.uid.len() {
            1..=256 => Ok(Self { head, body }),
            _ => Err(ReviewError::Uid),
        }
    }

    /// The object as it will be.
    pub fn object<T: DeserializeOwned>(&self) -> Result<T, ObjectError> {
        let part: Part<New<T>> = self.part()?;
        part.request.object.ok_or(ObjectError::Missing)
    }

    /// The object as it was; none where it is new.
    pub fn old_object<T: DeserializeOwned>(&self) -> Result<Option<T>, ObjectError> {
        let part: Part<Old<T>> = self.part()?;
        Ok(part.request.object)
    }

    fn part<R: DeserializeOwned>(&self) -> Result<Part<R>, ObjectError> {
        if self.body.len() > MAX_READ {
            return Err(ObjectError::TooLarge(self.body.len()));
        }
        serde_json::from_slice(self.body).map_err(ObjectError::Shape)
    }
}

/// An operation of a JSON patch (RFC 6902).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Patch {
    /// Adds a member, or replaces it.
    Add {
        /// As a JSON pointer (RFC 6901).
        path: String,
        /// What it becomes.
        value: Value,
    },
    /// Replaces what is there.
    Replace {
        /// As a JSON pointer.
        path: String,
        /// What it becomes.
        value: Value,
    },
    /// Takes a member away.
    Remove {
        /// As a JSON pointer.
        path: String,
    },
}

/// A key as a part of a JSON pointer.
pub fn pointer_part(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The operations that give an object's labels what is missing; `has_labels` says whether it has any labels yet.
pub fn add_labels<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>, has_labels: bool) -> Vec<Patch> {
    let labels: Vec<_> = labels.into_iter().collect();
    let mut patch = Vec::new();
    if !has_labels && !labels.is_empty() {
        patch.push(Patch::Add {
            path: "/metadata/labels".to_owned(),
            value: json!({}),
        });
    }
    patch.extend(labels.into_iter().map(|(label, value)| Patch::Add {
        path: format!("/metadata/labels/{}", pointer_part(label)),
        value: value.into(),
    }));
    patch
}

/// The answer to a question with this uid that lets the object pass, changed by `patch`. `patch` is any list of operations of a
/// JSON patch.
pub fn allowed(uid: &str, patch: &[impl Serialize], warnings: &[Problem]) -> Value {
    let mut response = json!({"uid": uid, "allowed": true});
    if !patch.is_empty()
        && let Ok(text) = serde_json::to_vec(patch)
    {
        response["patchType"] = "JSONPatch".into();
        response["patch"] = BASE64_STANDARD.encode(text).into();
    }
    warn(&mut response, warnings);
    envelope(response)
}

/// The answer that refuses the object of this kind and name with all problems, as causes too, as the apiserver's own refusals
/// have them. Without problems it allows.
pub fn judged(request: &Request<'_>, findings: &Findings) -> Value {
    if findings.problems.is_empty() {
        return allowed(&request.head.uid, &[] as &[Patch], &findings.warnings);
    }
    let causes: Vec<Value> = findings
        .problems
        .iter()
        .map(|problem| json!({"reason": "FieldValueInvalid", "field": problem.path, "message": problem.message}))
        .collect();
    let details = json!({
        "group": request.head.kind.group, "kind": request.head.kind.kind, "name": request.head.name, "causes": causes,
    });
    let status = json!({
        "status": "Failure", "code": 422, "reason": "Invalid", "message": findings.sentence(), "details": details,
    });
    let mut response = json!({"uid": request.head.uid, "allowed": false, "status": status});
    warn(&mut response, &findings.warnings);
    envelope(response)
}

/// The answer to a question whose object cannot be read: refused, with the reason.
pub fn unreadable(uid: &str, error: &ObjectError) -> Value {
    let status = json!({"status": "Failure", "code": 400, "reason": "BadRequest", "message": error.to_string()});
    envelope(json!({"uid": uid, "allowed": false, "status": status}))
}

/// The apiserver shows each in a line of its own, and cuts those of more than 256 bytes.
fn warn(response: &mut Value, warnings: &[Problem]) {
    if !warnings.is_empty() {
        let lines: Vec<String> = warnings.iter().map(Problem::to_string).collect();
        response["warnings"] = lines.into();
    }
}

fn envelope(response: Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(request: Value) -> Vec<u8> {
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
        serde_json::to_vec(&review).unwrap()
    }

    fn request() -> Value {
        json!({
            "uid": "u", "kind": {"group": "odigos.io", "version": "v1alpha1", "kind": "Source"}, "name": "a",
            "namespace": "default", "operation": "CREATE", "object": {"a": 1}, "oldObject": null, "dryRun": true,
            "userInfo": {"username": "someone"},
        })
    }

    #[test]
    fn a_question_is_read_with_its_objects_as_text() {
        let body = review(request());
        let request = Request::parse(&body).unwrap();
        assert_eq!(
            (request.head.uid.as_str(), request.head.operation),
            ("u", Operation::Create)
        );
        assert_eq!(request.head.kind.kind, "Source");
        assert!(request.head.is_dry_run);
        assert_eq!(request.object::<Value>().unwrap(), json!({"a": 1}));
        assert_eq!(request.old_object::<Value>().unwrap(), None);
    }

    #[test]
    fn what_is_no_question_is_refused_with_the_reason() {
        let error = |body: &[u8]| Request::parse(body).unwrap_err().to_string();
        assert!(error(b"{").starts_with("no AdmissionReview: "));
        assert!(error(b"\xff\x00").starts_with("no AdmissionReview: "));
        assert_eq!(
            error(br#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#),
            "not an AdmissionReview of admission.k8s.io/v1 but AdmissionReview of admission.k8s.io/v1beta1"
        );
        assert_eq!(
            error(br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#),
            "without request"
        );
        let mut nameless = request();
        nameless["uid"] = "".into();
        assert_eq!(error(&review(nameless)), "without a uid");
        let deep = "[".repeat(100_000);
        let deep =
            format!(r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"object":{deep}"#);
        assert!(error(deep.as_bytes()).starts_with("no AdmissionReview: "));
        assert_eq!(error(&vec![b' '; MAX_BODY + 1]), "larger than 7340032 bytes");
    }

    #[test]
    fn an_object_that_cannot_be_read_is_an_error_of_its_own() {
        let mut large = request();
        large["object"] = "x".repeat(MAX_READ).into();
        let body = review(large);
        let request_of_large = Request::parse(&body).unwrap();
        let error = request_of_large.object::<Value>().unwrap_err().to_string();
        let expected = format!(
            "the question has {} bytes, and at most 2097152 are looked at",
            body.len()
        );
        assert_eq!(error, expected);
        let body = review(request());
        let error = Request::parse(&body).unwrap().object::<Vec<u8>>().unwrap_err();
        assert!(matches!(error, ObjectError::Shape(_)));
        let answer = unreadable("u", &error);
        assert_eq!(answer["response"]["allowed"], json!(false));
        assert_eq!(answer["response"]["status"]["code"], json!(400));
    }

    #[test]
    fn missing_labels_become_a_patch() {
        let patch = add_labels([("odigos.io/workload-name", "cart")], false);
        let answer = allowed("u", &patch, &[]);
        assert_eq!(answer["response"]["patchType"], "JSONPatch");
        let patch = BASE64_STANDARD
            .decode(answer["response"]["patch"].as_str().unwrap())
            .unwrap();
        let patch: Value = serde_json::from_slice(&patch).unwrap();
        let expected = json!([
            {"op": "add", "path": "/metadata/labels", "value": {}},
            {"op": "add", "path": "/metadata/labels/odigos.io~1workload-name", "value": "cart"},
        ]);
        assert_eq!(patch, expected);
        assert_eq!(add_labels([], false), []);
        assert_eq!(add_labels([("a", "b")], true).len(), 1);
        let nothing = allowed("u", &[] as &[Patch], &[]);
        assert_eq!(nothing["response"], json!({"uid": "u", "allowed": true}));
    }

    #[test]
    fn a_refusal_has_every_problem_as_sentence_and_as_cause() {
        let body = review(request());
        let request = Request::parse(&body).unwrap();
        let mut findings = Findings::default();
        findings.refuse("spec.a", "is wrong");
        findings.refuse("spec.b", "is wrong too");
        findings.warn("spec.c", "is odd");
        let answer = judged(&request, &findings);
        let response = &answer["response"];
        assert_eq!(response["allowed"], json!(false));
        assert_eq!(response["status"]["message"], "spec.a: is wrong; spec.b: is wrong too");
        assert_eq!(response["status"]["details"]["causes"][1]["field"], "spec.b");
        assert_eq!(response["warnings"], json!(["spec.c: is odd"]));
        let answer = judged(&request, &Findings::default());
        assert_eq!(answer["response"], json!({"uid": "u", "allowed": true}));
    }
}
