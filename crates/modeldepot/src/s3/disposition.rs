//! The `Content-Disposition` header: how a browser treats an object, and the name it saves it under.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Returns a `Content-Disposition` value of `attachment` or `inline` with a file name (RFC 6266, RFC 8187).
pub fn disposition(way: &str, name: &str) -> String {
    /// Characters that RFC 8187 leaves unescaped.
    const PLAIN: AsciiSet = NON_ALPHANUMERIC
        .remove(b'!')
        .remove(b'#')
        .remove(b'$')
        .remove(b'&')
        .remove(b'+')
        .remove(b'-')
        .remove(b'.')
        .remove(b'^')
        .remove(b'_')
        .remove(b'`')
        .remove(b'|')
        .remove(b'~');
    let plain = |c: char| c.is_ascii_alphanumeric() || " !#$&+-.^_`|~()[]@,='".contains(c);
    let fallback: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    if fallback == name {
        return format!("{way}; filename=\"{name}\"");
    }
    format!("{way}; filename=\"{fallback}\"; filename*=UTF-8''{}", utf8_percent_encode(name, &PLAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_saved_files() {
        assert_eq!(disposition("attachment", "best_model.pth"), "attachment; filename=\"best_model.pth\"");
        assert_eq!(
            disposition("attachment", "modèle \"ü\";\r\nx.bin"),
            "attachment; filename=\"mod_le ______x.bin\"; filename*=UTF-8''mod%C3%A8le%20%22%C3%BC%22%3B%0D%0Ax.bin"
        );
    }
}
