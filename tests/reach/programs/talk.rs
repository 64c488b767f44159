//! talk - an ordinary network program in Rust with nothing but its standard library, for the tests of the suite reach:
//!
//!     talk serve PORT IDENTITY         answers on PORT, by TCP and by UDP
//!     talk line HOST PORT [COUNT]      what a TCP server says by itself, to COUNT threads at once
//!     talk udp HOST PORT [COUNT]       what a UDP server answers, to connected sockets and others, and from where
use std::collections::BTreeSet;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

fn serve(port: u16, identity: &str) -> Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", port))?;
    let socket = UdpSocket::bind(("0.0.0.0", port))?;
    println!("listening on {}", listener.local_addr()?.port());
    let answer = identity.to_owned();
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((_, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(answer.as_bytes(), from);
        }
    });
    for connection in listener.incoming() {
        let _ = writeln!(connection?, "{}", identity);
    }
    Ok(())
}

fn other_port() -> Error {
    Error::new(ErrorKind::Other, "peer_addr says another port")
}

fn line(to: SocketAddr, limited: bool) -> Result<String> {
    let mut stream = if limited { TcpStream::connect_timeout(&to, LIMIT)? } else { TcpStream::connect(to)? };
    stream.set_read_timeout(Some(LIMIT))?;
    if stream.peer_addr()? != to {
        return Err(other_port());
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.trim().to_owned())
}

fn udp(to: SocketAddr, connected: bool) -> Result<String> {
    let socket = UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
    let mut buffer = [0; 512];
    socket.set_read_timeout(Some(LIMIT))?;
    if connected {
        socket.connect(to)?;
        if socket.peer_addr()? != to {
            return Err(other_port());
        }
        socket.send(b"who")?;
    } else {
        socket.send_to(b"who", to)?;
    }
    let (n, from) = socket.recv_from(&mut buffer)?;
    Ok(format!("{} {} {}", String::from_utf8_lossy(&buffer[..n]), from.ip(), from.port()))
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.len() < 3 {
        std::process::exit(2);
    }
    if args[0] == "serve" {
        return serve(args[1].parse().expect("a port"), &args[2]);
    }
    let to = SocketAddr::new(args[1].parse().expect("an address"), args[2].parse().expect("a port"));
    let count = args.get(3).map_or(1, |text| text.parse().expect("a number"));
    let by_udp = args[0] == "udp";
    let all: Vec<_> = (0..count)
        .map(|i: usize| thread::spawn(move || if by_udp { udp(to, i % 2 == 1) } else { line(to, i % 2 == 1) }))
        .collect();
    let answers: BTreeSet<String> = all
        .into_iter()
        .map(|one| one.join().expect("a thread").unwrap_or_else(|error| error.to_string()))
        .collect();
    for answer in answers {
        println!("{}", answer);
    }
    Ok(())
}
