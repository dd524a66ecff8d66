//! Putting credentials into the headers of an API call.

use std::hint::black_box;
use std::time::Instant;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, Uri};
use perennial_adapter::SystemClock;
use perennial_bench::aims::Aims;
use perennial_bench::measure::Contest;
use perennial_bench::service::{Service, at_once, runtime};
use perennial_core::LeaseId;

const INSERT: &str = "limit: insert a clone of a header value";
const AUTHORIZE: &str = "**Session::authorize**";
const READ: &str = "**Session::current** alone";

pub(crate) fn print() {
    let service = Service::start();
    let runtime = runtime();
    let _inside = runtime.enter();
    let session = runtime.block_on(perennial_hyper::Connector::new().connect(service.setup().clock(SystemClock)));
    let session = session.expect("the emulator signs in");
    let threaded = perennial_blocking::Connector::new().connect(service.setup().clock(SystemClock));
    let threaded = threaded.expect("the emulator signs in");
    let held = session.current(LeaseId::Access).expect("signed in").to_arc();

    let [mut a, mut b, mut c, mut d] = [(); 4].map(|()| HeaderMap::with_capacity(8));
    let uri = Uri::from_static("https://api.example/devices");
    let token = held.access().expose();
    let results = Contest::new("`authorize`, 1 thread")
        .enter(INSERT, || a.insert(AUTHORIZATION, held.bearer().clone()))
        .enter(READ, || session.current(LeaseId::Access))
        .enter_timed(AUTHORIZE, |iterations| {
            let task = async {
                let start = Instant::now();
                for _ in 0..iterations {
                    black_box(session.authorize(&Method::GET, &uri, &mut b).await?);
                }
                Ok(start.elapsed())
            };
            at_once(task).expect("valid ones are held")
        })
        .enter("**Session::authorize**, blocking", || threaded.authorize(&Method::GET, &uri, &mut c).is_ok())
        .enter("by hand: `format!`, check, mark, insert", || {
            let mut value = HeaderValue::try_from(format!("Bearer {token}")).expect("a token is a header value");
            value.set_sensitive(true);
            d.insert(AUTHORIZATION, value)
        })
        .run();
    println!("{results}");

    let mut aims = Aims::default();
    let limit = results.best(READ) + results.best(INSERT);
    aims.note(format!("{AUTHORIZE} within 1.1 × (a read + the insert)"), "ns", results.best(AUTHORIZE), 1.1 * limit);
    println!("{aims}");
}
