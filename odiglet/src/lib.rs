//! odiglet
