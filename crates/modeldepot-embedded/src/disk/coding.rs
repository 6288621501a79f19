//! Compression of stored bytes, where it pays.
//!
//! A compressed file is in zstd's seekable format: independently compressed frames, then a table of their sizes in a
//! frame that decoders skip. So `zstd -d` can read it, and reading a range only decompresses the frames it overlaps.
//! Only the reader and the writer of these files know about compression: sizes, digests and ranges elsewhere refer to
//! the original bytes.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;

use bytes::Bytes;

/// The approximate frame size. Smaller frames compress worse, larger ones make short ranges expensive.
const FRAME: usize = 256 << 10;

/// The most that a frame may hold, even if a damaged table says more.
const MOST: u32 = 1 << 20;

/// Higher levels take twice the time to save a few percent.
const LEVEL: i32 = 3;

/// How much is sampled at each place.
const SAMPLE: usize = 64 << 10;

/// Smaller data would occupy one disk block in any case.
const LEAST: usize = 4 << 10;

/// The compressed size in percent below which compressing pays. Floats shrink by a tenth and are read often: they stay
/// as they are.
const PAYS: usize = 75;

/// The magic number of a skippable frame.
const SKIPPED: u32 = 0x184d_2a5e;

/// The magic number at the end of the file.
const SEEKABLE: u32 = 0x8f92_eab1;

/// The size of the footer: the number of frames, the kind of table and the magic number.
const FOOTER: u64 = 4 + 1 + 4;

/// Decides from the first batch of a file whether to compress it, by compressing samples.
pub(crate) fn pays(batch: &[Bytes]) -> bool {
    let len: usize = batch.iter().map(Bytes::len).sum();
    if len < LEAST {
        return false;
    }
    // Two of three samples must shrink: a file of weights often starts with JSON, which says nothing about the rest.
    let places = [0, len.saturating_sub(SAMPLE) / 2, len.saturating_sub(SAMPLE)];
    let shrinks = |at: &usize| {
        let sample = stretch(batch, *at..(*at + SAMPLE).min(len));
        zstd::bulk::compress(&sample, 1).is_ok_and(|coded| coded.len() * 100 < sample.len() * PAYS)
    };
    places.iter().filter(|at| shrinks(at)).count() >= 2
}

/// Copies a range of a batch.
fn stretch(batch: &[Bytes], range: Range<usize>) -> Vec<u8> {
    let mut copy = Vec::with_capacity(range.len());
    let mut start = 0;
    for bytes in batch {
        let end = start + bytes.len();
        let (from, to) = (range.start.max(start), range.end.min(end));
        if from < to {
            copy.extend_from_slice(&bytes[from - start..to - start]);
        }
        start = end;
    }
    copy
}

/// Writes a compressed file. Between batches it only holds the sizes of the frames.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    frames: Vec<(u32, u32)>,
}

impl Encoder {
    /// Compresses a batch and writes it.
    pub(crate) fn write(&mut self, mut file: &File, batch: &[Bytes]) -> io::Result<()> {
        let len: usize = batch.iter().map(Bytes::len).sum();
        // Frames of equal size, rather than a small one at the end.
        let count = len.div_ceil(FRAME).max(1);
        let each = len.div_ceil(count).max(1);
        let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
        // Detects bits that flip on the disk. For uncompressed files that is left to the clients' digests.
        compressor.include_checksum(true)?;
        for start in (0..len).step_by(each) {
            let plain = stretch(batch, start..(start + each).min(len));
            let coded = compressor.compress(&plain)?;
            file.write_all(&coded)?;
            self.frames.push((size(coded.len())?, size(plain.len())?));
        }
        Ok(())
    }

    /// Writes the table.
    pub(crate) fn finish(self, mut file: &File) -> io::Result<()> {
        let count = size(self.frames.len())?;
        let mut table = Vec::with_capacity(8 + self.frames.len() * 8 + FOOTER as usize);
        table.extend_from_slice(&SKIPPED.to_le_bytes());
        table.extend_from_slice(&size(self.frames.len() * 8 + FOOTER as usize)?.to_le_bytes());
        for (coded, plain) in self.frames {
            table.extend_from_slice(&coded.to_le_bytes());
            table.extend_from_slice(&plain.to_le_bytes());
        }
        table.extend_from_slice(&count.to_le_bytes());
        table.push(0);
        table.extend_from_slice(&SEEKABLE.to_le_bytes());
        file.write_all(&table)
    }
}

fn size(len: usize) -> io::Result<u32> {
    u32::try_from(len).map_err(io::Error::other)
}

/// A frame that is still to be read.
#[derive(Clone, Copy, Debug)]
struct Frame {
    at: u64,
    coded: u32,
    plain: u32,
}

/// Reads a range of a compressed file. It keeps one row of the table: there may be many stalled readers, and tables are
/// long.
#[derive(Debug)]
pub(crate) struct Decoder {
    file: File,
    /// The next frame that overlaps the range.
    frame: Option<Frame>,
    /// The table rows from the following frame to the last one that overlaps the range.
    rows: Range<u64>,
    /// How many bytes of the next frame have been read, or lie before the range.
    skip: usize,
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a compressed file of this object is damaged: {what}"))
}

fn number(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_le_bytes)
}

/// Reads a row of the table: a frame's compressed and uncompressed size.
fn frame_of(mut table: impl io::Read) -> io::Result<(u32, u32)> {
    let mut row = [0; 8];
    table.read_exact(&mut row)?;
    let (coded, plain) = (number(&row[..4]), number(&row[4..]));
    if plain > MOST || coded > 2 * MOST {
        return Err(damaged("a frame is too large"));
    }
    if plain == 0 {
        return Err(damaged("a frame is empty"));
    }
    Ok((coded, plain))
}

impl Decoder {
    /// Reads the table of a file that holds `len` bytes uncompressed, and keeps what a range of them needs.
    pub(crate) fn open(mut file: File, len: u64, range: Range<u64>) -> io::Result<Self> {
        let whole = file.metadata()?.len();
        let mut footer = [0; FOOTER as usize];
        file.seek(SeekFrom::Start(whole.checked_sub(FOOTER).ok_or_else(|| damaged("it is cut short"))?))?;
        file.read_exact(&mut footer)?;
        if number(&footer[5..]) != SEEKABLE || footer[4] != 0 {
            return Err(damaged("its table is missing"));
        }
        let table = u64::from(number(&footer[..4])) * 8;
        let begin = whole.checked_sub(FOOTER + table + 8).ok_or_else(|| damaged("its table is longer than it"))?;
        file.seek(SeekFrom::Start(begin + 8))?;
        let (mut frame, mut skip, mut touched) = (None, 0, 0..0);
        let (mut at, mut plain_at) = (0u64, 0u64);
        let mut rows = io::BufReader::new((&file).take(table));
        for row in 0..table / 8 {
            let (coded, plain) = frame_of(&mut rows)?;
            let plain_end = plain_at + u64::from(plain);
            // A damaged table may claim four billion rows.
            if plain_end > len {
                return Err(damaged("its frames do not add up"));
            }
            if plain_at < range.end && range.start < plain_end {
                let end = begin + 8 + (row + 1) * 8;
                if frame.is_none() {
                    skip = (range.start - plain_at) as usize;
                    frame = Some(Frame { at, coded, plain });
                    touched.start = end;
                }
                touched.end = end;
            }
            (at, plain_at) = (at + u64::from(coded), plain_end);
        }
        drop(rows);
        if at != begin || plain_at != len {
            return Err(damaged("its frames do not add up"));
        }
        Ok(Self { file, frame, rows: touched, skip })
    }

    /// Reads the next bytes, at most `most`, and none at the end.
    ///
    /// The rest of a decompressed frame is not kept, because many stalled readers would hold one each. Reads smaller
    /// than a frame therefore decompress it more than once.
    pub(crate) fn read(&mut self, most: usize) -> io::Result<Bytes> {
        let Some(frame) = self.frame else { return Ok(Bytes::new()) };
        self.file.seek(SeekFrom::Start(frame.at))?;
        let mut coded = vec![0; frame.coded as usize];
        self.file.read_exact(&mut coded)?;
        let plain = zstd::bulk::decompress(&coded, frame.plain as usize)?;
        if plain.len() != frame.plain as usize {
            return Err(damaged("a frame is cut short"));
        }
        let end = (self.skip + most.max(1)).min(plain.len());
        let piece = match (self.skip, end == plain.len()) {
            (0, true) => Bytes::from(plain),
            _ => Bytes::copy_from_slice(&plain[self.skip..end]),
        };
        self.skip = end;
        if end == frame.plain as usize {
            self.frame = None;
            self.skip = 0;
            if self.rows.start < self.rows.end {
                self.file.seek(SeekFrom::Start(self.rows.start))?;
                let (coded, plain) = frame_of(&mut self.file)?;
                self.frame = Some(Frame { at: frame.at + u64::from(frame.coded), coded, plain });
                self.rows.start += 8;
            }
        }
        Ok(piece)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(len: usize) -> Vec<u8> {
        (0..)
            .flat_map(|n: u32| format!("{{\"epoch\": {n}, \"loss\": 0.{}}}\n", n * 7919 % 1000).into_bytes())
            .take(len)
            .collect()
    }

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 7u64;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as u8
        })
        .take(len)
        .collect()
    }

    fn coded(batches: &[Vec<u8>]) -> File {
        let file = tempfile::tempfile().unwrap();
        let mut encoder = Encoder::default();
        for batch in batches {
            // In pieces, as it would arrive.
            let pieces: Vec<_> = batch.chunks(60_000).map(Bytes::copy_from_slice).collect();
            encoder.write(&file, &pieces).unwrap();
        }
        encoder.finish(&file).unwrap();
        file
    }

    fn read(file: &File, len: u64, range: Range<u64>, most: usize) -> io::Result<Vec<u8>> {
        let wanted = (range.end - range.start) as usize;
        let mut decoder = Decoder::open(file.try_clone().unwrap(), len, range)?;
        let mut found = Vec::new();
        while found.len() < wanted {
            let piece = decoder.read(most.min(wanted - found.len()))?;
            assert!(!piece.is_empty() && piece.len() <= most);
            found.extend_from_slice(&piece);
        }
        Ok(found)
    }

    #[test]
    fn a_sample_tells_what_pays() {
        let batch = |bytes: Vec<u8>| vec![Bytes::from(bytes)];
        assert!(pays(&batch(text(1 << 20))) && pays(&batch(text(5000))));
        assert!(!pays(&batch(text(1000))), "too small to matter");
        assert!(!pays(&batch(noise(1 << 20))));
        // Weights: floats of similar size have similar exponents, the rest is noise.
        let floats: Vec<u8> =
            noise(1 << 20).chunks(4).flat_map(|four| [four[0], four[1], four[2], 0x3c | (four[3] & 1)]).collect();
        assert!(!pays(&batch(floats)));
        // A compressible start says nothing about the rest.
        assert!(!pays(&batch([text(100_000), noise(900_000)].concat())));
    }

    #[test]
    fn it_is_smaller_and_other_tools_could_read_it() {
        let plain = text(3 << 20);
        let mut file = coded(&[plain[..1 << 20].to_vec(), plain[1 << 20..].to_vec()]);
        assert!(file.metadata().unwrap().len() < 1 << 20);
        file.rewind().unwrap();
        assert!(zstd::stream::decode_all(&file).unwrap() == plain);
    }

    #[test]
    fn a_table_that_lies_is_not_read_to_its_end() {
        let file = tempfile::tempfile().unwrap();
        let end = 64 << 30;
        file.set_len(end).unwrap();
        let mut footer = vec![0; FOOTER as usize];
        footer[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        footer[5..].copy_from_slice(&SEEKABLE.to_le_bytes());
        (&file).seek(SeekFrom::Start(end - FOOTER)).unwrap();
        (&file).write_all(&footer).unwrap();
        assert!(Decoder::open(file, 1 << 40, 0..1).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn ranges_are_those_of_what_was_sent(
            lens in proptest::collection::vec(1usize..700_000, 1..4),
            from in 0.0f64..1.0,
            to in 0.0f64..1.0,
            most in 1usize..400_000,
        ) {
            let batches: Vec<_> =
                lens.iter().enumerate().map(|(n, len)| if n % 2 == 0 { text(*len) } else { noise(*len) }).collect();
            let plain = batches.concat();
            let file = coded(&batches);
            let at = |part: f64| (part * plain.len() as f64) as u64;
            let (start, end) = (at(from.min(to)), at(from.max(to)));
            let most = most.max((end - start) as usize / 50 + 1);
            let found = read(&file, plain.len() as u64, start..end, most).unwrap();
            prop_assert!(found == plain[start as usize..end as usize]);
        }

        #[test]
        fn a_damaged_file_is_an_error_and_never_a_panic(at in 0.0f64..1.0, bit in 0u8..8, cut in any::<bool>()) {
            let plain = text(600_000);
            let mut file = coded(std::slice::from_ref(&plain));
            let len = file.metadata().unwrap().len();
            let place = ((at * len as f64) as u64).min(len - 1);
            if cut {
                file.set_len(place).unwrap();
            } else {
                let mut byte = [0];
                file.seek(SeekFrom::Start(place)).unwrap();
                file.read_exact(&mut byte).unwrap();
                file.seek(SeekFrom::Start(place)).unwrap();
                file.write_all(&[byte[0] ^ (1 << bit)]).unwrap();
            }
            // Either the damage is detected, or the bit had no meaning.
            if let Ok(found) = read(&file, plain.len() as u64, 0..plain.len() as u64, 1 << 20) {
                prop_assert!(!cut && found == plain);
            }
        }
    }
}
