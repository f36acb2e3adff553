//! What a host can do for a policy, beyond handing over requests.

use super::{Compiler, Consumers};

/// What a host can do for a policy, beyond handing over requests.
#[derive(Clone, Copy)]
pub struct Host<'c> {
    /// Whether it reads bodies before it asks for a decision.
    pub reads_bodies: bool,
    pub consumers_file: ConsumersFile<'c>,
}

/// What has become of the policy's `consumers_file`.
#[derive(Clone, Copy)]
pub enum ConsumersFile<'c> {
    /// The host has no files: a policy that names one is refused.
    Unsupported,
    /// Nothing good has been read of it yet: a policy that names it is not valid.
    Missing,
    /// Only the policy itself is looked at, to say what is wrong with it: what the file would say is not held against it.
    /// Such a policy knows no consumers.
    Unread,
    Read(&'c Consumers),
}

impl Host<'_> {
    /// A proxy-wasm filter's.
    pub const FILTER: Self = Host { reads_bodies: false, consumers_file: ConsumersFile::Unsupported };

    /// The native plugin's, which has not read the consumers file: what that would say is not held against a policy.
    pub const PLUGIN: Self = Host { reads_bodies: true, consumers_file: ConsumersFile::Unread };
}

impl Compiler<'_> {
    pub(super) fn host(&mut self, host: &Host<'_>, key_in_body: Option<bool>, consumers_file: Option<&str>) {
        if key_in_body == Some(true) && !host.reads_bodies {
            self.refuse(
                "key_in_body",
                "needs the native plugin: a filter has to decide before it sees a body; leave it out",
            );
        }
        let Some(path) = consumers_file else { return };
        if matches!(host.consumers_file, ConsumersFile::Unsupported) {
            self.refuse(
                "consumers_file",
                "needs the native plugin: a filter has no files; write consumers into the policy",
            );
        } else if matches!(host.consumers_file, ConsumersFile::Missing) {
            self.refuse("consumers_file", "nothing valid has been read of it");
        } else if !path.starts_with('/') {
            self.refuse("consumers_file", format!("{path:?} is no absolute path"));
        }
    }
}
