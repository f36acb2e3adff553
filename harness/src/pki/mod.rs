//! Certificates for tests and demonstrations.
