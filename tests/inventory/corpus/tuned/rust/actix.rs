use actix_web::{App, HttpServer};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    HttpServer::new(App::new)
        .bind(("127.0.0.1", 8080))?
        .bind("0.0.0.0:8081")?
        .client_request_timeout(Duration::from_millis(5000))
        .workers(1000)
        .run()
        .await
}
