//! The hot loops: `cargo bench -p benchsuite --features hot`.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use modeldepot::internals;

fn digests(c: &mut Criterion) {
    const PART: usize = 8 << 20;
    let bytes: Vec<u8> = (0..PART).map(|n| (n * 31 >> 3) as u8).collect();
    let mut group = c.benchmark_group("digests");
    group.throughput(Throughput::Bytes(PART as u64));
    group.bench_function("BLAKE3 and CRC64NVME", |b| b.iter(|| internals::part(black_box(&bytes))));
    group.bench_function("MD5", |b| b.iter(|| internals::md5(black_box(&bytes))));
}

fn manifests(c: &mut Criterion) {
    let json = internals::manifest(1000);
    let mut group = c.benchmark_group("manifest");
    group.throughput(Throughput::Elements(1000));
    group.bench_function("read 1,000 files", |b| b.iter(|| internals::parse(black_box(&json))));
    group.bench_function("write 1,000 files", |b| b.iter(|| internals::manifest(black_box(1000))));
}

fn listings(c: &mut Criterion) {
    let listing = internals::listing(10_000);
    let mut group = c.benchmark_group("listing");
    group.throughput(Throughput::Elements(30_000));
    group.bench_function("sort 10,000 versions", |b| {
        b.iter_batched(|| listing.clone(), internals::sort, BatchSize::LargeInput);
    });
}

criterion_group!(benches, digests, manifests, listings);
criterion_main!(benches);
