"""Gates: thresholds that a version must meet before it is released."""
