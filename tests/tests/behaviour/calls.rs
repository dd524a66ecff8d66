//! A caller with a request at hand: authorize, send, judge, and once again. Over both adapters, with the session and with
//! its source.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use perennial_adapter::{Clock, SessionBuilder};
use perennial_core::providers::navien::{Exchange, Login, Navien};
use perennial_core::{Call, Consumes, Credentials, Error, Judgement, LeaseId, Provider};
use perennial_emulator::Endpoint;
use perennial_tests::{World, login};
use tokio::runtime::Runtime;

/// Navien, with an API that wants each call signed, and refuses credentials in a way of its own.
#[derive(Clone)]
struct Signing(Navien);

impl Provider for Signing {
    type Login = Login;
    type Method = <Navien as Provider>::Method;
    type Exchange = Exchange;

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn namespace(&self) -> String {
        self.0.namespace()
    }

    fn account_id<'a>(&self, login: &'a Login) -> Option<&'a str> {
        self.0.account_id(login)
    }

    fn methods(&self, lease_id: LeaseId) -> &'static [Self::Method] {
        self.0.methods(lease_id)
    }

    fn consumes(&self, method: Self::Method) -> Consumes {
        self.0.consumes(method)
    }

    fn requires(&self, method: Self::Method) -> Option<LeaseId> {
        self.0.requires(method)
    }

    fn method_name(&self, method: Self::Method) -> &'static str {
        self.0.method_name(method)
    }

    fn begin(&self, method: Self::Method, login: Option<&Login>, have: Option<&Credentials>) -> Option<Exchange> {
        self.0.begin(method, login, have)
    }

    fn sign_out(&self, have: &Credentials) -> Option<Exchange> {
        self.0.sign_out(have)
    }

    fn authorize(&self, call: &Call<'_>, credentials: &Credentials, headers: &mut HeaderMap) {
        let signed = format!("{} {} {}", call.method, call.uri, call.now.unix_millis());
        headers.insert("x-signed", signed.parse().unwrap());
        self.0.authorize(call, credentials, headers);
    }

    fn judge(&self, call: &Call<'_>, status: StatusCode, headers: &HeaderMap) -> Judgement {
        let refused = status == StatusCode::FORBIDDEN && headers.contains_key("x-refused");
        if refused && call.uri.path() == "/devices" { Judgement::Rejected } else { Judgement::Accepted }
    }
}

/// What a caller has: a session or a source.
trait Caller {
    fn authorize(&self, method: &Method, uri: &Uri, headers: &mut HeaderMap) -> Result<Arc<Credentials>, Error>;
    fn authorize_request(&self, request: &mut Request<()>) -> Result<Arc<Credentials>, Error>;
    fn judge(&self, method: &Method, uri: &Uri, status: StatusCode, headers: &HeaderMap) -> Judgement;
    fn rejected(&self, credentials: &Credentials);
}

/// On a runtime.
struct Tasks<T>(T, Runtime);

macro_rules! in_tasks {
    ($held:ty) => {
        impl Caller for Tasks<$held> {
            fn authorize(
                &self,
                method: &Method,
                uri: &Uri,
                headers: &mut HeaderMap,
            ) -> Result<Arc<Credentials>, Error> {
                Ok(self.1.block_on(self.0.authorize(method, uri, headers))?.to_arc())
            }
            fn authorize_request(&self, request: &mut Request<()>) -> Result<Arc<Credentials>, Error> {
                Ok(self.1.block_on(self.0.authorize_request(request))?.to_arc())
            }
            fn judge(&self, method: &Method, uri: &Uri, status: StatusCode, headers: &HeaderMap) -> Judgement {
                self.0.judge(method, uri, status, headers)
            }
            fn rejected(&self, credentials: &Credentials) {
                let _inside = self.1.enter();
                self.0.rejected(LeaseId::Access, credentials);
            }
        }
    };
}

in_tasks!(perennial_hyper::Session<Signing>);
in_tasks!(perennial_hyper::CredentialSource);

macro_rules! in_threads {
    ($held:ty) => {
        impl Caller for $held {
            fn authorize(
                &self,
                method: &Method,
                uri: &Uri,
                headers: &mut HeaderMap,
            ) -> Result<Arc<Credentials>, Error> {
                Ok(self.authorize(method, uri, headers)?.to_arc())
            }
            fn authorize_request(&self, request: &mut Request<()>) -> Result<Arc<Credentials>, Error> {
                Ok(self.authorize_request(request)?.to_arc())
            }
            fn judge(&self, method: &Method, uri: &Uri, status: StatusCode, headers: &HeaderMap) -> Judgement {
                self.judge(method, uri, status, headers)
            }
            fn rejected(&self, credentials: &Credentials) {
                self.rejected(LeaseId::Access, credentials);
            }
        }
    };
}

in_threads!(perennial_blocking::Session<Signing>);
in_threads!(perennial_blocking::CredentialSource);

fn setup(world: &World) -> SessionBuilder<Signing> {
    SessionBuilder::new(Signing(world.provider())).login(login()).clock(world.clock.clone()).seed(1)
}

fn hyper(world: &World) -> Tasks<perennial_hyper::Session<Signing>> {
    let runtime = Runtime::new().unwrap();
    let session = runtime.block_on(perennial_hyper::Connector::new().connect(setup(world))).unwrap();
    Tasks(session, runtime)
}

fn blocking(world: &World) -> perennial_blocking::Session<Signing> {
    perennial_blocking::Connector::new().connect(setup(world)).unwrap()
}

/// The API: it gives these answers, one for each connection, and tells the heads of the requests.
fn api(answers: Vec<&'static str>) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heads = move || {
        let mut heads = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            heads.push(String::from_utf8(head).unwrap());
            write!(stream, "HTTP/1.1 {answer}\r\nconnection: close\r\n\r\n").unwrap();
        }
        heads
    };
    (address, thread::spawn(heads))
}

/// A client of the caller's own.
fn send(request: &Request<()>) -> Response<()> {
    let uri = request.uri();
    let mut stream = TcpStream::connect(uri.authority().unwrap().as_str()).unwrap();
    write!(stream, "{} {} HTTP/1.1\r\nhost: api\r\n", request.method(), uri.path_and_query().unwrap()).unwrap();
    for (name, value) in request.headers() {
        write!(stream, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
    }
    stream.write_all(b"\r\n").unwrap();
    let mut head = String::new();
    stream.read_to_string(&mut head).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let mut answer = Response::builder().status(status);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        answer = answer.header(name, value);
    }
    answer.body(()).unwrap()
}

const REFUSED: &str = "403 Forbidden\r\nx-refused: 1";

/// A call as the README has it.
fn call(caller: &impl Caller, request: &mut Request<()>) -> StatusCode {
    let shown = caller.authorize_request(request).unwrap();
    let mut answer = send(request);
    if caller.judge(request.method(), request.uri(), answer.status(), answer.headers()) == Judgement::Rejected {
        caller.rejected(&shown);
        caller.authorize_request(request).unwrap();
        answer = send(request);
    }
    answer.status()
}

fn a_call_whose_credentials_are_rejected_is_repeated_with_new_ones(world: &World, caller: &impl Caller) {
    world.pass_seconds(120);
    let (address, heads) = api(vec![REFUSED, "200 OK"]);
    let uri = format!("http://{address}/devices?count=20");
    let mut request = Request::put(&uri).header("x-mine", "kept").body(()).unwrap();
    assert_eq!(call(caller, &mut request), StatusCode::OK);
    let heads = heads.join().unwrap();
    let signed = format!("x-signed: PUT {uri} {}\r\n", world.clock.wall().unix_millis());
    let token = |head: &str| head.lines().find_map(|line| line.strip_prefix("authorization: ").map(str::to_owned));
    assert!(heads.iter().all(|head| head.contains(&signed) && head.contains("x-mine: kept\r\n")), "{heads:?}");
    assert_ne!(token(&heads[0]).unwrap(), token(&heads[1]).unwrap());
    assert_eq!(world.requests_to(Endpoint::Refresh), 1);
}

fn a_call_that_fails_for_another_reason_renews_nothing(world: &World, caller: &impl Caller) {
    let (address, heads) = api(vec!["403 Forbidden", "401 Unauthorized", REFUSED]);
    for path in ["devices", "devices", "elsewhere"] {
        let mut request = Request::get(format!("http://{address}/{path}")).body(()).unwrap();
        assert!(call(caller, &mut request).is_client_error());
    }
    assert_eq!(heads.join().unwrap().len(), 3);
    assert_eq!(world.requests_to(Endpoint::Refresh), 0);
}

fn headers_are_authorized_as_a_request_is(_: &World, caller: &impl Caller) {
    let mut request = Request::get("http://api.example/devices").body(()).unwrap();
    let mut headers = HeaderMap::new();
    let shown = caller.authorize(request.method(), request.uri(), &mut headers).unwrap();
    let same = caller.authorize_request(&mut request).unwrap();
    assert_eq!(&headers, request.headers());
    assert!(Arc::ptr_eq(&shown, &same) && headers.contains_key("x-signed"));
}

/// The test in each way in which a caller may hold a session.
macro_rules! for_each_caller {
    ($($test:ident)*) => {$(
        mod $test {
            use super::*;

            #[test]
            fn over_hyper() {
                let world = World::new();
                super::$test(&world, &hyper(&world));
            }

            #[test]
            fn over_hyper_by_a_source() {
                let world = World::new();
                let Tasks(session, runtime) = hyper(&world);
                super::$test(&world, &Tasks(session.source(), runtime));
            }

            #[test]
            fn over_threads() {
                let world = World::new();
                super::$test(&world, &blocking(&world));
            }

            #[test]
            fn over_threads_by_a_source() {
                let world = World::new();
                super::$test(&world, &blocking(&world).source());
            }
        }
    )*};
}

for_each_caller! {
    a_call_whose_credentials_are_rejected_is_repeated_with_new_ones
    a_call_that_fails_for_another_reason_renews_nothing
    headers_are_authorized_as_a_request_is
}
