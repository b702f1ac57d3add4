"""Reading the configuration file: YAML, substitution, secrets, and every mistake with its line."""
