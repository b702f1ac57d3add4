"""From the outputs of a detector to the objects in a picture: decoding, suppression, boxes in the picture."""
