//! The socket in the data directory.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Its name in the data directory.
pub const SOCKET: &str = "admin.sock";

/// Bytes that an address of a Unix socket holds, with some to spare.
const MAX_PATH_BYTES: usize = 100;

/// A path for the socket that fits an address. The directory of a longer one is
/// held open, and named by its descriptor.
struct Address {
    path: PathBuf,
    _directory: Option<File>,
}

impl Address {
    fn of(directory: &Path) -> io::Result<Self> {
        let path = directory.join(SOCKET);
        if path.as_os_str().len() < MAX_PATH_BYTES {
            return Ok(Self {
                path,
                _directory: None,
            });
        }
        let opened = File::open(directory)?;
        let by_descriptor = format!("/proc/self/fd/{}", opened.as_raw_fd());
        Ok(Self {
            path: Path::new(&by_descriptor).join(SOCKET),
            _directory: Some(opened),
        })
    }
}

/// Listens in `directory`, which the caller holds alone: a socket that is there
/// was left by a broker that is gone. Only the owner may connect.
///
/// # Errors
/// What the operating system has against it.
pub fn bind(directory: &Path) -> io::Result<UnixListener> {
    let address = Address::of(directory)?;
    match std::fs::remove_file(&address.path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&address.path)?;
    std::fs::set_permissions(&address.path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

pub(crate) async fn connect(directory: &Path) -> io::Result<UnixStream> {
    let address = Address::of(directory)?;
    UnixStream::connect(&address.path).await
}
