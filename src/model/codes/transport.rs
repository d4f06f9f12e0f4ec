//! Codes `N…`: broker, HTTPS and listeners.

codes! {}
