//! An upstream that gives every request the same reply, byte for byte.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// The longest request that is waited for to its end.
const LONGEST: usize = 1 << 20;

/// The origin of an upstream that answers 200 with a body of this media type.
pub(super) async fn canned(media_type: &str, body: impl Into<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let body = body.into();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let reply = [head.into_bytes(), body].concat();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let reply = reply.clone();
            tokio::spawn(async move {
                let mut request = vec![0; LONGEST];
                let _read = stream.read(&mut request).await;
                let _sent = stream.write_all(&reply).await;
            });
        }
    });
    origin
}
