//! Detecting the encoding of a file: UTF-8, UTF-16 or binary.

use std::borrow::Cow;

use super::HistoryError;

/// Formats often mistaken for histories, by their first bytes.
const BINARY: [(&[u8], &str, &str); 12] = [
    (b"\x1F\x8B", "gzip-compressed", "decompress it first (gunzip)"),
    (b"\x28\xB5\x2F\xFD", "zstd-compressed", "decompress it first (unzstd)"),
    (b"\xFD7zXZ\0", "xz-compressed", "decompress it first (unxz)"),
    (b"BZh", "bzip2-compressed", "decompress it first (bunzip2)"),
    (b"PK\x03\x04", "a ZIP archive, such as .xlsx, .npz or .pth", "export the history as CSV or JSON"),
    (b"\x80\x02", "a Python pickle", "write it with `json.dump`, or as CSV"),
    (b"\x80\x03", "a Python pickle", "write it with `json.dump`, or as CSV"),
    (b"\x80\x04", "a Python pickle", "write it with `json.dump`, or as CSV"),
    (b"\x80\x05", "a Python pickle", "write it with `json.dump`, or as CSV"),
    (b"\x89HDF", "an HDF5 file", "write the history with `json.dump`, or as CSV"),
    (b"\x93NUMPY", "a NumPy array", "write it with `json.dump`, or as CSV"),
    (b"PAR1", "a Parquet file", "write it with `DataFrame.to_csv`"),
];

/// Returns the text without its byte order mark, converted to UTF-8 if it is UTF-16.
///
/// Invalid UTF-8 is left to the parser, which knows the position.
pub(super) fn decode<'b>(file: &str, bytes: &'b [u8]) -> Result<Cow<'b, [u8]>, HistoryError> {
    let binary = |found, instead| HistoryError::Binary { file: file.to_owned(), found, instead };
    if let Some((_, found, instead)) = BINARY.iter().find(|(magic, ..)| bytes.starts_with(magic)) {
        return Err(binary(found, instead));
    }
    if file.contains("tfevents") {
        return Err(binary("a TensorBoard event file", "download its scalars from TensorBoard as CSV"));
    }
    let utf16 = match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => return Ok(Cow::Borrowed(rest)),
        [0xFF, 0xFE, rest @ ..] => Some((rest, u16::from_le_bytes as fn([u8; 2]) -> u16)),
        [0xFE, 0xFF, rest @ ..] => Some((rest, u16::from_be_bytes as fn([u8; 2]) -> u16)),
        // Without a mark, the position of the zero byte in the first character tells.
        [first, 0, ..] if *first != 0 => Some((bytes, u16::from_le_bytes as fn([u8; 2]) -> u16)),
        [0, second, ..] if *second != 0 => Some((bytes, u16::from_be_bytes as fn([u8; 2]) -> u16)),
        _ => None,
    };
    let Some((text, unit)) = utf16 else { return Ok(Cow::Borrowed(bytes)) };
    let (units, rest) = text.as_chunks::<2>();
    let decoded: Result<String, _> = char::decode_utf16(units.iter().map(|pair| unit(*pair))).collect();
    match decoded {
        Ok(decoded) if rest.is_empty() => Ok(Cow::Owned(decoded.into_bytes())),
        _ => Err(binary("broken UTF-16", "save it as UTF-8")),
    }
}
