"""HTTP for cameras: requests, logins, and multipart streams."""
