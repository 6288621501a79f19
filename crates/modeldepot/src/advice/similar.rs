//! Which of the names that exist was meant by one that does not.

/// How alike two names must be, from 0 to 1: one wrong letter in four.
const ALIKE: f64 = 0.7;

/// How many letters a part of a name must have to stand for it, if it is less than half of it.
const PART: usize = 3;

/// How many names are suggested.
const SUGGESTIONS: usize = 3;

/// Returns the name that was misspelled, if there is one: the most similar of them.
pub fn misspelled<'n>(typed: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let alike = names.into_iter().map(|name| (likeness(typed, name), name)).filter(|(likeness, _)| *likeness > ALIKE);
    alike.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, name)| name)
}

/// Returns true if one name may be typed for the other: a misspelling, or a part of the name.
pub(crate) fn is_similar(typed: &str, name: &str) -> bool {
    likeness(typed, name) > ALIKE || is_part(typed, name)
}

/// Returns up to three similar names, the most similar first.
pub(crate) fn similar<T: Ord>(typed: &str, names: Vec<T>, text: impl Fn(&T) -> &str) -> Vec<T> {
    let mut found: Vec<(f64, T)> = names
        .into_iter()
        .filter_map(|name| is_similar(typed, text(&name)).then(|| (likeness(typed, text(&name)), name)))
        .collect();
    // Of names with the same part, the shortest is the most similar.
    let order = |of: &(f64, T)| (std::cmp::Reverse(of.0.to_bits()), text(&of.1).len());
    found.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.1.cmp(&b.1)));
    found.into_iter().take(SUGGESTIONS).map(|(_, name)| name).collect()
}

fn likeness(a: &str, b: &str) -> f64 {
    let [a, b] = [a, b].map(str::to_lowercase);
    let [short, long] = [a.chars().count(), b.chars().count()].map(|letters| letters as f64);
    // The distance is at least the difference in length, and takes long to compute for thousands of paths.
    if short.min(long) <= ALIKE * short.max(long) {
        return 0.0;
    }
    strsim::normalized_damerau_levenshtein(&a, &b)
}

fn is_part(a: &str, b: &str) -> bool {
    let [a, b] = [a, b].map(str::to_lowercase);
    let (part, whole) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let [letters, all] = [&part, &whole].map(|name| name.chars().count());
    (letters >= PART || letters > 0 && letters * 2 >= all) && whole.contains(&part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_guessed() {
        let names = || vec!["plant_classifier", "plant_segmenter", "whale"];
        assert_eq!(similar("plant_clasifier", names(), |n| n), ["plant_classifier"]);
        assert_eq!(similar("PLANT_CLASSIFEIR", names(), |n| n), ["plant_classifier"]);
        assert_eq!(similar("plant", names(), |n| n), ["plant_segmenter", "plant_classifier"]);
        assert_eq!(similar("whale_detector", names(), |n| n), ["whale"]);
        assert_eq!(similar("zebra", names(), |n| n), [""; 0]);
        assert_eq!(similar("a", vec!["a1", "banana"], |n| n), ["a1"], "a letter is part of too many names");
        assert_eq!(similar("", vec!["", "a"], |n| n), [""; 0]);
        assert_eq!(similar("model", vec!["model4", "model3", "model2", "model1"], |n| n).len(), SUGGESTIONS);
    }

    #[test]
    fn only_a_misspelling_is_one() {
        let verbs = ["push", "pull", "show", "versions"];
        assert_eq!(misspelled("psuh", verbs), Some("push"));
        assert_eq!(misspelled("verison", verbs), Some("versions"));
        assert_eq!(misspelled("versions-of-it", verbs), None, "it contains the name, and says more");
        assert_eq!(misspelled("", verbs), None);
        assert_eq!(misspelled("push", []), None);
    }

    #[test]
    fn the_quick_answer_is_the_right_one() {
        for (a, b) in [("abc", "abcd"), ("abcdefg", "abcdefghij"), ("ab", "abc"), ("äöü", "äöüß"), ("x", "x")] {
            let exact = strsim::normalized_damerau_levenshtein(a, b);
            assert_eq!(likeness(a, b) > ALIKE, exact > ALIKE, "{a} {b} {exact}");
        }
    }
}
