//! Reads what a config points to.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Fault, Text};
use pki::inspect::{Certificate, Origin, certificates};

impl Text {
    pub(super) fn read(&self) -> Result<Vec<u8>, Fault> {
        match self {
            Self::Inline(text) => Ok(text.clone().into_bytes()),
            Self::File(path) => std::fs::read(path).map_err(|why| unread(path, &why)),
        }
    }

    /// Its certificates, at least one.
    pub(super) fn certificates(&self) -> Result<Vec<Certificate>, Fault> {
        let path = match self {
            Self::File(path) => path.clone(),
            Self::Inline(_) => "config".into(),
        };
        certificates(&Origin::File { path }, &self.read()?)
            .map_err(|why| Fault::CertificateUnreadable { why: why.to_string() })
    }

    /// Permissions of the file behind it.
    pub(super) fn mode(&self) -> Option<u32> {
        let Self::File(path) = self else { return None };
        path.metadata().ok().map(|metadata| metadata.permissions().mode() & 0o7777)
    }
}

fn unread(path: &Path, why: &std::io::Error) -> Fault {
    let path = path.display().to_string();
    match why.kind() {
        ErrorKind::NotFound => Fault::FileMissing { path },
        ErrorKind::PermissionDenied => Fault::FilePermissions { path },
        _ => Fault::CertificateUnreadable { why: format!("{path}: {why}") },
    }
}
