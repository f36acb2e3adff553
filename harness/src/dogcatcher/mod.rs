//! The mock Dogcatcher API.
