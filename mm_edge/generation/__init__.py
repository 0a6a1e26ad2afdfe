"""From context to sentence in few passes."""
