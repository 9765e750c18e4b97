//! The page over TLS: certificate and key from files, cryptography by the one provider of the program.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::TlsFiles;

/// What accepts connections over TLS; the words say which file is wrong.
pub(super) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, String> {
    let named = |path: &std::path::Path, e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|e| named(&files.certificate, &e))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| named(&files.key, &e))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|e| named(&files.certificate, &e))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
