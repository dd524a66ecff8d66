//! What is saved: a session, a store's record, other programs' files.

use crate::check::{check_hidden, check_saved, check_silent, check_validity, clock};
use perennial_core::ImportError;
use perennial_core::credentials::same_account;
use perennial_core::credentials::{LeaseId, Secret};
use perennial_core::exchange::Provider;
use perennial_core::session::{Input, Output, Policy, Session};
use perennial_core::store::{Record, SavedSession};
use perennial_core::store::{StoreCommand, StoreReply};
use perennial_core::wire::Body;
use perennial_testing::{Toy, Who};

/// More outputs than a session has to say about one record.
const MOST_OUTPUTS: u32 = 64;

/// Any bytes as a saved session: what is read is written back the same, within bounds; an error repeats nothing. The
/// first byte chooses the clocks.
///
/// # Panics
/// Where that does not hold.
pub(super) fn saved(data: &[u8]) {
    let Some((clocks, data)) = data.split_first() else { return };
    let now = clock(*clocks);
    let read = SavedSession::parse(data, now);
    check(&read, now);
    if let (Ok(one), Ok(other)) = (read, SavedSession::parse(data, now)) {
        assert!(one.to_json().expose() == other.to_json().expose(), "read in two ways");
    }
}

fn check(read: &Result<SavedSession, ImportError>, now: perennial_core::Now) {
    match read {
        Ok(saved) => {
            check_saved(saved, now);
            let credentials = saved.credentials();
            LeaseId::ALL
                .into_iter()
                .filter_map(|lease_id| credentials.validity(lease_id))
                .for_each(|validity| check_validity(validity, now));
            let mut secrets = vec![credentials.access().expose()];
            assert!(!secrets[0].is_empty(), "an empty token");
            secrets.extend(credentials.refresh_token().map(Secret::expose));
            secrets.extend(credentials.aws().map(|aws| aws.session_token().expose()));
            let open = [saved.provider(), &credentials.account().id];
            check_hidden(&format!("{credentials:?} {saved}"), &secrets, &open);
        }
        Err(error) => check_silent(*error),
    }
}

/// Any bytes as the record of a store: what is read is written back the same, what stands beside the session too; a
/// session that finds it takes up, leaves or sets aside what it should. The first byte chooses the clocks.
///
/// # Panics
/// Where that does not hold.
pub(super) fn record(data: &[u8]) {
    let Some((clocks, data)) = data.split_first() else { return };
    let now = clock(*clocks);
    let read = Record::parse(data, now);
    match &read {
        Ok(record) => {
            let written = record.to_body();
            match Record::parse(written.as_ref(), now) {
                Ok(again) => {
                    assert!(written.as_ref() == again.to_body().as_ref(), "written back otherwise");
                    let same = std::mem::discriminant(&record.state) == std::mem::discriminant(&again.state);
                    assert!(same, "{:?} became {:?}", record.state, again.state);
                }
                Err(error) => panic!("a record is not read back: {error}"),
            }
        }
        Err(error) => check_silent(*error),
    }
    let left = match read {
        Err(ImportError::Malformed { .. }) => false,
        Err(_) => true,
        Ok(record) => {
            let theirs = record.credentials().map_or("", |held| held.account().id.as_str());
            let another = !theirs.is_empty() && !same_account(theirs, Who::Ann.user());
            record.provider != Toy.name() || record.namespace != Toy.namespace() || another
        }
    };
    find(data, left, now);
}

/// A session with a login finds this in its store. `left`: it is somebody else's.
fn find(data: &[u8], left: bool, now: perennial_core::Now) {
    let mut session = Session::new(Toy, Some(Who::Ann.login()), Policy::default(), 7).with_store();
    session.demand(LeaseId::Access, now);
    let mut record = Some(Body::from(data.to_vec()));
    for _ in 0..MOST_OUTPUTS {
        match session.poll_output() {
            Output::Store(op) => {
                let stored = match op.command {
                    StoreCommand::Read => StoreReply::Read(record.clone()),
                    StoreCommand::Lock { ttl } => StoreReply::Locked { record: record.clone(), remaining: Some(ttl) },
                    StoreCommand::Write { record: written, .. } | StoreCommand::Clear { record: written, .. } => {
                        assert!(!left, "somebody else's record is written over");
                        assert!(Record::parse(written.as_ref(), now).is_ok(), "nobody can read what is written");
                        record = Some(written);
                        StoreReply::Done
                    }
                    StoreCommand::Quarantine { .. } | StoreCommand::Retire { .. } => {
                        assert!(!left, "somebody else's record is set aside");
                        record = None;
                        StoreReply::Done
                    }
                    StoreCommand::Unlock { .. } => StoreReply::Done,
                };
                session.handle_input(Input::Store(op.id, Ok(stored)), now);
            }
            // Whoever asks for more goes on as the sequences do.
            Output::Send(_) | Output::Sleep(_) => break,
            Output::Cancel(_) => {}
            Output::Event(event) => assert!(event.to_string().len() < 1000, "an event as long as the record"),
        }
    }
    if let Some(held) = session.held() {
        assert!(!left, "somebody else's credentials are taken up");
        let shown = format!("{session:?}");
        check_hidden(&shown, &[held.access().expose()], &[&held.account().id]);
    }
}

/// Any bytes as what the Python client of Navien left behind: as any saved session; what is written for that client is
/// read back with the same tokens and deadlines, to the second. The first byte chooses the clocks.
///
/// # Panics
/// Where that does not hold.
pub(super) fn saved_python(data: &[u8]) {
    use perennial_core::providers::navien::{Navien, write_python, write_python_local};

    let Some((clocks, data)) = data.split_first() else { return };
    let (now, navien) = (clock(*clocks), Navien::default());
    let read = navien.read_saved_session(data, now);
    check(&read, now);
    let Ok(saved) = read else { return };
    let credentials = saved.credentials();
    let written = write_python(credentials);
    let again = navien.read_saved_session(written.expose().as_bytes(), now);
    let again = again.unwrap_or_else(|error| panic!("not read back: {error}")).into_credentials();
    let tokens = |held: &perennial_core::Credentials| {
        let aws = held.aws();
        let parts =
            aws.map(|aws| [aws.access_key_id(), aws.secret_access_key(), aws.session_token()].map(Secret::expose));
        format!("{} {:?} {parts:?}", held.access().expose(), held.refresh_token().map(Secret::expose))
    };
    assert!(tokens(credentials) == tokens(&again), "other tokens");
    for lease_id in LeaseId::ALL {
        // A deadline that nobody knew stays unknown for AWS, and is an hour for the access token.
        let (Some(old), Some(new)) = (credentials.validity(lease_id), again.validity(lease_id)) else { continue };
        let (Some(old), Some(new)) = (old.deadline(), new.deadline()) else { continue };
        let moved = new.wall.since(old.wall).unsigned_abs();
        let sound = |moment: perennial_core::Timestamp| (0..253_402_300_799_999).contains(&moment.unix_millis());
        // One issue stands for both leases: what ends more than a year after it is cut.
        let issued = credentials.aws().map_or(i64::MAX, |aws| aws.validity().issued_at().unix_millis());
        let issued = perennial_core::Timestamp::from_unix_millis(issued.min(credentials.issued_at().unix_millis()));
        let whole =
            sound(old.wall) && sound(issued) && old.wall.since(issued) < perennial_core::credentials::MAX_LIFETIME;
        assert!(
            !whole || moved <= std::time::Duration::from_secs(1) || old.is_past(now),
            "{lease_id}: moved by {moved:?}"
        );
    }
    // By its own clock, wherever it is.
    let local = write_python_local(credentials, i32::from(clocks & 0x3f) * 900);
    assert!(navien.read_saved_session(local.expose().as_bytes(), now).is_ok(), "the local form is not read back");
}

/// Any bytes as what is saved for Auth0, a bare JWT too: as any saved session, and its token is a JWT. The first byte
/// chooses the clocks.
///
/// # Panics
/// Where that does not hold.
pub(super) fn saved_jwt(data: &[u8]) {
    use perennial_core::providers::auth0::{Auth0, JwtStatus, validate};

    let Some((clocks, data)) = data.split_first() else { return };
    let (now, auth0) = (clock(*clocks), Auth0::angel_studios());
    let read = auth0.read_saved_session(data, now);
    check(&read, now);
    if let Ok(saved) = read {
        assert_ne!(validate(saved.credentials().access().expose(), now), JwtStatus::Unreadable);
        let again = auth0.read_saved_session(saved.to_json().expose().as_bytes(), now);
        assert!(again.is_ok_and(|again| again.to_json().expose() == saved.to_json().expose()), "not read back");
    }
}
