"""The data plane: bulk tensors over direct TCP, framed, capped and validated."""
