"""The command ``xinglin``: one verb a door, one file a room."""
