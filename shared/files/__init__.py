"""Files that are written whole, temporary files, and files of environment variables."""
