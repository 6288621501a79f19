//! Ctrl-C and SIGTERM: the running work is dropped, and its temporary files are removed.

use std::future::Future;

/// The signal that ended the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    #[cfg_attr(not(unix), expect(dead_code, reason = "only Unix has it"))]
    Terminate,
}

impl Signal {
    /// Returns the usual exit status: 128 plus the signal's number.
    pub(crate) fn exit(self) -> u8 {
        match self {
            Signal::Interrupt => 130,
            Signal::Terminate => 143,
        }
    }

    /// Returns the word for messages.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Signal::Interrupt => "interrupted",
            Signal::Terminate => "terminated",
        }
    }
}

/// The signals of this process. Once created, they no longer end the process by default.
pub(crate) struct Signals {
    #[cfg(unix)]
    sources: Option<[tokio::signal::unix::Signal; 2]>,
}

impl Signals {
    /// Starts to handle the signals. Needs a runtime.
    #[cfg(unix)]
    pub(crate) fn listen() -> Signals {
        use tokio::signal::unix::{SignalKind, signal};
        // If the system refuses, the signals keep their default action.
        let sources = signal(SignalKind::interrupt()).and_then(|a| Ok([a, signal(SignalKind::terminate())?]));
        Signals { sources: sources.ok() }
    }

    /// Waits for a signal.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> Signal {
        let Some([interrupt, terminate]) = &mut self.sources else { return std::future::pending().await };
        tokio::select! {
            _ = interrupt.recv() => Signal::Interrupt,
            _ = terminate.recv() => Signal::Terminate,
        }
    }

    /// Starts to handle the signals. Needs a runtime.
    #[cfg(not(unix))]
    pub(crate) fn listen() -> Signals {
        Signals {}
    }

    /// Waits for a signal.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> Signal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Signal::Interrupt,
            Err(_) => std::future::pending().await,
        }
    }
}

/// Runs the work until it is done or a signal comes; the work is dropped before this returns.
pub(crate) async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Result<T, Signal> {
    let mut signals = Signals::listen();
    tokio::select! {
        // Signals come first: work that is always ready would starve them.
        biased;
        signal = signals.next() => Err(signal),
        done = work => Ok(done),
    }
}
