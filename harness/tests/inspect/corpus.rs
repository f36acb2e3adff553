//! Odd certificates, made by OpenSSL: each is read as OpenSSL reads it.

use std::path::Path;

use pki::inspect::{Key, KeyMatch, Unreadable, read};

use crate::openssl::{self, Told, sorted};

/// One certificate: what `openssl req -x509` is told.
struct Odd {
    name: &'static str,
    key: &'static str,
    subject: &'static str,
    /// Lines of the section of extensions.
    extensions: &'static str,
    more: &'static str,
}

const PLAIN: Odd = Odd { name: "", key: "p256", subject: "/CN=odd", extensions: "", more: "-days 10" };

/// Names of keys and how they are made; the last: whether gateways here can use them.
const KEYS: [(&str, &str, bool); 14] = [
    ("p256", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256", true),
    ("p384", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384", true),
    ("p521", "-algorithm EC -pkeyopt ec_paramgen_curve:P-521", false),
    ("compressed", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt point-format:compressed", true),
    ("explicit", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit", false),
    ("secp256k1", "-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1", false),
    ("brainpool", "-algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1", false),
    ("ed25519", "-algorithm ED25519", true),
    ("ed448", "-algorithm ED448", false),
    ("rsa1024", "-algorithm RSA -pkeyopt rsa_keygen_bits:1024", false),
    ("rsa2048", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048", true),
    ("rsa2049", "-algorithm RSA -pkeyopt rsa_keygen_bits:2049", true),
    ("rsa3", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3", false),
    ("pss", "-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048", false),
];

const SUBJECTS: [Odd; 14] = [
    Odd { name: "utf8", subject: "/C=NL/O=Hündefänger/CN=犬", ..PLAIN },
    Odd { name: "specials", subject: "/O=Dogs, \"Inc\" <x>; a=b/CN=a\\\\b", ..PLAIN },
    Odd { name: "hash-and-spaces", subject: "/O=#hash/OU= before/CN=after ", ..PLAIN },
    Odd { name: "a-slash", subject: "/CN=a\\/b", ..PLAIN },
    Odd { name: "multi-valued", subject: "/O=Dogs/CN=a+UID=b", ..PLAIN },
    Odd { name: "spoofed", subject: "/CN=a, CN=kong-client", ..PLAIN },
    Odd { name: "two-lines", subject: "/CN=a\nCN=kong-client", ..PLAIN },
    Odd { name: "colours", subject: "/CN=\u{1b}[31mred", ..PLAIN },
    Odd { name: "twice", subject: "/OU=a/OU=b/OU=a/CN=x/CN=y", ..PLAIN },
    Odd { name: "domain", subject: "/DC=org/DC=example/UID=kong/emailAddress=k@example.org", ..PLAIN },
    Odd { name: "own-oid", subject: "/1.3.6.1.4.1.99999.7=seven/CN=odd", ..PLAIN },
    Odd { name: "many-kinds", subject: "/SN=A/GN=B/title=C/street=D/serialNumber=E/ST=F/L=G", ..PLAIN },
    Odd { name: "one-space", subject: "/CN= ", ..PLAIN },
    Odd {
        name: "no-subject",
        subject: "/",
        extensions: "subjectAltName = critical, DNS:odd.example",
        ..PLAIN
    },
];

const EXTENSIONS: [Odd; 16] = [
    Odd {
        name: "every-name",
        extensions: "subjectAltName = DNS:a.example, IP:192.0.2.1, IP:2001:db8::1, URI:https://a/b?c=d, \
                     email:a@example.org, RID:1.3.6.1.4.1.99999.3, otherName:1.3.6.1.4.1.99999.4;UTF8:x, \
                     dirName:dir\n[dir]\nO = Dogs\nCN = inner",
        ..PLAIN
    },
    Odd {
        name: "wildcards",
        extensions: "subjectAltName = DNS:*.example.org, DNS:xn--hnd-hoa.example, DNS:_x.y",
        ..PLAIN
    },
    Odd { name: "spiffe", extensions: "subjectAltName = URI:spiffe://example.org/ns/a/sa/b", ..PLAIN },
    Odd { name: "no-names-in-it", extensions: "subjectAltName = DER:3000", ..PLAIN },
    Odd { name: "mapped", extensions: "subjectAltName = IP:::ffff:192.0.2.1, IP:::, IP:0.0.0.0", ..PLAIN },
    Odd { name: "authority", extensions: "basicConstraints = critical, CA:true, pathlen:0", ..PLAIN },
    Odd { name: "deep-authority", extensions: "basicConstraints = CA:true, pathlen:300", ..PLAIN },
    Odd {
        name: "signing-authority",
        extensions: "basicConstraints = critical, CA:true\nkeyUsage = critical, keyCertSign, cRLSign",
        ..PLAIN
    },
    Odd { name: "said-leaf", extensions: "basicConstraints = critical, CA:false", ..PLAIN },
    Odd {
        name: "every-usage",
        extensions: "keyUsage = digitalSignature, nonRepudiation, keyEncipherment, dataEncipherment, keyAgreement, \
                     keyCertSign, cRLSign, encipherOnly, decipherOnly",
        ..PLAIN
    },
    Odd { name: "ninth-usage", extensions: "keyUsage = keyAgreement, decipherOnly", ..PLAIN },
    Odd {
        name: "every-purpose",
        extensions: "extendedKeyUsage = serverAuth, clientAuth, codeSigning, emailProtection, timeStamping, \
                     OCSPSigning, anyExtendedKeyUsage, 1.3.6.1.4.1.99999.5",
        ..PLAIN
    },
    Odd { name: "any-purpose", extensions: "extendedKeyUsage = critical, anyExtendedKeyUsage", ..PLAIN },
    Odd {
        name: "unknown-and-critical",
        extensions: "1.3.6.1.4.1.99999.6 = critical, ASN1:UTF8String:x",
        ..PLAIN
    },
    Odd {
        name: "much-else",
        extensions: "nameConstraints = permitted;DNS:example.org\ncertificatePolicies = 1.3.6.1.4.1.99999.8\n\
                     crlDistributionPoints = URI:http://crl.example/a\nauthorityInfoAccess = OCSP;URI:http://o.example\n\
                     subjectKeyIdentifier = hash\ntlsfeature = status_request",
        ..PLAIN
    },
    Odd { name: "a-critical-name", extensions: "subjectAltName = critical, IP:192.0.2.9", ..PLAIN },
];

const NUMBERS: [Odd; 9] = [
    Odd { name: "serial-zero", more: "-days 10 -set_serial 0", ..PLAIN },
    Odd { name: "serial-negative", more: "-days 10 -set_serial -5", ..PLAIN },
    Odd { name: "serial-negative-long", more: "-days 10 -set_serial -0x8000", ..PLAIN },
    Odd { name: "serial-high-bit", more: "-days 10 -set_serial 0xff", ..PLAIN },
    Odd {
        name: "serial-of-20",
        more: "-days 10 -set_serial 0x7fffffffffffffffffffffffffffffffffffffff",
        ..PLAIN
    },
    Odd {
        name: "serial-too-long",
        more: "-days 10 -set_serial 0x0102030405060708090a0b0c0d0e0f101112131415161718191a",
        ..PLAIN
    },
    Odd { name: "after-2050", more: "-days 20000", ..PLAIN },
    Odd { name: "nearly-forever", more: "-days 2900000", ..PLAIN },
    Odd { name: "sha1", key: "rsa2048", more: "-days 10 -sha1", ..PLAIN },
];

/// `-startdate` and `-enddate`, which only `openssl ca` takes.
const DATES: [(&str, &str, &str); 6] = [
    ("of-the-epoch", "19700101000000Z", "20380119031407Z"),
    ("before-the-epoch", "19500101000000Z", "19991231235959Z"),
    ("at-the-turn", "20491231235959Z", "20500101000000Z"),
    ("of-a-leap-day", "20240229000000Z", "20280229235959Z"),
    ("without-end", "20200101000000Z", "99991231235959Z"),
    ("of-a-second", "20300101000000Z", "20300101000001Z"),
];

#[test]
fn odd_certificates_are_read_as_openssl_reads_them() {
    if !openssl::is_there("65 certificates") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    for (name, arguments, _) in KEYS {
        openssl::run(directory, &format!("genpkey {arguments} -out {name}.private"), &[]);
    }
    let mut names: Vec<String> = Vec::new();
    for (name, _, _) in KEYS {
        make(directory, &Odd { name, key: name, ..PLAIN });
        names.push(name.into());
    }
    for odd in SUBJECTS.iter().chain(&EXTENSIONS).chain(&NUMBERS) {
        make(directory, odd);
        names.push(odd.name.into());
    }
    for (name, from, until) in DATES {
        date(directory, name, from, until);
        names.push(name.into());
    }
    names.extend(others(directory));

    let mut differ = Vec::new();
    for name in &names {
        let (ours, openssl) = (ours(directory, name), Told::of(directory, &format!("{name}.crt")));
        if ours != openssl {
            differ.push(format!("{name}\n  ours:    {ours:?}\n  openssl: {openssl:?}"));
        }
    }
    assert!(differ.is_empty(), "{} of {} differ:\n{}", differ.len(), names.len(), differ.join("\n"));
    assert_eq!(names.len(), 65);
    println!("{} certificates as OpenSSL reads them", names.len());
    keys(directory);
}

/// Every key against every certificate of a key: a match is where OpenSSL says that the public halves are equal.
fn keys(directory: &Path) {
    let public = |line: &str, name: &str| openssl::run(directory, line, &["-in", name]).stdout;
    let mut compared = 0;
    for (of_key, _, usable) in KEYS {
        let private = std::fs::read(directory.join(format!("{of_key}.private"))).unwrap();
        for (of_certificate, ..) in KEYS {
            let certificate =
                read(&directory.join(format!("{of_certificate}.crt"))).unwrap().remove(0).unwrap();
            let ours = Key::of(&private).of_certificate(&certificate.certificates[0]);
            let same = public("pkey -pubout", &format!("{of_key}.private"))
                == public("x509 -pubkey -noout", &format!("{of_certificate}.crt"));
            let owed = match (usable, same) {
                (false, _) => KeyMatch::Unchecked,
                (true, true) => KeyMatch::Matches,
                (true, false) => KeyMatch::Differs,
            };
            assert_eq!(ours, owed, "key {of_key} and certificate {of_certificate}");
            compared += 1;
        }
    }
    assert_eq!(compared, KEYS.len() * KEYS.len());

    // The same point, written in full by the key and in short by the certificate.
    openssl::run(directory, "ec -in compressed.private -conv_form uncompressed -out full.private", &[]);
    let full = Key::of(&std::fs::read(directory.join("full.private")).unwrap());
    let of = |name: &str| read(&directory.join(name)).unwrap().remove(0).unwrap().certificates.remove(0);
    assert_eq!(full.of_certificate(&of("compressed.crt")), KeyMatch::Matches);
    assert_eq!(full.of_certificate(&of("p256.crt")), KeyMatch::Differs);
}

#[test]
fn what_is_no_certificate_is_said_to_be_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("odd.crt");
    let torn = "-----BEGIN CERTIFICATE-----\nMIIB";
    let garbled = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let refused = |content: &[u8]| {
        std::fs::write(&path, content).unwrap();
        read(&path).unwrap().remove(0).unwrap_err()
    };
    assert!(matches!(refused(b""), Unreadable::NoCertificate { .. }));
    assert!(matches!(refused(b"MIIB"), Unreadable::NoCertificate { .. }));
    assert!(matches!(refused(torn.as_bytes()), Unreadable::Torn { .. }));
    assert!(matches!(refused(garbled.as_bytes()), Unreadable::Garbled { which: 1, .. }));
    assert!(matches!(refused(&[0x30, 0x82, 0xff, 0xff]), Unreadable::Garbled { which: 1, .. }));
}

fn make(directory: &Path, odd: &Odd) {
    let Odd { name, key, subject, extensions, more } = odd;
    std::fs::write(
        directory.join("odd.cnf"),
        format!("[req]\ndistinguished_name = dn\n[dn]\n[x]\n{extensions}\n"),
    )
    .unwrap();
    let line = format!(
        "req -x509 -new -utf8 -config odd.cnf -extensions x -key {key}.private {more} -out {name}.crt"
    );
    openssl::run(directory, &line, &["-subj", subject]);
}

fn date(directory: &Path, name: &str, from: &str, until: &str) {
    openssl::run(directory, "req -new -key p384.private -subj /CN=dated -out dated.csr", &[]);
    std::fs::write(directory.join("index.txt"), "").unwrap();
    std::fs::write(
        directory.join("ca.cnf"),
        "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\nnew_certs_dir = .\nrand_serial = yes\n\
         default_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n",
    )
    .unwrap();
    let line = format!(
        "ca -batch -notext -config ca.cnf -cert p256.crt -keyfile p256.private -startdate {from} -enddate {until} \
         -in dated.csr -out {name}.crt"
    );
    openssl::run(directory, &line, &[]);
}

/// What is not made by `req -x509`, or lies in its file in another way.
fn others(directory: &Path) -> Vec<String> {
    std::fs::write(directory.join("x.cnf"), "[req]\ndistinguished_name = dn\n[dn]\n").unwrap();
    let ssl = |line: &str| openssl::run(directory, line, &[]);
    ssl("req -new -config x.cnf -key p256.private -subj /CN=first-version -out first.csr");
    ssl("x509 -req -in first.csr -signkey p256.private -days 10 -out first-version.crt");
    ssl("x509 -in spiffe.crt -outform DER -out der.crt");
    ssl("x509 -in every-usage.crt -text -out after-its-text.crt");
    let unix = std::fs::read_to_string(directory.join("utf8.crt")).unwrap();
    std::fs::write(directory.join("crlf.crt"), unix.replace('\n', "\r\n")).unwrap();
    let mut made = vec!["first-version", "der", "after-its-text", "crlf"];
    for (name, subject, mask) in [("bmp", "/CN=Ünïcode", 0x800), ("t61", "/CN=Ünïcode", 0x4)] {
        let config = format!("[req]\ndistinguished_name = dn\nstring_mask = MASK:{mask}\n[dn]\n");
        std::fs::write(directory.join("mask.cnf"), config).unwrap();
        let line =
            format!("req -x509 -new -utf8 -config mask.cnf -key p256.private -days 10 -out {name}.crt");
        openssl::run(directory, &line, &["-subj", subject]);
        made.push(name);
    }
    made.into_iter().map(str::to_owned).collect()
}

/// What `read` says, in the same words.
fn ours(directory: &Path, name: &str) -> Told {
    let mut read = read(&directory.join(format!("{name}.crt"))).unwrap();
    let certificate = read.remove(0).unwrap().certificates.remove(0);
    Told {
        subject: certificate.subject,
        issuer: certificate.issuer,
        serial: certificate.serial,
        names: certificate.names,
        key_usage: certificate.key_usage.map(|usages| usages.into_iter().map(str::to_owned).collect()),
        extended_key_usage: certificate.extended_key_usage.map(sorted),
        is_authority: certificate.is_authority,
        path_length: certificate.path_length,
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        sha256: certificate.sha256,
        signature_algorithm: certificate.signature_algorithm,
    }
}
