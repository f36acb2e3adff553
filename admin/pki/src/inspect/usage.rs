//! Key usages by their names in RFC 5280.

use x509_parser::extensions::{ExtendedKeyUsage, KeyUsage};

pub(super) fn basic(usage: &KeyUsage) -> Vec<&'static str> {
    let given = [
        (usage.digital_signature(), "digitalSignature"),
        (usage.non_repudiation(), "nonRepudiation"),
        (usage.key_encipherment(), "keyEncipherment"),
        (usage.data_encipherment(), "dataEncipherment"),
        (usage.key_agreement(), "keyAgreement"),
        (usage.key_cert_sign(), "keyCertSign"),
        (usage.crl_sign(), "cRLSign"),
        (usage.encipher_only(), "encipherOnly"),
        (usage.decipher_only(), "decipherOnly"),
    ];
    given.into_iter().filter_map(|(given, name)| given.then_some(name)).collect()
}

/// Those without a name in RFC 5280 as dotted numbers, last.
pub(super) fn extended(usage: &ExtendedKeyUsage<'_>) -> Vec<String> {
    let given = [
        (usage.any, "anyExtendedKeyUsage"),
        (usage.server_auth, "serverAuth"),
        (usage.client_auth, "clientAuth"),
        (usage.code_signing, "codeSigning"),
        (usage.email_protection, "emailProtection"),
        (usage.time_stamping, "timeStamping"),
        (usage.ocsp_signing, "OCSPSigning"),
    ];
    let named = given.into_iter().filter(|(given, _)| *given).map(|(_, name)| name.to_owned());
    named.chain(usage.other.iter().map(|oid| oid.to_id_string())).collect()
}
