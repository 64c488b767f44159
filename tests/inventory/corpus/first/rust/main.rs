use std::env;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

const DEFAULT_PORT: u16 = 7878;
const BUFFER: usize = 8192;
static RETRIES: u32 = 3000;

fn main() -> std::io::Result<()> {
    // 7000 was taken by the Mac's AirPlay.
    let port: u16 = env::var("PORT").ok().and_then(|p| p.parse().ok()).unwrap_or(7879);
    let listener = TcpListener::bind("127.0.0.1:7880")?;
    let addr = SocketAddr::from(([0, 0, 0, 0], 3030));
    let mut peer = TcpStream::connect(("localhost", 7881))?;
    peer.set_read_timeout(Some(Duration::from_millis(5000)))?;
    let status = if port == DEFAULT_PORT { 200 } else { 4000 };
    println!("{} {} {} {:?}", status, BUFFER, RETRIES, addr);
    drop(listener);
    Ok(())
}
