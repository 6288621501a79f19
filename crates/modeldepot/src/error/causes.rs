//! The chain of causes, as it is shown.

/// Returns the messages of an error's causes, the nearest first. What a message already said is not said again.
pub fn causes(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let message = cause.to_string();
        if !said.contains(&message) {
            causes.push(message.clone());
            said = message;
        }
        next = cause.source();
    }
    causes
}
