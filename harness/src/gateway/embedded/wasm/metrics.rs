//! What filters count. Shared by all workers, as Kong's are: a counter is the sum over them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A metric's value at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub filter: Arc<str>,
    pub name: Arc<str>,
    pub kind: Kind,
    pub value: u64,
}

/// Histograms are not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
}

/// One filter's metrics.
#[derive(Default)]
pub(super) struct Metrics(Mutex<Vec<Arc<Metric>>>);

pub(super) struct Metric {
    name: Arc<str>,
    kind: Kind,
    value: AtomicU64,
}

/// A filter that makes names from what clients send would fill the memory; Kong's shared memory ends too.
const MOST: usize = 4096;

impl Metrics {
    /// The metric of that name, made if it is new; `None` if it exists as another kind or there are too many.
    pub(super) fn define(&self, kind: Kind, name: &str) -> Option<Arc<Metric>> {
        let mut metrics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = metrics.iter().find(|metric| &*metric.name == name) {
            return (known.kind == kind).then(|| Arc::clone(known));
        }
        if metrics.len() == MOST {
            return None;
        }
        let metric = Arc::new(Metric { name: name.into(), kind, value: AtomicU64::new(0) });
        metrics.push(Arc::clone(&metric));
        Some(metric)
    }

    pub(super) fn read(&self, filter: &Arc<str>) -> Vec<Reading> {
        let metrics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = |metric: &Arc<Metric>| Reading {
            filter: Arc::clone(filter),
            name: Arc::clone(&metric.name),
            kind: metric.kind,
            value: metric.get(),
        };
        metrics.iter().map(reading).collect()
    }
}

impl Metric {
    pub(super) fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }

    /// Adds to a counter; `false` for anything else, and for less than nothing. So does Kong.
    pub(super) fn increment(&self, by: i64) -> bool {
        match (self.kind, u64::try_from(by)) {
            (Kind::Counter, Ok(by)) => {
                self.value.fetch_add(by, Ordering::Relaxed);
                true
            }
            _ => false,
        }
    }

    /// Sets a gauge; `false` for anything else. So does Kong.
    pub(super) fn record(&self, value: u64) -> bool {
        if self.kind == Kind::Gauge {
            self.value.store(value, Ordering::Relaxed);
        }
        self.kind == Kind::Gauge
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_one_metric_of_one_kind() {
        let metrics = Metrics::default();
        let allowed = metrics.define(Kind::Counter, "allowed").unwrap();
        let again = metrics.define(Kind::Counter, "allowed").unwrap();
        assert!(metrics.define(Kind::Gauge, "allowed").is_none());
        assert!(allowed.increment(2) && again.increment(3));
        assert!(!allowed.increment(-1) && !allowed.record(9));
        let reading = Reading { filter: "f".into(), name: "allowed".into(), kind: Kind::Counter, value: 5 };
        assert_eq!(metrics.read(&"f".into()), [reading]);
    }

    #[test]
    fn a_gauge_is_set() {
        let gauge = Metrics::default().define(Kind::Gauge, "keys").unwrap();
        assert!(gauge.record(7) && !gauge.increment(1));
        assert_eq!(gauge.get(), 7);
    }

    #[test]
    fn names_do_not_grow_without_bound() {
        let metrics = Metrics::default();
        assert!((0..MOST).all(|n| metrics.define(Kind::Counter, &n.to_string()).is_some()));
        assert!(metrics.define(Kind::Counter, "one more").is_none());
        assert!(metrics.define(Kind::Counter, "0").is_some());
    }
}
