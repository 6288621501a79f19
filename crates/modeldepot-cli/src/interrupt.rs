//! Ctrl-C and SIGTERM: the running work is dropped, and what it staged vanishes with it.

use std::future::Future;

/// What ended the work early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// A polite kill.
    #[cfg_attr(not(unix), expect(dead_code, reason = "only Unix has it"))]
    Terminate,
}

impl Signal {
    /// Returns the exit status that shells know: 128 and the signal's number.
    pub(crate) fn exit(self) -> u8 {
        match self {
            Signal::Interrupt => 130,
            Signal::Terminate => 143,
        }
    }

    /// Returns what is said about it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Signal::Interrupt => "interrupted",
            Signal::Terminate => "terminated",
        }
    }
}

/// The signals of this process. From its making on none ends the process by itself.
pub(crate) struct Signals {
    #[cfg(unix)]
    sources: Option<[tokio::signal::unix::Signal; 2]>,
}

impl Signals {
    /// Takes the signals over. Needs a runtime.
    #[cfg(unix)]
    pub(crate) fn listen() -> Signals {
        use tokio::signal::unix::{SignalKind, signal};
        // Where the system does not hand them over, they keep their own effect.
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

    /// Takes the signals over. Needs a runtime.
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
        // A signal goes first: work that always has something ready would hold it off.
        biased;
        signal = signals.next() => Err(signal),
        done = work => Ok(done),
    }
}
