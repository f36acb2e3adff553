//! The targets, by name.

mod bodies;
mod certificates;
mod config;
mod pairs;
mod paths;
mod policy;
mod shells;
mod views;

/// Something to be fed with bytes.
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
}

pub const TARGETS: [Target; 8] = [
    Target { name: "bodies", run: bodies::run },
    Target { name: "certificates", run: certificates::run },
    Target { name: "config", run: config::run },
    Target { name: "pairs", run: pairs::run },
    Target { name: "paths", run: paths::run },
    Target { name: "policy", run: policy::run },
    Target { name: "shells", run: shells::run },
    Target { name: "views", run: views::run },
];
