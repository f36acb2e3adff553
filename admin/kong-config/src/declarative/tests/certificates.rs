use super::{filters, messages, versioned};
use crate::declarative::read::parse_in;
use crate::declarative::{CertificateSource, Trust};

/// A text as JSON has it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

struct Pem {
    chain: String,
    key: String,
}

fn client_pem() -> Pem {
    let issued = rcgen::generate_simple_self_signed(vec!["kong-client".to_owned()]).unwrap();
    Pem { chain: issued.cert.pem(), key: issued.signing_key.serialize_pem() }
}

fn ca_pem() -> String {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
}

#[test]
fn certificates_come_from_entities_inline_and_the_environment() {
    const ID: &str = "00000000-0000-4000-8000-000000000001";
    const CA: &str = "00000000-0000-4000-8000-000000000002";
    let (pem, ca) = (client_pem(), ca_pem());
    let text = versioned(&format!(
        r#""certificates": [{{"id": "{ID}", "cert": {chain}, "key": {key}}}],
           "ca_certificates": [{{"id": "{CA}", "cert": {ca}}}],
           "services": [{{"url": "https://dogs.example", "client_certificate": {{"id": "{ID}"}},
                          "tls_verify": true, "tls_verify_depth": 2, "ca_certificates": ["{CA}"]}}],
           "plugins": [{{"name": "upstream-mtls", "config": {{"ca_certificates": ["{CA}"], "client_certificates": [
               {{"name": "entity", "certificate": {{"id": "{ID}"}}}},
               {{"name": "inline", "cert": {chain}, "key": {key}}},
               {{"name": "env", "cert": "{{vault://env/vet-cert}}", "key": "{{vault://env/VET_KEY}}"}}]}}}}]"#,
        chain = quoted(&pem.chain),
        key = quoted(&pem.key),
        ca = quoted(&ca),
    ));
    let env = |name: &str| match name {
        "VET_CERT" => Some(pem.chain.clone()),
        "VET_KEY" => Some(pem.key.clone()),
        _ => None,
    };
    let config =
        parse_in(&text, "kong.json", &filters(), &env).unwrap_or_else(|problems| panic!("{problems}"));
    let service = &config.services[0];
    assert_eq!((service.client_certificate, service.tls_verify), (Some(0), Some(true)));
    assert_eq!((service.tls_verify_depth, service.ca_certificates.as_slice()), (Some(2), [0].as_slice()));
    assert_eq!((service.port, service.path.as_deref()), (443, None));
    assert_eq!(config.certificates[0].pair.key, pem.key);
    let plugin = config.upstream_mtls.unwrap();
    assert!(matches!(plugin.trust, Some(Trust::Entities(ref list)) if *list == [0]));
    let [entity, inline, env] = plugin.client_certificates.as_slice() else { panic!("three") };
    assert!(matches!(entity.source, CertificateSource::Entity(0)));
    assert!(matches!(&inline.source, CertificateSource::Inline(pair) if pair.chain == pem.chain));
    assert!(matches!(&env.source, CertificateSource::Inline(pair) if pair.key == pem.key));
}

#[test]
fn a_certificate_that_cannot_be_used_is_refused_and_never_shown() {
    let (pem, other, ca) = (client_pem(), client_pem(), ca_pem());
    let entity = |chain: &str, key: &str| {
        format!(r#""certificates": [{{"cert": {}, "key": {}}}]"#, quoted(chain), quoted(key))
    };
    let anchor = |pem: &str| format!(r#""ca_certificates": [{{"cert": {}}}]"#, quoted(pem));
    const C: &str = "certificates[0]";
    const CA: &str = "ca_certificates[0].cert";
    let rows = [
        (
            "key of another",
            entity(&pem.chain, &other.key),
            format!("{C}.key: the pair is not usable: keys may not be consistent: KeyMismatch"),
        ),
        ("no chain", entity("SECRET", &pem.key), format!("{C}.cert: not a chain of certificates in PEM")),
        (
            "no key",
            entity(&pem.chain, "SECRET"),
            format!("{C}.key: not a private key in PEM (PKCS#8, PKCS#1 or SEC1, not encrypted)"),
        ),
        (
            "unset variable",
            entity(&pem.chain, "{vault://env/no-key}"),
            format!("{C}.key: the environment variable NO_KEY is not set"),
        ),
        (
            "another vault",
            entity(&pem.chain, "{vault://hcv/key}"),
            format!("{C}.key: of Kong's vaults only env is supported: {{vault://env/NAME}}"),
        ),
        (
            "a vault's subkey",
            entity(&pem.chain, "{vault://env/a/b}"),
            format!("{C}.key: a reference to the environment has the form {{vault://env/NAME}}"),
        ),
        (
            "no CA",
            anchor(&pem.chain),
            format!("{CA}: not the certificate of a CA: it lacks the CA basic constraint"),
        ),
        (
            "two CAs",
            anchor(&format!("{ca}{ca}")),
            format!("{CA}: more than one certificate: give each an entry of its own"),
        ),
        ("no certificate", anchor("SECRET"), format!("{CA}: not a certificate in PEM")),
    ];
    for (name, document, expected) in rows {
        assert_eq!(messages(&document), [expected], "{name}");
    }
    let wrong_type = messages(r#""certificates": [{"cert": 1, "key": 271828}]"#).join("\n");
    assert!(!wrong_type.contains("271828"), "{wrong_type}");
}
