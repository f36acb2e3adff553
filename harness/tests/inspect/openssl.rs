//! What OpenSSL says of a certificate, in the words of `Certificate`.

use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Output};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The same fields as `Certificate` has, read from OpenSSL's text.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    pub subject: String,
    pub issuer: String,
    pub serial: String,
    pub names: Vec<String>,
    pub key_usage: Option<Vec<String>>,
    pub extended_key_usage: Option<Vec<String>>,
    pub is_authority: bool,
    pub path_length: Option<u32>,
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
    pub sha256: String,
    pub signature_algorithm: String,
}

pub fn is_there(checks: &str) -> bool {
    let there = Command::new("openssl").arg("version").output().is_ok();
    if !there {
        println!("skipped: no openssl ({checks})");
    }
    there
}

/// Runs a command line; arguments with spaces go into `more`.
pub fn run(directory: &Path, line: &str, more: &[&str]) -> Output {
    let output =
        Command::new("openssl").args(line.split(' ')).args(more).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "openssl {line} {more:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

impl Told {
    pub fn of(directory: &Path, file: &str) -> Self {
        let text = |line: &str| String::from_utf8(run(directory, line, &["-in", file]).stdout).unwrap();
        let nameopt = "-nameopt sep_comma_plus_space,esc_2253,esc_ctrl,sname,utf8";
        let facts = text(&format!(
            "x509 -noout -subject -issuer -serial -dates -dateopt iso_8601 -fingerprint -sha256 {nameopt}"
        ));
        let fact = |name: &str| {
            let line = facts.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().to_owned()
        };
        let extensions = text("x509 -noout -ext subjectAltName,keyUsage,extendedKeyUsage,basicConstraints");
        let extension = |name: &str| {
            let mut lines = extensions.lines().skip_while(|line| !line.starts_with(name));
            lines.next()?;
            Some(lines.next()?.trim().to_owned())
        };
        let words = |name: &str, dictionary: &[(&str, &str)]| {
            let listed = extension(name)?;
            let said = listed.split(", ").filter(|word| !word.is_empty()).map(|word| {
                let known = dictionary.iter().find(|(openssl, _)| *openssl == word);
                known.map_or(word, |(_, ours)| ours).to_owned()
            });
            Some(said.collect::<Vec<_>>())
        };
        let constraints = extension("X509v3 Basic Constraints").unwrap_or_default();
        let whole = text("x509 -noout -text");
        let algorithm = whole.lines().find_map(|line| line.trim().strip_prefix("Signature Algorithm: "));
        Self {
            subject: fact("subject="),
            issuer: fact("issuer="),
            serial: fact("serial=").to_lowercase(),
            names: names(&extension("X509v3 Subject Alternative Name").unwrap_or_default()),
            key_usage: words("X509v3 Key Usage", &USAGES),
            // In the order in which both list them here, whatever the certificate's was.
            extended_key_usage: words("X509v3 Extended Key Usage", &PURPOSES).map(sorted),
            is_authority: constraints.contains("CA:TRUE"),
            path_length: constraints.split_once("pathlen:").map(|(_, length)| length.parse().unwrap()),
            not_before: date(&fact("notBefore=")),
            not_after: date(&fact("notAfter=")),
            sha256: fact("sha256 Fingerprint=").replace(':', "").to_lowercase(),
            signature_algorithm: algorithm.unwrap().to_owned(),
        }
    }
}

pub fn sorted(mut words: Vec<String>) -> Vec<String> {
    words.sort();
    words
}

fn date(text: &str) -> OffsetDateTime {
    OffsetDateTime::parse(&text.replacen(' ', "T", 1), &Rfc3339).unwrap()
}

/// `DNS:a, IP Address:::1` in our words. Directory names have commas of their own, so they come last in the corpus.
fn names(text: &str) -> Vec<String> {
    let (text, directory) = match text.split_once("DirName:") {
        // The old one-line form: a slash before each attribute.
        Some((before, name)) => {
            let name = name.trim_start_matches('/').replace('/', ", ");
            (before.trim_end_matches(", "), Some(format!("DirName:{name}")))
        }
        None => (text, None),
    };
    let listed = text.split(", ").filter(|name| !name.is_empty() && *name != "<EMPTY>");
    let ours = listed.map(|name| match name.split_once(':') {
        Some(("IP Address", address)) => format!("IP:{}", address.parse::<IpAddr>().unwrap()),
        Some(("Registered ID", oid)) => format!("RID:{oid}"),
        Some(("othername", other)) => format!("othername:{}", other.trim().split("::").next().unwrap()),
        _ => name.to_owned(),
    });
    ours.chain(directory).collect()
}

const USAGES: [(&str, &str); 9] = [
    ("Digital Signature", "digitalSignature"),
    ("Non Repudiation", "nonRepudiation"),
    ("Key Encipherment", "keyEncipherment"),
    ("Data Encipherment", "dataEncipherment"),
    ("Key Agreement", "keyAgreement"),
    ("Certificate Sign", "keyCertSign"),
    ("CRL Sign", "cRLSign"),
    ("Encipher Only", "encipherOnly"),
    ("Decipher Only", "decipherOnly"),
];

const PURPOSES: [(&str, &str); 7] = [
    ("Any Extended Key Usage", "anyExtendedKeyUsage"),
    ("TLS Web Server Authentication", "serverAuth"),
    ("TLS Web Client Authentication", "clientAuth"),
    ("Code Signing", "codeSigning"),
    ("E-mail Protection", "emailProtection"),
    ("Time Stamping", "timeStamping"),
    ("OCSP Signing", "OCSPSigning"),
];
