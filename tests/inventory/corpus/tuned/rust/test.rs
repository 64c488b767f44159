#[cfg(test)]
mod tests {
    #[test]
    fn parses() {
        let c = parse("port = 9000\ntimeout = 3000");
        assert_eq!(c.timeout, 3000);
        let server = MockServer::start_on("127.0.0.1:9001");
        assert_eq!(server.status(), 404);
        assert!("2024-03-01T12:30".len() > 10);
    }
}
