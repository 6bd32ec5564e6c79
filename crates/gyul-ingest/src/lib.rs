//! Is this foreign thing an event, and if not, why? The API that is being built: see API.md.
