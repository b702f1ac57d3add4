"""Asking a camera over HTTP: requests, logins, and streams in parts."""
