//! What one gateway can and another cannot, so that a suite can say what was not tried, and why.

/// Something that not every gateway does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// Goes on sending a request's body when the response has begun.
    AnswersEarly,
    /// Refuses an upstream whose chain is longer than `tls_verify_depth` allows.
    BoundsChains,
    /// Compares an upstream's certificate with other names than its host's (`upstream_names`).
    ChecksNames,
    /// Decides when the last of the gateway's own plugins has run.
    DecidesLast,
    /// Has Envoy's own filters, in a route's chain.
    EnvoysOwn,
    /// Gives back what a policy took once another one has replaced it, without a restart of its workers.
    ForgetsPolicies,
    /// Keeps the last good policy of a route when the next one is invalid.
    KeepsLastPolicy,
    /// Has Kong's own plugins, consumers, Upstream entities and vaults.
    KongsOwn,
    /// Tells Kong's own plugins of the policy's consumers.
    NamesConsumers,
    /// Looks for keys in bodies.
    ReadsBodies,
    /// Takes the policy's consumers from a file.
    ReadsConsumersFiles,
    /// Refuses an upstream whose certificate has no name but its subject's (RFC 9525, section 2).
    RefusesCommonNames,
    /// Takes nothing for an answer that came before the TLS handshake (CVE-2026-1642).
    RefusesEarlyPlaintext,
    /// Sends a request that is safe to repeat again, where it met the end of a kept connection.
    RepeatsSafeRequests,
    /// Resumes TLS sessions towards the upstream.
    ResumesSessions,
    /// Can start its workers anew while it serves ([`super::Running::restart_workers`]).
    RestartsWorkers,
    /// Runs filters.
    RunsFilters,
    /// Keeps its configuration in a database that several nodes share, changed through Kong's Admin API.
    SharesDatabase,
    /// Knows whether an upstream has asked for a client certificate (`require_certificate_request`).
    SeesRequests,
    /// Serves gRPC and WebSocket.
    StreamsProtocols,
    /// Tells an upstream that stalls in the handshake (504) from one that breaks off (502).
    TellsSlowHandshakes,
    /// Tells Prometheus what became of client certificates.
    TellsMetrics,
}
