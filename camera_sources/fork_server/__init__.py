"""A process that imports the modules of camera agents once, and forks an agent for each camera."""
