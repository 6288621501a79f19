//! The paths within its own crate that a source file uses. Not a full parser of Rust, which would be the largest
//! dependency of these chores: it understands `use` lines and plain paths, and does not see what macros generate.

/// A path that a file uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Used {
    /// Its segments, starting with `crate`, `super`, `self` or the name of a child.
    pub(super) path: Vec<String>,
    /// The name under which the file re-exports it, if it does.
    pub(super) exported: Option<String>,
}

/// Returns all paths in a file.
pub(super) fn used(text: &str) -> Vec<Used> {
    let tokens = without_tests(tokens(text));
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let exports = at > 0 && (tokens[at - 1] == "pub" || tokens[at - 1] == ")");
        match tokens[at].as_str() {
            "use" => {
                at += 1;
                tree(&tokens, &mut at, &[], exports, &mut found);
            }
            "crate" | "super" if tokens.get(at + 1).is_some_and(|next| next == "::") => {
                tree(&tokens, &mut at, &[], false, &mut found);
            }
            _ => at += 1,
        }
    }
    found
}

/// Parses a tree of paths, such as `a::{b, c::d as e}`.
fn tree(tokens: &[String], at: &mut usize, before: &[String], exports: bool, found: &mut Vec<Used>) {
    let mut path = before.to_vec();
    while let Some(token) = tokens.get(*at) {
        *at += 1;
        match token.as_str() {
            "{" => {
                while tokens.get(*at).is_some_and(|token| token != "}") {
                    let begun = *at;
                    tree(tokens, at, &path, exports, found);
                    if tokens.get(*at).is_some_and(|token| token == ",") || *at == begun {
                        *at += 1;
                    }
                }
                *at += 1;
                return;
            }
            "*" => break,
            "self" if !path.is_empty() => {}
            _ => path.push(token.clone()),
        }
        if tokens.get(*at).is_none_or(|next| next != "::") {
            break;
        }
        *at += 1;
    }
    let mut name = path.last().cloned();
    if tokens.get(*at).is_some_and(|token| token == "as") {
        name = tokens.get(*at + 1).cloned();
        *at += 2;
    }
    found.push(Used { path, exported: name.filter(|_| exports) });
}

/// Removes blocks under `#[cfg(test)]`: tests may use anything.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    let test = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if !tokens[at..].iter().zip(test).all(|(token, wanted)| token == wanted) || tokens.len() - at < test.len() {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let mut depth = 0;
        while at < tokens.len() {
            match tokens[at].as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 && matches!(tokens[at - 1].as_str(), "}" | ";") {
                break;
            }
        }
    }
    kept
}

/// Returns words, `::` and other characters, without comments, strings and character literals.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let is = |at: usize, c: char| chars.get(at) == Some(&c);
    let word = |c: &char| c.is_alphanumeric() || *c == '_';
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        match c {
            '/' if is(at + 1, '/') => at += chars[at..].iter().take_while(|c| **c != '\n').count(),
            '/' if is(at + 1, '*') => {
                at += 2;
                while at < chars.len() && !(is(at, '*') && is(at + 1, '/')) {
                    at += 1;
                }
                at += 2;
            }
            '"' => at = end_of_text(&chars, at + 1),
            'r' if (is(at + 1, '"') || is(at + 1, '#')) && (at == 0 || !word(&chars[at - 1])) => {
                at = end_of_raw(&chars, at + 1);
            }
            // A character literal, not a lifetime.
            '\'' if is(at + 1, '\\') => at = at + 3 + chars[at + 3..].iter().take_while(|c| **c != '\'').count() + 1,
            '\'' if is(at + 2, '\'') => at += 3,
            ':' if is(at + 1, ':') => {
                found.push("::".to_owned());
                at += 2;
            }
            c if word(&c) => {
                let long: String = chars[at..].iter().take_while(|c| word(c)).collect();
                at += long.chars().count();
                found.push(long);
            }
            c => {
                if !c.is_whitespace() {
                    found.push(c.to_string());
                }
                at += 1;
            }
        }
    }
    found
}

fn end_of_text(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// Returns the end of `r#"…"#`, given the position after the `r`; for `r#name`, the position of the name.
fn end_of_raw(chars: &[char], at: usize) -> usize {
    let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
    let mut end = at + hashes;
    if chars.get(end) != Some(&'"') {
        return end;
    }
    end += 1;
    while end < chars.len() {
        let closed = chars[end] == '"' && chars[end + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
        end += 1;
        if closed {
            return end + hashes;
        }
    }
    end
}
