"""A worked example of a Xinglin plugin; nothing is imported until Xinglin is asked for one of its parts by name."""
