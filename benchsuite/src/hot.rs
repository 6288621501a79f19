//! Runs one hot loop once, for counting instructions: `hot part|md5|manifest|listing N`. `cargo xtask instructions`
//! subtracts the counts of two values of N, so that creating the input does not count.
#![allow(clippy::print_stdout, reason = "what was computed must be used")]

use modeldepot::internals;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let times = args.get(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    let bytes = vec![7u8; 1 << 20];
    let (json, listing) = (internals::manifest(100), internals::listing(1000));
    let mut used = 0;
    for _ in 0..times {
        used += match args.first().map(String::as_str) {
            Some("part") => internals::part(&bytes).len(),
            Some("md5") => internals::md5(&bytes).len(),
            Some("manifest") => internals::parse(&json),
            Some("listing") => internals::sort(listing.clone()),
            _ => 0,
        };
    }
    println!("{used}");
}
