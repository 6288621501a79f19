//! An S3 server in one process and one folder.
