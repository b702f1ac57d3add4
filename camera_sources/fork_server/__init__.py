"""A process that imports once what cameras' agents need, and forks an agent for each camera."""
