#[tokio::main]
async fn main() {
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_string());
    let addr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3001);
    let listener = tokio::net::TcpListener::bind(addr).await.unwrap();
    let limit = std::env::var("LIMIT").unwrap_or_else(|_| "5000".to_string());
    let client = redis::Client::open("redis://127.0.0.1:6379/").unwrap();
    axum::serve(listener, app(port, limit, 2024)).await.unwrap();
}
