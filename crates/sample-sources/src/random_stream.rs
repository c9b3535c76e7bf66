//! Independent streams of randomness from one seed.

use rand::{SeedableRng as _, rngs::StdRng};

/// What a stream is for. Each purpose has its own streams, so that drawing more for one
/// never shifts another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// A company's character.
    Profile,
    /// A company's activity on a day.
    Usage,
    /// When a contact takes place.
    Contact,
}

impl Purpose {
    const fn number(self) -> u32 {
        match self {
            Self::Profile => 1,
            Self::Usage => 2,
            Self::Contact => 3,
        }
    }
}

/// The source of all randomness of a world.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RandomStreams {
    pub(crate) seed: u64,
}

impl RandomStreams {
    /// The stream of one company for one purpose at one point: a day, a count.
    ///
    /// The whole key goes into the generator's 256-bit seed, so streams are unrelated
    /// and each can be created without drawing the others.
    pub(crate) fn stream(self, purpose: Purpose, company: u64, at: i64) -> StdRng {
        let mut key = [0; 32];
        let parts = self.seed.to_le_bytes().into_iter().chain(company.to_le_bytes());
        let parts = parts.chain(at.to_le_bytes()).chain(purpose.number().to_le_bytes());
        for (slot, byte) in key.iter_mut().zip(parts) {
            *slot = byte;
        }
        StdRng::from_seed(key)
    }
}
