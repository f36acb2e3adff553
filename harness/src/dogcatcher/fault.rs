//! What a Dogcatcher does wrong on purpose.

use clap::ValueEnum;

/// What goes wrong, from when it is set until it is set otherwise. A connection meets the fault of the moment: one that
/// is open already too, unless the words say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// Nothing
    #[default]
    None,

    /// Nobody listens, and what was open is closed at once: a process that was killed. With the fault's end it is back
    /// on the same port
    Down,
    /// Accepts connections and closes them at once
    Refuse,
    /// Each response is the last on its connection, and says so (Connection: close)
    CloseEach,
    /// Sends close_notify and FIN after a response that announced keep-alive, and reads on
    HalfClose,
    /// Peer vanished: connections stay open, and nothing is read or answered on them any more, nor on new ones. With the
    /// fault's end they are reset, as by a host that is back and does not know them
    Vanish,

    /// RST in place of the handshake's first answer
    ResetHandshake,
    /// RST when a request's headers have come
    ResetRequest,
    /// RST when a further request's headers have come on a connection; the first on each is answered
    ResetKept,
    /// RST in the middle of a response's body
    ResetResponse,
    /// RST after a response that announced keep-alive
    ResetIdle,

    /// Accepts connections and never answers in the handshake
    StallHandshake,
    /// Takes requests and never answers
    StallRequest,
    /// Sends half of a response's body, and no more
    StallResponse,
    /// Sends 128 bytes of a response, headers included, every tenth of a second
    Drip,

    /// Answers in plain HTTP before the TLS handshake
    SpeakHttpFirst,
    /// Refuses in new handshakes a certificate under whose subject it has let in another, which it goes on letting in
    RefuseNewCertificates,
    /// Trusts no client authority any more, in new handshakes
    DropAuthorities,
}
