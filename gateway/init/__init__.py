"""A first configuration: questions and trials, the files that are written, and the commands to type next."""
