use std::net::{TcpStream, UdpSocket};

pub fn ping() -> std::io::Result<()> {
    let s = TcpStream::connect("127.0.0.1:7878")?;
    s.set_read_timeout(Some(Duration::from_millis(3000)))?;
    let u = UdpSocket::bind("0.0.0.0:34254")?;
    u.send_to(&[0; 1024], "localhost:34255")?;
    let body = reqwest::blocking::get("http://localhost:8000/x?n=1000");
    let r = format!("{}:{}", "localhost", 9001);
    Ok(())
}
