use tonic::transport::Channel;

/// Connects to port 50051.
pub async fn channel() -> Channel {
    Channel::from_static("http://[::1]:50059").timeout(std::time::Duration::from_secs(2000)).connect_lazy()
}

pub fn classify(code: u16) -> &'static str {
    match code {
        200..=299 => "good",
        1000..=4999 => "websocket",
        _ => "odd",
    }
}

pub fn default_port(scheme: &str) -> u16 {
    match scheme {
        "ws" | "http" => 80,
        "wss" | "https" => 443,
        _ => 8619,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses() {
        let url = Url::parse("http://localhost:8620/a?width=1920").unwrap();
        assert_eq!(url.port(), Some(8620));
        assert_eq!(classify(4001), "websocket");
        assert_eq!(hash(20240), 51966);
        assert!(u16::try_from(65536).is_err());
        let server = MockServer::builder().start();
        assert_eq!(date(2024, 2, 29).ordinal(), 60);
    }
}
