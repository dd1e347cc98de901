//! An authority of one trial, and the certificate of its fakes.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::error::{Failure, Kind};

/// What a fake speaks TLS with, and what whoever asks it has to trust.
pub(super) struct Certificates {
    /// PEM of the authority.
    pub(super) authority: String,
    /// For the fakes.
    pub(super) server: Arc<ServerConfig>,
}

impl Certificates {
    /// New ones for these hosts; they are nobody else's, and forgotten with the trial.
    pub(super) fn make(hosts: Vec<String>) -> Result<Self, Failure> {
        Self::issue(hosts).map_err(|error| {
            Failure::new(Kind::Software, "cannot make certificates for the stand-ins of hosts")
                .because(&*error)
        })
    }

    fn issue(hosts: Vec<String>) -> Result<Self, Box<dyn std::error::Error>> {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "a trial of Stockade");
        let authority_key = KeyPair::generate()?;
        let authority_pem = authority.self_signed(&authority_key)?.pem();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate()?;
        let leaf = CertificateParams::new(hosts)?.signed_by(&key, &issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)?;
        Ok(Self { authority: authority_pem, server: Arc::new(server) })
    }
}
