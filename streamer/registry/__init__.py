"""Model versions: the log that names them, and the store that holds their artifacts."""
