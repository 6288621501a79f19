//! Translates patterns from git's syntax to the matcher's.

/// Translates a pattern from git's syntax: here braces hold alternatives, in git they are literal; and a character
/// class here has no escapes.
pub(super) fn as_in_git(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => {
                text.push(c);
                text.extend(rest.next());
            }
            '{' | '}' => text.extend(['\\', c]),
            '[' => match class(rest.as_str()) {
                Some((class, after)) => {
                    text.push_str(&class);
                    rest = after.chars();
                }
                // An unclosed class makes the pattern malformed.
                None => text.push(c),
            },
            c => text.push(c),
        }
    }
    text
}

fn backwards(before: &str, after: &str) -> bool {
    let (from, to) = (before.chars().next_back(), after.chars().next());
    from.zip(to).is_some_and(|(from, to)| to < from && !matches!(to, ']' | '[' | '\\'))
}

/// Returns a character class without escapes, and the text after it. `text` starts after the opening bracket.
fn class(text: &str) -> Option<(String, &str)> {
    let negated = text.starts_with(['!', '^']);
    let (mut plain, mut odd) = (String::new(), [false; 4]);
    let odd_ones = [']', '!', '^', '-'];
    let mut rest = text.get(usize::from(negated)..)?.chars();
    let mut first = true;
    loop {
        match rest.next()? {
            ']' if first => odd[0] = true,
            ']' => break,
            '\\' => match rest.next()? {
                c if odd_ones.contains(&c) => odd.iter_mut().zip(odd_ones).for_each(|(odd, one)| *odd |= one == c),
                c => plain.push(c),
            },
            // A named class such as `[:digit:]` has a bracket of its own.
            '[' if rest.as_str().starts_with(':') && rest.as_str().contains(":]") => {
                let (name, after) = rest.as_str().split_once(":]")?;
                plain.extend(["[", name, ":]"]);
                rest = after.chars();
            }
            // Of a reversed range, git takes the first character.
            '-' if backwards(&plain, rest.as_str()) => drop(rest.next()),
            c => plain.push(c),
        }
        first = false;
    }
    // Where special characters are literal: the closing bracket first, the hyphen last, the others in between.
    let [closing, not, caret, hyphen] = odd.map(|odd| if odd { 1 } else { 0 });
    let middle = format!("{plain}{}{}", "!".repeat(not), "^".repeat(caret));
    let whole = format!("{}{middle}{}", "]".repeat(closing), "-".repeat(hyphen));
    let whole = match (negated, whole.as_str()) {
        (true, _) => format!("[!{whole}]"),
        (false, "!" | "^") => format!("\\{whole}"),
        (false, _) => format!("[{whole}]"),
    };
    Some((whole, rest.as_str()))
}
