//! A server as a process of its own, for tests of the real thing. It ends with the test.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub fn gyul(data: &Path, args: &[&str]) -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_gyul"));
    c.arg("--data").arg(data).args(["--lang", "en"]).args(args);
    c
}

/// An owner's key.
pub fn key(data: &Path) -> String {
    String::from_utf8(gyul(data, &["serve", "--make-key"]).output().unwrap().stdout).unwrap().trim().to_string()
}

pub struct Server {
    pub process: Child,
    pub address: String,
    pub key: String,
}

impl Server {
    /// On a free port, with a folder for backups beside the data.
    pub fn start(data: &Path, key: &str) -> Server {
        let mut c = gyul(data, &["serve", "--listen", "127.0.0.1:0", "--backups"]);
        c.arg(data.with_extension("backups"));
        let mut process = c.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|a| a.split(' ').next()).unwrap_or_default().to_string();
        assert!(!address.is_empty(), "{line}");
        Server { process, address, key: key.to_string() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
