//! What the suites share: a stack of PKI, Dogcatcher and the gateway that is asked for.
