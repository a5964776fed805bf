//! The certificates of the webhooks as they lie in a Secret: made, read, and judged. When which of them is made is decided in
//! `controllers_core::admission::certificates`.

use controllers_core::admission::certificates::{Lifetimes, State, Validity};
use k8s_openapi::ByteString;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::collections::BTreeMap;
use std::net::IpAddr;
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// More than this of a text is no certificate of ours.
const MAX_PEM: usize = 64 * 1024;

/// A certificate and its key, as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    certificate: String,
    key: String,
}

/// All that lies in the Secret. Whoever has it can sign for our names, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Material {
    authority: Pair,
    staged: Option<Pair>,
    previous: Vec<String>,
    leaf: Pair,
}

/// Why what lies in the Secret is of no use.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A key of the Secret is missing or no text.
    #[error("{0} is missing or no text")]
    Missing(&'static str),
    /// Not a certificate.
    #[error("{0} is no certificate")]
    Certificate(&'static str),
    /// Not the key of its certificate.
    #[error("{0} is not the key of its certificate")]
    Key(&'static str),
}

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[error("a certificate could not be made")]
pub struct NotMade(#[from] rcgen::Error);

impl Material {
    /// An authority and a certificate of it.
    pub fn begin(subjects: &[String], lifetimes: Lifetimes, now: i64) -> Result<Self, NotMade> {
        let validity = lifetimes.new_authority(now);
        let authority = make_authority(validity)?;
        let leaf = make_leaf(&authority, subjects, lifetimes.new_leaf(now, validity))?;
        Ok(Self {
            authority,
            staged: None,
            previous: Vec::new(),
            leaf,
        })
    }

    /// With a new authority that is only trusted.
    pub fn staged(mut self, lifetimes: Lifetimes, now: i64) -> Result<Self, NotMade> {
        self.staged = Some(make_authority(lifetimes.new_authority(now))?);
        Ok(self)
    }

    /// With the staged authority in the place of the present one, which stays trusted.
    pub fn promoted(mut self, subjects: &[String], lifetimes: Lifetimes, now: i64) -> Result<Self, NotMade> {
        if let Some(staged) = self.staged.take() {
            let before = std::mem::replace(&mut self.authority, staged);
            self.previous.push(before.certificate);
        }
        self.renewed(subjects, lifetimes, now)
    }

    /// With a new certificate of the present authority.
    pub fn renewed(mut self, subjects: &[String], lifetimes: Lifetimes, now: i64) -> Result<Self, NotMade> {
        // It was read from this certificate before.
        let authority = validity(&self.authority.certificate).unwrap_or_else(|| lifetimes.new_authority(now));
        self.leaf = make_leaf(&self.authority, subjects, lifetimes.new_leaf(now, authority))?;
        Ok(self)
    }

    /// Without the previous authorities that have expired.
    pub fn without_expired(mut self, now: i64) -> Self {
        self.previous
            .retain(|certificate| validity(certificate).is_some_and(|validity| validity.not_after >= now));
        self
    }

    /// Reads the data of a Secret.
    pub fn read(data: &BTreeMap<String, ByteString>) -> Result<Self, Unusable> {
        let pair = |certificate: &'static str, key: &'static str| {
            let pair = Pair {
                certificate: text(data, certificate)?,
                key: text(data, key)?,
            };
            checked(pair, certificate, key)
        };
        let staged = match data.contains_key("next-ca.crt") {
            true => Some(pair("next-ca.crt", "next-ca.key")?),
            false => None,
        };
        let previous = match data.contains_key("previous-ca.crt") {
            true => certificates(&text(data, "previous-ca.crt")?).ok_or(Unusable::Certificate("previous-ca.crt"))?,
            false => Vec::new(),
        };
        Ok(Self {
            authority: pair("ca.crt", "ca.key")?,
            staged,
            previous,
            leaf: pair("tls.crt", "tls.key")?,
        })
    }

    /// The data of a Secret.
    pub fn data(&self) -> BTreeMap<String, ByteString> {
        let mut data = BTreeMap::new();
        let mut put = |key: &str, text: &str| {
            data.insert(key.to_owned(), ByteString(text.as_bytes().to_vec()));
        };
        put("ca.crt", &self.authority.certificate);
        put("ca.key", &self.authority.key);
        put("tls.crt", &self.leaf.certificate);
        put("tls.key", &self.leaf.key);
        if let Some(staged) = &self.staged {
            put("next-ca.crt", &staged.certificate);
            put("next-ca.key", &staged.key);
        }
        if !self.previous.is_empty() {
            put("previous-ca.crt", &self.previous.concat());
        }
        data
    }

    /// The certificates that the apiserver is to trust.
    pub fn bundle(&self) -> String {
        let staged = self.staged.iter().map(|staged| staged.certificate.as_str());
        let previous = self.previous.iter().map(String::as_str);
        let authority = [self.authority.certificate.as_str()];
        authority.into_iter().chain(staged).chain(previous).collect()
    }

    /// The staged authority's certificate.
    pub fn staged_certificate(&self) -> Option<&str> {
        self.staged.as_ref().map(|staged| staged.certificate.as_str())
    }

    /// What there is, for the decision what to do.
    pub fn state(&self, subjects: &[String]) -> Option<State> {
        Some(State {
            authority: validity(&self.authority.certificate)?,
            staged: self.staged.as_ref().and_then(|staged| validity(&staged.certificate)),
            previous: self
                .previous
                .iter()
                .filter_map(|certificate| validity(certificate))
                .collect(),
            leaf: self.leaf_validity(subjects),
        })
    }

    /// What a TLS server needs.
    pub fn served(&self) -> Option<CertifiedKey> {
        let chain = CertificateDer::from_pem_slice(self.leaf.certificate.as_bytes()).ok()?;
        let key = PrivateKeyDer::from_pem_slice(self.leaf.key.as_bytes()).ok()?;
        Some(CertifiedKey::new(vec![chain], any_supported_type(&key).ok()?))
    }

    /// The validity of the served certificate, if the present authority signed it for the names that we are called by.
    fn leaf_validity(&self, subjects: &[String]) -> Option<Validity> {
        let authority = CertificateDer::from_pem_slice(self.authority.certificate.as_bytes()).ok()?;
        let (_, authority) = X509Certificate::from_der(&authority).ok()?;
        let leaf = CertificateDer::from_pem_slice(self.leaf.certificate.as_bytes()).ok()?;
        let (_, leaf) = X509Certificate::from_der(&leaf).ok()?;
        leaf.verify_signature(Some(authority.public_key())).ok()?;
        let names = leaf.subject_alternative_name().ok()??;
        let is_for = |subject: &String| {
            let names = names.value.general_names.iter();
            names.into_iter().any(|name| match (name, subject.parse::<IpAddr>()) {
                (GeneralName::DNSName(name), Err(_)) => name == subject,
                (GeneralName::IPAddress(bytes), Ok(IpAddr::V4(address))) => *bytes == address.octets(),
                (GeneralName::IPAddress(bytes), Ok(IpAddr::V6(address))) => *bytes == address.octets(),
                _ => false,
            })
        };
        subjects.iter().all(is_for).then(|| of(&leaf))
    }
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Material").finish_non_exhaustive()
    }
}

fn text(data: &BTreeMap<String, ByteString>, key: &'static str) -> Result<String, Unusable> {
    let bytes = data.get(key).filter(|bytes| bytes.0.len() <= MAX_PEM);
    let text = bytes.and_then(|bytes| String::from_utf8(bytes.0.clone()).ok());
    text.ok_or(Unusable::Missing(key))
}

/// The pair, if its key is that of its certificate.
fn checked(pair: Pair, certificate: &'static str, key: &'static str) -> Result<Pair, Unusable> {
    if validity(&pair.certificate).is_none() {
        return Err(Unusable::Certificate(certificate));
    }
    let fits = || {
        let chain = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).ok()?;
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).ok()?;
        CertifiedKey::new(vec![chain], any_supported_type(&key).ok()?)
            .keys_match()
            .ok()
    };
    match fits() {
        Some(()) => Ok(pair),
        None => Err(Unusable::Key(key)),
    }
}

/// The single certificates of a bundle, each as PEM of its own.
fn certificates(bundle: &str) -> Option<Vec<String>> {
    const END: &str = "-----END CERTIFICATE-----\n";
    let single: Vec<String> = bundle.split_inclusive(END).map(str::to_owned).collect();
    single.iter().all(|pem| validity(pem).is_some()).then_some(single)
}

fn validity(pem: &str) -> Option<Validity> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let (_, certificate) = X509Certificate::from_der(&der).ok()?;
    Some(of(&certificate))
}

fn of(certificate: &X509Certificate<'_>) -> Validity {
    let validity = certificate.validity();
    Validity {
        not_before: validity.not_before.timestamp(),
        not_after: validity.not_after.timestamp(),
    }
}

fn make_authority(validity: Validity) -> Result<Pair, NotMade> {
    let mut parameters = parameters(&[], validity)?;
    // Two authorities have different names, so that people and verifiers tell them apart.
    let name = format!("odigos webhooks {}", validity.not_after);
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate()?;
    Ok(Pair {
        certificate: parameters.self_signed(&key)?.pem(),
        key: key.serialize_pem(),
    })
}

fn make_leaf(authority: &Pair, subjects: &[String], validity: Validity) -> Result<Pair, NotMade> {
    let mut parameters = parameters(subjects, validity)?;
    parameters
        .distinguished_name
        .push(DnType::CommonName, "odigos-instrumentor");
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters.use_authority_key_identifier_extension = true;
    let signer = Issuer::from_ca_cert_pem(&authority.certificate, KeyPair::from_pem(&authority.key)?)?;
    let key = KeyPair::generate()?;
    Ok(Pair {
        certificate: parameters.signed_by(&key, &signer)?.pem(),
        key: key.serialize_pem(),
    })
}

fn parameters(subjects: &[String], validity: Validity) -> Result<CertificateParams, NotMade> {
    let mut parameters = CertificateParams::new(subjects)?;
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.not_before = moment(validity.not_before);
    parameters.not_after = moment(validity.not_after);
    Ok(parameters)
}

fn moment(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn lifetimes() -> Lifetimes {
        Lifetimes::of(300)
    }

    fn subjects() -> Vec<String> {
        vec!["a.b.svc".to_owned(), "10.97.0.1".to_owned(), "::1".to_owned()]
    }

    #[test]
    fn what_is_made_is_read_again_and_served() {
        let made = Material::begin(&subjects(), lifetimes(), NOW).unwrap();
        let read = Material::read(&made.data()).unwrap();
        assert!(read == made);
        let state = read.state(&subjects()).unwrap();
        assert_eq!(state.authority, lifetimes().new_authority(NOW));
        assert_eq!(state.leaf, Some(lifetimes().new_leaf(NOW, state.authority)));
        assert_eq!((state.staged, state.previous.as_slice()), (None, &[] as &[Validity]));
        assert!(read.served().is_some());
        let other = vec!["other.svc".to_owned()];
        assert_eq!(read.state(&other).unwrap().leaf, None);
    }

    #[test]
    fn an_authority_is_staged_promoted_and_forgotten() {
        let first = Material::begin(&subjects(), lifetimes(), NOW).unwrap();
        let staged = first.clone().staged(lifetimes(), NOW + 1).unwrap();
        assert_eq!(staged.bundle().matches("BEGIN CERTIFICATE").count(), 2);
        assert!(staged.bundle().contains(&first.bundle()));
        assert!(staged.leaf == first.leaf);
        let promoted = staged.clone().promoted(&subjects(), lifetimes(), NOW + 2).unwrap();
        let read = Material::read(&promoted.data()).unwrap();
        assert!(read == promoted);
        assert_eq!(read.staged_certificate(), None);
        assert_eq!(promoted.bundle().matches("BEGIN CERTIFICATE").count(), 2);
        let state = promoted.state(&subjects()).unwrap();
        assert!(state.leaf.is_some(), "the new authority has not signed");
        assert_eq!(state.previous, [lifetimes().new_authority(NOW)]);
        let after = NOW + lifetimes().authority + 1;
        assert_eq!(
            promoted
                .without_expired(after)
                .bundle()
                .matches("BEGIN CERTIFICATE")
                .count(),
            1
        );
        let renewed = first.clone().renewed(&subjects(), lifetimes(), NOW + 100).unwrap();
        assert!(renewed.bundle() == first.bundle() && renewed.leaf != first.leaf);
    }

    #[test]
    fn what_is_damaged_is_named() {
        let good = Material::begin(&subjects(), lifetimes(), NOW).unwrap();
        let other = Material::begin(&subjects(), lifetimes(), NOW).unwrap();
        let with = |key: &str, bytes: &[u8]| {
            let mut data = good.data();
            data.insert(key.to_owned(), ByteString(bytes.to_vec()));
            Material::read(&data).unwrap_err().to_string()
        };
        assert_eq!(with("ca.crt", b"\xff"), "ca.crt is missing or no text");
        assert_eq!(with("ca.crt", b"garbage"), "ca.crt is no certificate");
        assert_eq!(
            with("tls.key", other.leaf.key.as_bytes()),
            "tls.key is not the key of its certificate"
        );
        assert_eq!(with("tls.key", b""), "tls.key is not the key of its certificate");
        assert_eq!(with("next-ca.crt", b"x"), "next-ca.key is missing or no text");
        assert_eq!(with("previous-ca.crt", b"x"), "previous-ca.crt is no certificate");
        assert_eq!(
            Material::read(&BTreeMap::new()).unwrap_err().to_string(),
            "ca.crt is missing or no text"
        );
        assert_eq!(with("ca.crt", &[b'x'; MAX_PEM + 1]), "ca.crt is missing or no text");
    }

    #[test]
    fn a_certificate_of_another_authority_is_not_served_for_long() {
        let one = Material::begin(&subjects(), lifetimes(), NOW).unwrap();
        let other = Material::begin(&subjects(), lifetimes(), NOW).unwrap();
        let mixed = Material {
            leaf: other.leaf,
            ..one
        };
        assert_eq!(mixed.state(&subjects()).unwrap().leaf, None);
    }
}
