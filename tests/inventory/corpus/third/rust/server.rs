use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, ToSocketAddrs};

use serde::Deserialize;
use structopt::StructOpt;

pub const HTTP_PORT: u16 = 8650;
const GRPC_ADDR: &str = "0.0.0.0:50066";
const FRAME: usize = 16_384;
const TIMEOUT_MS: u64 = 30_000;
static SINCE: u32 = 1999;

#[derive(Deserialize)]
struct Settings {
    #[serde(default = "default_port")]
    port: u16,
    rows: usize,
}

fn default_port() -> u16 {
    8651
}

fn default_rows() -> usize {
    5000
}

#[derive(StructOpt)]
struct Opt {
    #[structopt(short, long, env = "PORT", default_value = "8652")]
    port: u16,
    #[structopt(long, default_value = "2500")]
    rows: usize,
    #[clap(long, default_value = "http://localhost:8653")]
    upstream: String,
}

async fn serve(opt: Opt) -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).map(|s| s.parse().unwrap()).unwrap_or(8654);
    let port2: u16 = match std::env::var("PORT") {
        Ok(p) => p.parse()?,
        Err(_) => 8655,
    };
    let admin = option_env!("ADMIN_PORT").unwrap_or("8656");
    let addr: SocketAddr = "[::1]:8657".parse()?;
    let v4 = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 1), 8658);
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8659));
    let found = ("localhost", 8660).to_socket_addrs()?.next();
    let listener = tokio::net::TcpListener::bind(&format!("127.0.0.1:{}", 8661)).await?;
    let udp = tokio::net::UdpSocket::bind(("0.0.0.0", 8662)).await?;
    let mut buf = vec![0u8; 65_535];
    udp.connect("127.0.0.1:8663").await?;
    let stream = tokio::time::timeout(Duration::from_millis(2500), TcpStream::connect("localhost:8664")).await??;
    poem::Server::new(poem::listener::TcpListener::bind("0.0.0.0:8665")).run(app).await?;
    rocket::build().configure(rocket::Config { port: 8666, workers: 1024, ..Default::default() }).launch().await?;
    tide::new().listen("localhost:8667").await?;
    tonic::transport::Server::builder().serve("[::1]:50067".parse()?).await?;
    let client = reqwest::Client::new().get("http://localhost:8668/items?limit=1000").timeout(Duration::from_secs(3600));
    let kafka: ClientConfig = ClientConfig::new().set("bootstrap.servers", "localhost:9105").set("message.timeout.ms", "5000");
    let pool = MySqlPool::connect("mysql://root@localhost:3315/shop").await?;
    let mqtt = MqttOptions::new("shop", "localhost", 1884);
    let mongo = mongodb::Client::with_uri_str("mongodb://localhost:27024/?maxPoolSize=1000").await?;
    let config = Config { host: "localhost".to_owned(), port: Some(8669), body_limit: 20_480, year: 2024 };
    assert_eq!(config.port, Some(8669));
    assert!(status == 404 || id > 10_000 && id < 60_000);
    Ok(())
}
