//! The page over TLS: a certificate of openssl, and rustls on the other side of a real socket.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::*;

type Secure = StreamOwned<ClientConnection, TcpStream>;

/// A certificate that signs itself, for 127.0.0.1, and its key.
fn certificate(dir: &Path, name: &str) -> TlsFiles {
    let args = format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name} -addext subjectAltName=IP:127.0.0.1 \
         -addext basicConstraints=critical,CA:FALSE -keyout {name}.key -out {name}.pem"
    );
    let said = Command::new("openssl").current_dir(dir).args(args.split(' ')).output().expect("openssl is installed");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    TlsFiles { certificate: dir.join(format!("{name}.pem")), key: dir.join(format!("{name}.key")) }
}

fn connect(on: &Bench, trusts: &PathBuf, versions: &[&'static rustls::SupportedProtocolVersion]) -> Secure {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusts).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TcpStream::connect(on.server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream)
}

fn ask(on: &Bench, mut stream: Secure, request: &str) -> std::io::Result<String> {
    let host = on.server.address();
    write!(stream, "{}", request.replace("HOST", &host.to_string()))?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn over_tls_the_page_works_as_without_and_only_with_its_own_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, other) = (certificate(dir.path(), "box"), certificate(dir.path(), "other"));
    let on = start_as(station(), None, Some(ours.clone()));
    assert!(on.server.url().starts_with("https://127.0.0.1:"), "{}", on.server.url());
    let both = [&rustls::version::TLS12, &rustls::version::TLS13];
    let get = "GET /login HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n";
    let mut page = String::new();
    for version in both {
        page = ask(&on, connect(&on, &ours.certificate, &[version]), get).unwrap();
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    }
    assert!(ask(&on, connect(&on, &other.certificate, &both), get).is_err(), "another authority vouches for it");

    // Whoever speaks without TLS gets nothing.
    let mut plain = TcpStream::connect(on.server.address()).unwrap();
    plain.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(plain, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).ok();
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1"), "{answer:?}");

    // Cookies are for TLS alone, and a form with the origin of a browser comes through.
    on.accounts.add_user("ana", Role::Operator, "4711").unwrap();
    let cookie = page.lines().find_map(|l| l.strip_prefix("set-cookie: ")).unwrap();
    assert!(cookie.contains("; Secure"), "{cookie}");
    let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
    let body = format!("csrf={}&name=ana&password=4711", rest.split('"').next().unwrap());
    let form = format!(
        "POST /login HTTP/1.1\r\nHost: HOST\r\nOrigin: https://HOST\r\nCookie: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        cookie.split(';').next().unwrap(),
        body.len()
    );
    let said = ask(&on, connect(&on, &ours.certificate, &both), &form).unwrap();
    assert!(said.starts_with("HTTP/1.1 303") && said.contains("andon_session="), "{said}");

    // A stream of events comes piece by piece.
    let mut stream = connect(&on, &ours.certificate, &both);
    write!(stream, "GET /events?view=live HTTP/1.1\r\nHost: {}\r\n\r\n", on.server.address()).unwrap();
    let (mut seen, end) = (String::new(), Instant::now() + Duration::from_secs(10));
    while seen.matches("event: beat").count() < 2 && Instant::now() < end {
        let mut some = [0; 65536];
        let n = stream.read(&mut some).unwrap();
        seen.push_str(&String::from_utf8_lossy(&some[..n]));
    }
    assert!(seen.matches("event: beat").count() >= 2, "{seen}");
}

#[test]
fn a_certificate_without_its_key_is_refused_by_the_name_of_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, other) = (certificate(dir.path(), "box"), certificate(dir.path(), "other"));
    let refused = |files: TlsFiles| super::super::tls::acceptor(&files).err().expect("refused");
    let mixed = TlsFiles { key: other.key.clone(), ..ours.clone() };
    assert!(refused(mixed).contains("box.pem"));
    assert!(refused(TlsFiles { key: dir.path().join("none.key"), ..ours.clone() }).contains("none.key"));
    assert!(refused(TlsFiles { certificate: ours.key.clone(), key: ours.key }).contains("box.key"));
}
