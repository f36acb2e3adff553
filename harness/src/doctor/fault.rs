use std::fmt;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What can be wrong with a hop. Holds nothing secret. `docs/doctor.md` has them as a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    AddressAsName { host: String },
    AnchorUnusable { why: String },
    AsksNobody,
    AsksOthers { wanted: Vec<String>, issuer: String },
    CertificateUnreadable { why: String },
    ChainIncomplete { issuer: String },
    ClientExpired { at: OffsetDateTime },
    ClientExpiresSoon { days: i64 },
    ClientNotYetValid { from: OffsetDateTime },
    ClientUnfit { what: String },
    ClientUsage,
    ClockSkew { seconds: i64 },
    ConfigElsewhere { why: String },
    ConfigRefused { why: String },
    ConnectionRefused { why: String },
    DemandsCertificate,
    FileMissing { path: String },
    FilePermissions { path: String },
    GatewayStatus { status: u16, message: String },
    HandshakeFailed { why: String },
    KeyEncrypted,
    KeyMismatch,
    KeyMissing,
    KeyOpen { mode: u32 },
    NoAddress { host: String, why: String },
    NoAnswer,
    NoCertificateInForce,
    NoPlugin { route: String },
    NoRequiredCertificate,
    NotHttp,
    NotTls,
    PluginOnly { why: String },
    PolicyRefused { why: String },
    RefusesExpired,
    RefusesIssuer,
    RefusesOurs { why: String },
    RefusesRevoked,
    RevocationsUnusable { why: String },
    ServerExpired { at: OffsetDateTime },
    ServerIntermediateMissing { issuer: String },
    ServerName { asked: String, has: Vec<String> },
    ServerNotYetValid { from: OffsetDateTime },
    ServerRefused { why: String },
    ServerRevoked,
    ServerUnknownAuthority { issuer: String },
    ServerUsage,
    TlsVersion,
    Unauthorized { message: String },
    UnknownCertificate { name: String, place: String, nearest: Option<String> },
    UnknownEntity { place: String, kind: &'static str, id: String },
    UnknownName { why: String },
    Unverified,
    UpstreamFailed { status: u16 },
}

impl Fault {
    /// Whether requests fail for it, here and now.
    #[must_use]
    pub fn breaks(&self) -> bool {
        !matches!(
            self,
            Self::AsksNobody
                | Self::ClientExpiresSoon { .. }
                | Self::ClockSkew { .. }
                | Self::ConfigElsewhere { .. }
                | Self::KeyOpen { .. }
                | Self::PluginOnly { .. }
                | Self::UnknownName { .. }
                | Self::Unverified
        )
    }

    /// As JSON and `docs/doctor.md` call it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::AddressAsName { .. } => "address_as_name",
            Self::AnchorUnusable { .. } => "anchor_unusable",
            Self::AsksNobody => "asks_nobody",
            Self::AsksOthers { .. } => "asks_others",
            Self::CertificateUnreadable { .. } => "certificate_unreadable",
            Self::ChainIncomplete { .. } => "chain_incomplete",
            Self::ClientExpired { .. } => "client_expired",
            Self::ClientExpiresSoon { .. } => "client_expires_soon",
            Self::ClientNotYetValid { .. } => "client_not_yet_valid",
            Self::ClientUnfit { .. } => "client_unfit",
            Self::ClientUsage => "client_usage",
            Self::ClockSkew { .. } => "clock_skew",
            Self::ConfigElsewhere { .. } => "config_elsewhere",
            Self::ConfigRefused { .. } => "config_refused",
            Self::ConnectionRefused { .. } => "connection_refused",
            Self::DemandsCertificate => "demands_certificate",
            Self::FileMissing { .. } => "file_missing",
            Self::FilePermissions { .. } => "file_permissions",
            Self::GatewayStatus { .. } => "gateway_status",
            Self::HandshakeFailed { .. } => "handshake_failed",
            Self::KeyEncrypted => "key_encrypted",
            Self::KeyMismatch => "key_mismatch",
            Self::KeyMissing => "key_missing",
            Self::KeyOpen { .. } => "key_open",
            Self::NoAddress { .. } => "no_address",
            Self::NoAnswer => "no_answer",
            Self::NoCertificateInForce => "no_certificate_in_force",
            Self::NoPlugin { .. } => "no_plugin",
            Self::NoRequiredCertificate => "no_required_certificate",
            Self::NotHttp => "not_http",
            Self::NotTls => "not_tls",
            Self::PluginOnly { .. } => "plugin_only",
            Self::PolicyRefused { .. } => "policy_refused",
            Self::RefusesExpired => "refuses_expired",
            Self::RefusesIssuer => "refuses_issuer",
            Self::RefusesOurs { .. } => "refuses_ours",
            Self::RefusesRevoked => "refuses_revoked",
            Self::RevocationsUnusable { .. } => "revocations_unusable",
            Self::ServerExpired { .. } => "server_expired",
            Self::ServerIntermediateMissing { .. } => "server_intermediate_missing",
            Self::ServerName { .. } => "server_name",
            Self::ServerNotYetValid { .. } => "server_not_yet_valid",
            Self::ServerRefused { .. } => "server_refused",
            Self::ServerRevoked => "server_revoked",
            Self::ServerUnknownAuthority { .. } => "server_unknown_authority",
            Self::ServerUsage => "server_usage",
            Self::TlsVersion => "tls_version",
            Self::Unauthorized { .. } => "unauthorized",
            Self::UnknownCertificate { .. } => "unknown_certificate",
            Self::UnknownEntity { .. } => "unknown_entity",
            Self::UnknownName { .. } => "unknown_name",
            Self::Unverified => "unverified",
            Self::UpstreamFailed { .. } => "upstream_failed",
        }
    }

    /// What to do.
    #[must_use]
    pub fn cure(&self) -> &'static str {
        match self {
            Self::AddressAsName { .. } => {
                "call the upstream by a DNS name that is in its certificate: nginx compares names of no other kind"
            }
            Self::AnchorUnusable { .. } => {
                "put the certificate of the upstream's root authority there, as PEM"
            }
            Self::AsksNobody => {
                "set the upstream to demand client certificates (nginx: ssl_verify_client on): until then it serves \
                 everybody"
            }
            Self::AsksOthers { .. } => {
                "have the upstream trust our issuer as well, or present a certificate of one that it wants"
            }
            Self::CertificateUnreadable { .. } => "write it anew, as PEM, the leaf first",
            Self::ChainIncomplete { .. } => {
                "put the intermediate's certificate behind the leaf's, in the same file"
            }
            Self::ClientExpired { .. } => "harness certs renew, or issue it anew",
            Self::RefusesExpired => "harness certs renew, or issue it anew; or set the upstream's clock",
            Self::ClientExpiresSoon { .. } => "harness certs renew, or have harness certs watch do it",
            Self::ClientNotYetValid { .. } | Self::ServerNotYetValid { .. } => {
                "wait, issue it with an earlier beginning, or set this machine's clock"
            }
            Self::ClientUnfit { .. } => "harness certs inspect says more; issue it anew",
            Self::ClientUsage => "issue it with the extended key usage clientAuth",
            Self::ClockSkew { .. } => "let both machines keep their time by NTP",
            Self::ConfigElsewhere { .. } => {
                "write the policy into the KongPlugin's config: it holds digests and no keys"
            }
            Self::ConfigRefused { .. } => "correct the config; nothing of it is in force before",
            Self::ConnectionRefused { .. } => {
                "start the upstream; or correct host and port, the Service, or a NetworkPolicy that is in between"
            }
            Self::DemandsCertificate => "present one: upstream-mtls' client_certificate, or the policy's",
            Self::FileMissing { .. } => "correct the path, or mount the Secret where the config says",
            Self::FilePermissions { .. } => {
                "let the user that the gateway's workers run as read it (Kong's are kong or nobody): chgrp and chmod \
                 0440, or the Secret's defaultMode"
            }
            Self::GatewayStatus { .. } => "see the gateway's log for the request's id",
            Self::HandshakeFailed { .. } => "see the upstream's log: it knows what it did not like",
            Self::KeyEncrypted => "take the passphrase off: openssl pkey -in KEY -out PLAIN_KEY",
            Self::KeyMismatch => "put certificate and key of one issue there, both at once",
            Self::KeyMissing => "write the private key there, as PEM",
            Self::KeyOpen { .. } => "chmod o= it, and issue it anew if others were on this machine",
            Self::NoAddress { .. } => {
                "correct the host, or what resolves it (in Kubernetes: NAME.NAMESPACE.svc)"
            }
            Self::NoAnswer => "see whether the upstream hangs, or a firewall swallows what is sent",
            Self::NoCertificateInForce => {
                "see the log of the gateway for why; harness doctor --config on its machine looks at each certificate"
            }
            Self::NoPlugin { .. } => "configure upstream-mtls for the service",
            Self::NoRequiredCertificate => {
                "have the gateway present one: upstream-mtls on the service, konghq.com/client-cert on the Service"
            }
            Self::NotHttp => "see whether port and protocol are those of the API",
            Self::NotTls => "call the port that speaks TLS, or set the service's protocol to http",
            Self::PluginOnly { .. } => "see in docs/kong.md which of the two this Kong can carry",
            Self::PolicyRefused { .. } => "correct the policy; until then its route answers 503",
            Self::RefusesIssuer => {
                "put the issuer of our certificate among those that the upstream trusts (nginx: ssl_client_certificate), \
                 and send intermediates along"
            }
            Self::RefusesOurs { .. } => {
                "see the upstream's log; compare issuer, usage and names with what it wants"
            }
            Self::RefusesRevoked => "harness certs renew: a revoked certificate does not come back",
            Self::RevocationsUnusable { .. } => {
                "publish the list anew (harness certs revoke writes one), and put it there"
            }
            Self::ServerExpired { .. } => "renew the upstream's certificate",
            Self::ServerIntermediateMissing { .. } => {
                "have the upstream send its intermediate along (nginx: ssl_certificate is leaf, then intermediates)"
            }
            Self::ServerName { .. } => {
                "issue the upstream's certificate for that name, or call it by one that it has (host of the service, \
                 konghq.com/host-header)"
            }
            Self::ServerRefused { .. } => {
                "harness certs inspect HOST:PORT says more of the upstream's certificate"
            }
            Self::ServerRevoked => "find out why, and give the upstream another certificate",
            Self::ServerUnknownAuthority { .. } => {
                "put the upstream's authority into ca_file; or find out who it is that answers there"
            }
            Self::ServerUsage => "issue the upstream's certificate with the extended key usage serverAuth",
            Self::TlsVersion => "enable TLS 1.2 or 1.3, and a cipher suite with ECDHE, at the upstream",
            Self::Unauthorized { .. } => "harness keys new makes a key and the entry that admits it",
            Self::UnknownCertificate { .. } => {
                "correct the name, or add it to upstream-mtls' client_certificates"
            }
            Self::UnknownEntity { .. } => {
                "create it, or correct the id; until then requests that need it are answered with 503"
            }
            Self::UnknownName { .. } => "correct the name, or create the consumer or its group in Kong",
            Self::Unverified => "set ca_file: whoever takes the upstream's place would be believed",
            Self::UpstreamFailed { .. } => {
                "run harness doctor --config where the gateway runs: it names the hop"
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressAsName { host } => {
                write!(f, "{host} is an address, and certificates are checked for DNS names")
            }
            Self::AnchorUnusable { why }
            | Self::CertificateUnreadable { why }
            | Self::ClientUnfit { what: why }
            | Self::ConfigElsewhere { why }
            | Self::ConfigRefused { why }
            | Self::PluginOnly { why }
            | Self::PolicyRefused { why }
            | Self::RevocationsUnusable { why }
            | Self::UnknownName { why } => f.write_str(why),
            Self::AsksNobody => f.write_str("the upstream asks for no client certificate"),
            Self::AsksOthers { wanted, issuer } => {
                write!(f, "it wants a client certificate of {}; ours is of {issuer}", wanted.join(" or "))
            }
            Self::ChainIncomplete { issuer } => {
                write!(
                    f,
                    "the upstream does not know {issuer}, which issued our certificate, and the chain does not hold it"
                )
            }
            Self::ClientExpired { at } => write!(f, "the client certificate expired at {}", date(*at)),
            Self::ClientExpiresSoon { days } => write!(f, "the client certificate expires in {days} days"),
            Self::ClientNotYetValid { from } => {
                write!(f, "the client certificate is not valid before {}", date(*from))
            }
            Self::ClientUsage => f.write_str("the client certificate is not for clients (no clientAuth)"),
            Self::ClockSkew { seconds } => {
                let ahead = if *seconds > 0 { "behind" } else { "ahead of" };
                write!(f, "this machine's clock is {} s {ahead} the upstream's", seconds.abs())
            }
            Self::ConnectionRefused { why } => f.write_str(why),
            Self::DemandsCertificate => {
                f.write_str("the upstream demands a client certificate, and none is presented")
            }
            Self::FileMissing { path } => write!(f, "{path}: no such file"),
            Self::FilePermissions { path } => write!(f, "{path}: may not be read"),
            Self::GatewayStatus { status, message } => write!(f, "the gateway answers {status}: {message}"),
            Self::HandshakeFailed { why } => write!(f, "the handshake failed: {why}"),
            Self::KeyEncrypted => {
                f.write_str("the private key has a passphrase, which a gateway cannot type")
            }
            Self::KeyMismatch => f.write_str("the private key belongs to another certificate"),
            Self::KeyMissing => f.write_str("the key file holds no private key in PEM"),
            Self::KeyOpen { mode } => {
                write!(f, "everybody on this machine can read the private key (mode {mode:04o})")
            }
            Self::NoAddress { host, why } => write!(f, "{host} has no address: {why}"),
            Self::NoAnswer => f.write_str("no answer in time"),
            Self::NoCertificateInForce => {
                f.write_str("503: the gateway has no client certificate or no trust anchors in force")
            }
            Self::NoPlugin { route } => {
                write!(f, "{route}: a policy selects a client certificate, and no upstream-mtls presents it")
            }
            Self::NoRequiredCertificate => f.write_str(
                "400 No required SSL certificate was sent: the upstream (nginx) got no client certificate",
            ),
            Self::NotHttp => f.write_str("what it answers is no HTTP"),
            Self::NotTls => f.write_str("it does not speak TLS; plain HTTP, probably"),
            Self::RefusesExpired => {
                f.write_str("the upstream says that our certificate is out of its time, by its clock")
            }
            Self::RefusesIssuer => f.write_str("the upstream does not trust the issuer of our certificate"),
            Self::RefusesOurs { why } => write!(f, "the upstream does not take our certificate: {why}"),
            Self::RefusesRevoked => f.write_str("the upstream says that our certificate was revoked"),
            Self::ServerExpired { at } => write!(f, "the upstream's certificate expired at {}", date(*at)),
            Self::ServerIntermediateMissing { issuer } => {
                write!(
                    f,
                    "the upstream does not send the certificate of {issuer}, which is not among ours either"
                )
            }
            Self::ServerName { asked, has } => {
                let has = if has.is_empty() { "none".to_owned() } else { has.join(", ") };
                write!(f, "the upstream's certificate is not for {asked}; its names: {has}")
            }
            Self::ServerNotYetValid { from } => {
                write!(f, "the upstream's certificate is not valid before {}", date(*from))
            }
            Self::ServerRefused { why } => write!(f, "the upstream's certificate is refused: {why}"),
            Self::ServerRevoked => f.write_str("the upstream's certificate was revoked"),
            Self::ServerUnknownAuthority { issuer } => {
                write!(f, "the upstream's certificate is of {issuer}, whom we do not trust")
            }
            Self::ServerUsage => f.write_str("the upstream's certificate is not for servers (no serverAuth)"),
            Self::TlsVersion => f.write_str("it speaks neither TLS 1.2 nor 1.3 with us"),
            Self::Unauthorized { message } => write!(f, "the gateway refuses the API key: {message}"),
            Self::UnknownCertificate { name, place, nearest } => {
                write!(f, "{place}: no client certificate is called {name:?}")?;
                nearest.iter().try_for_each(|nearest| write!(f, " (did you mean {nearest:?}?)"))
            }
            Self::UnknownEntity { place, kind, id } => write!(f, "{place}: unknown {kind} {id:?}"),
            Self::Unverified => f.write_str("nobody checks who the upstream is (tls_verify is off)"),
            Self::UpstreamFailed { status } => {
                write!(
                    f,
                    "{status}: the gateway got no answer from its upstream, or the handshake with it failed"
                )
            }
        }
    }
}

fn date(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}
