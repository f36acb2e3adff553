//! Subject alternative names as text.

use std::net::IpAddr;

use x509_parser::asn1_rs::Tag;
use x509_parser::extensions::GeneralName;

use super::distinguished::{printable, text};

/// With its kind: `DNS:localhost`, `IP:::1`, `URI:spiffe://example.org/kong`, `email:…`, `DirName:…`, `RID:…`,
/// `othername:OID`. What breaks the rules of its kind is `invalid:` with its bytes.
pub(super) fn of(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(name) => format!("DNS:{}", printable(name)),
        GeneralName::URI(uri) => format!("URI:{}", printable(uri)),
        GeneralName::RFC822Name(address) => format!("email:{}", printable(address)),
        GeneralName::IPAddress(bytes) => match address(bytes) {
            Some(address) => format!("IP:{address}"),
            None => invalid(bytes),
        },
        GeneralName::DirectoryName(name) => format!("DirName:{}", text(name)),
        GeneralName::RegisteredID(oid) => format!("RID:{}", oid.to_id_string()),
        GeneralName::OtherName(oid, _) => format!("othername:{}", oid.to_id_string()),
        GeneralName::X400Address(_) => "X400Name".to_owned(),
        GeneralName::EDIPartyName(_) => "EdiPartyName".to_owned(),
        GeneralName::Invalid(Tag(_), bytes) => invalid(bytes),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

fn invalid(bytes: &[u8]) -> String {
    format!("invalid:{}", bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>())
}
