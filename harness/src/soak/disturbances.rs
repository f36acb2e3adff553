//! What is broken, and changed, meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};

use super::history::History;
use super::people::{CLIENTS, broken_config, config, everybody};
use crate::dogcatcher::Fault;
use crate::gateway::{Ability, Gateway};
use crate::http1::ask;
use crate::stack::Stack;

/// All kinds, one after the other.
pub(super) struct Disturbances<'s> {
    stack: &'s Stack,
    history: &'s History,
    restarts: bool,
    policy: AtomicU64,
    counts: [AtomicU64; KINDS.len()],
}

#[derive(Clone, Copy)]
enum Kind {
    AnotherPolicy,
    BrokenPolicy,
    BrokenCertificate,
    UpstreamIsDown,
    UpstreamBreaksOff,
    UpstreamIsSlow,
    WorkersAnew,
}

const KINDS: [(Kind, &str); 7] = [
    (Kind::AnotherPolicy, "another policy"),
    (Kind::BrokenPolicy, "a broken policy"),
    (Kind::BrokenCertificate, "a broken certificate"),
    (Kind::UpstreamIsDown, "an upstream that is gone"),
    (Kind::UpstreamBreaksOff, "an upstream that breaks off in its answers"),
    (Kind::UpstreamIsSlow, "a slow upstream"),
    (Kind::WorkersAnew, "workers that start anew"),
];

impl<'s> Disturbances<'s> {
    pub(super) fn of(stack: &'s Stack, gateway: &dyn Gateway, history: &'s History) -> Self {
        let restarts = gateway.lacks(Ability::RestartsWorkers).is_none();
        Self { stack, history, restarts, policy: AtomicU64::new(0), counts: Default::default() }
    }

    /// How often each was made.
    pub(super) fn counts(&self) -> Vec<(&'static str, u64)> {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        KINDS.iter().map(|(_, name)| *name).zip(counts).collect()
    }

    /// Goes on until it is done.
    ///
    /// # Errors
    /// One cannot be made, or the gateway does not come back.
    pub(super) fn go_on(&self, done: &AtomicBool) -> anyhow::Result<()> {
        // Workers only in every eighth turn: to start them is much work, and between two starts memory is to settle.
        for (turn, (number, (kind, _))) in KINDS.iter().enumerate().cycle().enumerate() {
            if done.load(Ordering::Relaxed) {
                return Ok(());
            }
            let rests = turn / KINDS.len() % 8 != 7 || !self.restarts;
            if matches!(kind, Kind::WorkersAnew) && rests {
                continue;
            }
            self.make(*kind)?;
            self.counts[number].fetch_add(1, Ordering::Relaxed);
            pause();
        }
        Ok(())
    }

    fn make(&self, kind: Kind) -> anyhow::Result<()> {
        let Self { stack, history, .. } = self;
        match kind {
            Kind::AnotherPolicy => {
                let next = self.policy.fetch_add(1, Ordering::Relaxed) + 1;
                history.policy.change(|| stack.reconfigure(&self.config(next)))
            }
            Kind::BrokenPolicy => {
                ensure!(stack.reconfigure(&broken_config()).is_err(), "a broken policy is taken over");
                // Also in the file, for workers that start later.
                stack.reconfigure(&self.config(self.policy.load(Ordering::Relaxed)))
            }
            Kind::BrokenCertificate => {
                let client = CLIENTS[1];
                history.spoil(stack, client)?;
                pause();
                history.rotate(stack, client)
            }
            Kind::UpstreamIsDown => self.fail(Fault::Down),
            Kind::UpstreamBreaksOff => self.fail(Fault::ResetResponse),
            Kind::UpstreamIsSlow => {
                stack.dogcatcher().set_fault(Fault::Drip);
                pause();
                stack.dogcatcher().set_fault(Fault::None);
                Ok(())
            }
            Kind::WorkersAnew => history.trouble.change(|| {
                stack.gateway().restart_workers()?;
                self.wait_until_well()
            }),
        }
    }

    fn config(&self, number: u64) -> String {
        config(usize::from(!number.is_multiple_of(2)))
    }

    fn fail(&self, fault: Fault) -> anyhow::Result<()> {
        self.history.trouble.change(|| {
            self.stack.dogcatcher().set_fault(fault);
            pause();
            self.stack.dogcatcher().set_fault(Fault::None);
            self.wait_until_well()
        })
    }

    /// Asks until several requests in a row pass, each on a connection of its own.
    fn wait_until_well(&self) -> anyhow::Result<()> {
        let everybody = everybody(self.stack.keys())?;
        let (deadline, mut well) = (Instant::now() + Duration::from_secs(30), 0);
        while well < 20 {
            let answer = ask(self.stack.gateway().proxy(), &everybody[0].request);
            well = if matches!(answer, Ok((200, _))) { well + 1 } else { 0 };
            if Instant::now() > deadline {
                bail!("half a minute after the disturbance the answer is {answer:?}");
            }
        }
        Ok(())
    }
}

fn pause() {
    thread::park_timeout(Duration::from_millis(500));
}
