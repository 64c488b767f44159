use clap::Parser;

#[derive(Parser, Debug)]
struct Args {
    /// Port of the HTTP server
    #[arg(short, long, env = "PORT", default_value_t = 8000)]
    port: u16,
    #[arg(long, default_value_t = 3000)]
    timeout: u64,
    #[arg(long, default_value = "http://localhost:8545")]
    rpc: String,
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    let routes = filters::all(args.rpc, args.timeout, 4096);
    warp::serve(routes).run(([127, 0, 0, 1], 3031)).await;
}
