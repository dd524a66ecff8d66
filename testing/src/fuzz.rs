//! Bodies of fuzz targets for a provider of your own, each of which takes any bytes and panics where a promise is
//! broken: [`answers`] gives its exchanges any answers, [`session`] gives a whole session any history. A target for
//! `cargo fuzz` is three lines:
//!
//! ```ignore
//! #![no_main]
//! use my_crate::tests::{login, provider};
//! libfuzzer_sys::fuzz_target!(|data: &[u8]| perennial_testing::fuzz::answers(&provider(), &login(), data));
//! ```
//!
//! A fuzzer that begins with nothing finds no grant in years. [`seeds`] makes a corpus of what a service answers that is
//! right:
//!
//! ```
//! use perennial_core::oauth2::Profile;
//! use perennial_core::providers::oauth2::{Login, OAuth2};
//! use perennial_testing::conformance::provider::ProviderUnderTest;
//! use perennial_testing::{FakeAnswer, FakeService, fuzz};
//!
//! let provider = OAuth2::new(Profile::new("https://auth.example/token", "my-app")?);
//! let login = Login::legacy_password("ann", "correct horse")?;
//! let token = r#"{"access_token":"at-1","token_type":"Bearer","expires_in":60,"refresh_token":"rt-1"}"#;
//! let service = FakeService::new().always("/token", FakeAnswer::json(200, token));
//! let under_test = ProviderUnderTest::new(provider.clone(), login.clone(), move |request, _| service.answer(request));
//!
//! for (name, seed) in fuzz::seeds(under_test) {
//!     // std::fs::write(format!("fuzz/corpus/answers/{name}"), &seed)?;
//!     println!("{name}:\n{}", String::from_utf8_lossy(&seed));
//!     fuzz::answers(&provider, &login, &seed);
//!     fuzz::session(&provider, &login, &seed);
//! }
//! fuzz::answers(&provider, &login, b"8\n--\n>1\n--\n200\n\n{\"access_token\":42}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the bytes mean
//!
//! Text, so that a corpus can be read and written by hand: parts with a line of `--` between them. The first part is one
//! byte that chooses what the clocks say (`8`: 14 November 2023). Any other part is an answer (its status, header lines,
//! an empty line, its body), or what to do, behind a `>`:
//!
//! | for [`answers`] | |
//! | --- | --- |
//! | `>0` … `>9` | begins an exchange of the first, … method of the access token, then of the AWS credentials; one more is the sign-out |
//!
//! | for [`session`], any number behind one `>` | |
//! | --- | --- |
//! | `d`, `D`; `r`, `R` | somebody wants the access token, the AWS credentials; renews them before their time |
//! | `x`, `X` | the API refuses them |
//! | `w`; `t`, `T` | sleeps until the session wants to be woken; a minute, a day passes |
//! | `l`; `n` | the answer to the request that is out is lost; it was not sent |
//! | `o`, `O` | signs out, and keeps or forgets the login |
//! | `i`, `a`, `f` | signs in; signs in again; forgets the login |
//! | `e`, `E` | goes on in another session with what was saved, with the login or without |
//! | `c` | the program ends |

mod answers;
mod check;
mod input;
mod seeds;
mod session;

pub use self::answers::answers;
pub use self::check::{check_error, check_grant, check_hidden, check_saved, check_validity, shown, written};
pub use self::input::clock;
pub use self::seeds::seeds;
pub use self::session::session;
