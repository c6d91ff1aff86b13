//! Promises about stripping, tried on generated texts and streams and every split.
