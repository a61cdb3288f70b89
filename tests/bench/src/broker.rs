//! Brokers under test: started on loopback, watched, stopped.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// A broker process; killed when dropped.
pub(crate) struct Broker {
    process: Child,
    pub(crate) address: SocketAddr,
    /// When its process was started.
    pub(crate) started: Instant,
    /// What it wrote before it listened, a line each.
    pub(crate) said: Vec<String>,
    log: PathBuf,
    data: PathBuf,
}

/// Whether a command did what it was to do, and what it wrote.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) succeeded: bool,
    pub(crate) text: String,
}

/// Asks a running broker by `hookwire ctl`; from any thread.
#[derive(Debug, Clone)]
pub(crate) struct Ctl {
    data: PathBuf,
}

/// Which of two builds of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// That of this work tree.
    Now,
    /// That of the revision it is measured against.
    Against,
}

impl Build {
    fn variable(self) -> &'static str {
        match self {
            Self::Now => "HOOKWIRE_BIN",
            Self::Against => "HOOKWIRE_BIN_AGAINST",
        }
    }

    fn program(self) -> Result<OsString> {
        let variable = self.variable();
        std::env::var_os(variable).with_context(|| {
            format!("{variable} does not name a broker; run this through `cargo xtask bench`")
        })
    }
}

/// The folder of the modules that `cargo xtask rules` built.
pub(crate) fn modules() -> Result<PathBuf> {
    let folder = std::env::var_os("HOOKWIRE_MODULES_DIR").context(
        "HOOKWIRE_MODULES_DIR does not name the folder of the built modules; run this through \
         `cargo xtask bench`",
    )?;
    Ok(folder.into())
}

impl Ctl {
    /// Runs `hookwire ctl` with these words.
    pub(crate) fn tell(&self, words: &[&str]) -> Result<Told> {
        let output = Command::new(Build::Now.program()?)
            .arg("ctl")
            .arg("--data")
            .arg(&self.data)
            .args(words)
            .stdin(Stdio::null())
            .output()
            .context("cannot run hookwire ctl")?;
        let texts = [output.stdout, output.stderr].concat();
        Ok(Told {
            succeeded: output.status.success(),
            text: String::from_utf8_lossy(&texts).trim().to_owned(),
        })
    }
}

const START_DEADLINE: Duration = Duration::from_secs(60);
const STOP_DEADLINE: Duration = Duration::from_secs(30);

impl Broker {
    /// Hookwire with this configuration, its data in `directory`.
    pub(crate) fn hookwire(build: Build, directory: &Path, configuration: &str) -> Result<Self> {
        let binary = build.program()?;
        let data = directory.join("data");
        let config = directory.join("hookwire.hcl");
        std::fs::write(&config, configuration)?;
        let log = directory.join("log");
        let started = Instant::now();
        let mut process = Command::new(binary)
            .arg("run")
            .arg("--config")
            .arg(&config)
            .arg("--data")
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .context("cannot start hookwire")?;
        let lines = BufReader::new(process.stdout.take().context("no output")?).lines();
        let mut address = None;
        let mut said = Vec::new();
        for line in lines {
            let line = line?;
            if let Some(rest) = line.strip_prefix("listening on ") {
                address = rest
                    .split(' ')
                    .next()
                    .and_then(|address| address.parse().ok());
                break;
            }
            said.push(line);
        }
        let Some(address) = address else {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            drop(process.kill());
            bail!("hookwire did not start:\n{log}");
        };
        Ok(Self {
            process,
            address,
            started,
            said,
            log,
            data,
        })
    }

    /// Mosquitto as it comes, without logs and bounds that would drop the load.
    pub(crate) fn mosquitto(directory: &Path) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = directory.join("mosquitto.conf");
        let log = directory.join("log");
        let text = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nlog_type none\n\
             max_inflight_messages 0\nmax_queued_messages 0\npersistence false\n",
            address.port()
        );
        std::fs::write(&config, text)?;
        let process = Command::new("mosquitto")
            .env("PATH", search_path())
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .context("cannot start mosquitto; `cargo xtask bench` installs it")?;
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            ensure!(
                start.elapsed() < START_DEADLINE,
                "mosquitto does not listen on {address}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Self {
            process,
            address,
            started: start,
            said: Vec::new(),
            log,
            data: directory.to_owned(),
        })
    }

    /// Reaches it while it runs.
    pub(crate) fn ctl(&self) -> Ctl {
        Ctl {
            data: self.data.clone(),
        }
    }

    /// Its data directory.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Memory that it holds, in bytes.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kib: u64 = kib.context("no VmRSS")?.trim().parse()?;
        Ok(kib * 1024)
    }

    /// User and system time of all its threads so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu_of(self.process.id())
    }

    /// Stops it in order and returns what it logged.
    pub(crate) fn stop(mut self) -> Result<String> {
        let stopped = Command::new("kill")
            .arg(self.process.id().to_string())
            .status()?;
        ensure!(stopped.success(), "cannot signal the broker");
        let start = Instant::now();
        while self.process.try_wait()?.is_none() {
            ensure!(start.elapsed() < STOP_DEADLINE, "the broker does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(std::fs::read_to_string(&self.log)?)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Debian keeps the daemon where an ordinary user's path does not lead.
fn search_path() -> String {
    format!(
        "{}:/usr/sbin:/usr/local/sbin",
        std::env::var("PATH").unwrap_or_default()
    )
}

fn cpu_of(process: u32) -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let stat = std::fs::read_to_string(task?.path().join("schedstat"))?;
        let on_cpu_ns = stat.split(' ').next().unwrap_or_default();
        sum += Duration::from_nanos(on_cpu_ns.parse().context("schedstat")?);
    }
    Ok(sum)
}

/// The last figure that the broker logged under this name.
pub(crate) fn logged(log: &str, name: &str) -> Option<f64> {
    let from = log.rfind(&format!("{name}="))? + name.len() + 1;
    let figure: String = log
        .get(from..)?
        .chars()
        .take_while(|character| character.is_ascii_digit() || *character == '.')
        .collect();
    figure.parse().ok()
}
