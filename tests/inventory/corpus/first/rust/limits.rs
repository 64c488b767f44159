pub const YEAR: u32 = 2024;
pub const MAX_EXPORT: usize = 10_000;
pub const SUPPORT_LINE: &str = "0800 330 3000";

#[derive(Debug, PartialEq)]
pub enum Code {
    Fine = 2000,
    Gone = 4100,
}

pub fn bucket(n: u64) -> u64 {
    match n {
        0..=999 => 1000,
        1000..=4999 => 5000,
        _ => 8080,
    }
}

#[test]
fn buckets() {
    assert_eq!(bucket(3000), 5000);
    assert_eq!("1.2.3000".len(), 8);
}
