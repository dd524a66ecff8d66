//! Why a saved session cannot be imported.

/// Why a saved session cannot be taken up. Nothing is ever deleted because of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It is no saved session, or a damaged one. Put it aside and sign in.
    #[error("it is damaged or not a saved session: {what}")]
    Malformed {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A newer version of Perennial wrote it. Use that version.
    #[error("it has format {version}, newer than this program reads")]
    Newer {
        /// Its format.
        version: u64,
    },
    /// It belongs to another service, or to another address or client of this one (another
    /// [namespace](crate::Provider::namespace)). Use the one that it belongs to.
    #[error("it belongs to another service, or to another address of this one")]
    OtherProvider,
    /// It is of another account than the login. Use the login that it belongs to, or another place.
    #[error("it belongs to another account")]
    OtherAccount,
}
