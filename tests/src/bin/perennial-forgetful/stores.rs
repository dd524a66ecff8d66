//! A session in a file, in the clear and encrypted: what is read back, and the key.

use std::path::PathBuf;

use perennial_core::providers::navien::{Login, Navien};
use perennial_core::store::{STORE_TIMEOUT, Store, StoreDriver};
use perennial_core::{LeaseId, Policy, Session, SignOut};
use perennial_file::{FileStore, Key};
use perennial_tests::forgetful::Secrets;

use crate::answers::{Held, answer, drive, now};

/// A directory that goes when the scene is over.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn play(secrets: Secrets) -> Held {
    let directory = Directory(std::env::temp_dir().join(format!("perennial-forgetful-{}", std::process::id())));
    let service = move |_: &_| {
        let (access, refresh) = (secrets.get("stores access"), secrets.get("stores refresh"));
        let (open, next) = (r#"{"code":200,"data":{"token":{"accessToken":""#, r#"","refreshToken":""#);
        answer(200, &[open, &access, next, &refresh, r#"","authenticationExpiresIn":3600}}}"#])
    };
    let mut held: Held = Ok(Vec::new());
    for encrypted in ["clear", "encrypted"] {
        let mut store = FileStore::new(directory.0.join(encrypted));
        if encrypted == "encrypted" {
            let text = secrets.get("stores key");
            let (bytes, _) = text.as_bytes().split_first_chunk::<32>().ok_or("a key has 32 bytes")?;
            store = store.encrypted_with(Key::from_bytes(bytes));
        }
        let login = Login::new("grower@example.com", secrets.get("stores password").as_str())?;
        let policy = Policy::default().persist_login();
        let mut session = Session::new(Navien::default(), login, policy, 1).with_store();
        let mut keeper = StoreDriver::new(store.clone());
        session.demand(LeaseId::Access, now(0));
        drive(&mut session, Some(&mut keeper), &service, now(0))?;
        let record = store.read(STORE_TIMEOUT)?.ok_or("nothing was saved")?;

        // Another goes on with it, and signs out.
        let mut other = Session::new(Navien::default(), None, policy, 2).with_store();
        let mut its_keeper = StoreDriver::new(store.clone());
        other.demand(LeaseId::Access, now(1));
        drive(&mut other, Some(&mut its_keeper), &service, now(1))?;
        let credentials = other.credentials(LeaseId::Access, now(1)).ok_or("nothing was taken up")?.clone();
        other.sign_out(SignOut::ForgetLogin, now(2));
        drive(&mut other, Some(&mut its_keeper), &service, now(2))?;
        held.as_mut().map_err(|_| "an error")?.push(Box::new((session, keeper, store, record, other, credentials)));
    }
    held.as_mut().map_err(|_| "an error")?.push(Box::new(directory));
    held
}
