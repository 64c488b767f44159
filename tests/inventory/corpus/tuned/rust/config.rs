/// Settings. The port was 9999 once.
#[derive(Debug)]
pub struct Settings {
    pub port: u16,
    pub timeout: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { port: 8000, timeout: 3000 }
    }
}

pub const METRICS_PORT: u16 = 9_u16.pow(4);
pub const ADMIN_PORT: u16 = 9_091;
pub static VERSION: &str = "1.8080.2";
