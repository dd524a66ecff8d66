//! Several programs on one file, against one emulated service that none of them owns: whichever is killed, the others
//! and the service go on.

use std::error::Error;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use perennial_core::providers::navien::{Login, Navien};
use perennial_core::store::{LOCK_TIMEOUT, STORE_TIMEOUT, Store};
use perennial_core::wire::Body;
use perennial_emulator::{Emulator, NavienSettings};
use perennial_file::FileStore;
use perennial_hyper::SessionBuilder;

use crate::args::Args;
use crate::live;
use crate::screen::Screen;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A service that nobody has called for so long ends.
const IDLE: Duration = Duration::from_secs(60);

pub(crate) async fn run(args: Args, file: &Path) -> Outcome {
    let screen = Screen::new(args.json);
    let address = service(file)?;
    screen.say(&format!("an emulated Navien service listens on {address}; its access tokens live 8 s"));
    screen.say(&format!("process {}: the session is in {}", std::process::id(), file.display()));
    let provider = Navien::new(&format!("http://{address}/api/v2.1"))?;
    let login = Login::new(NavienSettings::EMAIL, NavienSettings::PASSWORD)?;
    live::keep(screen, SessionBuilder::new(provider).login(login), None, &args).await
}

/// Where the service is. It is started if it does not run yet, on the port where it was: the session is bound to it.
fn service(file: &Path) -> Outcome<SocketAddr> {
    let mut place = file.to_path_buf().into_os_string();
    place.push(".service");
    let mut lock = FileStore::new(PathBuf::from(place)).lock(LOCK_TIMEOUT, LOCK_TIMEOUT)?;
    let noted = lock.read(STORE_TIMEOUT)?;
    let noted = noted.and_then(|text| std::str::from_utf8(text.as_ref()).ok()?.trim().parse::<SocketAddr>().ok());
    if let Some(address) = noted.filter(answers) {
        return Ok(address);
    }
    let address = match noted {
        Some(address) => address,
        None => std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?,
    };
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--serve").arg(address.port().to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C in this terminal is not meant for it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn()?;
    for _ in 0..100 {
        if answers(&address) {
            lock.write(&Body::from(address.to_string().into_bytes()), STORE_TIMEOUT)?;
            return Ok(address);
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err("the emulated service did not start".into())
}

fn answers(address: &SocketAddr) -> bool {
    TcpStream::connect_timeout(address, Duration::from_secs(1)).is_ok()
}

/// The service itself, in a process of its own.
pub(crate) fn serve(port: u16) -> Outcome {
    let settings = NavienSettings {
        access_lifetime: Duration::from_secs(8),
        aws_lifetime: Some(Duration::from_secs(11)),
        ..NavienSettings::default()
    };
    let service = Emulator::builder().port(port).navien(settings).start()?;
    let mut seen = 0;
    loop {
        thread::sleep(IDLE);
        let calls = service.requests().len();
        if std::mem::replace(&mut seen, calls) == calls {
            return Ok(());
        }
    }
}
