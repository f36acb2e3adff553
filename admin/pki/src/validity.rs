use time::{Duration, OffsetDateTime};

use super::Error;

/// From when until when a certificate is valid, both ends included, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

impl Validity {
    /// Clocks of machines that meet differ by seconds; by minutes where nobody keeps them.
    pub(super) const BACKDATE: Duration = Duration::minutes(5);

    /// # Errors
    /// [`Error::EmptyValidity`]: the end is not after the beginning.
    pub fn between(not_before: OffsetDateTime, not_after: OffsetDateTime) -> Result<Self, Error> {
        let (not_before, not_after) = (not_before.truncate_to_second(), not_after.truncate_to_second());
        if not_before < not_after { Ok(Self { not_before, not_after }) } else { Err(Error::EmptyValidity) }
    }

    /// From now, less a backdate for clocks that are behind, until `length` from now.
    ///
    /// # Errors
    /// [`Error::EmptyValidity`]: beyond the year 9999, or negative.
    pub fn lasting(length: Duration) -> Result<Self, Error> {
        let now = OffsetDateTime::now_utc();
        Self::between(now - Self::BACKDATE, now.checked_add(length).ok_or(Error::EmptyValidity)?)
    }

    /// As [`Validity::lasting`].
    ///
    /// # Errors
    /// [`Error::EmptyValidity`]: beyond the year 9999.
    pub fn days(days: u32) -> Result<Self, Error> {
        Self::lasting(Duration::days(days.into()))
    }

    /// Ended yesterday.
    #[must_use]
    pub fn expired() -> Self {
        let now = OffsetDateTime::now_utc().truncate_to_second();
        Self { not_before: now - Duration::days(10), not_after: now - Duration::days(1) }
    }

    /// Begins tomorrow.
    #[must_use]
    pub fn not_yet() -> Self {
        let now = OffsetDateTime::now_utc().truncate_to_second();
        Self { not_before: now + Duration::days(1), not_after: now + Duration::days(10) }
    }

    #[must_use]
    pub fn not_before(&self) -> OffsetDateTime {
        self.not_before
    }

    #[must_use]
    pub fn not_after(&self) -> OffsetDateTime {
        self.not_after
    }

    /// The same beginning, and the end no later than `limit`.
    pub(super) fn until(self, limit: OffsetDateTime) -> Self {
        Self { not_after: self.not_after.min(limit), ..self }
    }
}
