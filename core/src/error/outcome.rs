//! What a failure means for the next attempt.

/// What a failed exchange means for the next attempt: whether the service processed the request, and what to try next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The service rejected the request: the session goes on to the next method. If the method consumes a login
    /// attempt, that login is not used again.
    Rejected,
    /// The service has no such endpoint: the session goes on to the next method, and looks for this endpoint again
    /// after some minutes.
    Unsupported,
    /// The service certainly did not process the request: the session tries the same method later.
    NotProcessed,
    /// The service may have processed the request: the session tries the same method later, but does not blindly repeat
    /// a one-use refresh token.
    Indeterminate,
}
