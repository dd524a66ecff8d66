//! What kind of a fleet it is, and what troubles it.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};

use super::random::Random;

/// The most processes of a fleet.
pub const MOST_PROCESSES: u8 = 16;

/// A fleet and its troubles. The seed decides all that is left open here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// The seed.
    pub seed: u64,
    /// How many processes share the store: 1 to [`MOST_PROCESSES`].
    pub processes: u8,
    /// What kind of a store.
    pub store: StoreKind,
    /// How long access tokens live.
    pub lifetime: Lifetime,
    /// Stores that are slow, fail, hang and go down.
    pub store_trouble: Level,
    /// Requests that are lost, late or refused, and a service that goes down.
    pub service_trouble: Level,
    /// Processes that die, at any step.
    pub crashes: Level,
    /// Clocks that are wrong, jump or stop; processes that are halted.
    pub clock_trouble: Level,
    /// People who sign in and out, change the password, forget the login.
    pub people: Level,
    /// A store that is emptied, damaged or set back to an older state.
    pub forgetting: Level,
    /// A fault on purpose.
    pub sabotage: Option<Sabotage>,
}

/// What kind of a store it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub enum StoreKind {
    /// Its lock is held until it is given back, or its process dies: a file on this machine.
    Kernel,
    /// Its lock ends by itself, and writes of those who held it before are refused: a server.
    Lease,
}

/// How long access tokens live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
pub enum Lifetime {
    /// 20 seconds.
    Short,
    /// 5 minutes.
    Medium,
    /// An hour.
    Long,
}

/// How much of a trouble there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Arbitrary)]
pub enum Level {
    /// None.
    Never,
    /// A little.
    Rare,
    /// So much that little works.
    Often,
}

/// A fault that is built in on purpose: the observer has to name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// The store locks for everybody at once.
    LockIgnored,
    /// The store says that it has written, and has not.
    WritesLost,
    /// The store gives half of a record.
    TornReads,
    /// The lock of a server ends sooner than it says, and it lets those write who held it.
    LockEndsEarly,
    /// A session takes any lock for given.
    BeginsWithoutLock,
    /// A session sends a one-use token that is not marked.
    SendsWithoutMark,
    /// A session announces what is not yet saved.
    TellsBeforeSaving,
    /// A session goes on with the first record that it has read.
    IgnoresNewer,
    /// A session does not see the marks of others.
    IgnoresMarks,
    /// A session never gives a lock back.
    KeepsLock,
    /// A session does not clear the store when somebody signs out.
    ForgetsToClear,
    /// A session does not see that another one has signed out.
    IgnoresSignOuts,
    /// A session does not see what others have met at the service.
    IgnoresFailures,
    /// A session makes its callers wait while the store is busy.
    WaitsForStore,
    /// A session wants to be woken at once, again and again.
    Spins,
    /// A program ends in the middle of whatever its session does.
    EndsAtOnce,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Sabotage; 16] = [
        Sabotage::LockIgnored,
        Sabotage::WritesLost,
        Sabotage::TornReads,
        Sabotage::LockEndsEarly,
        Sabotage::BeginsWithoutLock,
        Sabotage::SendsWithoutMark,
        Sabotage::TellsBeforeSaving,
        Sabotage::IgnoresNewer,
        Sabotage::IgnoresMarks,
        Sabotage::KeepsLock,
        Sabotage::ForgetsToClear,
        Sabotage::IgnoresSignOuts,
        Sabotage::IgnoresFailures,
        Sabotage::WaitsForStore,
        Sabotage::Spins,
        Sabotage::EndsAtOnce,
    ];
}

impl Scenario {
    /// The fleet of this seed.
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x666c_6565_7400_0000);
        let mut level = || random.pick(Level::Never, &[Level::Rare, Level::Rare, Level::Often]);
        let (store_trouble, service_trouble, crashes) = (level(), level(), level());
        let (clock_trouble, people) = (level(), level());
        let forgetting = if random.one_in(4) { random.pick(Level::Rare, &[Level::Often]) } else { Level::Never };
        let most = random.pick(3, &[5, 8, u64::from(MOST_PROCESSES)]);
        let processes = u8::try_from(1 + random.below(most)).unwrap_or(MOST_PROCESSES);
        Self {
            seed,
            processes,
            store: random.pick(StoreKind::Kernel, &[StoreKind::Lease]),
            lifetime: random.pick(Lifetime::Short, &[Lifetime::Medium, Lifetime::Medium, Lifetime::Long]),
            store_trouble,
            service_trouble,
            crashes,
            clock_trouble,
            people,
            forgetting,
            sabotage: None,
        }
    }

    /// With a fault on purpose.
    #[must_use]
    pub fn with(mut self, sabotage: Sabotage) -> Self {
        self.sabotage = Some(sabotage);
        self
    }

    pub(super) fn is(&self, sabotage: Sabotage) -> bool {
        self.sabotage == Some(sabotage)
    }
}

impl<'a> Arbitrary<'a> for Scenario {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self {
            seed: bytes.arbitrary()?,
            processes: bytes.int_in_range(1..=MOST_PROCESSES)?,
            store: bytes.arbitrary()?,
            lifetime: bytes.arbitrary()?,
            store_trouble: bytes.arbitrary()?,
            service_trouble: bytes.arbitrary()?,
            crashes: bytes.arbitrary()?,
            clock_trouble: bytes.arbitrary()?,
            people: bytes.arbitrary()?,
            forgetting: bytes.arbitrary()?,
            sabotage: None,
        })
    }
}

impl Lifetime {
    pub(super) fn access(self) -> Duration {
        Duration::from_secs(match self {
            Lifetime::Short => 20,
            Lifetime::Medium => 300,
            Lifetime::Long => 3600,
        })
    }

    /// How long the troubles go on.
    pub(super) fn horizon(self) -> Duration {
        self.access() * 5 + Duration::from_secs(200)
    }
}

impl Level {
    /// A share of a thousand.
    pub(super) fn share(self, rare: u64, often: u64) -> u64 {
        match self {
            Level::Never => 0,
            Level::Rare => rare,
            Level::Often => often,
        }
    }
}
