//! Files whose last good content stays in force, whatever becomes of them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use time::OffsetDateTime;

use super::certificate::{ClientCertificate, Unusable};
use super::identity::Digest;
use super::trust::Anchors;
use kong_config::regular;

/// What is read from files, all of them together.
pub trait Material: Sized {
    /// # Errors
    /// The files do not hold it, wholly and in agreement with each other.
    fn read(files: &[Vec<u8>]) -> Result<Self, Unusable>;

    /// # Errors
    /// It is out of its validity at `now`.
    fn check(&self, now: OffsetDateTime) -> Result<(), Unusable>;
}

/// Material with what is in force of it.
pub struct Watched<T> {
    /// Empty: it never changes.
    files: Vec<PathBuf>,
    state: RwLock<State<T>>,
    /// The version of which it was told last that it ends soon.
    told: Mutex<Option<Digest>>,
}

struct State<T> {
    in_force: Option<Arc<T>>,
    /// Of the files that `in_force` was read from.
    content: Option<Digest>,
    /// Why the files' present content was not taken.
    refused: Option<Refusal>,
}

#[derive(Clone, PartialEq)]
struct Refusal {
    content: Option<Digest>,
    why: Unusable,
}

/// What a look at the files found that was not there before.
pub struct Finding<T>(Result<(Arc<T>, Digest), Refusal>);

impl<T: Material> Watched<T> {
    pub fn fixed(value: T) -> Self {
        let state = State { in_force: Some(Arc::new(value)), content: None, refused: None };
        Self { files: Vec::new(), state: RwLock::new(state), told: Mutex::default() }
    }

    /// Nothing is in force until the first look.
    pub fn files(files: Vec<PathBuf>) -> Self {
        let refused = Refusal { content: None, why: Unusable::UnreadableFile("not read yet".into()) };
        let state = State { in_force: None, content: None, refused: Some(refused) };
        Self { files, state: RwLock::new(state), told: Mutex::default() }
    }

    /// # Errors
    /// Nothing good was ever seen here: why the files' present content is not good.
    pub fn in_force(&self) -> Result<Arc<T>, Unusable> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        match (&state.in_force, &state.refused) {
            (Some(value), _) => Ok(value.clone()),
            (None, Some(refusal)) => Err(refusal.why.clone()),
            (None, None) => Err(Unusable::Unknown),
        }
    }

    /// Why the files' present content is not what is in force.
    pub fn refused(&self) -> Option<Unusable> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.refused.as_ref().map(|refusal| refusal.why.clone())
    }

    /// Whether this version is asked about for the first time.
    pub(super) fn is_news(&self, version: Digest) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.replace(version) != Some(version)
    }

    pub fn paths(&self) -> &[PathBuf] {
        &self.files
    }

    /// Looks at the files; changes nothing. Reads them: not for the request path. By content, since
    /// Kubernetes swaps a symbolic link, and a copy may keep its time stamp.
    pub fn look(&self, now: OffsetDateTime) -> Option<Finding<T>> {
        if self.files.is_empty() {
            return None;
        }
        let read = self.files.iter().map(|path| {
            regular::read(path)
                .map_err(|error| Unusable::UnreadableFile(format!("{}: {error}", path.display())))
        });
        let found = match read.collect::<Result<Vec<_>, _>>() {
            Ok(contents) => {
                let content = Digest::of(contents.iter().map(Vec::as_slice));
                let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
                if state.content == Some(content) && state.refused.is_none() {
                    return None;
                }
                match T::read(&contents).and_then(|value| state.accept(value, now)) {
                    Ok(value) => Ok((Arc::new(value), content)),
                    Err(why) => Err(Refusal { content: Some(content), why }),
                }
            }
            Err(why) => Err(Refusal { content: None, why }),
        };
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        match &found {
            Err(refusal) if state.refused.as_ref() == Some(refusal) => None,
            _ => Some(Finding(found)),
        }
    }

    /// Takes what a look has found.
    ///
    /// # Errors
    /// It was not good; what was in force stays so.
    pub fn take(&self, Finding(found): Finding<T>) -> Result<Arc<T>, Unusable> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok((value, content)) => {
                // The same content again, after something else was refused: connections made with it serve on.
                if state.content != Some(content) || state.in_force.is_none() {
                    state.in_force = Some(value.clone());
                }
                state.content = Some(content);
                state.refused = None;
                Ok(value)
            }
            Err(refusal) => {
                let why = refusal.why.clone();
                state.refused = Some(refusal);
                Err(why)
            }
        }
    }
}

impl<T: Material> State<T> {
    /// What is out of its validity is worth less than what is within, and as much as nothing.
    fn accept(&self, value: T, now: OffsetDateTime) -> Result<T, Unusable> {
        let well_served = self.in_force.as_ref().is_some_and(|old| old.check(now).is_ok());
        if well_served {
            value.check(now)?;
        }
        Ok(value)
    }
}

impl Material for ClientCertificate {
    fn read(files: &[Vec<u8>]) -> Result<Self, Unusable> {
        match files {
            [chain, key] => Self::parse(chain, key),
            _ => Err(Unusable::NoKey),
        }
    }

    fn check(&self, now: OffsetDateTime) -> Result<(), Unusable> {
        self.leaf.check(now)
    }
}

impl Material for Anchors {
    fn read(files: &[Vec<u8>]) -> Result<Self, Unusable> {
        Self::parse(&files.concat())
    }

    /// An anchor's own dates decide nothing.
    fn check(&self, _now: OffsetDateTime) -> Result<(), Unusable> {
        Ok(())
    }
}
