use std::env;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use axum::{routing::get, Router};
use clap::Parser;

const DEFAULT_PORT: u16 = 8600;
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8601);
const MAX_FRAME: usize = 65_536;
const EPOCH_YEAR: i32 = 1970;
static PORTS: [u16; 2] = [8602, 8603];

#[derive(Parser)]
struct Args {
    #[arg(short, long, default_value_t = 8604)]
    port: u16,
    #[arg(long, env = "METRICS_PORT", default_value = "9002")]
    metrics_port: u16,
    #[arg(long, default_value_t = 3000)]
    timeout_ms: u64,
    #[clap(long, default_value = "127.0.0.1:8605")]
    listen: SocketAddr,
}

impl Default for Config {
    fn default() -> Self {
        Self { host: "localhost".into(), port: 8606, timeout: Duration::from_secs(3600), retries: 1000 }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let port = env::var("PORT").unwrap_or_else(|_| "8607".to_string()).parse::<u16>()?;
    let alt = env::var("ALT_PORT").ok().and_then(|p| p.parse().ok()).unwrap_or(8608);
    let addr = SocketAddr::from(([0, 0, 0, 0], 8609));
    let six: SocketAddr = (Ipv6Addr::UNSPECIFIED, 8610).into();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 8611)).await?;
    let std_listener = TcpListener::bind(format!("0.0.0.0:{}", port))?;
    let udp = UdpSocket::bind("[::]:8612")?;
    udp.set_read_timeout(Some(Duration::from_millis(2500)))?;
    udp.send_to(&[0u8; 1024], "127.0.0.1:8613")?;
    let stream = TcpStream::connect_timeout(&"127.0.0.1:8614".parse()?, Duration::from_millis(5000))?;
    HttpServer::new(|| App::new()).workers(4).bind("0.0.0.0:8615")?.run();
    HttpServer::new(|| App::new()).bind(("::1", 8616))?.backlog(2048);
    warp::serve(routes).run(([127, 0, 0, 1], 8617)).await;
    let redis = redis::Client::open("redis://127.0.0.1:6391/")?;
    let pg = PgPoolOptions::new().max_connections(1024).connect("postgres://app:app@localhost:5442/shop").await?;
    let nats = async_nats::connect("localhost:4223").await?;
    let figment = rocket::Config::figment().merge(("port", 8618)).merge(("limits", 4096));
    let app = Router::new().route("/", get(|| async { "ok" }));
    axum::serve(listener, app).await?;
    Ok(())
}
