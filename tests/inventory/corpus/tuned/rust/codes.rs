// 3000 and 8080: ids
pub enum Id { Report = 3000, Support = 8080 }
pub const EXPORT: usize = 5_000;
pub fn year(y: u32) -> bool { y >= 1999 && y < 2100 && y != 2000 }
pub fn text<'a>(s: &'a str) -> char { let q = '"'; if s == "3000" { q } else { '\'' } }
pub const SIZES: [usize; 3] = [1024, 4096, 8192];
