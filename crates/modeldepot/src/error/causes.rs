//! The chain of causes, as it is shown.

use crate::visible::{LONGEST_MESSAGE, shortened};

/// How many causes are shown.
const MOST: usize = 16;

/// Returns the messages of an error's causes, the nearest first. What a message already said is not said again. Each is
/// [shortened], whatever was found in the bucket.
pub fn causes(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next.filter(|_| causes.len() < MOST) {
        let message = cause.to_string();
        if !said.contains(&message) {
            causes.push(shortened(&message, LONGEST_MESSAGE).into_owned());
            said = message;
        }
        next = cause.source();
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Chained {
        text: String,
        source: Option<Box<Chained>>,
    }

    #[test]
    fn causes_are_few_and_short() {
        let chain = (0..100).fold(None, |source, n| {
            Some(Box::new(Chained { text: format!("{n}: {} end", "x".repeat(1_000_000)), source }))
        });
        let causes = causes(&*chain.unwrap());
        assert_eq!(causes.len(), MOST);
        assert!(causes.iter().all(|cause| cause.chars().count() == LONGEST_MESSAGE + 1 && cause.ends_with("x end")));
    }
}
