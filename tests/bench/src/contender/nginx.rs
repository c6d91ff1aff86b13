//! nginx as the yardstick: one worker that passes everything through.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use super::process::Process;
use super::{Contender, free_address};
use crate::fault::Fault;
use crate::wire::Way;

/// Starts nginx in front of `upstream`, on one core; it must pass the `ways`.
pub(crate) async fn start(
    program: &Path,
    core: usize,
    upstream: SocketAddr,
    ways: &[Way],
) -> Result<Contender, Fault> {
    let address = free_address()?;
    let directory = tempfile::tempdir().map_err(|e| Fault::machine("make a directory", e))?;
    let file = directory.path().join("nginx.conf");
    fs::write(&file, config(directory.path(), address, upstream))
        .map_err(|e| Fault::machine("write nginx's config", e))?;
    let (file, prefix) = (
        file.to_string_lossy().into_owned(),
        directory.path().to_owned(),
    );
    let arguments = ["-p", &prefix.to_string_lossy(), "-e", "stderr", "-c", &file];
    let process = Process::start(core, program, &arguments, directory)?;
    Contender::ready("nginx", address, ways, process).await
}

/// Pass-through as cheap as nginx knows: keep-alive on both sides, no buffering of replies, no log.
fn config(directory: &Path, address: SocketAddr, upstream: SocketAddr) -> String {
    let directory = directory.display();
    format!(
        "daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr error;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  upstream llm {{
    server {upstream};
    keepalive 512;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }}
  server {{
    listen {address};
    location / {{
      proxy_pass http://llm;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_set_header Host $http_host;
      proxy_buffering off;
      proxy_read_timeout 600s;
    }}
  }}
}}
"
    )
}
