//! Publishes, verifies and fetches trained models on any S3 bucket.
