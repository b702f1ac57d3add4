"""All that makes a gateway, in one file, and a gateway made of it again."""
