//! The fixtures that a component carries: run before it serves.
//!
//! In a process of its own, which is ended at a deadline, and ends when this one
//! does: a fixture is a stranger's, and what it does must not reach the broker.

use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hookwire_harness::fixtures_of;

/// How long the fixtures of one component may take together.
const DEADLINE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// What is read of what they miss, and told of it.
const MAX_TOLD_BYTES: u64 = 16 << 10;
const MAX_TOLD_LINES: usize = 5;

/// Runs the fixtures in a component, and answers how many there are; ends them
/// when `stops` turns true.
///
/// # Errors
/// What keeps them from being run, or what they expected and what came, by line.
pub(crate) fn pass(component: &[u8], stops: &AtomicBool) -> Result<usize, String> {
    let fixtures = fixtures_of(component).map_err(|error| error.to_string())?;
    if fixtures.is_empty() {
        return Ok(0);
    }
    let cannot = |error: std::io::Error| format!("its own fixtures cannot be run: {error}");
    let mut child = Command::new(this_program().map_err(cannot)?)
        .args(["rule", "bundled", "--bytes", &component.len().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(cannot)?;
    // Open until it has ended: it ends where its input does, and so it does not
    // outlive this process, whatever ends that.
    let (mut input, output) = (child.stdin.take(), child.stdout.take());
    let (told, ended) = thread::scope(|scope| {
        // It may end without having read everything; its end tells more.
        scope.spawn(|| input.as_mut().map(|input| input.write_all(component)));
        let told = scope.spawn(move || {
            let mut told = Vec::new();
            let mut output = output.map(|output| output.take(MAX_TOLD_BYTES));
            let read = output.as_mut().map(|output| output.read_to_end(&mut told));
            read.map(|_| told)
        });
        let ended = end(&mut child, stops);
        (told.join().ok().flatten().unwrap_or_default(), ended)
    });
    let told = String::from_utf8_lossy(&told);
    let lines: Vec<&str> = told.lines().collect();
    match ended.map_err(cannot)? {
        None if stops.load(Ordering::Acquire) => {
            Err("its own fixtures were not run to their end, because the broker stops".to_owned())
        }
        None => Err(format!(
            "its own fixtures did not come to an end within {DEADLINE:?}"
        )),
        Some(status) if status.success() => Ok(fixtures.len()),
        Some(status) if lines.is_empty() => Err(format!("its own fixtures ended with {status}")),
        Some(_) => {
            let more = lines.len().saturating_sub(MAX_TOLD_LINES);
            let mut text = lines
                .into_iter()
                .take(MAX_TOLD_LINES)
                .collect::<Vec<_>>()
                .join("; ");
            if more > 0 {
                text = format!("{text}; and {more} more");
            }
            Err(format!("it does not pass its own fixtures: {text}"))
        }
    }
}

/// Waits for a process, and ends it at the deadline, or when the broker stops.
/// None: it was ended.
fn end(child: &mut Child, stops: &AtomicBool) -> std::io::Result<Option<std::process::ExitStatus>> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline || stops.load(Ordering::Acquire) {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// This binary, also where its file has been replaced meanwhile.
fn this_program() -> std::io::Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        return Ok(running.to_owned());
    }
    std::env::current_exe()
}
