"""The data plane: messages with large arrays over direct TCP, framed, bounded and validated."""
