"""`deepthings doctor`: pure checks of what was found out between here and a detection, and what finds it out."""
