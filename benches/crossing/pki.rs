//! A throwaway certificate authority with one server and one client certificate.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use watashi::model::Secret;
use watashi::transport::https::{Identity, ServerTls, tls};

/// Writes `ca.pem`, `server.pem`, `server.key`, `client.pem` and `client.key`.
pub fn issue(folder: &Path) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "benchmark");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    write(&folder.join("ca.pem"), &params.self_signed(&key).unwrap().pem());
    let issuer = Issuer::new(params, key);
    for (name, usage) in [
        ("server", ExtendedKeyUsagePurpose::ServerAuth),
        ("client", ExtendedKeyUsagePurpose::ClientAuth),
    ] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &issuer).unwrap();
        write(&folder.join(format!("{name}.pem")), &certificate.pem());
        write(&folder.join(format!("{name}.key")), &key.serialize_pem());
    }
}

/// Writes a file that only its owner reads.
pub fn write(path: &Path, text: &str) {
    let _ = std::fs::remove_file(path);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// TLS of the counterpart: a client certificate of the authority is required.
pub fn server(folder: &Path) -> rustls::ServerConfig {
    let settings = ServerTls {
        identity: identity(folder, "server"),
        client_ca: Some(std::fs::read(folder.join("ca.pem")).unwrap()),
        require_client: true,
    };
    tls::server_config(&settings).unwrap()
}

/// TLS of the bare pipe: the same settings the gateway uses.
pub fn client(folder: &Path) -> rustls::ClientConfig {
    let authority = std::fs::read(folder.join("ca.pem")).unwrap();
    tls::client_config(&authority, Some(&identity(folder, "client"))).unwrap()
}

fn identity(folder: &Path, name: &str) -> Identity {
    Identity {
        certificate_pem: std::fs::read(folder.join(format!("{name}.pem"))).unwrap(),
        key_pem: Secret::new(std::fs::read(folder.join(format!("{name}.key"))).unwrap()),
    }
}
