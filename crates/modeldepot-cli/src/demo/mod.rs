//! A model to try things with, when there is none at hand.

mod checkpoint;
