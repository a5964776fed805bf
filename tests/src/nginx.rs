//! An nginx for tests and benchmarks, whose files all lie in a folder of theirs.

use std::io;
use std::path::{Path, PathBuf};

/// Writes the configuration of a server with one worker, which answers every path with `hello`; returns its file, for
/// `nginx -c FILE -p FOLDER`.
pub fn configure(folder: &Path, port: u16) -> io::Result<PathBuf> {
    let path = folder.display();
    let configuration = format!(
        "daemon off; worker_processes 1; pid {path}/pid; error_log {path}/error;
         events {{ worker_connections 1024; }}
         http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {path}/b; proxy_temp_path {path}/p;
           fastcgi_temp_path {path}/f; uwsgi_temp_path {path}/u; scgi_temp_path {path}/s;
           server {{ listen 127.0.0.1:{port}; location / {{ return 200 'hello'; }} }} }}"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, configuration)?;
    Ok(file)
}
