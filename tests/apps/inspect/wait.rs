//! Says that it is ready and waits until its input is closed.
use std::io::Read;

fn main() {
    println!("ready");
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).expect("standard input");
}
